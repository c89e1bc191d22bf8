"""The event store on PostgreSQL: grouped appends, gap-free shards, one round trip for many commands."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.resources import files
from typing import Any, TypeVar
from uuid import UUID
from zlib import crc32

import asyncpg

from libs.eventsourcing.lanes import Lane, Together
from libs.eventsourcing.store import (
    SHARDS,
    Append,
    Appended,
    Conflict,
    Declined,
    Doorbell,
    DueCommand,
    Outcome,
    Outgoing,
    Recorded,
    Replayed,
)
from libs.kernel.clocks import Clock
from libs.kernel.outages import Outage, OutcomeUnknown

_LOCKS = "select pg_advisory_xact_lock($1, shard) from unnest($2::integer[]) shard"
_NO_HURRY = "set_config('synchronous_commit', 'off', true)"
"""In a statement whose effect may be lost with the server: it would be found again, and done again (decision 0015)."""
BY_INDEX = {"enable_seqscan": "off"}
"""For connections on which every question is about few rows of many. A plan is kept as long as its connection, and was
perhaps made while the table was all but empty; a minute later, in mid-roll, it would read the whole table each time."""
MAY_SCAN = "set local enable_seqscan = on"
"""For a transaction on such a connection that does mean most of a table."""
_OUTBOX = """
    select o.* from unnest($1::bigint[]) with ordinality as m(sequence, nth) cross join lateral (
        select * from {s}.outbox o where o.shard = m.nth - 1 and o.sequence > m.sequence order by o.sequence limit $2
    ) o limit $2"""
_OUTBOX_OF = """
    select o.* from unnest($1::bigint[]) with ordinality as m(sequence, nth) cross join lateral (
        select o.sequence from {s}.outbox o where o.shard = m.nth - 1 and o.sequence > m.sequence
        order by o.sequence desc limit 1
    ) last cross join lateral (
        select o.shard, o.sequence, o.stream, o.version, o.type, o.key,
               case when o.type = any($3) then o.data else '' end, o.effective_at, o.meta
        from {s}.outbox o where o.shard = m.nth - 1 and o.sequence > m.sequence
        and (o.type = any($3) or o.sequence = last.sequence)
        order by o.sequence limit $2
    ) o limit $2"""
LANES = 2  # Concurrent batches per process; each serves half of the shards.

# A dying server shows as InternalClientError at least as often as by its proper name.
LOST = (OSError, asyncio.TimeoutError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError, asyncpg.OperatorInterventionError)  # fmt: skip
FULL = (asyncpg.DiskFullError, asyncpg.OutOfMemoryError, asyncpg.TooManyConnectionsError)


def ddl(schema: str) -> str:
    """The tables and the append function of one service's store."""
    template = files("libs.eventsourcing").joinpath("schema.sql").read_text()
    return template.replace("{schema}", schema).replace("{lock_class}", str(lock_class(schema)))


def lock_class(schema: str) -> int:
    """The first half of a service's advisory locks; the second is the shard."""
    return crc32(schema.encode()) & 0x7FFFFFFF


Connection = asyncpg.pool.PoolConnectionProxy

T = TypeVar("T")


