"""What the wallet asks of the world outside."""

from datetime import datetime
from typing import Protocol

from services.ids import CardId


class Terminals(Protocol):
    """The terminals that take cards offline; the terminal gateway knows which of them have heard and have uploaded."""

    async def all_in(self, card: CardId, since: datetime) -> bool:
        """Whether every terminal that could have taken this card has uploaded a batch that it closed after it had heard
        that the card is stopped. Raises Outage."""
