"""The bus as a table in PostgreSQL: the embedded default."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import asyncpg

from libs.eventsourcing.postgres import FULL, LOST, Connection
from libs.eventsourcing.store import Doorbell
from libs.kernel.outages import Outage
from libs.messaging.bus import PARTITIONS, Letter, Slot, partition_of
from libs.messaging.inlet import Inlet
from libs.messaging.memory import out_of_step, rung
from libs.messaging.message import Message

COPY_MIN = 100  # From so many letters on, COPY is worth its further round trips.
_LOCKS = "select pg_advisory_xact_lock(hashtext($1), partition) from unnest($2::integer[]) partition"
LOOK_AGAIN_S = 0.1  # How long a letter published by another process may lie unread.


def ddl(schema: str) -> str:
    """The table and the publish function of the log."""
    return files("libs.messaging").joinpath("schema.sql").read_text().replace("{schema}", schema)


class PostgresBus:
    """`Bus` in a schema of its own. A group has one reader at a time: further ones stand by until it goes."""

    def __init__(self, pool: asyncpg.Pool, schema: str = "bus") -> None:
        self._pool, self._schema = pool, schema
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
            f"select {self._schema}.publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            topic,
            [partition_of(m) for m in messages],
            *([getattr(m, name) for m in messages] for name in ("id", "source", "type", "subject", "version", "time")),
            *([getattr(m, name) for m in messages] for name in ("key", "data", "meta")),
        )

    async def _copy(self, topic: str, messages: Sequence[Message]) -> None:
        """Many letters, as the function `publish` would: each at a third of its cost, and in more round trips."""
        partitions = [partition_of(message) for message in messages]
        used = sorted(set(partitions))
        async with self._connected() as connection, connection.transaction(isolation="read_committed"):
            await connection.execute(_LOCKS, topic, used)  # Whoever held a lock before us is seen, so nothing collides.
            ends = {partition: next_ for _, partition, next_ in await connection.fetch(self._ends_sql, [topic], used)}
            letters = []
            for partition, message in zip(partitions, messages, strict=True):
                letters.append((topic, partition, ends[partition], *message))
                ends[partition] += 1
            await connection.copy_records_to_table("letter", schema_name=self._schema, records=letters)

    def feed(self, group: str, topics: Sequence[str]) -> "PostgresFeed":
        return PostgresFeed(self, group, topics)

    def inlet(self, group: str, inlet: Inlet) -> None:
        return None

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        rows = await self._ask(self._ends_sql, list(topics), list(range(PARTITIONS)))
        return {(topic, partition): next_ for topic, partition, next_ in rows}

    async def forget(self, topic: str) -> None:
        await self._ask(f"delete from {self._schema}.letter where topic = $1", topic)

    async def close(self) -> None:
        return

    async def _ask(self, sql: str, *arguments: object) -> list[Any]:
        async with self._connected() as connection:
            return list(await connection.fetch(sql, *arguments))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.acquire(timeout=5) as connection:
                yield connection
        except (*LOST, *FULL) as away:
            raise Outage(f"the log does not answer: {away}") from away


class PostgresFeed:
    """A reader's view of the table."""

    def __init__(self, bus: PostgresBus, group: str, topics: Sequence[str]) -> None:
        self._bus, self._topics = bus, list(topics)
        self._look_again_s = out_of_step(LOOK_AGAIN_S, group)
        self._slots = frozenset((topic, n) for topic in topics for n in range(PARTITIONS))
        self._rung = asyncio.Event()
        bus.bell.add(self._rung.set)

    async def slots(self) -> frozenset[Slot]:
        return self._slots

    async def fetch(self, positions: Mapping[Slot, int], limit: int) -> Sequence[Letter]:
        rows = await self._bus._ask(
            f"select l.* from unnest($1::text[], $2::smallint[], $3::bigint[]) as p(topic, partition, next) "
            f"cross join lateral (select * from {self._bus._schema}.letter l where l.topic = p.topic "
            f'and l.partition = p.partition and l."offset" >= p.next order by l."offset" limit $4) l limit $4',
            [topic for topic, _ in positions],
            [partition for _, partition in positions],
            list(positions.values()),
            limit,
        )
        return [Letter((topic, partition), offset, Message(*message)) for topic, partition, offset, *message in rows]

    async def wait(self, timeout_s: float) -> None:
        await rung(self._rung, min(timeout_s, self._look_again_s))

    async def ends(self) -> Mapping[Slot, int]:
        return await self._bus.ends(self._topics)

    async def close(self) -> None:
        return
