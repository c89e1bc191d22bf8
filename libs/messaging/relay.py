"""Carries what a service has to tell from its outbox to the log, in commit order, and never forgets a thing."""

import asyncio
from collections.abc import Mapping, Sequence

from libs.eventsourcing.store import SHARDS, Store
from libs.messaging.bus import Bus, Letter, Slot, topic_of
from libs.messaging.memory import out_of_step, rung
from libs.messaging.message import Message

BATCH_MAX = 1_000
NOT_ASKED_FOR = 2**62  # Beyond every sequence.
LOOK_AGAIN_S = 0.25  # How long a message stored by another process of the service may lie unsent.


class Relay:
    """Sends a whole batch, then moves its marks.

    A crash between the two sends the batch again, which readers notice; a second relay of the same service is noticed
    at the marks, each of which moves only from where it was seen to stand.
    """

    def __init__(self, service: str, store: Store, bus: Bus) -> None:
        self._service, self._store, self._bus, self._topic = service, store, bus, topic_of(service)
        self._marks: Mapping[int, int] | None = None
        self._rung = asyncio.Event()
        store.on_append(self._rung.set)

    async def step(self) -> int:
        """Send what is there, up to a batch; returns how many messages were sent. Raises Outage."""
        if self._marks is None:
            self._marks = await self._store.marks()
        rows = await self._store.outbox(self._marks, BATCH_MAX)
        if not rows:
            self._marks = None  # A server that has crashed may have forgotten where they stood last.
            return 0
        await self._bus.publish(self._topic, [Message.of(self._service, row) for row in rows])
        reached = {row.shard: row.sequence for row in rows}
        moved = {shard: (self._marks.get(shard, 0), sequence) for shard, sequence in reached.items()}
        self._marks = {**self._marks, **reached} if await self._store.mark(moved) else None
        return len(rows)

    async def start_over(self) -> None:
        """Empty the topic and let the marks go back, so that everything is sent once more.

        In this order: whatever a relay at work sends into the emptied topic is sent again. Raises Outage, and can then
        be repeated.
        """
        await self._bus.forget(self._topic)
        while not await self._store.mark({s: (mark, 0) for s, mark in (await self._store.marks()).items() if mark}):
            pass
        self._marks = None

    async def wait(self) -> None:
        """Return when there may be more to send."""
        await rung(self._rung, out_of_step(LOOK_AGAIN_S, self._service))


class OutboxFeed:
    """A service's own messages, read at the source: its read models are up to date even while the log is away."""

    def __init__(self, service: str, store: Store, heeds: frozenset[str] | None = None) -> None:
        self._service, self._store, self._topic, self._heeds = service, store, f"outbox.{service}", heeds
        self._slots = frozenset((self._topic, shard) for shard in range(SHARDS))
        self._rung = asyncio.Event()
        store.on_append(self._rung.set)

    @property
    def leaves_out(self) -> bool:
        return self._heeds is not None

    async def slots(self) -> frozenset[Slot]:
        return self._slots

    async def fetch(self, positions: Mapping[Slot, int], limit: int) -> Sequence[Letter]:
        after = {shard: positions.get((self._topic, shard), NOT_ASKED_FOR) for shard in range(SHARDS)}
        rows = await self._store.outbox(after, limit, self._heeds)
        return [Letter((self._topic, row.shard), row.sequence - 1, Message.of(self._service, row)) for row in rows]

    async def wait(self, timeout_s: float) -> None:
        await rung(self._rung, timeout_s)

    async def ends(self) -> Mapping[Slot, int]:
        return {(self._topic, shard): sequence for shard, sequence in (await self._store.ends()).items()}

    async def close(self) -> None:
        return
