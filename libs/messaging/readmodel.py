"""Read models: what a projection writes down, and the few ways in which it can be asked."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Select,
    Table,
    TableValuedAlias,
    Update,
    and_,
    any_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as SQLTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from libs.eventsourcing.postgres import FULL, LOST
from libs.kernel.outages import Outage

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Put:
    """Write these columns of the row with this primary key; columns that are not named stay as they are."""

    table: Table
    row: Row


@dataclass(frozen=True, slots=True)
class Add:
    """Write this whole row, which no other message writes. A table that rows are added to changes in no other way."""

    table: Table
    row: Row


@dataclass(frozen=True, slots=True)
class Drop:
    """Take away every row in which these columns have these values."""

    table: Table
    where: Row


@dataclass(frozen=True, slots=True)
class Cap:
    """Lower a column to `most` where it is higher or empty, in every row in which these columns have these values."""

    table: Table
    where: Row
    column: str
    most: Any


Change = Put | Add | Drop | Cap


SET_MIN = 16  # So many rows are worth a statement of their own form.
COPY_MIN = 100  # So many rows that are added are worth a look whether one of them is there already.


class Rows(Protocol):
    """The questions that read models answer. `where` names columns and the values that they must have."""

    async def one(self, table: Table, **where: object) -> Row | None:
        """The row, or None."""

    async def many(
        self, table: Table, order_by: str, limit: int = 100, descending: bool = False, **where: object
    ) -> Sequence[Row]:
        """The first rows in this order."""

    async def among(self, table: Table, column: str, values: Sequence[object]) -> Sequence[Row]:
        """All rows that have one of these values in this column, in no order."""


@asynccontextmanager
async def within_reach(what: str) -> AsyncIterator[None]:
    """Whatever SQLAlchemy calls it when PostgreSQL is gone, it is an Outage here."""
    try:
        yield
    except (OSError, TimeoutError, SQLTimeout) as away:
        raise Outage(f"{what} do not answer: {away}") from away
    except DBAPIError as error:
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        if error.connection_invalidated or sqlstate[:2] in _GONE or "InternalClientError" in repr(error.orig):
            raise Outage(f"{what} do not answer: {error}") from error
        raise


_GONE = {"08", "40", "53", "57"}  # SQLSTATE classes: connection, deadlocks, resources, operator intervention


class PostgresRows:
    """`Rows` through SQLAlchemy; the tables live in the service's own schema."""

    def __init__(self, engine: AsyncEngine, schema: str) -> None:
        self._engine = engine.execution_options(schema_translate_map={None: schema})

    async def one(self, table: Table, **where: object) -> Row | None:
        async with within_reach("the read models"), self._engine.connect() as connection:
            row = (await connection.execute(select(table).where(_all(table, where)).limit(1))).mappings().first()
            return None if row is None else dict(row)

    async def many(
        self, table: Table, order_by: str, limit: int = 100, descending: bool = False, **where: object
    ) -> Sequence[Row]:
        order = table.c[order_by].desc() if descending else table.c[order_by].asc()
        query = select(table).where(_all(table, where)).order_by(order).limit(limit)
        async with within_reach("the read models"), self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def among(self, table: Table, column: str, values: Sequence[object]) -> Sequence[Row]:
        these = bindparam("these", list(values), ARRAY(table.c[column].type))
        query = select(table).where(table.c[column] == any_(these))
        async with within_reach("the read models"), self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]


@dataclass
class Level:
    """Changes of one kind, by the statement that carries them out."""

    puts: dict[Table, dict[tuple[Any, ...], Row]] = field(default_factory=dict)
    drops: dict["Named", set[tuple[Any, ...]]] = field(default_factory=dict)
    caps: dict[tuple["Named", str], dict[tuple[Any, ...], Any]] = field(default_factory=dict)


Named = tuple[Table, tuple[str, ...]]
"""A table and some of its columns."""

KINDS: tuple[type[Change], ...] = (Put, Drop, Cap)  # Of those whose order matters.


