"""Two sets of books, one promise; and what only PostgreSQL can get wrong."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.eventsourcing.store import Store
from libs.ledger.entry import Balance, Entry, EntryUnfit, Ledger, Posting
from libs.ledger.memory import MemoryLedger
from libs.ledger.postgres import PostgresLedger, ddl
from libs.testing.clocks import StandingClock
from libs.testing.ledger_contract import BUS, HALL, HERS, LedgerContract, paid, paid_in, post
from libs.testing.schemas import own_schema
from libs.testing.store_contract import WRITTEN_AT, StoreContract


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger(StandingClock(WRITTEN_AT))


class TestPostgresLedger(LedgerContract):
    @pytest.fixture
    async def ledger(self, pool: asyncpg.Pool) -> AsyncIterator[Ledger]:
        async with own_schema(pool, "ledger", ddl) as schema:
            yield PostgresLedger(pool, schema, StandingClock(WRITTEN_AT))


class TestMemoryLedgerAsAStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryLedger(StandingClock(WRITTEN_AT))


class TestPostgresLedgerAsAStore(StoreContract):
    @pytest.fixture
    async def store(self, pool: asyncpg.Pool) -> AsyncIterator[Store]:
        async with own_schema(pool, "ledger_store", ddl) as schema:
            yield PostgresLedger(pool, schema, StandingClock(WRITTEN_AT))


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("update {s}.account set balance_fen = balance_fen + 1", "drifted"),
        ("update {s}.account set held_fen = held_fen + 1", "drifted"),
        ("update {s}.entry set amounts_fen[1] = amounts_fen[1] - 1, amounts_fen[2] = amounts_fen[2] + 1", "unbalanced"),
        ("update {s}.entry set amounts_fen[1] = amounts_fen[1] - 1", "unbalanced"),
        ("update {s}.entry set accounts[2] = 'merchant:thief' where kind = 'payment'", "unbalanced"),
        ("delete from {s}.entry where kind = 'top-up'", "gaps"),
        ("delete from {s}.entry where kind = 'payment'", "drifted"),
    ],
)
async def test_an_audit_finds_what_somebody_changed_behind_the_books(
    pool: asyncpg.Pool, tampering: str, found: str
) -> None:
    async with own_schema(pool, "audit", ddl) as schema:
        ledger = PostgresLedger(pool, schema, StandingClock(WRITTEN_AT))
        await pool.execute(f"insert into {schema}.account (id, bearer) values ($1, '')", HERS)
        await ledger.post(post(paid_in("c", 500)))
        await ledger.post(post(paid("p", 200)))
        await pool.execute(tampering.format(s=schema))
        assert getattr(await ledger.audit(), found)


async def test_the_drift_is_the_sum_of_all_differences(pool: asyncpg.Pool) -> None:
    async with own_schema(pool, "audit", ddl) as schema:
        ledger = PostgresLedger(pool, schema, StandingClock(WRITTEN_AT))
        await pool.execute(f"insert into {schema}.account (id, bearer) values ($1, '')", HERS)
        await ledger.post(post(paid_in("c", 500)))
        await pool.execute(f"update {schema}.account set balance_fen = 510, held_fen = 3")
        audit = await ledger.audit()
        assert audit.drifted == [(HERS, Balance(510, 3), Balance(500, 0))]
        assert audit.drift_fen == 13


@pytest.mark.parametrize(
    ("reference", "postings"),
    [
        ("r", (Posting(BUS, 1),)),
        ("r", (Posting(BUS, 1), Posting(HALL, -2))),
        ("r", ()),
        ("", (Posting(BUS, 1), Posting(HALL, -1))),
        ("r" * 201, (Posting(BUS, 1), Posting(HALL, -1))),
        ("r", (Posting("nobody", 1), Posting(HALL, -1))),
        ("r", (Posting("merchant:a,b", 1), Posting(HALL, -1))),
        ("r", (Posting(BUS, 10**15 + 1), Posting(HALL, -(10**15) - 1))),
    ],
)
def test_what_is_no_entry_cannot_even_be_written(reference: str, postings: tuple[Posting, ...]) -> None:
    with pytest.raises(EntryUnfit):
        Entry(reference, "move", postings)
