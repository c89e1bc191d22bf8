"""What every service may ask of the vault, whoever keeps it."""

from typing import Protocol

from libs.kernel import Sealed


class Erased(Exception):
    """The key of this person is destroyed: nobody can read these data again, the city included.

    Not a `Refused`: it is the answer, not a no. Views show "erased" and go on; who cannot go on without the data makes
    a refusal of it, in the caller's own words.
    """


class Tampered(Exception):
    """What the vault was handed, or holds, is not what it once closed: changed, moved, or gone without an erasure.

    A bug or an attack, never an everyday answer: let it be loud.
    """


class Vault(Protocol):
    """Closes personal data under the person's own key; every act may be repeated safely after an `Outage`.

    An erasure is final at once for whatever touches the store, and for keys that another process still has in memory
    within 60 seconds.
    """

    async def seal(self, person: str, field: str, text: str) -> Sealed:
        """Close a text for this person and this field only; the person's key is made on first use. Raises Erased."""

    async def open(self, person: str, field: str, sealed: Sealed) -> str:
        """The text in the envelope. Raises Erased, or Tampered if it was not sealed for this person and this field."""

    async def claim(self, kind: str, text: str, person: str) -> str:
        """Whose text this is: the first who claims it has it until erased. Raises Erased.

        The text is compared to the letter: the caller brings it into its normal form. `kind` keeps equal texts of
        different meaning apart. Only a keyed hash of the text is kept (a blind index).
        """

    async def find(self, kind: str, text: str) -> str | None:
        """The person who claimed this text."""

    async def keep(self, person: str, name: str, content: bytes) -> str:
        """Keep a document and get its reference, which tells nothing about it. Raises Erased.

        The same content under the same name for the same person is the same document, with the same reference.
        """

    async def fetch(self, person: str, reference: str) -> bytes:
        """A document of this person. Raises Erased, or Tampered if nothing sound is kept under this reference."""

    async def erase(self, person: str) -> None:
        """Destroy the key, the claims and the documents of a person, who will never have a key again.

        Say it again for everybody erased since, whenever an old backup of the vault was restored.
        """
