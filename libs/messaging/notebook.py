"""What a reader remembers: how far it has read, what it has seen, what waits for its turn, and what it has parked."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from libs.messaging.bus import Letter, Slot
from libs.messaging.message import Message
from libs.messaging.readmodel import Change, MemoryRows, within_reach, write

Origin = tuple[str, int]
"""A service and one of its shards: the stretch of road on which messages keep their order."""

NOTHING_SEEN: Mapping[Origin, int] = {}


class Overtaken(Exception):
    """Another reader of the same name has moved on from where this one stood; it must look again and start over."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A letter that could not be handled, or that came behind one that could not; `nth` is the order of arrival."""

    nth: int
    key: str
    letter: Letter
    error: str


@dataclass
class Memory:
    """All that a reader remembers, as it stood when it was loaded."""

    positions: dict[Slot, int] = field(default_factory=dict)
    seen: dict[Origin, int] = field(default_factory=dict)
    waiting: dict[Origin, dict[int, Letter]] = field(default_factory=dict)
    parked: set[str] = field(default_factory=set)


class Page(Protocol):
    """One transaction: the changes of read models and what is remembered of them are written together or not at all."""

    async def write(self, changes: Sequence[Change]) -> None:
        """Write changes; after an error the page is good for nothing more, and is to be left with it."""

    async def project(self, changes: Sequence[Change]) -> None:
        """Write the changes of one key; an error undoes these alone and is raised."""

    async def move(self, positions: Mapping[Slot, tuple[int, int]], seen: Mapping[Origin, int] = NOTHING_SEEN) -> None:
        """Move positions from `(old, new)`. Raises Overtaken if one no longer stands at its old value.

        Remember the last sequence handled of each origin, and forget what waited up to there.
        """

    async def hold(self, letters: Sequence[Letter]) -> None:
        """Keep letters that came before their turn."""

    async def park(self, key: str, letter: Letter, error: str) -> None:
        """Put a letter aside, behind those of the same key that are aside already."""

    async def unpark(self, nth: int) -> None:
        """Forget a parked letter that has been handled after all."""


class Notebook(Protocol):
    """The memory of one service's readers, kept beside their read models."""

    async def load(self, reader: str) -> Memory:
        """What this reader remembers. Raises Outage."""

    async def parked(self, reader: str) -> Sequence[Parked]:
        """The letters that are aside, in order of arrival. Raises Outage."""

    def page(self, reader: str) -> AbstractAsyncContextManager[Page]:
        """A transaction; leaving it commits. Raises Outage, after which nothing is written or all is."""


class MemoryNotebook:
    """The notebook in memory; a page is written when it is left without an error."""

    def __init__(self, rows: MemoryRows) -> None:
        self._rows = rows
        self._memories: dict[str, Memory] = {}
        self._parked: dict[str, list[Parked]] = {}

    async def load(self, reader: str) -> Memory:
        kept = self._memories.setdefault(reader, Memory())
        waiting = {origin: dict(letters) for origin, letters in kept.waiting.items()}
        parked = {parked.key for parked in self._parked.get(reader, [])}
        return Memory(dict(kept.positions), dict(kept.seen), waiting, parked)

    async def parked(self, reader: str) -> Sequence[Parked]:
        return list(self._parked.get(reader, []))

    @asynccontextmanager
    async def page(self, reader: str) -> AsyncIterator["_MemoryPage"]:
        page = _MemoryPage(self._memories.setdefault(reader, Memory()), self._parked.setdefault(reader, []))
        yield page
        page.commit(self._rows)