class Sheaf:
    """Changes bound together, so that many take few statements.

    Changes of one table keep their order, or where keys are given those of one table and key. Rows that are put one
    after another are merged; whatever is of another kind than the change before it goes to a later level. Rows that are
    added need no order, and lie apart.
    """

    def __init__(self) -> None:
        self.adds: dict[Table, list[Row]] = {}
        self._reached: dict[tuple[str, Table], int] = {}
        self._levels: list[Level] = []

    def __iter__(self) -> Iterator[Level]:
        return iter(self._levels)

    def add(self, changes: Iterable[Change], key: str = "") -> None:
        for change in changes:
            if isinstance(change, Add):
                self.adds.setdefault(change.table, []).append(change.row)
                continue
            level = self._level_of(key, change)
            match change:
                case Put(table, row):
                    rows = level.puts.setdefault(table, {})
                    place = tuple([row[name] for name in keys_of(table)])
                    rows[place] = {**rows[place], **row} if place in rows else row
                case Drop(table, where):
                    level.drops.setdefault((table, tuple(where)), set()).add(tuple(where.values()))
                case Cap(table, where, column, most):
                    caps = level.caps.setdefault(((table, tuple(where)), column), {})
                    place = tuple(where.values())
                    caps[place] = min(most, caps.get(place, most))

    def _level_of(self, key: str, change: Change) -> Level:
        of, kind = (key, change.table), KINDS.index(type(change))
        reached = self._reached.get(of, 0)
        level = self._reached[of] = reached + (kind - reached) % len(KINDS)
        while level >= len(self._levels):
            self._levels.append(Level())
        return self._levels[level]


@cache
def keys_of(table: Table) -> tuple[str, ...]:
    """The names of a table's primary key."""
    return tuple(column.name for column in table.primary_key)


def alike(rows: Iterable[Row]) -> Mapping[tuple[str, ...], Sequence[Row]]:
    """Rows by the columns that they name."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row), []).append(row)
    return found


async def write(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Carry changes out, in the order of each table, in the transaction of this connection."""
    sheaf = Sheaf()
    sheaf.add(changes)
    for table, added in sheaf.adds.items():
        once = {tuple([row[name] for name in keys_of(table)]): row for row in added}
        if len(once) < COPY_MIN or await _any_of(connection, table, list(once)):
            await _put(connection, table, once.values())
        else:
            await _copy(connection, table, once.values())
    for level in sheaf:
        for table, rows in level.puts.items():
            await _put(connection, table, rows.values())
        for (table, names), places in level.drops.items():
            for empty, found in _by_emptiness(places):
                await connection.execute(_delete(table, names, empty), [_values(place) for place in found])
        for ((table, names), column), limits in level.caps.items():
            for empty, found in _by_emptiness(limits):
                values = [_values(place) | {"most": limits[place]} for place in found]
                if len(values) < SET_MIN:
                    await connection.execute(_lower(table, names, empty, column), values)
                else:
                    columns = {name: [one[name] for one in values] for name in values[0]}
                    await connection.execute(_lower_set(table, names, empty, column), columns)


async def _any_of(connection: AsyncConnection, table: Table, places: Sequence[tuple[Any, ...]]) -> bool:
    """Whether one of these rows is there already: a page that is written again brings what it brought before."""
    keys = dict(zip(keys_of(table), map(list, zip(*places, strict=True)), strict=True))
    return (await connection.execute(_there(table), keys)).first() is not None


async def _copy(connection: AsyncConnection, table: Table, rows: Iterable[Row]) -> None:
    """Write new rows, at half the cost of columns; in the transaction that has just been asked for them."""
    raw: Any = (await connection.get_raw_connection()).driver_connection
    assert connection.sync_connection
    schema = connection.sync_connection.get_execution_options()["schema_translate_map"][None]
    for names, put in alike(rows).items():
        records = [tuple(row.values()) for row in put]
        try:
            await raw.copy_records_to_table(table.name, schema_name=schema, columns=names, records=records)
        except (*LOST, *FULL) as away:
            raise Outage(f"the read models do not answer: {away}") from away


async def _put(connection: AsyncConnection, table: Table, rows: Iterable[Row]) -> None:
    """Write rows with different primary keys; many of them as columns, at a fraction of the cost of one by one."""
    for names, put in alike(rows).items():
        if len(put) < SET_MIN:
            await connection.execute(_upsert(table, names), put)
        else:
            await connection.execute(_upsert_set(table, names), {name: [row[name] for row in put] for name in names})


def _by_emptiness(places: Iterable[tuple[Any, ...]]) -> Iterable[tuple[tuple[bool, ...], Sequence[tuple[Any, ...]]]]:
    """Places by which of their columns are empty, for emptiness equals nothing and is asked for by other words."""
    found: dict[tuple[bool, ...], list[tuple[Any, ...]]] = {}
    for place in places:
        found.setdefault(tuple(value is None for value in place), []).append(place)
    return found.items()


def _values(place: tuple[Any, ...]) -> dict[str, Any]:
    """What `_these` asks to be given."""
    return {f"place_{nth}": value for nth, value in enumerate(place) if value is not None}


