"""Guards that callers over HTTP cannot get around: without them in PostgreSQL, a law of the books breaks."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from libs.eventsourcing.store import Appended
from libs.ledger import guards
from libs.ledger.entry import Ledger, Standing
from libs.ledger.postgres import PostgresLedger, ddl, functions
from libs.testing.clocks import StandingClock
from libs.testing.ledger_contract import CARD, HERS, HIS, LedgerContract, booked, paid_in, post
from libs.testing.schemas import own_schema
from libs.testing.store_contract import WRITTEN_AT

LAWS = LedgerContract()
ONE_REFERENCE = "alter table {s}.entry drop constraint entry_reference"


@pytest.mark.parametrize(
    ("without", "sql", "law"),
    [
        (guards.REFERENCE_REUSED, ONE_REFERENCE, LAWS.test_a_reference_happens_once_however_often_it_is_said),
        (guards.OTHER_BEARER, "", LAWS.test_an_account_is_used_with_the_card_that_it_belongs_to),
        (guards.HOLD_SHORT, "", LAWS.test_no_more_is_released_than_is_held),
        (guards.FUNDS_SHORT, "", LAWS.test_nobody_pays_what_she_has_not),
        (guards.ABOVE_CAP, "", LAWS.test_a_cap_counts_what_is_held),
    ],
    ids=[guards.REFERENCE_REUSED, guards.OTHER_BEARER, guards.HOLD_SHORT, guards.FUNDS_SHORT, guards.ABOVE_CAP],
)
async def test_books_without_this_guard_break_a_law(
    pool: asyncpg.Pool, without: str, sql: str, law: Callable[[Ledger], Awaitable[None]]
) -> None:
    async with own_schema(pool, "lawless", ddl) as schema:
        books = PostgresLedger(pool, schema, StandingClock(WRITTEN_AT))
        outcome = await books.append(booked("open", standings=[Standing(HERS, CARD), Standing(HIS, CARD)]))
        assert isinstance(outcome, Appended)
        await books.post(post(paid_in("cash-1", 10_000)))
        await pool.execute(functions(schema, frozenset({without})))
        if sql:
            await pool.execute(sql.format(s=schema))
        with pytest.raises(AssertionError):
            await law(books)