class _MemoryPage:
    def __init__(self, memory: Memory, parked: list[Parked]) -> None:
        self._memory, self._parked = memory, parked
        self._changes: list[Change] = []
        self._positions: dict[Slot, int] = {}
        self._seen: dict[Origin, int] = {}
        self._held: list[Letter] = []
        self._aside: list[tuple[str, Letter, str]] = []
        self._done: set[int] = set()

    async def write(self, changes: Sequence[Change]) -> None:
        self._changes += changes

    async def project(self, changes: Sequence[Change]) -> None:
        self._changes += changes

    async def move(self, positions: Mapping[Slot, tuple[int, int]], seen: Mapping[Origin, int] = NOTHING_SEEN) -> None:
        for slot, (old, new) in positions.items():
            if self._memory.positions.get(slot, 0) != old:
                raise Overtaken
            self._positions[slot] = new
        self._seen |= seen

    async def hold(self, letters: Sequence[Letter]) -> None:
        self._held += letters

    async def park(self, key: str, letter: Letter, error: str) -> None:
        self._aside.append((key, letter, error))

    async def unpark(self, nth: int) -> None:
        self._done.add(nth)

    def commit(self, rows: MemoryRows) -> None:
        rows.write(self._changes)
        self._memory.positions |= self._positions
        self._memory.seen |= self._seen
        for letter in self._held:
            assert letter.message
            service, shard, sequence = letter.message.place
            self._memory.waiting.setdefault((service, shard), {})[sequence] = letter
        for origin, waiting in self._memory.waiting.items():
            for sequence in [n for n in waiting if n <= self._memory.seen.get(origin, 0)]:
                del waiting[sequence]
        nth = max((parked.nth for parked in self._parked), default=0)
        self._parked += [Parked(nth + n, *aside) for n, aside in enumerate(self._aside, 1)]
        self._parked[:] = [parked for parked in self._parked if parked.nth not in self._done]


DDL = """
create table {schema}.reader_position (
    reader text, topic text, partition smallint, next bigint not null, primary key (reader, topic, partition)
);
create table {schema}.reader_seen (
    reader text, service text, shard smallint, sequence bigint not null, primary key (reader, service, shard)
);
create table {schema}.reader_waiting (
    reader text, service text, shard smallint, sequence bigint, letter text not null,
    primary key (reader, service, shard, sequence)
);
create table {schema}.reader_parked (
    reader text not null, nth bigint generated always as identity primary key, key text not null,
    letter text not null, error text not null
);
"""

# In one round trip, and in this order: who moves a position first keeps all others of the same name from the rest.
MOVE = """
with begun as (
    insert into {s}.reader_position select :r, * from
        unnest(cast(:a as text[]), cast(:b as smallint[]), cast(:c as bigint[]))
    on conflict (reader, topic, partition) do update set next = excluded.next where reader_position.next = 0
    returning 1
), moved as (
    update {s}.reader_position p set next = m.new
    from unnest(cast(:d as text[]), cast(:e as smallint[]), cast(:f as bigint[]), cast(:g as bigint[]))
        as m(topic, partition, new, old)
    where p.reader = :r and p.topic = m.topic and p.partition = m.partition and p.next = m.old
    returning 1
), sighting as (
    select * from unnest(cast(:h as text[]), cast(:i as smallint[]), cast(:j as bigint[]))
        as s(service, shard, sequence)
), seen as (
    insert into {s}.reader_seen select :r, * from sighting
    on conflict (reader, service, shard) do update set sequence = excluded.sequence
), turned as (
    delete from {s}.reader_waiting w using sighting s
    where w.reader = :r and w.service = s.service and w.shard = s.shard and w.sequence <= s.sequence
)
select (select count(*) from begun) + (select count(*) from moved)
"""


