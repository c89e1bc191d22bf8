"""The bus in memory: for tests and for simulation."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from zlib import crc32

from libs.eventsourcing.store import Doorbell
from libs.messaging.bus import PARTITIONS, Letter, Slot, partition_of
from libs.messaging.inlet import Inlet
from libs.messaging.message import Message


class MemoryBus:
    """Keeps every promise of `Bus` but durability."""

    def __init__(self) -> None:
        self.slots: dict[Slot, list[Letter]] = defaultdict(list)
        self.bell = Doorbell()

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        await asyncio.sleep(0)
        for message in messages:
            slot = (topic, partition_of(message))
            self.slots[slot].append(Letter(slot, len(self.slots[slot]), message))
        self.bell.ring()

    def feed(self, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None) -> "MemoryFeed":
        return MemoryFeed(self, topics)

    def inlet(self, group: str, inlet: Inlet) -> None:
        return None

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        return {(topic, n): len(self.slots[topic, n]) for topic in topics for n in range(PARTITIONS)}

    async def forget(self, topic: str) -> None:
        for slot in [slot for slot in self.slots if slot[0] == topic]:
            del self.slots[slot]

    async def close(self) -> None:
        return


class MemoryFeed:
    """A reader's view of the bus in memory; it owns all slots of its topics."""

    leaves_out = False

    def __init__(self, bus: MemoryBus, topics: Sequence[str]) -> None:
        self._bus, self._topics = bus, list(topics)
        self._slots = frozenset((topic, n) for topic in topics for n in range(PARTITIONS))
        self._rung = asyncio.Event()
        bus.bell.add(self._rung.set)

    async def slots(self) -> frozenset[Slot]:
        return self._slots

    async def fetch(self, positions: Mapping[Slot, int], limit: int) -> Sequence[Letter]:
        await asyncio.sleep(0)
        found = [letter for slot, next_ in positions.items() for letter in self._bus.slots[slot][next_:]]
        return found[:limit]

    async def wait(self, timeout_s: float) -> None:
        await rung(self._rung, timeout_s)

    async def ends(self) -> Mapping[Slot, int]:
        return await self._bus.ends(self._topics)

    async def close(self) -> None:
        return


def out_of_step(period_s: float, who: str) -> float:
    """How long one of many waits who are all to look about every `period_s`: up to a fifth less, each another time.

    In step they would all ask at the same moment, for ever, each on a connection of their own.
    """
    return period_s * (0.8 + 0.2 * (crc32(who.encode()) % 1000) / 1000)


async def rung(bell: asyncio.Event, timeout_s: float) -> None:
    """Wait until the bell has rung since the last time, or the time is over."""
    try:
        async with asyncio.timeout(timeout_s):
            await bell.wait()
    except TimeoutError:
        return
    finally:
        bell.clear()
