"""What only a real database can get wrong: late commits, broken connections, poison in a batch."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import pytest

from libs.eventsourcing.lanes import BATCH_MAX
from libs.eventsourcing.postgres import PostgresStore, ddl, lock_class
from libs.eventsourcing.store import SHARDS, Append, Appended, NewFact, Replayed
from libs.kernel.outages import Outage, OutcomeUnknown
from libs.runtime.engines import pool_to
from libs.testing.clocks import StandingClock
from libs.testing.schemas import own_schema
from libs.testing.store_contract import asked, due, key_in, published, stored

WRITERS = 64
EACH = 10
POSITION = "e.position + row_number() over (partition by g.shard order by g.nth, u.nth)"


def without_locks(schema: str) -> str:
    """The store with its locks taken out."""
    return _replaced(ddl(schema), f"perform pg_advisory_xact_lock({lock_class(schema)}, one)", "null")


def numbered_by_a_sequence(schema: str) -> str:
    """The store as it is usually built: a sequence numbers the facts, and nobody waits for anybody."""
    number = f"{schema}.number"
    return f"create sequence {number};" + _replaced(without_locks(schema), POSITION, f"nextval('{number}')")


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


class SlowToCommit:
    """Connections whose transactions stay open for a while after the append, each for another while."""

    def __init__(self, pool: asyncpg.Pool, dice: random.Random) -> None:
        self._pool, self._dice = pool, dice
        self._open: dict[Any, Any] = {}

    async def acquire(self, timeout: float) -> Any:
        connection = await self._pool.acquire()
        self._open[connection] = transaction = connection.transaction()
        await transaction.start()
        return connection

    async def release(self, connection: Any) -> None:
        transaction = self._open.pop(connection)
        await asyncio.sleep(self._dice.uniform(0, 0.004))
        try:
            await transaction.commit()
        finally:
            await self._pool.release(connection)


@pytest.fixture(scope="module")
async def crowd(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections enough for all writers of this module."""
    async with asyncpg.create_pool(dsn, min_size=0, max_size=32, command_timeout=30) as opened:
        yield opened


@pytest.fixture
async def schema(pool: asyncpg.Pool) -> AsyncIterator[str]:
    async with own_schema(pool, "late", ddl) as schema:
        yield schema


def store_in(schema: str, pool: object) -> PostgresStore:
    return PostgresStore(cast(asyncpg.Pool, pool), schema, StandingClock())


