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
from libs.messaging.bus import PARTITIONS, Bus, Letter, Slot, partition_of, topic_of
from libs.messaging.inlet import Inlet
from libs.messaging.memory import out_of_step, rung
from libs.messaging.message import Message
from libs.messaging.relay import LOOK_AGAIN_S as RELAY_LOOKS_AGAIN_S
from libs.messaging.relay import Relay

CARRIED_MAX = 3_000  # What a reader takes at once; and a thousand rows of a roll make three thousand letters.
COPY_MIN = 100  # From so many letters on, COPY is worth its further round trips.
_LOCKS = "select pg_advisory_xact_lock(hashtext($1), partition) from unnest($2::integer[]) partition"
_CARRY_LOCKS = (
    f"select set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(hashtext($1), partition) "
    f"from generate_series(0, {PARTITIONS - 1}) partition"
)
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
    """The table and the publish function of the log."""
    return files("libs.messaging").joinpath("schema.sql").read_text().replace("{schema}", schema)


class PostgresBus:
    """`Bus` in a schema of its own. A group has one reader at a time: further ones stand by until it goes."""

    def __init__(self, pool: asyncpg.Pool, schema: str = "bus") -> None:
        self.pool, self.schema = pool, schema
        self.bell = Doorbell()
        self._ends_sql = (
            f'select t, p, coalesce((select l."offset" + 1 from {schema}.letter l where l.topic = t '
            f'and l.partition = p order by l."offset" desc limit 1), 0) '
            f"from unnest($1::text[]) t, unnest($2::smallint[]) p"
        )

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        await (self._copy if len(messages) >= COPY_MIN else self._send)(topic, messages)
        self.bell.ring()

    async def _send(self, topic: str, messages: Sequence[Message]) -> None:
        """A few letters, in one round trip."""
        await self._ask(
            f"select {self.schema}.publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            topic,
            [partition_of(m) for m in messages],
            *([getattr(m, name) for m in messages] for name in ("id", "source", "type", "subject", "version", "time")),
            *([getattr(m, name) for m in messages] for name in ("key", "data", "meta")),
        )

    async def _copy(self, topic: str, messages: Sequence[Message]) -> None:
        """Many letters, as the function `publish` would: each at a third of its cost, and in more round trips."""
        partitions = [partition_of(message) for message in messages]
        used = sorted(set(partitions))
        async with self.connected() as connection, connection.transaction(isolation="read_committed"):
            await connection.execute(_LOCKS, topic, used)  # Whoever held a lock before us is seen, so nothing collides.
            ends = {partition: next_ for _, partition, next_ in await connection.fetch(self._ends_sql, [topic], used)}
            letters = []
            for partition, message in zip(partitions, messages, strict=True):
                letters.append((topic, partition, ends[partition], *message))
                ends[partition] += 1
            await connection.copy_records_to_table("letter", schema_name=self.schema, records=letters)

    def feed(self, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None) -> "PostgresFeed":
        return PostgresFeed(self, group, topics, heeds)

    def inlet(self, group: str, inlet: Inlet) -> None:
        return None

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        rows = await self._ask(self._ends_sql, list(topics), list(range(PARTITIONS)))
        return {(topic, partition): next_ for topic, partition, next_ in rows}

    async def forget(self, topic: str) -> None:
        await self._ask(f"delete from {self.schema}.letter where topic = $1", topic)

    async def close(self) -> None:
        return

    async def _ask(self, sql: str, *arguments: object) -> list[Any]:
        async with self.connected() as connection:
            return list(await connection.fetch(sql, *arguments))

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        try:
            async with self.pool.acquire(timeout=5) as connection:
                yield connection
        except (*LOST, *FULL) as away:
            raise Outage(f"the log does not answer: {away}") from away


class Neighbour:
    """The relay of a store that lies in the log's own database: rows go over without coming through this process.

    Rows and marks are written together, so nothing is ever sent twice; and the commit waits for no disk, for what is
    lost with the server is lost together with its marks, and found again in the outbox (decision 0015).
    """

    def __init__(self, service: str, store: PostgresStore, bus: PostgresBus) -> None:
        self._bus, self._service, self._topic = bus, service, topic_of(service)
        self._rung = asyncio.Event()
        store.on_append(self._rung.set)
        self._carry_sql = (
            files("libs.messaging").joinpath("carry.sql").read_text()
            .replace("{log}", bus.schema).replace("{store}", store.schema).replace("{partitions}", str(PARTITIONS))
        )  # fmt: skip

    async def step(self) -> int:
        """Send what is there, up to a batch; returns how many messages were sent. Raises Outage."""
        async with self._bus.connected() as connection, connection.transaction(isolation="read_committed"):
            await connection.execute(_CARRY_LOCKS, self._topic)  # Whoever held a lock before us is seen.
            sent: int = await connection.fetchval(self._carry_sql, self._topic, self._service, CARRIED_MAX)
        if sent:
            self._bus.bell.ring()
        return sent

    async def wait(self) -> None:
        """Return when there may be more to send."""
        await rung(self._rung, out_of_step(RELAY_LOOKS_AGAIN_S, self._service))


def relay_of(service: str, store: Store, bus: Bus) -> Relay | Neighbour:
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
        self._sql = _READ if heeds is None else _READ_HEEDED
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
        rows = await self._bus._ask(self._sql.format(log=self._bus.schema), *here, limit, *heeded)
        return [Letter((topic, partition), offset, Message(*message)) for topic, partition, offset, *message in rows]

    async def wait(self, timeout_s: float) -> None:
        await rung(self._rung, min(timeout_s, self._look_again_s))

    async def ends(self) -> Mapping[Slot, int]:
        return await self._bus.ends(self._topics)

    async def close(self) -> None:
        return
