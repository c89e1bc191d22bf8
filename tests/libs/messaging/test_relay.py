"""From the outbox to the log: never lost, in order, and at worst sent twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.postgres import PostgresStore, ddl
from libs.eventsourcing.store import SHARDS, Store
from libs.kernel import Outage
from libs.messaging.bus import topic_of
from libs.messaging.memory import MemoryBus
from libs.messaging.message import Message
from libs.messaging.relay import OutboxFeed, Relay
from libs.testing.clocks import StandingClock
from libs.testing.schemas import own_schema
from libs.testing.store_contract import asked, key_in, published

TOPIC = topic_of("toy")


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest, pool: asyncpg.Pool) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(StandingClock())
        return
    async with own_schema(pool, "relay", ddl) as schema:
        yield PostgresStore(pool, schema, StandingClock())


class FrailBus(MemoryBus):
    """A log that can be away, or hold a publisher up after its letters have arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if self.faults:
            raise self.faults.pop()
        await super().publish(topic, messages)
        self.arrived.set()
        await self.gate.wait()

    def sent(self, shard: int) -> list[int]:
        """The sequences of a shard as they lie on the log."""
        letters = [letter.message for letter in self.slots[TOPIC, shard % 8] if letter.message]
        return [message.place[2] for message in letters if message.place[1] == shard]


@pytest.fixture
def bus() -> FrailBus:
    return FrailBus()


async def append(store: Store, stream: str, messages: int = 1, shard: int = 0, expected: int = 0) -> None:
    told = [published(nth) for nth in range(messages)]
    wanted = asked(f"{stream} {expected}", stream, expected, messages, routing_key=key_in(shard), messages=told)
    await store.append(wanted)


async def test_what_was_stored_is_sent_once_and_in_order(store: Store, bus: FrailBus) -> None:
    relay = Relay("toy", store, bus)
    assert await relay.step() == 0
    await append(store, "card-1", 3, shard=0)
    await append(store, "card-2", 2, shard=8)
    assert await relay.step() == 5
    assert await relay.step() == 0
    await append(store, "card-1", 1, shard=0, expected=3)
    assert await relay.step() == 1
    assert (bus.sent(0), bus.sent(8)) == ([1, 2, 3, 4], [1, 2])
    marks = await store.marks()
    assert (marks[0], marks[8], sum(marks.values())) == (4, 2, 6)


