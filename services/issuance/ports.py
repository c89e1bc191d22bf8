"""What issuance asks of the world outside."""

from typing import Literal, Protocol

FingerVerdict = Literal["match", "mismatch", "unreadable"]


class Fingerprints(Protocol):
    """The police's service that compares a finger with the one on record; no print ever comes here."""

    async def verdict(self, person: str, reading: str) -> FingerVerdict:
        """What became of the reading with this reference, taken for this person. Raises Outage."""