def _these(table: Table, names: tuple[str, ...], empty: tuple[bool, ...]) -> ColumnElement[bool]:
    """Every row in which these columns have the values that come with the statement, or are empty."""
    return and_(
        True,
        *(
            table.c[name].is_(None) if is_empty else table.c[name] == bindparam(f"place_{nth}")
            for nth, (name, is_empty) in enumerate(zip(names, empty, strict=True))
        ),
    )


@cache
def _delete(table: Table, names: tuple[str, ...], empty: tuple[bool, ...]) -> Delete:
    return delete(table).where(_these(table, names, empty))


@cache
def _lower(table: Table, names: tuple[str, ...], empty: tuple[bool, ...], column: str) -> Update:
    most: Any = bindparam("most", type_=table.c[column].type)
    higher = or_(table.c[column].is_(None), table.c[column] > most)
    return update(table).where(_these(table, names, empty), higher).values({column: most})


@cache
def _lower_set(table: Table, names: tuple[str, ...], empty: tuple[bool, ...], column: str) -> Update:
    types = {f"place_{nth}": table.c[name].type for nth, name in enumerate(names) if not empty[nth]}
    types["most"] = table.c[column].type
    limits = _given("limits", types)
    fits = (
        table.c[name].is_(None) if is_empty else table.c[name] == limits.c[f"place_{nth}"]
        for nth, (name, is_empty) in enumerate(zip(names, empty, strict=True))
    )
    higher = or_(table.c[column].is_(None), table.c[column] > limits.c.most)
    return update(table).where(*fits, higher).values({column: limits.c.most})


@cache
def _there(table: Table) -> Select[Any]:
    keys = _given("keys", {name: table.c[name].type for name in keys_of(table)})
    return select(1).where(*(table.c[name] == keys.c[name] for name in keys_of(table))).limit(1)


def _given(as_name: str, types: Mapping[str, Any]) -> TableValuedAlias:
    """Rows that come with the statement, a list for each column."""
    given = func.unnest(*(bindparam(name, type_=ARRAY(type_)) for name, type_ in types.items()))
    return given.table_valued(*(Column(name, type_) for name, type_ in types.items())).render_derived(name=as_name)


@cache
def _upsert(table: Table, names: tuple[str, ...]) -> Insert:
    return _or_update(insert(table), table, names)


@cache
def _upsert_set(table: Table, names: tuple[str, ...]) -> Insert:
    columns = [func.unnest(bindparam(name, type_=ARRAY(table.c[name].type))).label(name) for name in names]
    return _or_update(insert(table).from_select(names, select(*columns)), table, names)


def _or_update(statement: Insert, table: Table, names: tuple[str, ...]) -> Insert:
    keys = keys_of(table)
    rest = {name: statement.excluded[name] for name in names if name not in keys}
    if not rest:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def _all(table: Table, where: Row) -> ColumnElement[bool]:
    return and_(True, *(table.c[name] == given for name, given in where.items()))


class MemoryRows:
    """The twin of `PostgresRows` in memory."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}

    async def one(self, table: Table, **where: object) -> Row | None:
        return next(iter(self._matching(table, where)), None)

    async def many(
        self, table: Table, order_by: str, limit: int = 100, descending: bool = False, **where: object
    ) -> Sequence[Row]:
        def emptiness_last(row: Row) -> tuple[bool, Any]:
            return row[order_by] is None, row[order_by]

        return sorted(self._matching(table, where), key=emptiness_last, reverse=descending)[:limit]

    async def among(self, table: Table, column: str, values: Sequence[object]) -> Sequence[Row]:
        wanted = set(values)
        return [row for row in self._matching(table, {}) if row[column] in wanted]

    def write(self, changes: Sequence[Change]) -> None:
        for change in changes:
            rows = self.tables.setdefault(change.table.name, {})
            match change:
                case Put(table, row) | Add(table, row):
                    key = tuple(row[column.name] for column in table.primary_key)
                    blank = {column.name: getattr(column.default, "arg", None) for column in table.columns}
                    rows[key] = rows.get(key, blank) | dict(row)
                case Drop(_, where):
                    for key in [key for key, kept in rows.items() if _fits(kept, where)]:
                        del rows[key]
                case Cap(_, where, column, most):
                    for kept in rows.values():
                        if _fits(kept, where) and (kept[column] is None or kept[column] > most):
                            kept[column] = most

    def _matching(self, table: Table, where: Row) -> list[Row]:
        return [dict(row) for row in self.tables.get(table.name, {}).values() if _fits(row, where)]


def _fits(row: Row, where: Row) -> bool:
    return all(row[name] == given for name, given in where.items())
