"""The only room in which a person can be read: what goes to the vault, and what comes back."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from libs.kernel import Sealed
from libs.vault.port import Erased, Vault
from libs.vault.wholesale import claim_many, find_many, open_many, seal_many
from services.identity.domain.decider import DataErased
from services.identity.domain.documents import Document
from services.identity.domain.events import Particulars
from services.identity.domain.state import Known
from services.ids import PersonId


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Opened:
    """Who a person is, in clear; it lives as long as one request and shows nothing in a log or a trace."""

    name: str
    number: str
    issuer: str
    birth: date
    mobile: str


class People:
    """Who is who. A person belongs to a city: the same document in another city is somebody to be registered there."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def find(self, city: str, document: Document) -> PersonId | None:
        """Whose document this is, registered or about to be."""
        found = await self._vault.find("document", _index(city, document))
        return None if found is None else PersonId(found)

    async def claim(self, city: str, document: Document, newcomer: PersonId) -> PersonId:
        """Whose document this is: the newcomer's, unless somebody has it already. Raises DataErased."""
        try:
            # Asked first, so that the vault makes no key for a newcomer who turns out to be known.
            holder = await self.find(city, document)
            return holder or PersonId(await self._vault.claim("document", _index(city, document), newcomer))
        except Erased:
            raise DataErased from None

    async def lookalike(self, city: str, document: Document, opened: Opened, person: PersonId) -> PersonId | None:
        """Who had this name and birthday first, among those whose documents are renewed under another number.

        A citizen has one number for life, so that two numbers are two persons. Raises DataErased.
        """
        if document.match_key.startswith("citizen:"):
            return None
        try:
            first = await self._vault.claim(
                "name and birth", f"{city} {comparable(opened.name)} {opened.birth}", person
            )
        except Erased:
            raise DataErased from None
        return None if first == person else PersonId(first)

    async def close(self, person: PersonId, opened: Opened) -> Particulars:
        """Seal what the person said. Raises DataErased."""
        try:
            return Particulars(
                name=await self._vault.seal(person, "name", opened.name),
                number=await self._vault.seal(person, "number", opened.number),
                issuer=await self._vault.seal(person, "issuer", opened.issuer),
                birth=await self._vault.seal(person, "birth", opened.birth.isoformat()),
                mobile=await self._vault.seal(person, "mobile", opened.mobile),
            )
        except Erased:
            raise DataErased from None

    async def open(self, person: Known) -> Opened:
        """Who the person is. Raises DataErased."""
        closed = person.particulars
        try:
            return Opened(
                name=await self._vault.open(person.person_id, "name", closed.name),
                number=await self._vault.open(person.person_id, "number", closed.number),
                issuer=await self._vault.open(person.person_id, "issuer", closed.issuer),
                birth=await self.birth(person),
                mobile=await self._vault.open(person.person_id, "mobile", closed.mobile),
            )
        except Erased:
            raise DataErased from None

    async def birth(self, person: Known) -> date:
        """When the person was born. Raises DataErased."""
        try:
            return date.fromisoformat(await self._vault.open(person.person_id, "birth", person.particulars.birth))
        except Erased:
            raise DataErased from None

    async def find_many(self, city: str, documents: Sequence[Document]) -> Sequence[PersonId | None]:
        """Whose documents these are."""
        found = await find_many(self._vault, "document", [_index(city, document) for document in documents])
        return [None if holder is None else PersonId(holder) for holder in found]

    async def claim_many(self, city: str, wanted: Sequence[tuple[Document, PersonId]]) -> Sequence[PersonId]:
        """Of each document and newcomer, whose it is; an empty id for a newcomer who was erased."""
        indexed = [(_index(city, document), newcomer) for document, newcomer in wanted]
        return [PersonId(holder) for holder in await claim_many(self._vault, "document", indexed)]

    async def close_many(self, wanted: Sequence[tuple[PersonId, Opened]]) -> Sequence[Particulars | None]:
        """Seal what many persons said; None for the erased."""
        closed = await seal_many(
            self._vault,
            [
                (
                    person,
                    {
                        "name": opened.name,
                        "number": opened.number,
                        "issuer": opened.issuer,
                        "birth": opened.birth.isoformat(),
                        "mobile": opened.mobile,
                    },
                )
                for person, opened in wanted
            ],
        )
        return [None if fields is None else Particulars(**fields) for fields in closed]

    async def who_many(self, persons: Sequence[Known]) -> Sequence[tuple[str, str] | None]:
        """Of each person name and number; None for the erased."""
        opened = await open_many(
            self._vault,
            [(p.person_id, {"name": p.particulars.name, "number": p.particulars.number}) for p in persons],
        )
        return [None if fields is None else (fields["name"], fields["number"]) for fields in opened]

    async def close_row(self, person: PersonId, said: str) -> Sealed | None:
        """What a row says of somebody whom the register knows; None if they were erased."""
        (closed,) = await seal_many(self._vault, [(person, {"row": said})])
        return None if closed is None else closed["row"]

    async def open_row(self, person: PersonId, said: Sealed) -> str:
        """What a row says. Raises DataErased."""
        try:
            return await self._vault.open(person, "row", said)
        except Erased:
            raise DataErased from None

    async def erase(self, person: PersonId) -> None:
        """Destroy the key; said twice, done once."""
        await self._vault.erase(person)


def comparable(name: str) -> str:
    """A name without what a keyboard adds: full-width letters, spaces and dots between names."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in plain if char.isalnum())


def _index(city: str, document: Document) -> str:
    return f"{city} {document.match_key}"