class PostgresStore:
    """`Store` in the schema of one service."""

    APPEND = "append_all"

    def __init__(self, pool: asyncpg.Pool, schema: str, machine: Clock) -> None:
        self.pool, self.schema, self._machine = pool, schema, machine
        self._lanes: list[Lane[Append, Outcome]] = [Lane(self._append_all) for _ in range(LANES)]
        self._reading = Together(self._read_all)
        self._settling = Together(self._settle_all)
        self._bell = Doorbell()
        self._outbox_sql, self._outbox_of_sql = _OUTBOX.format(s=schema), _OUTBOX_OF.format(s=schema)
        self._ends_sql = (
            f"select s, coalesce((select f.position from {schema}.fact f where f.shard = s "
            f"order by f.position desc limit 1), 0), coalesce((select o.sequence from {schema}.outbox o "
            f"where o.shard = s order by o.sequence desc limit 1), 0) from unnest($1::smallint[]) s"
        )
        self._stood_sql = (
            f"select coalesce((select f.version from {schema}.fact f where f.stream = a.stream "
            f"order by f.version desc limit 1), 0), done.version, done.stream, done.fingerprint, done.refusal "
            f"from unnest($1::uuid[], $2::text[]) with ordinality as a(id, stream, nth) "
            f"left join lateral (select * from {schema}.command c where c.id = a.id limit 1) done on true "
            f"order by a.nth"
        )

    async def append(self, wanted: Append) -> Outcome:
        return await self._lanes[wanted.shard % LANES].submit(wanted)

    async def _append_all(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        arguments = self._arguments(batch)
        holes = ", ".join(f"${n}" for n in range(1, len(arguments) + 1))
        try:
            connection = await self.pool.acquire(timeout=5)
        except (*LOST, *FULL) as away:
            raise Outage(f"the event store does not answer: {away}") from away
        try:
            rows = await connection.fetch(f"select * from {self.schema}.{self.APPEND}({holes})", *arguments)
        except FULL as full:
            raise Outage(f"the event store is full: {full}", retry_after_s=30) from full
        except asyncpg.UniqueViolationError:
            if len(batch) > 1 or (done := await self.find(batch[0].command_id)) is None:
                raise
            return [done]  # The same command id, stored by somebody else for a stream in another shard.
        except LOST as lost:
            with suppress(asyncpg.InterfaceError):  # A connection that has noticed its own end is gone already.
                connection.terminate()  # Never back to the pool: nobody knows what it is in the middle of.
            raise OutcomeUnknown(f"the event store went away in mid-append: {lost}") from lost
        finally:
            await self.pool.release(connection)
        outcomes: list[Outcome] = [Conflict(0)] * len(batch)
        for nth, word, version, stream, fingerprint, refusal in rows:
            outcomes[nth - 1] = (
                Appended(version) if word == "appended"
                else Replayed(version, stream, fingerprint, refusal) if word == "replayed"
                else Declined(refusal, stream) if word == "declined"
                else Conflict(version)
            )  # fmt: skip
        self._ring_for(outcomes)
        return outcomes

    def _ring_for(self, outcomes: Sequence[Outcome]) -> None:
        if any(isinstance(outcome, Appended) for outcome in outcomes):
            self._bell.ring()

    async def append_many(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Rows go in by COPY, at a third of the cost of arrays; where they go is settled under the same locks."""

        if any(wanted.booking is not None for wanted in batch):
            return await asyncio.gather(*map(self.append, batch))  # Books are kept by the function that locks them.

        async def store(connection: Connection) -> list[Outcome]:
            async with connection.transaction(isolation="read_committed"):  # Whoever held a lock before us is seen.
                return await self._copied(connection, batch)

        try:
            outcomes = await self._with(store)
        except OutcomeUnknown:
            raise
        except Outage as away:  # Nobody can tell whether the commit had got through.
            raise OutcomeUnknown(str(away), away.retry_after_s) from away
        self._ring_for(outcomes)
        return outcomes

    async def _copied(self, connection: Connection, batch: Sequence[Append]) -> list[Outcome]:
        shards = sorted({wanted.shard for wanted in batch})
        await connection.execute(_LOCKS, lock_class(self.schema), shards)  # In ascending order, as `append_all` does.
        ends = {
            shard: [position, sequence] for shard, position, sequence in await connection.fetch(self._ends_sql, shards)
        }
        asked = [wanted.command_id for wanted in batch], [wanted.stream for wanted in batch]
        stood = await connection.fetch(self._stood_sql, *asked)
        now = self._machine.now()
        rows: tuple[list[Any], list[Any], list[Any], list[Any]] = ([], [], [], [])
        facts, outbox, commands, dues = rows
        outcomes: list[Outcome] = []
        for wanted, (actual, version, stream, fingerprint, refusal) in zip(batch, stood, strict=True):
            if version is not None:
                outcomes.append(Replayed(version, stream, fingerprint, refusal))
                continue
            if actual != wanted.expected:
                outcomes.append(Conflict(actual))
                continue
            shard, expected, end = wanted.shard, wanted.expected, ends[wanted.shard]
            at, meta, stream = wanted.effective_at, wanted.meta, wanted.stream
            for nth, fact in enumerate(wanted.facts, 1):
                end[0] += 1
                facts.append((shard, end[0], stream, expected + nth, fact.name, fact.data, meta, at, now))
            for m in wanted.messages:
                end[1] += 1
                version = expected + m.nth + 1
                outbox.append((shard, end[1], stream, version, m.type, wanted.routing_key, m.data, at, meta))
            dues += [(d.id, d.at, d.name, d.data, stream, wanted.trace, 0, "", False) for d in wanted.dues]
            version = expected + len(wanted.facts)
            commands.append((wanted.command_id, stream, version, wanted.fingerprint, wanted.refusal, now))
            outcomes.append(Appended(version))
        for table, records in zip(("fact", "outbox", "command", "due"), rows, strict=True):
            if records:
                await connection.copy_records_to_table(table, schema_name=self.schema, records=records)
        self._ring_for(outcomes)
        return outcomes

    def _arguments(self, batch: Sequence[Append]) -> list[Any]:
        return arguments_of(batch, self._machine.now())

    async def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        return await self._reading((stream, after))

    async def read_many(self, streams: Sequence[str]) -> Sequence[Sequence[Recorded]]:
        return await self._read_all([(stream, 0) for stream in streams])

    async def _read_all(self, asked: Sequence[tuple[str, int]]) -> Sequence[Sequence[Recorded]]:
        rows = await self._ask(
            f"select a.nth, f.* from unnest($1::text[], $2::integer[]) with ordinality as a(stream, after, nth) "
            f"cross join lateral (select * from {self.schema}.fact f "
            f"where f.stream = a.stream and f.version > a.after order by f.version) f order by a.nth, f.version",
            *columns(asked, 2),
        )
        found: list[list[Any]] = [[] for _ in asked]
        for nth, *fact in rows:
            found[nth - 1].append(fact)
        return [_facts(facts) for facts in found]

    async def find(self, command_id: UUID) -> Replayed | None:
        rows = await self._ask(
            f"select version, stream, fingerprint, refusal from {self.schema}.command where id = $1", command_id
        )
        return Replayed(*rows[0]) if rows else None

    async def log(self, shard: int, after: int, limit: int) -> Sequence[Recorded]:
        return _facts(
            await self._ask(f"select * from {self.schema}.fact where shard = $1 and position > $2 "
                            "order by position limit $3", shard, after, limit)
        )  # fmt: skip

    async def outbox(
        self, after: Mapping[int, int], limit: int, types: Collection[str] | None = None
    ) -> Sequence[Outgoing]:
        marks = [after.get(shard, 0) for shard in range(SHARDS)]
        if types is None:
            rows = await self._ask(self._outbox_sql, marks, limit)
        else:
            rows = await self._ask(self._outbox_of_sql, marks, limit, list(types))
        return [Outgoing(*row) for row in rows]

    async def ends(self) -> Mapping[int, int]:
        return dict(
            await self._ask(
                f"select s, coalesce((select o.sequence from {self.schema}.outbox o where o.shard = s "
                f"order by o.sequence desc limit 1), 0) from generate_series(0, {SHARDS - 1}) s"
            )
        )

    async def heads(self, after: Mapping[int, int]) -> Mapping[int, datetime]:
        return dict(
            await self._ask(
                f"select m.shard, f.recorded_at from unnest($1::smallint[], $2::bigint[]) as m(shard, sequence) "
                f"cross join lateral (select stream, version from {self.schema}.outbox o where o.shard = m.shard "
                f"and o.sequence > m.sequence order by o.sequence limit 1) o "
                f"join {self.schema}.fact f on f.stream = o.stream and f.version = o.version",
                list(after),
                list(after.values()),
            )
        )

    async def due(self, now: datetime, limit: int) -> Sequence[DueCommand]:
        return await self._dues("at <= $1 and not parked order by at limit $2", now, limit)

    async def next_due(self) -> datetime | None:
        at: datetime | None = (await self._ask(f"select min(at) from {self.schema}.due where not parked"))[0][0]
        return at

    async def settle(self, due_id: UUID) -> None:
        await self._settling(due_id)

    async def _settle_all(self, due_ids: Sequence[UUID]) -> Sequence[None]:
        await self._ask(f"delete from {self.schema}.due using {_NO_HURRY} where id = any($1)", due_ids)
        return [None] * len(due_ids)

    async def postpone(self, due_id: UUID, error: str, park: bool) -> None:
        await self._ask(
            f"update {self.schema}.due set attempts = attempts + 1, error = $2, parked = $3 where id = $1",
            due_id,
            error[:2000],
            park,
        )

    async def redrive(self) -> int:
        rows = await self._ask(f"update {self.schema}.due set parked = false, attempts = 0 where parked returning id")
        self._bell.ring()
        return len(rows)

    async def parked(self) -> Sequence[DueCommand]:
        return await self._dues("parked order by at")

    async def _dues(self, condition: str, *arguments: object) -> Sequence[DueCommand]:
        columns = "id, at, name, data, stream, trace, attempts, error"
        rows = await self._ask(f"select {columns} from {self.schema}.due where {condition}", *arguments)
        return [DueCommand(*row) for row in rows]

    async def marks(self) -> Mapping[int, int]:
        return dict(await self._ask(f"select shard, sequence from {self.schema}.relayed"))

    async def mark(self, moved: Mapping[int, tuple[int, int]]) -> bool:
        """In one round trip: those that stand where they were seen are locked, and move if they are all."""
        done = await self._ask(
            f"with m as (select * from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as m(shard, old, new)), "
            f"held as (select r.shard from {self.schema}.relayed r join m on r.shard = m.shard "
            f"and r.sequence = m.old order by r.shard for update of r) "
            f"update {self.schema}.relayed r set sequence = m.new from m, {_NO_HURRY} "
            f"where r.shard = m.shard and (select count(*) from held) = cardinality($1) returning r.shard",
            list(moved),
            [old for old, _ in moved.values()],
            [new for _, new in moved.values()],
        )
        return len(done) == len(moved)

    def on_append(self, wake: Callable[[], None]) -> None:
        self._bell.add(wake)

    async def drain(self) -> None:
        """Wait until every append that was asked for has its answer."""
        await asyncio.gather(*(lane.drained() for lane in self._lanes))

    async def _ask(self, sql: str, *arguments: object) -> list[Any]:
        async def fetch(connection: Connection) -> list[Any]:
            return list(await connection.fetch(sql, *arguments))

        return await self._with(fetch)

    async def _with(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            async with self.pool.acquire(timeout=5) as connection:
                return await work(connection)
        except (*LOST, *FULL) as away:
            raise Outage(f"the event store does not answer: {away}") from away


def arguments_of(batch: Sequence[Append], now: datetime) -> list[Any]:
    """What `append_all` is given for these commands: columns, in the order of its parameters."""
    facts = [(n, i, f.name, f.data) for n, a in enumerate(batch, 1) for i, f in enumerate(a.facts)]
    messages = [(n, m.nth, m.type, m.data) for n, a in enumerate(batch, 1) for m in a.messages]
    dues = [(n, d.id, d.at, d.name, d.data) for n, a in enumerate(batch, 1) for d in a.dues]
    return [
        [a.command_id for a in batch],
        [a.stream for a in batch],
        [a.shard for a in batch],
        [a.routing_key for a in batch],
        [a.expected for a in batch],
        [a.fingerprint for a in batch],
        [a.refusal for a in batch],
        [a.effective_at for a in batch],
        [a.meta for a in batch],
        [a.trace for a in batch],
        *columns(facts, 4),
        *columns(messages, 4),
        *columns(dues, 5),
        now,
    ]


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows turned on their side, as a server-side function takes them."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _facts(rows: Sequence[Any]) -> Sequence[Recorded]:
    return [
        Recorded(stream, version, shard, position, name, data, meta, effective_at, recorded_at)
        for shard, position, stream, version, name, data, meta, effective_at, recorded_at in rows
    ]