class Tail:
    """Reads all shards of the log and of the outbox from where it stands, as relays and readers do."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self.facts: dict[int, list[tuple[int, str]]] = {shard: [] for shard in range(SHARDS)}
        self.sent: dict[int, list[tuple[int, str]]] = {shard: [] for shard in range(SHARDS)}

    async def look(self) -> None:
        for shard, read in self.facts.items():
            rows = await self._store.log(shard, read[-1][0] if read else 0, 1000)
            read += [(row.position, f"{row.stream}/{row.version}") for row in rows]
        for row in await self._store.outbox({shard: read[-1][0] for shard, read in self.sent.items() if read}, 10_000):
            self.sent[row.shard].append((row.sequence, f"{row.stream}/{row.version}"))


def in_order_without_gaps(read: Mapping[int, list[tuple[int, str]]]) -> bool:
    return all([place for place, _ in rows] == [*range(1, len(rows) + 1)] for rows in read.values())


def everything(read: Mapping[int, list[tuple[int, str]]]) -> list[str]:
    return sorted(what for rows in read.values() for _, what in rows)


async def crowded(pool: asyncpg.Pool, crowd: asyncpg.Pool, schema: str) -> Tail:
    """Many writers, each with a store of its own as in a process of its own, while somebody reads along."""
    tail = Tail(store_in(schema, pool))

    async def write(nth: int) -> None:
        store = store_in(schema, SlowToCommit(crowd, random.Random(nth)) if nth % 4 else crowd)
        for turn in range(EACH):
            key = key_in((nth + turn) % 3)
            told = [published(0), published(1)]
            wanted = asked(f"{nth} {turn}", f"card-{nth}-{turn}", facts=2, routing_key=key, messages=told)
            assert await store.append(wanted) == Appended(2)

    async def read_along() -> None:
        while True:
            await tail.look()

    reading = asyncio.create_task(read_along())
    try:
        await asyncio.gather(*map(write, range(WRITERS)))
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await tail.look()
    return tail


async def test_no_reader_ever_skips_a_late_commit(pool: asyncpg.Pool, crowd: asyncpg.Pool, schema: str) -> None:
    async with crowd.acquire() as idler, idler.transaction():
        await idler.execute(f"create table {schema}.left_open ()")  # Somebody holds a transaction id all the while.
        tail = await crowded(pool, crowd, schema)
    written = sorted(
        f"card-{nth}-{turn}/{version}" for nth in range(WRITERS) for turn in range(EACH) for version in (1, 2)
    )
    for read in (tail.facts, tail.sent):
        assert in_order_without_gaps(read)
        assert everything(read) == written


async def test_without_the_locks_two_writers_of_a_shard_collide(pool: asyncpg.Pool) -> None:
    async with (
        own_schema(pool, "planted", without_locks) as schema,
        two_writers(pool, schema) as (first_commits, second),
    ):
        await waits_for_a_lock(pool, schema)
        await first_commits()
        with pytest.raises(asyncpg.UniqueViolationError):
            await second


async def test_the_proof_above_would_notice_a_skipped_commit(pool: asyncpg.Pool) -> None:
    """Two writers, the later of whom commits first: numbered by a sequence, the earlier one is never seen."""
    async with own_schema(pool, "planted", numbered_by_a_sequence) as schema:
        tail = Tail(store_in(schema, pool))
        async with two_writers(pool, schema) as (first_commits, second):
            assert await second == Appended(1)
            await tail.look()
            await first_commits()
            await tail.look()
        assert tail.facts[0] == [(2, "card-second/1")]
        assert len(await tail._store.log(0, 0, 10)) == 2


async def test_a_later_writer_of_a_shard_waits_until_the_earlier_one_has_committed(
    pool: asyncpg.Pool, schema: str
) -> None:
    tail = Tail(store_in(schema, pool))
    async with two_writers(pool, schema) as (first_commits, second):
        await waits_for_a_lock(pool, schema)
        await tail.look()
        assert not everything(tail.facts)
        await first_commits()
        assert await second == Appended(1)
        await tail.look()
    assert tail.facts[0] == [(1, "card-first/1"), (2, "card-second/1")]


async def test_writers_of_different_shards_do_not_wait_for_each_other(pool: asyncpg.Pool, schema: str) -> None:
    async with pool.acquire() as holder, holder.transaction():
        await holder.execute("select pg_advisory_xact_lock($1, 0)", lock_class(schema))
        wanted = asked("a", routing_key=key_in(2))
        assert await asyncio.wait_for(store_in(schema, pool).append(wanted), 5) == Appended(1)


@asynccontextmanager
async def two_writers(pool: asyncpg.Pool, schema: str) -> AsyncIterator[tuple[Callable[[], Any], asyncio.Task[object]]]:
    """One has appended and not yet committed; another has begun to append to the same shard."""

    class Held:
        """A connection whose transaction commits when it is told to."""

        committed = asyncio.Event()
        appended = asyncio.Event()

        async def acquire(self, timeout: float) -> Any:
            self.connection = await pool.acquire()
            self.transaction = self.connection.transaction()
            await self.transaction.start()
            return self.connection

        async def release(self, connection: Any) -> None:
            self.appended.set()
            await self.committed.wait()
            await self.transaction.commit()
            await pool.release(connection)

    held = Held()
    key = key_in(0)
    first = asyncio.create_task(store_in(schema, held).append(asked("first", "card-first", routing_key=key)))
    await held.appended.wait()
    second = asyncio.create_task(store_in(schema, pool).append(asked("second", "card-second", routing_key=key)))

    async def first_commits() -> None:
        held.committed.set()
        assert await first == Appended(1)

    try:
        yield first_commits, second
    finally:
        held.committed.set()
        await asyncio.gather(first, second, return_exceptions=True)


async def waits_for_a_lock(pool: asyncpg.Pool, schema: str) -> int:
    """The process id of an append to this store that waits for another one."""
    async with asyncio.timeout(5):
        while True:
            pid: int | None = await pool.fetchval(
                "select pid from pg_stat_activity where wait_event_type = 'Lock' and starts_with(query, $1)",
                f"select * from {schema}.append_all(",
            )
            if pid:
                return pid
            await asyncio.sleep(0.005)


# -- the connection breaks


async def test_an_append_cut_off_before_its_commit_is_unknown_and_asking_again_stores_it_once(
    pool: asyncpg.Pool, crowd: asyncpg.Pool, schema: str
) -> None:
    store = store_in(schema, crowd)
    wanted = asked("a", routing_key=key_in(0), messages=[published()], dues=[due("a")])
    async with pool.acquire() as holder, holder.transaction():
        await holder.execute("select pg_advisory_xact_lock($1, 0)", lock_class(schema))
        under_way = asyncio.create_task(store.append(wanted))
        await holder.execute("select pg_terminate_backend($1)", await waits_for_a_lock(pool, schema))
        with pytest.raises(OutcomeUnknown):
            await under_way
    assert await store.append(wanted) == Appended(1)
    assert await store.append(wanted) == Replayed(1, "card-1")
    assert await stored(store) == (1, 1, 1)


async def test_an_append_cut_off_after_its_commit_is_unknown_and_asking_again_finds_it(
    pool: asyncpg.Pool, schema: str
) -> None:
    class LosesTheAnswer:
        """A connection that breaks between the commit and its answer."""

        async def acquire(self, timeout: float) -> Any:
            return self

        async def fetch(self, *question: object) -> None:
            await pool.fetch(*cast(Any, question))
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

        def terminate(self) -> None:
            self.terminated = True

        async def release(self, connection: object) -> None:
            assert self.terminated

    wanted = asked("a", messages=[published()], dues=[due("a")], fingerprint=b"f")
    with pytest.raises(OutcomeUnknown):
        await store_in(schema, LosesTheAnswer()).append(wanted)
    store = store_in(schema, pool)
    assert await store.append(wanted) == Replayed(1, "card-1", b"f")
    assert await stored(store) == (1, 1, 1)


async def test_all_who_were_in_one_broken_batch_learn_that_their_outcome_is_unknown(
    pool: asyncpg.Pool, crowd: asyncpg.Pool, schema: str
) -> None:
    store = store_in(schema, crowd)
    async with pool.acquire() as holder, holder.transaction():
        await holder.execute("select pg_advisory_xact_lock($1, 0)", lock_class(schema))
        wanted = [asked(nth, f"card-{nth}", routing_key=key_in(0)) for nth in range(5)]
        under_way = [asyncio.create_task(store.append(one)) for one in wanted]
        await holder.execute("select pg_terminate_backend($1)", await waits_for_a_lock(pool, schema))
        answers = await asyncio.gather(*under_way, return_exceptions=True)
        assert all(isinstance(answer, OutcomeUnknown) for answer in answers)
    assert await asyncio.gather(*map(store.append, wanted)) == [Appended(1)] * 5


async def test_a_store_that_is_away_is_an_outage_in_which_nothing_was_done() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"postgresql://nobody@127.0.0.1:{nobody.getsockname()[1]}/nowhere"
        async with asyncpg.create_pool(address, min_size=0, max_size=2) as away:
            await _is_away(store_in("nowhere", away))


async def test_a_store_that_has_been_closed_is_an_outage(dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as closed:
        pass
    await _is_away(store_in("nowhere", closed))


async def _is_away(store: PostgresStore) -> None:
    for asking in (store.append(asked("a")), store.read("card-1"), store.marks(), store.mark({1: (0, 1)})):
        with pytest.raises(Outage) as outage:
            await asking
        assert outage.type is Outage  # Not OutcomeUnknown: nobody was ever asked.


# -- poison in a batch

NUL, SURROGATE, NO_TEXT = '{"name":"\0"}', '{"name":"\ud800"}', cast(str, 5)


@pytest.mark.parametrize("poison", [NUL, SURROGATE, NO_TEXT], ids=["zero byte", "half a character", "no text"])
@pytest.mark.parametrize("where", ["fact", "message", "due"])
async def test_a_poisoned_command_fails_alone_among_64(
    pool: asyncpg.Pool, schema: str, poison: str, where: str
) -> None:
    store = store_in(schema, pool)

    def wanted(nth: int) -> Append:
        data = poison if nth == 23 else "{}"
        parts: dict[str, Any] = {"messages": [published(0)], "dues": [due(nth)]}
        match where:
            case "message":
                parts["messages"] = [published(0, data)]
            case "due":
                parts["dues"] = [due(nth, data=data)]
        clean = asked(nth, f"card-{nth}", **parts)
        facts = [NewFact("noted", data)] if where == "fact" else clean.facts
        return Append(**{name: getattr(clean, name) for name in clean.__slots__} | {"facts": facts})

    answers = await asyncio.gather(*(store.append(wanted(nth)) for nth in range(64)), return_exceptions=True)
    assert [nth for nth, answer in enumerate(answers) if answer != Appended(1)] == [23]
    assert isinstance(answers[23], Exception)
    assert not isinstance(answers[23], Outage)
    assert await store.find(wanted(23).command_id) is None
    assert await stored(store) == (63, 63, 63)


async def test_a_batch_grows_with_the_load_up_to_its_limit(pool: asyncpg.Pool, schema: str) -> None:
    """So that a thousand callers cost a handful of transactions, not a thousand."""
    store = store_in(schema, pool)
    wanted = [asked(nth, f"card-{nth}", routing_key=key_in(0)) for nth in range(BATCH_MAX + 10)]
    assert await asyncio.gather(*map(store.append, wanted)) == [Appended(1)] * len(wanted)
    transactions = await pool.fetchval(f"select count(distinct xmin::text) from {schema}.fact")
    assert transactions == 2


async def test_a_store_that_was_analysed_while_it_was_empty_is_not_read_from_end_to_end(dsn: str) -> None:
    async with pool_to(dsn) as pool, own_schema(pool, "late", ddl) as schema:
        await pool.execute(f"vacuum analyze {schema}.fact, {schema}.outbox, {schema}.command")
        store = store_in(schema, pool)
        before = await read_whole(pool, schema)
        await store.append_many([asked(n, f"card-{n}", messages=[published()]) for n in range(300)])
        for _ in range(12):  # From the sixth time on, a connection keeps the plan that it has.
            await store.outbox({}, 50)
            await store.ends()
        assert await read_whole(pool, schema) == before


async def read_whole(pool: asyncpg.Pool, schema: str) -> int:
    """How often PostgreSQL has read the outbox from end to end."""
    async with pool.acquire() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        sql = "select seq_scan from pg_stat_user_tables where schemaname = $1 and relname = 'outbox'"
        return int(await connection.fetchval(sql, schema))
