"""How personal data are closed: AES-256-GCM for the words, HKDF and HMAC with SHA-256 for everything else."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.kernel import Sealed
from libs.vault.port import Tampered

KEY_BYTES = 32
NONCE_BYTES = 12

Randomness: TypeAlias = Callable[[int], bytes]


def drawn_ahead(randomness: Randomness, total: int) -> Randomness:
    """Randomness for so many bytes, drawn at once: each drawing is a call to the kernel, and a roll needs millions."""
    drawn = BytesIO(randomness(total))

    def next_(count: int) -> bytes:
        if len(found := drawn.read(count)) < count:
            raise ValueError("more randomness is wanted than was drawn")
        return found

    return next_


class Key:
    """256 secret bits, known by an `id` that is derived from them and tells nothing about them.

    What is closed is `bound_to` words, and opens under the same words only.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(secret)}")
        self._extracted = hmac.digest(bytes(KEY_BYTES), secret, "sha256")
        self._cipher = AESGCM(self.derive("encryption"))
        self.id = self.derive("id").hex()[:12]

    def derive(self, *purpose: str) -> bytes:
        """Another secret, for one purpose; neither leads back to this key nor to its other children."""
        # HKDF-SHA256 (RFC 5869) without salt and of one block, which is two HMACs; a roll needs millions of them.
        return hmac.digest(self._extracted, _unmistakable(purpose) + b"\x01", "sha256")

    def encrypt(self, clear: bytes, randomness: Randomness, *bound_to: str) -> bytes:
        """Nonce and ciphertext."""
        nonce = randomness(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, clear, _unmistakable(bound_to))

    def decrypt(self, closed: bytes, *bound_to: str) -> bytes:
        """What was encrypted under these words. Raises Tampered."""
        try:
            return self._cipher.decrypt(closed[:NONCE_BYTES], closed[NONCE_BYTES:], _unmistakable(bound_to))
        except (InvalidTag, ValueError):
            raise Tampered("this was not closed with this key, for these words") from None

    def close(self, clear: bytes, randomness: Randomness, *bound_to: str) -> str:
        """An envelope that can travel as text: `v1.<key id>.<base64url of nonce and ciphertext>`."""
        return self._envelope(self.encrypt(clear, randomness, *bound_to))

    def open(self, envelope: str, *bound_to: str) -> bytes:
        """What the envelope holds. Raises Tampered; one content has exactly one spelling."""
        try:
            closed = from_text(envelope.rpartition(".")[2])
        except ValueError:
            raise Tampered("this is no envelope") from None
        if self._envelope(closed) != envelope:
            raise Tampered("this envelope was made by another key, or is misspelt")
        return self.decrypt(closed, *bound_to)

    def _envelope(self, closed: bytes) -> str:
        return f"v1.{self.id}.{to_text(closed)}"


def key_id(envelope: str) -> str:
    """The id of the key that an envelope names."""
    return envelope.partition(".")[2].partition(".")[0]


def seal(key: Key, randomness: Randomness, person: str, field: str, text: str) -> Sealed:
    """A field of a person."""
    return Sealed(box=key.close(text.encode(), randomness, "field", person, field))


def unseal(key: Key, person: str, field: str, sealed: Sealed) -> str:
    """The text of a field. Raises Tampered."""
    return key.open(sealed.box, "field", person, field).decode()


def file_away(key: Key, randomness: Randomness, person: str, reference: str, content: bytes) -> bytes:
    """A document of a person."""
    return key.encrypt(content, randomness, "document", person, reference)


def take_out(key: Key, person: str, reference: str, closed: bytes) -> bytes:
    """The content of a document. Raises Tampered."""
    return key.decrypt(closed, "document", person, reference)


def reference(key: Key, name: str, content: bytes) -> str:
    """The same for the same document; without the person's key it cannot even be tested against a guess."""
    return to_text(hmac.digest(key.derive("reference", name), content, "sha256"))


def blind(index_key: bytes, text: str) -> bytes:
    """A text as the index knows it: equal for equal texts, and nothing else to learn from it."""
    return hmac.digest(index_key, text.encode(), "sha256")


def to_text(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    """The bytes that were written as text. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _unmistakable(words: tuple[str, ...]) -> bytes:
    """Words in a row, each with its length, so that no two rows look the same."""
    return b"".join(map(_measured, words))


@lru_cache(maxsize=1_000)  # The words that come again and again; nothing that is secret is among them.
def _measured(text: str) -> bytes:
    word = text.encode()
    return len(word).to_bytes(4, "big") + word
