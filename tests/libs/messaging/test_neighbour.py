"""Where outbox and log are neighbours in one database: once, in order, marks and letters together or not at all."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.eventsourcing.postgres import PostgresStore
from libs.eventsourcing.postgres import ddl as store_ddl
from libs.kernel import Outage
from libs.messaging.bus import PARTITIONS, topic_of
from libs.messaging.memory import MemoryBus
from libs.messaging.message import Message
from libs.messaging.notebook import MemoryNotebook
from libs.messaging.postgres import Neighbour, PostgresBus, relay_of
from libs.messaging.postgres import ddl as bus_ddl
from libs.messaging.reader import Reader, nothing
from libs.messaging.readmodel import MemoryRows
from libs.messaging.relay import Relay
from libs.testing.bus_contract import beginning, told
from libs.testing.clocks import StandingClock
from libs.testing.schemas import own_schema
from libs.testing.store_contract import asked, key_in, published

TOPIC = topic_of("toy")


@pytest.fixture
async def store(pool: asyncpg.Pool) -> AsyncIterator[PostgresStore]:
    async with own_schema(pool, "told", store_ddl) as schema:
        yield PostgresStore(pool, schema, StandingClock())


@pytest.fixture
async def bus(pool: asyncpg.Pool) -> AsyncIterator[PostgresBus]:
    async with own_schema(pool, "log", bus_ddl) as schema:
        yield PostgresBus(pool, schema)


async def append(store: PostgresStore, stream: str, messages: int, shard: int, expected: int = 0) -> None:
    words = [published(nth, f'{{"n":"{stream}"}}') for nth in range(messages)]
    wanted = asked(f"{stream} {expected}", stream, expected, messages, routing_key=key_in(shard), messages=words)
    await store.append(wanted)


async def ids(bus: PostgresBus) -> dict[int, list[str]]:
    """What lies on the log, in order, by partition."""
    feed = bus.feed("a", [TOPIC])
    letters = await feed.fetch(await beginning(feed), 10_000)
    found: dict[int, list[str]] = {}
    for letter in letters:
        assert letter.message
        found.setdefault(letter.slot[1], []).append(letter.message.id)
        assert letter.offset == len(found[letter.slot[1]]) - 1
    return found


async def test_what_was_stored_goes_over_once_and_in_order(store: PostgresStore, bus: PostgresBus) -> None:
    relay = Neighbour("toy", store, bus)
    assert await relay.step() == 0
    await append(store, "card-1", 3, shard=0)
    await append(store, "card-2", 2, shard=8)
    await append(store, "card-3", 1, shard=9)
    assert await relay.step() == 6
    assert await relay.step() == 0
    await append(store, "card-1", 1, shard=0, expected=3)
    assert await relay.step() == 1
    on_the_log = await ids(bus)
    assert on_the_log[0] == ["toy/0/1", "toy/0/2", "toy/0/3", "toy/8/1", "toy/8/2", "toy/0/4"]
    assert on_the_log[9 % PARTITIONS] == ["toy/9/1"]
    assert {shard: mark for shard, mark in (await store.marks()).items() if mark} == {0: 4, 8: 2, 9: 1}


async def test_a_letter_is_what_any_other_relay_would_have_sent(store: PostgresStore, bus: PostgresBus) -> None:
    await append(store, "card-1", 2, shard=3)
    usual = MemoryBus()
    await Relay("toy", store, usual).step()
    await store.mark({3: (2, 0)})
    await Neighbour("toy", store, bus).step()
    feeds = bus.feed("a", [TOPIC]), usual.feed("a", [TOPIC])
    ours, theirs = [told(await feed.fetch(await beginning(feed), 10)) for feed in feeds]
    assert ours == theirs


async def test_a_full_batch_leaves_the_rest_for_the_next_step(
    store: PostgresStore, bus: PostgresBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.messaging.postgres.CARRIED_MAX", 4)
    await append(store, "card-1", 3, shard=0)
    await append(store, "card-2", 3, shard=1)
    relay = Neighbour("toy", store, bus)
    assert [await relay.step() for _ in range(3)] == [4, 2, 0]
    assert await ids(bus) == {0: ["toy/0/1", "toy/0/2", "toy/0/3"], 1: ["toy/1/1", "toy/1/2", "toy/1/3"]}


async def test_two_of_the_same_service_send_nothing_twice(store: PostgresStore, bus: PostgresBus) -> None:
    for nth in range(20):
        await append(store, f"card-{nth}", 2, shard=nth % 3)
    sent = await asyncio.gather(*(Neighbour("toy", store, bus).step() for _ in range(4)))
    assert sum(sent) == 40
    assert sum(map(len, (await ids(bus)).values())) == 40


async def test_what_breaks_off_leaves_neither_letter_nor_mark(
    store: PostgresStore, bus: PostgresBus, pool: asyncpg.Pool
) -> None:
    await append(store, "card-1", 2, shard=0)
    broken = Neighbour("toy", store, bus)
    broken._carry_sql = broken._carry_sql.replace("select coalesce(sum(rows), 0)", "select 1 / (sum(rows) - sum(rows))")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await broken.step()
    assert (await store.marks())[0] == 0
    assert await ids(bus) == {}
    assert await Neighbour("toy", store, bus).step() == 2


class Listener:
    """A reader that heeds some types, and what it has heard."""

    def __init__(self, bus: PostgresBus, *types: str) -> None:
        self.heard: list[str] = []
        heeds = frozenset(types)
        feed = bus.feed("a", [TOPIC], heeds)
        self.reader = Reader("city", feed, MemoryNotebook(MemoryRows()), self._hear, nothing, heeds=heeds)

    async def _hear(self, message: Message) -> None:
        self.heard.append(message.id)

    async def listen(self) -> None:
        while await self.reader.step():
            pass


async def test_a_reader_hears_what_it_heeds_and_comes_by_the_rest(store: PostgresStore, bus: PostgresBus) -> None:
    relay, noted, other = Neighbour("toy", store, bus), Listener(bus, "toy.Noted.v1"), Listener(bus, "toy.Other.v1")
    await append(store, "card-1", 2, shard=0)
    await append(store, "card-2", 1, shard=8)
    await relay.step()
    for one in (noted, other):
        await one.listen()
        assert await one.reader.lag() == 0
    assert noted.heard == ["toy/0/1", "toy/0/2", "toy/8/1"]
    assert not other.heard
    assert (noted.reader.figures.handled, other.reader.figures.handled) == (3, 1), "of the rest it is shown the last"


async def test_a_log_that_starts_over_costs_no_reader_a_letter(store: PostgresStore, bus: PostgresBus) -> None:
    """In the old log shard 8 came first, and was heard; in the new one what was not heard comes first."""
    relay, listener = Neighbour("toy", store, bus), Listener(bus, "toy.Noted.v1")
    await append(store, "card-2", 2, shard=8)
    await relay.step()
    await listener.listen()
    await append(store, "card-1", 3, shard=0)
    await relay.start_over()
    assert await bus.ends([TOPIC]) == {(TOPIC, n): 2 if n == 0 else 0 for n in range(PARTITIONS)}
    await relay.step()
    await listener.listen()
    assert listener.heard == ["toy/8/1", "toy/8/2", "toy/0/1", "toy/0/2", "toy/0/3"], "each once, and none left out"


async def test_a_log_that_starts_over_begins_with_the_first_message_of_each_shard(
    store: PostgresStore, bus: PostgresBus
) -> None:
    """A relay at work meanwhile sends nothing of the middle into the emptied topic."""
    await append(store, "card-1", 200, shard=0)
    relays = [Neighbour("toy", store, bus) for _ in range(3)]
    await relays[0].step()

    async def at_work(relay: Neighbour) -> None:
        for nth in range(10):
            await append(store, f"card-{id(relay)}", 1, shard=0, expected=nth)
            await relay.step()

    await asyncio.gather(at_work(relays[1]), at_work(relays[2]), relays[0].start_over())
    while await relays[0].step():
        pass
    assert await in_the_first_partition(bus) == [f"toy/0/{n}" for n in range(1, 221)]


async def in_the_first_partition(bus: PostgresBus) -> list[str]:
    """What lies in the first partition, in order."""
    feed = bus.feed("a", [TOPIC])
    return [message.id for message in told(await feed.fetch({(TOPIC, 0): 0}, 10_000))]


async def test_a_database_that_is_away_is_an_outage(dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as closed:
        pass
    with pytest.raises(Outage):
        await Neighbour("toy", PostgresStore(closed, "told", StandingClock()), PostgresBus(closed)).step()


async def test_it_is_asked_only_where_both_lie_in_one_database(
    store: PostgresStore, bus: PostgresBus, pool: asyncpg.Pool, dsn: str
) -> None:
    assert isinstance(relay_of("toy", store, bus), Neighbour)
    assert type(relay_of("toy", store, MemoryBus())) is Relay
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as other:
        assert type(relay_of("toy", store, PostgresBus(other, bus.schema))) is Relay