class PostgresNotebook:
    """The notebook in a service's own schema, in the same transactions as its read models."""

    def __init__(self, engine: AsyncEngine, schema: str) -> None:
        self._engine = engine.execution_options(schema_translate_map={None: schema})
        self._schema = schema

    async def load(self, reader: str) -> Memory:
        async with self._connected() as connection:
            asked = _Asker(connection, self._schema, reader)
            positions = await asked("select topic, partition, next from {s}.reader_position where reader = :r")
            seen = await asked("select service, shard, sequence from {s}.reader_seen where reader = :r")
            waiting = await asked("select service, shard, sequence, letter from {s}.reader_waiting where reader = :r")
            parked = await asked("select distinct key from {s}.reader_parked where reader = :r")
        memory = Memory(
            {(topic, partition): next_ for topic, partition, next_ in positions},
            {(service, shard): sequence for service, shard, sequence in seen},
            parked={key for (key,) in parked},
        )
        for service, shard, sequence, letter in waiting:
            memory.waiting.setdefault((service, shard), {})[sequence] = unfolded(letter)
        return memory

    async def parked(self, reader: str) -> Sequence[Parked]:
        async with self._connected() as connection:
            asked = _Asker(connection, self._schema, reader)
            rows = await asked("select nth, key, letter, error from {s}.reader_parked where reader = :r order by nth")
        return [Parked(nth, key, unfolded(letter), error) for nth, key, letter, error in rows]

    @asynccontextmanager
    async def page(self, reader: str) -> AsyncIterator["_PostgresPage"]:
        async with self._connected() as connection:
            yield _PostgresPage(connection, _Asker(connection, self._schema, reader))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        async with within_reach("the read models"), self._engine.begin() as connection:
            yield connection


@cache
def _statement(sql: str, schema: str) -> TextClause:
    return text(sql.replace("{s}", schema))


class _Asker:
    def __init__(self, connection: AsyncConnection, schema: str, reader: str) -> None:
        self._connection, self._schema, self._reader = connection, schema, reader

    async def __call__(self, sql: str, **values: object) -> Sequence[Any]:
        result = await self._connection.execute(_statement(sql, self._schema), {"r": self._reader} | values)
        return result.all() if result.returns_rows else [None] * result.rowcount


class _PostgresPage:
    def __init__(self, connection: AsyncConnection, ask: _Asker) -> None:
        self._connection, self._ask = connection, ask

    async def write(self, changes: Sequence[Change]) -> None:
        async with within_reach("the read models"):
            await write(self._connection, changes)

    async def project(self, changes: Sequence[Change]) -> None:
        async with within_reach("the read models"), self._connection.begin_nested():
            await write(self._connection, changes)

    async def move(self, positions: Mapping[Slot, tuple[int, int]], seen: Mapping[Origin, int] = NOTHING_SEEN) -> None:
        begun = [(*slot, new) for slot, (old, new) in positions.items() if old == 0]
        moved = [(*slot, new, old) for slot, (old, new) in positions.items() if old != 0]
        sightings = [(*origin, sequence) for origin, sequence in seen.items()]
        ((done,),) = await self._ask(
            MOVE, **_columns("abc", begun), **_columns("defg", moved), **_columns("hij", sightings)
        )
        if done < len(positions):
            raise Overtaken

    async def hold(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            assert letter.message
            service, shard, sequence = letter.message.place
            await self._ask(
                "insert into {s}.reader_waiting values (:r, :service, :shard, :sequence, :letter) "
                "on conflict do nothing",
                service=service,
                shard=shard,
                sequence=sequence,
                letter=folded(letter),
            )

    async def park(self, key: str, letter: Letter, error: str) -> None:
        await self._ask(
            "insert into {s}.reader_parked (reader, key, letter, error) values (:r, :key, :letter, :error)",
            key=key,
            letter=folded(letter),
            error=error[:2000],
        )

    async def unpark(self, nth: int) -> None:
        await self._ask("delete from {s}.reader_parked where reader = :r and nth = :nth", nth=nth)


def _columns(names: str, rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[nth] for row in rows] for nth, name in enumerate(names)}


def folded(letter: Letter) -> str:
    """A letter as text, to be kept."""
    kept = letter._asdict() | {"message": letter.message and letter.message._asdict()}
    return json.dumps(kept, default=datetime.isoformat, ensure_ascii=False)


def unfolded(text_: str) -> Letter:
    """The letter that was kept."""
    raw = json.loads(text_)
    message = raw["message"]
    if message is not None:
        message = Message(**{**message, "time": datetime.fromisoformat(message["time"])})
    topic, partition = raw["slot"]
    return Letter((topic, partition), raw["offset"], message, raw["fault"])
