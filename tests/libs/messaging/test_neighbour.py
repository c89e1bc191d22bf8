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
from libs.messaging.postgres import Neighbour, PostgresBus, relay_of
from libs.messaging.postgres import ddl as bus_ddl
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


async def test_a_database_that_is_away_is_an_outage(dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as closed:
        pass
    with pytest.raises(Outage):
        await Neighbour("toy", PostgresStore(closed, "told", StandingClock()), PostgresBus(closed)).step()


async def test_it_is_asked_only_where_both_lie_in_one_database(
    store: PostgresStore, bus: PostgresBus, pool: asyncpg.Pool, dsn: str
) -> None:
    assert isinstance(relay_of("toy", store, bus), Neighbour)
    assert isinstance(relay_of("toy", store, MemoryBus()), Relay)
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as other:
        assert isinstance(relay_of("toy", store, PostgresBus(other, bus.schema)), Relay)
