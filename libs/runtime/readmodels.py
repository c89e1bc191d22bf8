"""Read models built anew beside the live ones, from all that was ever told, and put in their place in one moment.

The draft stands in the end exactly where the service's readers stand. So nothing needs to be said to them: they go on
with the next letter, no reaction is left out, and none is repeated.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import Table

from libs.messaging.bus import PARTITIONS, Feed, Letter, Slot, topic_of
from libs.messaging.message import Message
from libs.messaging.notebook import Notebook, Origin
from libs.messaging.readmodel import Row, Sheaf, alike, keys_of
from libs.messaging.relay import OutboxFeed
from libs.runtime.platform import Platform
from libs.runtime.service import Listener, Service

BATCH = 5_000
NEARLY_THERE = 500  # So few letters may be folded while the live tables are locked.
ROUNDS_MAX = 100
PATIENCE_S = 10.0  # A log that gives nothing for so long has nothing to give.


class CannotRebuild(Exception):
    """The read models stay as they are; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done: `events` letters were folded into so many `rows` in `seconds`."""

    events: int
    rows: Mapping[str, int]
    seconds: float


async def rebuild(platform: Platform, service: Service, tables: Sequence[Table], dsn: str) -> Rebuilt:
    """Build these tables of a service anew; the service may be running.

    Until the last moment everything happens in the schema `<service>_next`: a crash leaves the live tables untouched.
    Raises CannotRebuild, and Outage.
    """
    began = time.monotonic()
    if not tables:
        return Rebuilt(0, {}, 0.0)
    async with _alone(dsn, service.name) as connection, aclosing(_Roads(platform, service)) as roads:
        draft = _Draft(connection, service.name, tables)
        await draft.begin()
        for _ in range(ROUNDS_MAX):  # A live reader goes on meanwhile; each round is shorter than the one before.
            if await roads.fold_into(draft) <= NEARLY_THERE:
                break
        await draft.finish_indexes()
        async with connection.transaction():
            await draft.hold_readers_still()
            await roads.fold_into(draft)
            await roads.refuse_gaps()
            rows = await draft.take_the_place_of_the_live_ones()
    return Rebuilt(roads.folded, rows, time.monotonic() - began)


@asynccontextmanager
async def _alone(dsn: str, service: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("select pg_try_advisory_lock(hashtext($1))", f"citycard rebuild {service}"):
            raise CannotRebuild(f"The read models of {service} are being rebuilt already; wait until that is done.")
        yield connection
    finally:
        await connection.close()


class _Roads:
    """The two roads on which letters come to a service: its own outbox, and the log of the others."""

    def __init__(self, platform: Platform, service: Service) -> None:
        name, notebook = service.name, platform.notebook(service.name)
        own = OutboxFeed(name, service.desks.store)
        self._roads = [_Road("own", own, notebook, Listener(service, own=True), _in_the_outbox)]
        if service.topics:  # Under a name of our own, so that no partition is taken from the live reader.
            log = platform.bus.feed(f"{name}-rebuild", [topic_of(topic) for topic in service.topics])
            self._roads.append(_Road("city", log, notebook, Listener(service, own=False), _in_the_log))

    @property
    def folded(self) -> int:
        return sum(road.folded for road in self._roads)

    async def fold_into(self, draft: "_Draft") -> int:
        """Fold what the live readers have handled by now; returns how many letters that were."""
        before = self.folded
        for road in self._roads:
            await road.fold_into(draft)
        return self.folded - before

    async def refuse_gaps(self) -> None:
        for road in self._roads:
            await road.refuse_gaps()

    async def aclose(self) -> None:
        for road in self._roads:
            await road.feed.close()


def _in_the_outbox(origin: Origin) -> Slot:
    service, shard = origin
    return f"outbox.{service}", shard


def _in_the_log(origin: Origin) -> Slot:
    service, shard = origin
    return topic_of(service), shard % PARTITIONS


@dataclass
class _Road:
    """One reader's letters, folded as far as that reader has handled them: neither what waits nor what is parked."""

    reader: str
    feed: Feed
    notebook: Notebook
    listener: Listener
    slot_of: Callable[[Origin], Slot]
    folded: int = 0
    _positions: dict[Slot, int] = field(default_factory=dict)
    _seen: dict[Origin, int] = field(default_factory=dict)
    _waiting: dict[Origin, dict[int, Message]] = field(default_factory=dict)
    _aside: dict[str, Message] = field(default_factory=dict)

    async def fold_into(self, draft: "_Draft") -> None:
        handled = (await self.notebook.load(self.reader)).seen
        parked = {one.letter.message.id for one in await self.notebook.parked(self.reader) if one.letter.message}
        redriven = [message for id_, message in self._aside.items() if id_ not in parked]
        for message in redriven:
            del self._aside[message.id]
        await self._fold(redriven, draft)
        for origin in self._waiting:  # What came before its turn, and has had it meanwhile.
            await self._fold(self._in_turn(origin, handled, parked), draft)
        while letters := await self._letters(handled):
            due: list[Message] = []
            for letter in letters:
                self._positions[letter.slot] = letter.offset + 1
                if letter.message is None:
                    continue
                service, shard, sequence = letter.message.place
                if sequence > self._seen.get((service, shard), 0):
                    self._waiting.setdefault((service, shard), {})[sequence] = letter.message
                    due += self._in_turn((service, shard), handled, parked)
            await self._fold(due, draft)

    async def _letters(self, handled: Mapping[Origin, int]) -> Sequence[Letter]:
        """More of what is still to be folded; empty if there is nothing, or if the log has no more to give."""
        give_up_at = time.monotonic() + PATIENCE_S
        wanted = {self.slot_of(origin) for origin, last in handled.items() if self._seen.get(origin, 0) < last}
        while wanted:
            slots = wanted & await self.feed.slots()
            letters = await self.feed.fetch({slot: self._positions.get(slot, 0) for slot in slots}, BATCH)
            if letters or time.monotonic() > give_up_at:
                return letters
            await asyncio.sleep(0.01)
        return ()

    def _in_turn(self, origin: Origin, handled: Mapping[Origin, int], parked: set[str]) -> Iterator[Message]:
        waiting, last = self._waiting[origin], handled.get(origin, 0)
        while (turn := self._seen.get(origin, 0) + 1) in waiting and turn <= last:
            self._seen[origin] = turn
            message = waiting.pop(turn)
            if message.id in parked:
                self._aside[message.id] = message
            else:
                yield message

    async def _fold(self, messages: Iterable[Message], draft: "_Draft") -> None:
        sheaf, project = Sheaf(), self.listener.project
        for message in messages:
            sheaf.add(project(message), message.key)
            self.folded += 1
        await draft.write(sheaf)

    async def refuse_gaps(self) -> None:
        live = await self.notebook.load(self.reader)
        for origin, handled in live.seen.items():
            if self._seen.get(origin, 0) < handled:
                service, shard = origin
                raise CannotRebuild(
                    f"The log has lost what {service} told: of shard {shard} it gives {self._seen.get(origin, 0)} "
                    f"messages, and {handled} were read once. Fill it again from the store (`citycard log rebuild`), "
                    "then try again; the read models were left as they are."
                )


