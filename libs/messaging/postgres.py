"""The bus as a table in PostgreSQL: the embedded default."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import asyncpg

from libs.eventsourcing.postgres import FULL, LOST, Connection, PostgresStore
from libs.eventsourcing.store import Doorbell, Store
from libs.kernel.outages import Outage
from libs.messaging.bus import PARTITIONS, Bus, Letter, Slot, partition_of
from libs.messaging.inlet import Inlet
from libs.messaging.memory import out_of_step, rung
from libs.messaging.message import Message
from libs.messaging.relay import Relay

CARRIED_MAX = 3_000  # What a reader takes at once; and a thousand rows of a roll make three thousand letters.
_LOCKS = f"select pg_advisory_xact_lock(hashtext($1), partition) from generate_series(0, {PARTITIONS - 1}) partition"
"""Before the statement that asks where a topic ends: whoever held a lock before us is seen, so nothing collides."""
_ENDS = """
    select t, p, coalesce(
        (select l."offset" + 1 from {log}.letter l where l.topic = t and l.partition = p
         order by l."offset" desc limit 1),
        (select e.next from {log}.emptied e where e.topic = t and e.partition = p),
        0
    ) from unnest($1::text[]) t, unnest($2::smallint[]) p"""
_EMPTY = """
    with gone as (delete from {log}.letter where topic = $1 returning partition, "offset")
    insert into {log}.emptied select $1, partition, max("offset") + 1 from gone group by partition
    on conflict (topic, partition) do update set next = excluded.next"""
_READ = """
    select l.* from unnest($1::text[], $2::smallint[], $3::bigint[]) as p(topic, partition, next)
    cross join lateral (
        select * from {log}.letter l where l.topic = p.topic and l.partition = p.partition and l."offset" >= p.next
        order by l."offset" limit $4
    ) l limit $4"""
_READ_HEEDED = """
    select l.* from unnest($1::text[], $2::smallint[], $3::bigint[]) as p(topic, partition, next)
    cross join lateral (
        select l."offset" from {log}.letter l
        where l.topic = p.topic and l.partition = p.partition and l."offset" >= p.next
        order by l."offset" desc limit 1
    ) last
    cross join lateral (
        select l.topic, l.partition, l."offset", l.id, l.source, l.type, l.subject, l.version, l.time, l.key,
               case when l.type = any($5) then l.data else '' end, l.meta
        from {log}.letter l where l.topic = p.topic and l.partition = p.partition and l."offset" >= p.next
        and (l.type = any($5) or l."offset" = last."offset")
        order by l."offset" limit $4
    ) l limit $4"""
LOOK_AGAIN_S = 0.1  # How long a letter published by another process may lie unread.


def ddl(schema: str) -> str:
    """The tables of the log; those that are there stay as they are."""
    return files("libs.messaging").joinpath("schema.sql").read_text().replace("{schema}", schema)


class PostgresBus:
    """`Bus` in a schema of its own. A group has one reader at a time: further ones stand by until it goes."""

    def __init__(self, pool: asyncpg.Pool, schema: str = "bus") -> None:
        self.pool, self.schema = pool, schema
        self.bell = Doorbell()
        self._ends_sql, self._empty_sql = _ENDS.format(log=schema), _EMPTY.format(log=schema)

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        async with self.writing(topic) as connection:
            ends = dict(await self._ends_of(connection, [topic]))
            letters = []
            for message in messages:
                slot = (topic, partition_of(message))
                letters.append((*slot, ends[slot], *message))
                ends[slot] += 1
            await connection.copy_records_to_table("letter", schema_name=self.schema, records=letters)
        self.bell.ring()

    def feed(self, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None) -> "PostgresFeed":
        return PostgresFeed(self, group, topics, heeds)

    def inlet(self, group: str, inlet: Inlet) -> None:
        return None

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        async with self._connected() as connection:
            return await self._ends_of(connection, topics)

    async def forget(self, topic: str) -> None:
        async with self.writing(topic) as connection:
            await self.empty(connection, topic)

    async def empty(self, connection: Connection, topic: str) -> None:
        """Empty a topic within this writing of it; what comes next has places behind all that were there."""
        await connection.execute(self._empty_sql, topic)

    async def close(self) -> None:
        return

    @asynccontextmanager
    async def writing(self, topic: str) -> AsyncIterator[Connection]:
        """A transaction in which nobody else writes on this topic. Raises Outage."""
        async with self._connected() as connection, connection.transaction(isolation="read_committed"):
            await connection.execute(_LOCKS, topic)
            yield connection

    async def read(self, sql: str, *arguments: object) -> Sequence[Any]:
        """What this asks of the log. Raises Outage."""
        async with self._connected() as connection:
            return list(await connection.fetch(sql, *arguments))

    async def _ends_of(self, connection: Connection, topics: Sequence[str]) -> Mapping[Slot, int]:
        rows = await connection.fetch(self._ends_sql, list(topics), list(range(PARTITIONS)))
        return {(topic, partition): next_ for topic, partition, next_ in rows}

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        try:
            async with self.pool.acquire(timeout=5) as connection:
                yield connection
        except (*LOST, *FULL) as away:
            raise Outage(f"the log does not answer: {away}") from away


class Neighbour(Relay):
    """The relay of a store that lies in the log's own database: rows go over without coming through this process.

    Rows and marks are written together: nothing is sent twice, and each shard stands on the log from its first message
    on, in order. The commit waits for no disk, for what is lost with the server is lost together with its marks, and
    found again in the outbox (decision 0015).
    """

    def __init__(self, service: str, store: PostgresStore, bus: PostgresBus) -> None:
        super().__init__(service, store, bus)
        self._log, self._relayed = bus, f"{store.schema}.relayed"
        self._carry_sql = (
            files("libs.messaging").joinpath("carry.sql").read_text()
            .replace("{log}", bus.schema).replace("{store}", store.schema).replace("{partitions}", str(PARTITIONS))
        )  # fmt: skip

    async def step(self) -> int:
        async with self._log.writing(self._topic) as connection:
            sent: int = await connection.fetchval(self._carry_sql, self._topic, self._service, CARRIED_MAX)
        if sent:
            self._log.bell.ring()
        return sent

    async def start_over(self) -> None:
        """Empty the topic and let the marks go back, both in one: no later message comes before the first ones."""
        async with self._log.writing(self._topic) as connection:
            await self._log.empty(connection, self._topic)
            await connection.execute(f"update {self._relayed} set sequence = 0")


def relay_of(service: str, store: Store, bus: Bus) -> Relay:
    """Who carries what this service has to tell to the log, by the shortest way."""
    if isinstance(store, PostgresStore) and isinstance(bus, PostgresBus) and store.pool is bus.pool:
        return Neighbour(service, store, bus)
    return Relay(service, store, bus)


class PostgresFeed:
    """A reader's view of the table. Relays write it in the order of the outbox, so that nothing comes too early."""

    def __init__(
        self, bus: PostgresBus, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None
    ) -> None:
        self._bus, self._topics, self._heeds = bus, list(topics), heeds
        self._sql = (_READ if heeds is None else _READ_HEEDED).format(log=bus.schema)
        self._look_again_s = out_of_step(LOOK_AGAIN_S, group)
        self._slots = frozenset((topic, n) for topic in topics for n in range(PARTITIONS))
        self._rung = asyncio.Event()
        bus.bell.add(self._rung.set)

    @property
    def leaves_out(self) -> bool:
        return self._heeds is not None

    async def slots(self) -> frozenset[Slot]:
        return self._slots

    async def fetch(self, positions: Mapping[Slot, int], limit: int) -> Sequence[Letter]:
        here = [topic for topic, _ in positions], [partition for _, partition in positions], list(positions.values())
        heeded = [] if self._heeds is None else [list(self._heeds)]
        rows = await self._bus.read(self._sql, *here, limit, *heeded)
        return [Letter((topic, partition), offset, Message(*message)) for topic, partition, offset, *message in rows]

    async def wait(self, timeout_s: float) -> None:
        await rung(self._rung, min(timeout_s, self._look_again_s))

    async def ends(self) -> Mapping[Slot, int]:
        return await self._bus.ends(self._topics)

    async def close(self) -> None:
        return
