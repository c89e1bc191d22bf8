"""Terminals until there is a gateway that knows them."""

from datetime import datetime

from services.ids import CardId


class NoTerminals:
    """There are none, so nothing of them is outstanding; the terminal gateway takes this one's place."""

    async def all_in(self, card: CardId, since: datetime) -> bool:
        return bool(card) and since is not None


class StubbornTerminals:
    """Terminals that upload when a test tells them to."""

    def __init__(self) -> None:
        self.uploaded = False

    async def all_in(self, card: CardId, since: datetime) -> bool:
        return self.uploaded
