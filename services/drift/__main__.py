"""Money that must not drift: `python -m services.drift --minutes 3`, or until `--ops` operations are acknowledged.

Real wallet processes on a real PostgreSQL, 64 callers, and a nemesis that kills both all along.
"""

import argparse
import asyncio
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import asyncpg
import httpx

from libs.messaging.postgres import PostgresBus
from libs.runtime.citytime import MachineClock
from libs.runtime.engines import engine_home
from libs.runtime.settings import Settings
from libs.testing.faults import AckBook, Act, Nemesis, audit
from libs.testing.stage import Database, Stage, free_port
from services.drift.callers import Crossing, Neighbours, Town
from services.drift.chips import Chips
from services.drift.comparison import Verdict, compare, lines_of
from services.drift.planted import BUGS, NO_BUG, Bug, hunt

WALLETS, CALLERS, CARDS = 2, 64, 300
PAUSE_S = (4.0, 10.0)  # Between two blows: everybody stands up in between, and does something.


@asynccontextmanager
async def stage_of(home: Path, wallets: int, bug: Bug = NO_BUG) -> AsyncIterator[Stage]:
    """Some processes of the wallet on one PostgreSQL of their own."""
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    settings = Settings(home=home)
    database = Database(engine_home(settings) / "postgres")
    await database.start()
    try:
        async with httpx.AsyncClient() as web:
            ports = {f"wallet-{nth}": free_port() for nth in range(1, wallets + 1)}
            stage = Stage(settings, web, {name: f"http://127.0.0.1:{port}" for name, port in ports.items()})
            stage.database = database
            stage.environment = {**os.environ, "CITYCARD_HOME": str(home), "CITYCARD_LOG_LEVEL": "error",
                                 "CITYCARD_DATABASE_URL": database.dsn, "CITYCARD_DRIFT_BUG": bug.name}  # fmt: skip
            stage.commands = {name: ["serve", "wallet", "--port", str(port)] for name, port in ports.items()}
            stage.program = "services.drift.planted" if bug.patches else stage.program
            try:
                for name in stage.commands:  # One after another: the first one makes the tables.
                    await stage.start(name)
                await bug.plant(database.dsn)
                yield stage
            finally:
                await stage.end()
    finally:
        with suppress(Exception):
            await database.end()


@dataclass
class Outcome:
    """What a run came to."""

    town: Town
    chips: Chips
    nemesis: Nemesis
    verdict: Verdict
    lasted_s: float
    settled: int


async def played(
    home: Path, seconds: float, ops: int, seed: int, *, cards: int = CARDS, bug: Bug = NO_BUG, kills: bool = True,
    wallets: int = WALLETS, least_kills: int = 0,
) -> Outcome:  # fmt: skip
    """Load and kills until so many operations are acknowledged or so many seconds are over; then the comparison."""
    async with stage_of(home, wallets, bug) as stage:
        assert stage.database is not None
        pool = await asyncpg.create_pool(stage.database.dsn, min_size=0, max_size=8, command_timeout=60)
        ports = [int(address.rpartition(":")[2]) for address in stage.addresses.values()]
        people = Crossing(ports, stage.settings, Random(seed))
        book = AckBook(people, f"drift-{seed}")
        town, nemesis = Town(people, Neighbours(PostgresBus(pool)), Random(seed), book), Nemesis(stage, seed)
        await town.settle(cards)
        chips = Chips(town)
        await chips.settle(pool)
        settled, began = len(book.acts), time.monotonic()
        throng = asyncio.create_task(town.throng(CALLERS, chips.stories))
        rage = asyncio.create_task(nemesis.rage(seconds, PAUSE_S) if kills else asyncio.sleep(seconds))
        while not rage.done() and not throng.done():
            await asyncio.wait([rage, throng], timeout=2, return_when=asyncio.FIRST_COMPLETED)
            if (
                ops
                and len(book.acts) >= ops
                and len(book.acknowledged) - settled >= ops
                and killed(nemesis) >= least_kills
            ):
                break
        town.close_the_doors()
        if not rage.done():
            nemesis.rest()
        await asyncio.gather(rage, throng)
        lasted = time.monotonic() - began
        await chips.come_home()
        people.close()
        await _relayed(pool)
        found = await audit(stage, book, ["wallet"])
        verdict = await compare(pool, MachineClock(), town, chips, found)
        await pool.close()
        return Outcome(town, chips, nemesis, verdict, lasted, settled)


