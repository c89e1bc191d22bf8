"""Read models in memory and in PostgreSQL answer the same."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.messaging.readmodel import (
    COPY_MIN,
    SET_MIN,
    Add,
    Cap,
    Change,
    Drop,
    MemoryRows,
    PostgresRows,
    Put,
    Rows,
    write,
)
from libs.testing.clocks import NOON
from libs.testing.schemas import own_schema

STOP = Table(
    "stop",
    MetaData(),
    Column("card_id", Text, primary_key=True),
    Column("report", Integer, primary_key=True),
    Column("outlet", Text),
    Column("until", DateTime(timezone=True)),
    Column("fen", Integer, default=5),
    Column("waiting", Boolean, default=True),
)
SEEN = Table("seen", MetaData(), Column("id", Text, primary_key=True))

DDL = """
create table {schema}.stop (
    card_id text, report integer, outlet text, until timestamptz, fen integer, waiting boolean,
    primary key (card_id, report)
);
create table {schema}.seen (id text primary key);
"""


@dataclass(frozen=True)
class Books:
    """A read model and the pen that writes it."""

    rows: Rows
    write: Callable[[Sequence[Change]], Awaitable[None]]


@pytest.fixture(params=["memory", "postgres"])
async def books(request: pytest.FixtureRequest, pool: asyncpg.Pool, engine: AsyncEngine) -> AsyncIterator[Books]:
    if request.param == "memory":
        memory = MemoryRows()

        async def write_down(changes: Sequence[Change]) -> None:
            memory.write(changes)

        yield Books(memory, write_down)
        return
    async with own_schema(pool, "rows", lambda schema: DDL.replace("{schema}", schema)) as schema:
        translated = engine.execution_options(schema_translate_map={None: schema})

        async def commit(changes: Sequence[Change]) -> None:
            async with translated.begin() as connection:
                await write(connection, changes)

        yield Books(PostgresRows(engine, schema), commit)


def stop(card_id: str, report: int = 1, **rest: object) -> Put:
    return Put(STOP, {"card_id": card_id, "report": report, **rest})


def hours(n: int) -> datetime:
    return NOON + timedelta(hours=n)


async def test_a_new_row_has_what_was_put_and_defaults_for_the_rest(books: Books) -> None:
    await books.write([stop("c1", outlet="hall")])
    assert await books.rows.one(STOP, card_id="c1") == {
        "card_id": "c1", "report": 1, "outlet": "hall", "until": None, "fen": 5, "waiting": True,
    }  # fmt: skip


async def test_columns_that_are_not_named_stay_as_they_are(books: Books) -> None:
    await books.write([stop("c1", outlet="hall", fen=7, waiting=False)])
    await books.write([stop("c1", until=NOON, outlet=None)])
    row = await books.rows.one(STOP, card_id="c1", report=1)
    assert row == {"card_id": "c1", "report": 1, "outlet": None, "until": NOON, "fen": 7, "waiting": False}


async def test_a_row_of_keys_alone_may_be_put_twice(books: Books) -> None:
    await books.write([Put(SEEN, {"id": "m1"}), Put(SEEN, {"id": "m1"})])
    assert [*await books.rows.many(SEEN, "id")] == [{"id": "m1"}]


async def test_rows_are_found_among_many_values(books: Books) -> None:
    await books.write([stop("c1", 1), stop("c1", 2), stop("c2"), stop("c3")])
    found = await books.rows.among(STOP, "card_id", ["c1", "c3", "c4"])
    assert sorted((row["card_id"], row["report"]) for row in found) == [("c1", 1), ("c1", 2), ("c3", 1)]
    assert [*await books.rows.among(STOP, "card_id", [])] == []


async def test_drop_takes_every_row_that_fits_and_no_other(books: Books) -> None:
    await books.write([stop("c1", 1), stop("c1", 2), stop("c2", 1, outlet="hall")])
    await books.write([Drop(STOP, {"card_id": "c3"}), Drop(STOP, {"card_id": "c1", "report": 2})])
    assert [(row["card_id"], row["report"]) for row in await books.rows.many(STOP, "card_id")] == [("c1", 1), ("c2", 1)]
    await books.write([Drop(STOP, {"outlet": None})])
    assert await books.rows.one(STOP, card_id="c1") is None
    await books.write([Drop(STOP, {})])
    assert not await books.rows.many(STOP, "card_id")


async def test_cap_lowers_what_is_higher_or_empty_and_nothing_else(books: Books) -> None:
    await books.write(
        [stop("c1", nth, until=until) for nth, until in enumerate((hours(1), hours(2), hours(3), None))]
        + [stop("c2", 1, until=hours(9))]
    )
    await books.write([Cap(STOP, {"card_id": "c1"}, "until", hours(2))])
    capped = await books.rows.many(STOP, "report", card_id="c1")
    assert [row["until"] for row in capped] == [hours(1), hours(2), hours(2), hours(2)]
    assert await books.rows.one(STOP, card_id="c2", until=hours(9))


async def test_many_rows_are_lowered_each_to_its_own_limit(books: Books) -> None:
    cards = [f"c{nth}" for nth in range(40)]
    await books.write([stop(card, outlet="hall" if nth % 2 else None, until=None) for nth, card in enumerate(cards)])
    await books.write(
        [Cap(STOP, {"card_id": card, "report": 1}, "until", hours(nth)) for nth, card in enumerate(cards)]
    )
    await books.write([Cap(STOP, {"card_id": card, "outlet": None}, "until", hours(20)) for card in cards])
    limits = {row["card_id"]: row["until"] for row in await books.rows.many(STOP, "card_id")}
    assert limits == {card: hours(nth if nth % 2 else min(nth, 20)) for nth, card in enumerate(cards)}


async def test_changes_are_made_in_their_order(books: Books) -> None:
    cap = Cap(STOP, {"card_id": "c1"}, "until", hours(2))
    await books.write([stop("c1", until=hours(9)), cap, Drop(STOP, {"outlet": "hall"}), stop("c1", outlet="hall")])
    row = await books.rows.one(STOP, card_id="c1")
    assert row is not None
    assert (row["until"], row["outlet"]) == (hours(2), "hall")
    await books.write([Drop(STOP, {"card_id": "c1"}), stop("c1"), cap])
    assert (await books.rows.one(STOP, outlet=None, until=hours(2))) is not None


async def test_questions_are_answered_in_the_order_and_number_asked_for(books: Books) -> None:
    await books.write([stop(f"c{n}", fen=n * 7 % 5, waiting=n % 2 == 0) for n in range(5)])
    many = books.rows.many
    assert [row["fen"] for row in await many(STOP, "fen")] == [0, 1, 2, 3, 4]
    assert [row["fen"] for row in await many(STOP, "fen", limit=2, descending=True)] == [4, 3]
    assert [row["card_id"] for row in await many(STOP, "card_id", waiting=True, report=1)] == ["c0", "c2", "c4"]
    assert not await many(STOP, "card_id", waiting=True, report=2)


@pytest.mark.parametrize("descending", [False, True])
async def test_what_is_empty_counts_as_the_highest(books: Books, descending: bool) -> None:
    await books.write([stop("c1", until=hours(1)), stop("c2"), stop("c3", until=hours(2))])
    ordered = [row["card_id"] for row in await books.rows.many(STOP, "until", descending=descending)]
    assert ordered == (["c2", "c3", "c1"] if descending else ["c1", "c3", "c2"])


async def test_a_row_that_was_read_is_the_readers_own(books: Books) -> None:
    await books.write([stop("c1", outlet="hall")])
    [row] = await books.rows.many(STOP, "card_id")
    assert isinstance(row, dict)
    row["outlet"] = "elsewhere"
    assert await books.rows.one(STOP, outlet="hall") is not None


async def test_rows_that_are_added_are_there_however_often_they_are_told(books: Books) -> None:
    await books.write([Add(SEEN, {"id": "a"}), Add(SEEN, {"id": "b"})])
    await books.write([Add(SEEN, {"id": "b"})])
    assert [row["id"] for row in await books.rows.many(SEEN, "id")] == ["a", "b"]


async def test_many_rows_are_written_as_few_are(books: Books) -> None:
    """Some are there already, some name other columns than others, some have empty ones."""
    await books.write([stop("c3", outlet="hall", until=hours(1), fen=7)])
    many = range(SET_MIN * 2)
    await books.write([stop(f"c{n}", report=n, outlet="bank", until=None if n % 2 else hours(n)) for n in many])
    await books.write([stop("c3", outlet="post")] * 2 + [stop(f"d{n}", waiting=False) for n in many])
    kept = {(row["card_id"], row["report"]): row for row in await books.rows.many(STOP, "card_id", 1_000)}
    assert len(kept) == 1 + 2 * len(many)
    assert [kept["c3", 1][name] for name in ("outlet", "until", "fen")] == ["post", hours(1), 7]
    assert kept["c4", 4] == {
        "card_id": "c4", "report": 4, "outlet": "bank", "until": hours(4), "fen": 5, "waiting": True,
    }  # fmt: skip
    assert (kept["c5", 5]["until"], kept["d9", 1]["waiting"], kept["d9", 1]["fen"]) == (None, False, 5)


async def test_many_rows_that_are_added_twice_are_there_once(books: Books) -> None:
    added = [Add(SEEN, {"id": f"m{n % SET_MIN}"}) for n in range(SET_MIN * 3)]
    await books.write(added)
    await books.write(added)
    assert len(await books.rows.many(SEEN, "id")) == SET_MIN


async def test_a_crowd_of_new_rows_is_added_once_also_if_some_of_them_were_there(books: Books) -> None:
    crowd = [Add(SEEN, {"id": f"m{n}"}) for n in range(COPY_MIN * 2)]
    await books.write(crowd[:COPY_MIN])
    await books.write(crowd)
    await books.write(crowd)
    assert len(await books.rows.many(SEEN, "id", 1_000)) == COPY_MIN * 2


async def test_a_crowd_of_new_rows_goes_with_the_page_that_is_given_up(pool: asyncpg.Pool, engine: AsyncEngine) -> None:
    async with own_schema(pool, "rows", lambda schema: DDL.replace("{schema}", schema)) as schema:
        translated = engine.execution_options(schema_translate_map={None: schema})
        async with translated.connect() as connection, connection.begin() as page:
            await write(connection, [Add(SEEN, {"id": f"m{n}"}) for n in range(COPY_MIN)])
            await page.rollback()
        assert await PostgresRows(engine, schema).many(SEEN, "id") == []
