"""How every process hears whose duties have ended, so that its doors refuse the tokens that were issued for them."""

import asyncio

from libs.kernel import Outage
from libs.messaging.bus import topic_of
from libs.messaging.memory import out_of_step
from libs.messaging.message import Message
from libs.messaging.notebook import MemoryNotebook
from libs.messaging.reader import Reader, nothing
from libs.messaging.readmodel import MemoryRows
from libs.runtime.platform import Platform
from libs.runtime.service import Service
from libs.telemetry import log_for
from libs.web.withdrawn import Withdrawn

LOOK_S = 0.25  # By the clock and not by the bell, which rings for every letter of the city.
START_WITHIN_S = 5.0
READER = "doors"

log = log_for("house")


class Ear:
    """Reads one service's topic for this process alone, from its beginning, and keeps its place in memory.

    What is noted twice is noted once, so it may begin anew whenever its place means nothing any more.
    """

    def __init__(self, platform: Platform, service: Service, withdrawn: Withdrawn) -> None:
        self.name = f"{service.name} doors"
        self._withdrawn = withdrawn
        self._contracts = {contract.type_name(): contract for contract in service.withdraws}
        self._means = service.withdraws
        self._feed = platform.bus.feed("", [topic_of(service.name)])
        self._held: object = {}
        self._begin()

    def _begin(self) -> None:
        self._notebook = MemoryNotebook(MemoryRows())
        self.reader = Reader(READER, self._feed, self._notebook, self._note, nothing, heeds=frozenset(self._contracts))

    async def _note(self, message: Message) -> None:
        told = self._contracts[message.type].model_validate_json(message.data)
        self._withdrawn.note(self._means[type(told)](told))

    async def step(self) -> int:
        """Hear what has come. Raises Outage."""
        return await self.reader.step()

    async def wait(self) -> None:
        """Return when it is time to look again."""
        await asyncio.sleep(out_of_step(LOOK_S, self.name))

    async def heard_all(self) -> bool:
        """Whether nothing lies unheard. Raises Outage."""
        return await self.reader.lag() == 0

    async def catch_up(self) -> None:
        """Hear all that there is before the doors open.

        If the log is away they open all the same, for a loss can always be reported; until it is back, a token of
        somebody who was dismissed holds until it ends.
        """
        try:
            async with asyncio.timeout(START_WITHIN_S):
                await self.step()
                while not await self.heard_all():
                    await self.step()
        except (Outage, TimeoutError) as away:
            log.warning("the doors open before all dismissals are heard", who=self.name, error=str(away))

    async def look(self) -> None:
        """Begin anew if the log was emptied and filled again: then letters are missing, or the place lies behind it."""
        ends, memory = await self._feed.ends(), await self._notebook.load(READER)
        held = {origin: set(letters) for origin, letters in memory.waiting.items() if letters}
        lost = any(next_ > ends.get(slot, 0) for slot, next_ in memory.positions.items())
        if lost or (held and held == self._held):
            self._begin()
        self._held = held

    async def close(self) -> None:
        await self._feed.close()
