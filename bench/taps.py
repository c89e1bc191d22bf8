"""A million offline taps in one file, from `citycard taps upload` to the books, beside what `COPY` alone can do."""

import asyncio
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random

import asyncpg

from bench.doors import environment_of, server
from bench.figures import Findings, Row
from bench.ground import Ground, ended
from libs.runtime.citytime import MachineClock
from libs.runtime.development import issuer_key
from libs.testing.stage import free_port
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, issue
from services.wallet.adapters.clearing import CHUNK, rows_of
from services.wallet.adapters.cryptograms import SIMULATED_MASTER, SimulatedCryptograms
from services.wallet.adapters.tap_files import RECORD, chunks, compose

BUS = Caller("till-1", "merchant", "330900", outlet="zs-bus")
FIRST_CARD, FIRST_TERMINAL = 3_309_000_100_000_000_000, 330_900_000_001
TERMINALS, TAPS_PER_CARD = 2_000, 5
PURCHASE, FEN_MAX = 6, 300
WANTED_PER_S = 10_000


async def from_file_to_books(ground: Ground) -> Findings:
    """Records a second: sent over HTTP, found right, each cryptogram checked, classed, booked."""
    records = ground.either(1_000_000, 40_000)
    cards = records // TAPS_PER_CARD
    file = ground.folder / "taps"
    await asyncio.to_thread(write, file, records, cards)
    limit = await _copied(ground, file, records)
    dsn = await ground.database("taps")
    async with ground.platform(dsn):
        pass  # The schemas, brought up to date.
    await _fill(dsn, cards)
    port, environment = free_port(), environment_of(ground, dsn)
    async with server(port, ["-m", "libs.runtime.cli", "serve", "wallet", "--port", str(port)], **environment):
        token = issue(issuer_key(ground.settings(dsn)), MachineClock(), BUS, ISSUER_DEVELOPMENT)
        began = time.perf_counter()
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "libs.runtime.cli", "taps", "upload", str(file), "--to", f"http://127.0.0.1:{port}",
            "--token", token, env=os.environ | environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            status = await client.wait()
            took = time.perf_counter() - began
        finally:
            await ended(client)
    await _check(dsn, records, status)
    await ground.drop("taps")
    per_s = records / took
    what = f"offline taps cleared/s: {records:,} records of {cards:,} cards in one file, upload → books, SM4 for each"
    return Findings(
        [
            Row(what, f"{per_s:,.0f}/s", f"the same rows by COPY into a bare table, {CHUNK:,} a commit: {limit:,.0f}/s",
                f"{per_s / limit:.2f}×", f"≥ {WANTED_PER_S:,}/s", per_s >= WANTED_PER_S)
        ]
    )  # fmt: skip


def write(file: Path, records: int, cards: int) -> None:
    """A day of a bus company: terminal by terminal, and within each by the hour; every card signs."""
    dice, keys = Random(1), SimulatedCryptograms(SIMULATED_MASTER)
    counters, sequences = [0] * cards, [0] * TERMINALS
    began = int((datetime.now(UTC) - timedelta(days=1)).timestamp())
    taps = []
    for nth in range(records):
        card, terminal = dice.randrange(cards), dice.randrange(TERMINALS)
        counters[card] += 1
        sequences[terminal] += 1
        taps.append((terminal, sequences[terminal], card, counters[card], began + nth * 60_000 // records))
    taps.sort()
    signed = (
        keys.sign(RECORD.pack(FIRST_CARD + card, counter, PURCHASE, 0, FIRST_TERMINAL + terminal, sequence,
                              dice.randint(100, FEN_MAX), 50_000, at, bytes(4)))
        for terminal, sequence, card, counter, at in taps
    )  # fmt: skip
    file.write_bytes(compose(BUS.outlet, 1, signed))


async def _fill(dsn: str, cards: int) -> None:
    """Cards whose wallets are open, and the terminals of one bus company."""
    connection = await asyncpg.connect(dsn)
    try:
        numbered = "from generate_series(0, $1::bigint - 1) n"
        holding = "'330900-' || upper(substr(md5(n::text), 1, 16))"
        for table, row in (
            ("tap_chip", f"{FIRST_CARD} + n, {holding} || '.1', {holding}"), ("tap_opened", holding),
        ):  # fmt: skip
            await connection.execute(f"insert into wallet.{table} select {row} {numbered}", cards)
        await connection.execute(
            f"insert into wallet.tap_terminal select {FIRST_TERMINAL} + n, '330900', '{BUS.outlet}', 'bus' {numbered}",
            TERMINALS,
        )
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def _copied(ground: Ground, file: Path, records: int) -> float:
    """Rows a second that PostgreSQL takes when nothing is asked of them: no index, no look-up, no books."""
    ready = [
        BytesIO(rows_of(raw, first + 1, [True] * (len(raw) // RECORD.size)))
        for first, raw in chunks(file, 0, records, CHUNK)
    ]
    connection = await asyncpg.connect(await ground.database("copied"))
    try:
        await connection.execute(
            "create table tap (line integer, card bigint, counter integer, terminal bigint, sequence integer, "
            "fen integer, balance_fen integer, kind smallint, at timestamptz, tac integer, genuine boolean)"
        )
        began = time.perf_counter()
        for rows in ready:
            await connection.copy_to_table("tap", source=rows, format="binary")
        return records / (time.perf_counter() - began)
    finally:
        await connection.close()
        await ground.drop("copied")


async def _check(dsn: str, records: int, status: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        booked = await connection.fetchval(
            "select coalesce(sum(records), 0) from wallet.tap_file_class where class in (1, 2)"
        )
        moved = await connection.fetchval(
            "select sum(amount_fen) from wallet.posting where account = $1", f"merchant:330900/{BUS.outlet}"
        )
    finally:
        await connection.close()
    if status or booked < records * 0.9 or not moved:
        raise RuntimeError(f"status {status}: {booked} of {records} taps were booked, {moved} fen moved")
