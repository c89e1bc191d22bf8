"""A day's reconciliation: one merchant's file is read, taken and held against the books."""

import asyncio
import resource
import time
from contextlib import AsyncExitStack
from datetime import date, timedelta

import asyncpg

from bench.figures import Findings, Row
from bench.ground import Ground
from libs.kernel.calendar import midnight_after, morning_of
from libs.ledger.entry import Ledger
from libs.runtime.citypack import CityPacks
from libs.runtime.lease import MemoryLeases
from libs.runtime.service import Desks
from libs.testing.clocks import StandingClock
from services.wallet.adapters.reconciler import Reconciler
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.adapters.reconciling import Reconciling
from services.wallet.adapters.statement_files import Statement, read, write
from services.wallet.domain.reconciliation.matching import Line, Source
from services.wallet.wiring import DIFFERENCE, RECONCILIATION

CITY, MERCHANT, DAY = "330900", "zs-bus", date(2026, 9, 7)
DIFFERS_EACH = 100


async def of_a_day(ground: Ground) -> Findings:
    """Lines a second from the file to the judged day; of each hundred one names another amount than the books."""
    lines = ground.either(100_000, 2_000)
    dsn = await ground.database("reconciliation")
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(ground.platform(dsn))
        pool = platform.database
        assert pool is not None
        await _booked(pool, lines)
        file = _file(lines)
        clock = StandingClock(midnight_after(DAY) + timedelta(hours=5))
        reconciling, ledger = Reconciling(pool, "wallet", clock), platform.ledger("wallet")
        began = time.perf_counter()
        await reconciling.receive(CITY, await asyncio.to_thread(read, file))
        taken = time.perf_counter()
        await _reconciler(platform.packs, reconciling, ledger, clock).look()
        judged = time.perf_counter()
        found = await pool.fetchval("select count(*) from wallet.statement_item where suspended_fen <> 0")
    await ground.drop("reconciliation")
    if found != lines // DIFFERS_EACH:
        raise RuntimeError(f"{found} differences lie in suspense, instead of {lines // DIFFERS_EACH}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    what = f"a day of one merchant, {lines:,} lines, each hundredth of another amount: file read and taken"
    return Findings(
        [
            Row(what, f"{taken - began:.1f} s"),
            Row("the same day reconciled, each difference put in suspense", f"{judged - taken:.1f} s"),
            Row("memory of this process, at its peak since it began", f"{peak_mb:.0f} MB"),
        ]
    )


async def _booked(pool: asyncpg.Pool, lines: int) -> None:
    """The merchant's sales in the books, one fen hundred each, at noon of the day."""
    noon, numbered = morning_of(DAY) + timedelta(hours=12), "from generate_series(0, $1::bigint - 1) n"
    await pool.execute(
        f"insert into wallet.entry select n % 64, n / 64 + 1, 's-' || n, 'payment', '\\x00', $2, $2, "
        f"array['merchant:{CITY}/{MERCHANT}', 'fee:{CITY}'], array[100, -100], array[0, 0] {numbered}", lines, noon
    )  # fmt: skip
    await pool.execute(
        f"insert into wallet.posting select account, n % 64, n / 64 + 1, leg, fen, 0, $2, 's-' || n, 'payment', "
        f"array[other] {numbered}, (values ('merchant:{CITY}/{MERCHANT}', 1, 100, 'fee:{CITY}'), "
        f"('fee:{CITY}', 2, -100, 'merchant:{CITY}/{MERCHANT}')) legs(account, leg, fen, other)", lines, noon
    )  # fmt: skip
    await pool.execute("vacuum analyze wallet.entry")
    await pool.execute("vacuum analyze wallet.posting")


def _file(lines: int) -> str:
    said = tuple(
        Line(reference=f"s-{nth}", fen=100 + (nth % DIFFERS_EACH == 0), day=DAY, posted=DAY) for nth in range(lines)
    )
    return write(Statement(kind=Source.MERCHANT, sender=MERCHANT, number=1, day=DAY, lines=said))


def _reconciler(packs: CityPacks, reconciling: Reconciling, ledger: Ledger, clock: StandingClock) -> Reconciler:
    return Reconciler(
        Desks([DIFFERENCE, RECONCILIATION], ledger, clock),
        ledger,
        reconciling,
        ReconciliationBylaws(packs),
        clock,
        MemoryLeases(lambda: 0.0, "here", {}),
        lambda: None,
        lambda *_: None,
        lambda *_: None,
    )