def kind_of(act: Act) -> str:
    """What was done, in one word."""
    return "tap-files" if act.method == "PUT" else act.path.rpartition("/")[2]


def killed(nemesis: Nemesis) -> int:
    """How many processes were killed."""
    return sum(times for kind, times in nemesis.struck.items() if kind.startswith("kill"))


async def _relayed(pool: asyncpg.Pool) -> None:
    """Wait until all that was to be told lies on the log; what never comes is found by the audit."""
    behind = (
        "select count(*) from (select shard, max(sequence) as last from wallet.outbox group by shard) o "
        "left join wallet.relayed r using (shard) where coalesce(r.sequence, 0) < o.last"
    )
    with suppress(TimeoutError):
        async with asyncio.timeout(120):
            while await pool.fetchval(behind):
                await asyncio.sleep(0.2)


def report(ran: Outcome, say: object = print) -> None:
    """Say what happened."""
    book, lasted = ran.town.book, ran.lasted_s
    print("\nfaults:")
    for kind, times in sorted(ran.nemesis.struck.items()):
        print(f"  {times:6,}  {kind}")
    print(f"  {killed(ran.nemesis):6,}  kills -9 in {lasted:.0f} s")
    acts = Counter(kind_of(act) for act in book.acts[ran.settled :] if act.acknowledged)
    print("\noperations acknowledged under faults:")
    for kind, times in acts.most_common():
        print(f"  {times:6,}  {kind}")
    print(f"  {acts.total():6,}  in all ({acts.total() / lasted:,.0f} a second)")
    print(f"  {sum(card.stops for card in ran.town.cards):6,}  losses, {sum(c.wakes for c in ran.town.cards):,} lifts")
    print(f"  {ran.town.refused.total():6,}  refusals, as they had to be: {dict(ran.town.refused.most_common(8))}")
    faults = ", ".join(f"{status}: {times:,}" for status, times in book.faults.items()) or "none"
    print(f"  {sum(act.tries for act in book.acts):6,}  tries; 5xx answers on the way: {faults}")
    print(f"  {ran.town.repeated:6,}  acts said once more after they were acknowledged")
    print(f"  p50 {book.percentile_s(0.5) * 1e3:.0f} ms, p99 {book.percentile_s(0.99) * 1e3:.0f} ms (answered tries)")
    print(f"\nunknown outcomes resolved: {book.resolved:,}")
    print(f"entries in the journal: {ran.verdict.entries:,}")
    print(f"taps: {ran.verdict.taps:,}, of which copied {len(ran.chips.copied):,}")
    print("\n".join(lines_of(ran.verdict)))


async def run(minutes: float, ops: int, seed: int, blows: int) -> int:
    """A run in earnest; returns the exit status."""
    home = Path(".citycard") / f"drift-{os.getpid()}"
    print(f"{WALLETS} wallet processes, {CALLERS} callers, {CARDS} cards, one PostgreSQL; seed {seed} …", flush=True)
    try:
        ran = await played(home, minutes * 60, ops, seed, least_kills=blows)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    report(ran)
    return 0 if ran.verdict.clean else 1


def main() -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.drift", description=__doc__)
    parser.add_argument("--minutes", type=float, help="at most so long (default 3, or 60 with --ops)")
    parser.add_argument("--ops", type=int, default=0, help="until so many operations are acknowledged")
    parser.add_argument("--kills", type=int, default=0, help="with --ops: and until so many kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--mutants", action="store_true", help="plant one bug after another; each must be caught")
    asked = parser.parse_args()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if asked.mutants:
            return runner.run(hunt(BUGS, asked.seed))
        return runner.run(run(asked.minutes or (60 if asked.ops else 3), asked.ops, asked.seed, asked.kills))


if __name__ == "__main__":
    sys.exit(main())