class _Draft:
    """The tables that are being built, in a schema beside the live ones."""

    def __init__(self, connection: asyncpg.Connection, service: str, tables: Sequence[Table]) -> None:
        self._connection, self._live, self._next = connection, service, f"{service}_next"
        self._tables = list(tables)
        self._keys: dict[str, list[str]] = {}
        self._types: dict[tuple[str, str], str] = {}
        self._indexes: deque[str] = deque()

    async def begin(self) -> None:
        """Empty tables of the same shape; what an earlier attempt has left is thrown away."""
        async with self._connection.transaction():
            await self._connection.execute(f"drop schema if exists {self._next} cascade; create schema {self._next}")
            for table in self._tables:
                live, draft = f"{self._live}.{_quoted(table.name)}", f"{self._next}.{_quoted(table.name)}"
                await self._connection.execute(f"create table {draft} (like {live} including all excluding indexes)")
                for name, type_ in await self._connection.fetch(
                    "select attname, format_type(atttypid, atttypmod) from pg_attribute "
                    "where attrelid = $1::regclass and attnum > 0 and not attisdropped", live
                ):  # fmt: skip
                    self._types[table.name, name] = type_
                self._keys[table.name] = [
                    f"alter table {draft} add constraint {_quoted(name)} {definition}"
                    for name, definition in await self._connection.fetch(
                        "select conname, pg_get_constraintdef(oid) from pg_constraint "
                        "where conrelid = $1::regclass and contype in ('p', 'u')", live
                    )
                ]  # fmt: skip
                self._indexes += [
                    definition.replace(f" ON {self._live}.", f" ON {self._next}.", 1)
                    for (definition,) in await self._connection.fetch(
                        "select pg_get_indexdef(i.indexrelid) from pg_index i where i.indrelid = $1::regclass "
                        "and not exists (select from pg_constraint c where c.conindid = i.indexrelid)",
                        live,
                    )
                ]

    async def write(self, sheaf: Sheaf) -> None:
        async with self._connection.transaction():
            for table, added in sheaf.adds.items():
                await self._copy(table, added)
            for level in sheaf:
                for table, rows in level.puts.items():
                    await self._put(table, rows.values())
                for (table, names), places in level.drops.items():
                    await self._drop(table, names, list(places))
                for ((table, names), column), most in level.caps.items():
                    await self._cap(table, names, column, most)

    async def _copy(self, table: Table, rows: Iterable[Row]) -> None:
        """Rows that are new go in at once."""
        for names, added in alike(rows).items():
            await self._connection.copy_records_to_table(
                table.name, schema_name=self._next, columns=names, records=[tuple(row.values()) for row in added]
            )

    async def _put(self, table: Table, rows: Iterable[Row]) -> None:
        """Rows that may be there already; the first ones of a table are new, and its keys are told apart only then."""
        keys = keys_of(table)
        if constraints := self._keys.pop(table.name, ()):
            await self._copy(table, rows)
            for constraint in constraints:
                await self._connection.execute(constraint)
            return
        for names, put in alike(rows).items():
            fresh = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in names if name not in keys)
            await self._connection.execute(
                f"insert into {self._draft(table)} ({_listed(names)}) select * from unnest({self._holes(table, names)})"
                f" on conflict ({_listed(keys)}) do {f'update set {fresh}' if fresh else 'nothing'}",
                *([row[name] for row in put] for name in names),
            )

    async def _drop(self, table: Table, names: tuple[str, ...], places: Sequence[tuple[Any, ...]]) -> None:
        await self._connection.execute(
            f"delete from {self._draft(table)} t using unnest({self._holes(table, names)}) as w({_listed(names)}) "
            f"where {_same(names)}",
            *map(list, zip(*places, strict=True)),
        )

    async def _cap(
        self, table: Table, names: tuple[str, ...], column: str, most: Mapping[tuple[Any, ...], Any]
    ) -> None:
        capped, limits = _quoted(column), list(most.values())
        await self._connection.execute(
            f"update {self._draft(table)} t set {capped} = w.most from unnest({self._holes(table, (*names, column))}) "
            f"as w({_listed(names)}, most) where {_same(names)} and (t.{capped} is null or t.{capped} > w.most)",
            *map(list, zip(*most, strict=True)),
            limits,
        )

    def _draft(self, table: Table) -> str:
        return f"{self._next}.{_quoted(table.name)}"

    def _holes(self, table: Table, names: Sequence[str]) -> str:
        return ", ".join(f"${n}::{self._types[table.name, name]}[]" for n, name in enumerate(names, 1))

    async def finish_indexes(self) -> None:
        """The other indexes are cheaper to build over all rows than row by row."""
        for constraint in [one for constraints in self._keys.values() for one in constraints]:
            await self._connection.execute(constraint)
        self._keys.clear()
        while self._indexes:
            await self._connection.execute(self._indexes.popleft())
        for table in self._tables:
            await self._connection.execute(f"analyze {self._next}.{_quoted(table.name)}")

    async def hold_readers_still(self) -> None:
        """Locks in the order in which readers take theirs: places, tables, what is parked. Questions go on."""
        live = ", ".join(f"{self._live}.{_quoted(table.name)}" for table in self._tables)
        for names in (f"{self._live}.reader_position", live, f"{self._live}.reader_parked"):
            await self._connection.execute(f"lock table {names} in exclusive mode")

    async def take_the_place_of_the_live_ones(self) -> Mapping[str, int]:
        """Names, indexes and all; returns how many rows each has."""
        counts = {}
        for table in self._tables:
            name = _quoted(table.name)
            counts[table.name] = await self._connection.fetchval(f"select count(*) from {self._next}.{name}")
            await self._connection.execute(f"drop table {self._live}.{name}")
            await self._connection.execute(f"alter table {self._next}.{name} set schema {self._live}")
        await self._connection.execute(f"drop schema {self._next}")
        return counts


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))


def _same(names: Sequence[str]) -> str:
    return " and ".join(f"t.{_quoted(name)} = w.{_quoted(name)}" for name in names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
