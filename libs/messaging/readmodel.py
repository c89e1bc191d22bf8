"""Read models: what a projection writes down, and the few ways in which it can be asked."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Table, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as SQLTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from libs.kernel.outages import Outage

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Put:
    """Write these columns of the row with this primary key; columns that are not named stay as they are."""

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


Change = Put | Drop | Cap


class Rows(Protocol):
    """The questions that read models answer. `where` names columns and the values that they must have."""

    async def one(self, table: Table, **where: object) -> Row | None:
        """The row, or None."""

    async def many(
        self, table: Table, order_by: str, limit: int = 100, descending: bool = False, **where: object
    ) -> Sequence[Row]:
        """The first rows in this order."""


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


async def write(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Carry changes out, in order, in the transaction of this connection."""
    for change in changes:
        match change:
            case Put(table, row):
                keys = [column.name for column in table.primary_key]
                rest = {name: given for name, given in row.items() if name not in keys}
                statement = insert(table).values(**row)
                await connection.execute(
                    statement.on_conflict_do_update(index_elements=keys, set_=rest)
                    if rest else statement.on_conflict_do_nothing()
                )  # fmt: skip
            case Drop(table, where):
                await connection.execute(delete(table).where(_all(table, where)))
            case Cap(table, where, column, most):
                higher = or_(table.c[column].is_(None), table.c[column] > most)
                await connection.execute(update(table).where(_all(table, where), higher).values({column: most}))


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

    def write(self, changes: Sequence[Change]) -> None:
        for change in changes:
            rows = self.tables.setdefault(change.table.name, {})
            match change:
                case Put(table, row):
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
