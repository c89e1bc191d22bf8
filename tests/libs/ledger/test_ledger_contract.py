"""Two sets of books, one promise; and what only PostgreSQL can get wrong."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.eventsourcing.store import Store
from libs.ledger.auditor import Auditor, MoneyHalted
from libs.ledger.entry import Balance, Entry, EntryUnfit, Ledger, Posting
from libs.ledger.memory import MemoryLedger
from libs.ledger.postgres import PostgresLedger, ddl, lines_ddl
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
        ("update {s}.posting set amount_fen = amount_fen - 1 where amount_fen < 0", "unbalanced"),
        ("update {s}.posting set reference = 'another'", "unbalanced"),
        ("delete from {s}.posting where amount_fen < 0", "unbalanced"),
        (
            "insert into {s}.posting select account, shard, position + 9, leg, 0, 0, at, 'made-up', kind, others "
            "from {s}.posting",
            "unbalanced",
        ),
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


async def test_books_of_before_bear_the_same_lines_afterwards(pool: asyncpg.Pool) -> None:
    """Before, a leg was stored without what its line says, and each line was looked up in the journal."""
    async with own_schema(pool, "lines", ddl) as schema:
        ledger = PostgresLedger(pool, schema, StandingClock(WRITTEN_AT))
        await pool.execute(f"insert into {schema}.account (id, bearer) values ($1, '')", HERS)
        await ledger.post(post(paid_in("c", 500)))
        await ledger.post(post(paid("p", 200)))
        told = [await ledger.statement(account) for account in (HERS, BUS, HALL)]
        await pool.execute(
            f"alter table {schema}.posting drop constraint posting_pkey, drop column at, drop column reference, "
            f"drop column kind, drop column others, add primary key (account, shard, position, leg)"
        )
        for _ in range(2):  # New books have it already.
            await pool.execute(lines_ddl(schema))
            assert [await ledger.statement(account) for account in (HERS, BUS, HALL)] == told
        assert (await ledger.audit()).sound


async def test_young_lines_wait_for_no_fifth_of_the_books_to_be_vacuumed(pool: asyncpg.Pool) -> None:
    """Until then a line is looked up in the table too: 107 blocks for a page of 100 lines instead of 8."""
    async with own_schema(pool, "young", ddl) as schema:
        options = await pool.fetchval("select reloptions from pg_class where oid = $1::regclass", f"{schema}.posting")
        assert options == ["autovacuum_vacuum_insert_scale_factor=0.01"]


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


@pytest.fixture
async def hers(pool: asyncpg.Pool) -> AsyncIterator[tuple[PostgresLedger, str]]:
    """Books with one account and two entries."""
    async with own_schema(pool, "auditor", ddl) as schema:
        ledger = PostgresLedger(pool, schema, StandingClock(WRITTEN_AT))
        await pool.execute(f"insert into {schema}.account (id, bearer) values ($1, '')", HERS)
        await ledger.post(post(paid_in("c", 500)))
        await ledger.post(post(paid("p", 200)))
        yield ledger, schema


async def test_an_auditor_finds_drift_stops_money_and_lets_it_move_again_when_it_is_mended(
    pool: asyncpg.Pool, hers: tuple[PostgresLedger, str]
) -> None:
    ledger, schema = hers
    told: list[tuple[int, int, int]] = []
    auditor = Auditor(ledger, lambda: 0.0, lambda *figures: told.append(figures))
    await auditor.look()
    auditor.refuse_if_drifting()
    await pool.execute(f"update {schema}.account set balance_fen = balance_fen + 7")
    await auditor.look()
    auditor.refuse_if_drifting()  # Nothing touched the account since; the next full look would find it.
    await ledger.post(post(paid("q", 1)))
    await auditor.look()
    with pytest.raises(MoneyHalted):
        auditor.refuse_if_drifting()
    await auditor.look()
    assert auditor.halted, "what was wrong stays suspect"
    await pool.execute(f"update {schema}.account set balance_fen = balance_fen - 7")
    await auditor.look()
    auditor.refuse_if_drifting()
    assert told == [(0, 0, 2), (0, 0, 2), (7, 0, 3), (7, 0, 3), (0, 0, 3)]


@pytest.mark.parametrize(
    "tampering",
    [
        "update {s}.account set balance_fen = balance_fen + 1",
        "update {s}.folded set balance_fen = balance_fen + 1 where account = 'merchant:bus'",
        "update {s}.entry set amounts_fen[1] = 0 where reference = 'c'",
        "delete from {s}.entry where reference = 'c'",
    ],
)
async def test_a_full_look_finds_what_no_later_entry_touches(
    pool: asyncpg.Pool, hers: tuple[PostgresLedger, str], tampering: str
) -> None:
    ledger, schema = hers
    now = 0.0
    auditor = Auditor(ledger, lambda: now, lambda *_: None, full_every_s=60)
    await auditor.look()
    await pool.execute(tampering.format(s=schema))
    await auditor.look()
    assert not auditor.halted
    now = 60.0
    await auditor.look()
    assert auditor.halted


async def test_a_new_entry_that_is_broken_is_found_at_once_and_not_forgotten(
    pool: asyncpg.Pool, hers: tuple[PostgresLedger, str]
) -> None:
    ledger, schema = hers
    auditor = Auditor(ledger, lambda: 0.0, lambda *_: None)
    await auditor.look()
    await ledger.post(post(paid("q", 1)))
    await pool.execute(f"update {schema}.entry set kind = 'gift' where reference = 'q'")
    for _ in range(2):
        await auditor.look()
        assert auditor.last.unbalanced == ["q"]


async def test_a_drift_below_the_limit_stops_nobody(pool: asyncpg.Pool, hers: tuple[PostgresLedger, str]) -> None:
    ledger, schema = hers
    await pool.execute(f"update {schema}.account set balance_fen = balance_fen + 7")
    for limit, halted in ((7, False), (6, True)):
        auditor = Auditor(ledger, lambda: 0.0, lambda *_: None, limit_fen=limit)
        await auditor.look()
        assert auditor.halted is halted
