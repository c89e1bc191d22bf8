"""What the wallet asks of the world outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.ids import CardId


class Terminals(Protocol):
    """The terminals that take cards offline; the terminal gateway knows which of them have heard and have uploaded."""

    async def all_in(self, card: CardId, since: datetime) -> bool:
        """Whether every terminal that could have taken this card has uploaded a batch that it closed after it had heard
        that the card is stopped. Raises Outage."""


class Cryptograms(Protocol):
    """Knows whether a card has signed a tap; a security module answers in production."""

    def genuine(self, records: bytes) -> Sequence[bool]:
        """For each raw record of a tap file (docs/tap-files.md) whether its card signed it."""