async def test_a_full_batch_leaves_the_rest_for_the_next_step(
    store: Store, bus: FrailBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.messaging.relay.BATCH_MAX", 4)
    await append(store, "card-1", 3, shard=0)
    await append(store, "card-2", 3, shard=1)
    relay = Relay("toy", store, bus)
    assert [await relay.step() for _ in range(3)] == [4, 2, 0]
    assert (bus.sent(0), bus.sent(1)) == ([1, 2, 3], [1, 2, 3])


async def test_a_relay_goes_on_where_the_last_one_stood(store: Store, bus: FrailBus) -> None:
    await append(store, "card-1", 2)
    await Relay("toy", store, bus).step()
    await append(store, "card-1", 1, expected=2)
    assert await Relay("toy", store, bus).step() == 1
    assert bus.sent(0) == [1, 2, 3]


async def test_a_log_that_is_away_gets_everything_when_it_is_back(store: Store, bus: FrailBus) -> None:
    relay = Relay("toy", store, bus)
    await append(store, "card-1", 2)
    bus.faults = [Outage("away")]
    with pytest.raises(Outage):
        await relay.step()
    assert sum((await store.marks()).values()) == 0
    assert await relay.step() == 2
    assert bus.sent(0) == [1, 2]


@pytest.mark.parametrize("restarts", [False, True], ids=["the same relay goes on", "another one comes"])
@pytest.mark.parametrize("marked", [False, True], ids=["before the mark", "after the mark, before its answer"])
async def test_a_crash_after_sending_makes_duplicates_only(
    store: Store, bus: FrailBus, monkeypatch: pytest.MonkeyPatch, restarts: bool, marked: bool
) -> None:
    relay = Relay("toy", store, bus)
    await append(store, "card-1", 2)
    mark = store.mark

    async def crash(moved: dict[int, tuple[int, int]]) -> bool:
        if marked:
            await mark(moved)
        raise Outage("away")

    with monkeypatch.context() as storm:
        storm.setattr(store, "mark", crash)
        with pytest.raises(Outage):
            await relay.step()
    await append(store, "card-1", 1, expected=2)
    if restarts:
        relay = Relay("toy", store, bus)
    while await relay.step():
        pass
    sent = bus.sent(0)
    assert set(sent) == {1, 2, 3}
    assert [n for nth, n in enumerate(sent) if n not in sent[:nth]] == [1, 2, 3]
    assert sent[:2] == [1, 2]
    assert (await store.marks())[0] == 3


async def test_a_relay_that_is_overtaken_takes_back_no_mark(store: Store, bus: FrailBus) -> None:
    """The slow one has sent 1 and 2, but not yet said so, when the quick one has sent and marked 1 to 3."""
    slow, quick = Relay("toy", store, bus), Relay("toy", store, bus)
    await append(store, "card-1", 2)
    bus.gate.clear()
    slowly = asyncio.create_task(slow.step())
    await bus.arrived.wait()
    await append(store, "card-1", 1, expected=2)
    closed, bus.gate = bus.gate, asyncio.Event()
    bus.gate.set()
    assert await quick.step() == 3
    closed.set()
    await slowly
    assert (await store.marks())[0] == 3
    await append(store, "card-1", 1, expected=3)
    assert await slow.step() == 1
    assert (await store.marks())[0] == 4
    assert bus.sent(0)[-1] == 4
    assert set(bus.sent(0)) == {1, 2, 3, 4}


async def test_a_relay_that_waits_is_woken_by_an_append(store: Store, bus: FrailBus) -> None:
    relay = Relay("toy", store, bus)
    waiting = asyncio.create_task(relay.wait())
    await asyncio.sleep(0)
    begun = asyncio.get_running_loop().time()
    await append(store, "card-1")
    await waiting
    assert asyncio.get_running_loop().time() - begun < 0.2
    await asyncio.wait_for(relay.wait(), 1)  # Another process may have stored something: look again soon.


async def test_a_services_own_messages_are_read_at_the_source(store: Store) -> None:
    feed = OutboxFeed("toy", store)
    await append(store, "card-1", 3, shard=0)
    await append(store, "card-2", 2, shard=63)
    slots = await feed.slots()
    assert len(slots) == SHARDS
    letters = await feed.fetch(dict.fromkeys(slots, 0), 10)
    assert sorted((letter.slot[1], letter.offset, letter.message and letter.message.id) for letter in letters) == [
        (0, 0, "toy/0/1"), (0, 1, "toy/0/2"), (0, 2, "toy/0/3"), (63, 0, "toy/63/1"), (63, 1, "toy/63/2"),
    ]  # fmt: skip
    (topic, _) = next(iter(slots))
    rest = await feed.fetch(dict.fromkeys(slots, 0) | {(topic, 0): 2, (topic, 63): 2}, 10)
    assert [letter.message and letter.message.id for letter in rest] == ["toy/0/3"]
    assert len(await feed.fetch(dict.fromkeys(slots, 0), 4)) == 4
    assert {slot: end for slot, end in (await feed.ends()).items() if end} == {(topic, 0): 3, (topic, 63): 2}
    await feed.close()


async def test_who_reads_at_the_source_is_woken_by_an_append(store: Store) -> None:
    feed = OutboxFeed("toy", store)
    waiting = asyncio.create_task(feed.wait(5))
    await asyncio.sleep(0)
    await append(store, "card-1")
    await asyncio.wait_for(waiting, 1)
