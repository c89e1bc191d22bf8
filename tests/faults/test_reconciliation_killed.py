"""The day's reconciliation is killed with -9 again and again; in the end the day reads as if nothing had happened."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import asyncpg
import pytest

from libs.kernel.calendar import midnight_after, morning_of
from libs.ledger.entry import Entry, Post, Posting
from libs.ledger.postgres import PostgresLedger
from libs.ledger.postgres import ddl as ledger_ddl
from libs.testing.clocks import StandingClock
from libs.testing.schemas import own_schema
from services.wallet.adapters.clearing import ddl as clearing_ddl
from services.wallet.adapters.reconciling import Reconciling
from services.wallet.adapters.reconciling import ddl as reconciling_ddl
from services.wallet.adapters.statement_files import Statement, read, write
from services.wallet.domain.reconciliation.matching import Line, Source
from tests.faults.reconciler_that_dies import reconcile

CITY, DAY, LINES = "330900", date(2026, 9, 7), 120
NIGHT = (midnight_after(DAY) + timedelta(hours=5)).isoformat()


@pytest.fixture
async def schemas(pool: asyncpg.Pool) -> AsyncIterator[tuple[str, str]]:
    """Two houses in which the same day has happened: every third line of the bus company's file is another's."""
    tables = ledger_ddl, clearing_ddl, reconciling_ddl
    async with own_schema(pool, "killed", *tables) as first, own_schema(pool, "spared", *tables) as second:
        for schema in (first, second):
            clock = StandingClock(morning_of(DAY))
            ledger, noon = PostgresLedger(pool, schema, clock), morning_of(DAY) + timedelta(hours=12)
            for nth in range(LINES):
                legs = Posting(f"merchant:{CITY}/zs-bus", 100 + nth), Posting(f"fee:{CITY}", -100 - nth)
                await ledger.post(Post(f"s-{nth}", noon, Entry(f"s-{nth}", "payment", legs)))
            lines = tuple(
                Line(reference=f"s-{nth}", fen=100 + nth + (nth % 3 == 0), day=DAY, posted=DAY) for nth in range(LINES)
            )
            sent = Statement(kind=Source.MERCHANT, sender="zs-bus", number=1, day=DAY, lines=lines)
            await Reconciling(pool, schema, clock).receive(CITY, read(write(sent)))
        yield first, second


async def _seen(pool: asyncpg.Pool, schema: str) -> Mapping[str, list[tuple[object, ...]]]:
    """Everything that a day leaves behind: facts, entries, what was told, and the register."""
    asked = {
        "facts": "select stream, version, name, data from {s}.fact order by 1, 2",
        "entries": "select reference, accounts, amounts_fen from {s}.entry order by 1",
        "told": "select stream, version, type, data from {s}.outbox order by 1, 2, 3",
        "items": "select * from {s}.statement_item order by reference",
        "days": "select city, day, done_at is not null from {s}.statement_run order by 1",
    }
    return {name: [tuple(row) for row in await pool.fetch(sql.format(s=schema))] for name, sql in asked.items()}


async def test_killed_again_and_again_the_day_ends_as_if_nothing_had_happened(
    pool: asyncpg.Pool, dsn: str, schemas: tuple[str, str]
) -> None:
    killed, spared = schemas
    script = str(Path(__file__).with_name("reconciler_that_dies.py"))
    for survived in (0, 13):
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, dsn, killed, NIGHT, str(survived), cwd=Path(__file__).parents[2],
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert await process.wait() == -signal.SIGKILL
        suspended = await pool.fetchval(f"select count(*) from {killed}.statement_item where suspended_fen <> 0")
        assert suspended == survived
    await reconcile(dsn, killed, NIGHT)
    await reconcile(dsn, spared, NIGHT)
    assert await _seen(pool, killed) == await _seen(pool, spared)
    assert len((await _seen(pool, killed))["facts"]) == LINES // 3 + 1
