"""A roll from its file to ordered cards, beside `citycard up`, into an empty register and into a filled one.

ROWS and HELD say how long the roll is and how many persons the filled register holds; with THEN, the filled register is
the one that the first roll has filled, and a second roll of so many others goes into it. Every verdict is compared with
the manifest, and every card is counted.
"""

import asyncio
import csv
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import asyncpg

from bench.doors import environment_of, server
from bench.figures import Findings, Row
from bench.ground import Ground, ended
from libs.testing.stage import free_port
from services.simulation.rolls import manifest_of, write

WANTED_PER_S, WANTED_MB, WANTED_RATIO = 2_000, 400, 0.8
LOOK_S = 0.05
_DRAWN = (
    "substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', get_byte(decode(md5(n::text), 'hex'), 0) % 32 + 1, 1) "
    "|| upper(substr(md5(n::text), 3, 15))"
)
"""Sixteen characters that lie among those of true ids, wherever these begin."""
_BY_CHANCE = ("identity.fact_stream_version_key", "issuance.fact_stream_version_key", "identity.command_pkey",
              "issuance.command_pkey", "vault.data_key_pkey", "vault.claim_pkey")  # fmt: skip
_FILLED_PERCENT = 70  # What is left of a page when rows have long come in no order.


async def into_a_filled_register(ground: Ground) -> Findings:
    """Persons a second, and the memory of whoever imports; ordered means that `card-ordered` is stored."""
    rows = int(os.environ.get("ROWS", ground.either(100_000, 3_000)))
    held = int(os.environ.get("HELD", ground.either(1_000_000, 20_000)))
    then = int(os.environ.get("THEN", 0))
    what = "persons, 3 % planted faults, file → ordered card, all services at work"
    first = await _written(ground, "first", rows, 0)
    empty = await _register(ground, "roll_empty")
    empty_per_s, empty_mb = await _imported(ground, empty, first)
    if then:
        full, roll = empty, await _written(ground, "second", then, rows)
        again, held = f"another roll of {then:,}", first.cards
    else:
        await ground.drop("roll_empty")
        full, roll, again = await _register(ground, "roll_filled"), first, "the same"
        await _fill(full, held)
    full_per_s, full_mb = await _imported(ground, full, roll)
    ratio, peak_mb = full_per_s / empty_per_s, max(empty_mb, full_mb)
    return Findings(
        [
            Row(f"roll of {rows:,} {what}, empty register", f"{empty_per_s:,.0f}/s", wanted=f"≥ {WANTED_PER_S:,}/s",
                met=empty_per_s >= WANTED_PER_S),
            Row(f"{again}, {held:,} persons in the register", f"{full_per_s:,.0f}/s", f"empty: {empty_per_s:,.0f}/s",
                f"{ratio:.2f}×", f"≥ {WANTED_RATIO}×", ratio >= WANTED_RATIO),
            Row("memory of the importing process, at its peak", f"{peak_mb:.0f} MB", wanted=f"< {WANTED_MB} MB",
                met=peak_mb < WANTED_MB),
        ]
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Roll:
    """A roll, and how many cards it must bring."""

    file: Path
    cards: int


async def _written(ground: Ground, name: str, rows: int, first: int) -> _Roll:
    file = ground.folder / f"{name}.csv"
    came_to = await asyncio.to_thread(write, file, rows, seed=1, first=first)
    return _Roll(file, came_to["ordered"])


async def _register(ground: Ground, name: str) -> str:
    """An empty register, its schemas up to date."""
    dsn = await ground.database(name)
    async with ground.platform(dsn):
        pass
    return dsn


async def _imported(ground: Ground, dsn: str, roll: _Roll) -> tuple[float, float]:
    port, environment = free_port(), environment_of(ground, dsn)
    before, _ = await _ordered(dsn)
    async with server(port, ["-m", "libs.runtime.cli", "up"], CITYCARD_PORT=str(port), **environment):
        began, peak_kb = time.perf_counter(), 0
        importer = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "libs.runtime.cli", "roll", "import", str(roll.file), "--city", "330900",
            "--programme", "citizen-card", "--department", "hrss",
            env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while importer.returncode is None:
                peak_kb = max(peak_kb, _peak_kb(importer.pid))
                await asyncio.sleep(LOOK_S)
            took = time.perf_counter() - began
        finally:
            await ended(importer)
    cards, holdings = await _ordered(dsn)
    if importer.returncode or not cards == holdings == before + roll.cards:
        raise RuntimeError(
            f"{cards - before} cards, {holdings} holdings after {before}, instead of {roll.cards} cards; "
            f"status {importer.returncode}"
        )
    await asyncio.to_thread(_compare, roll.file)
    return roll.cards / took, peak_kb / 1024


async def _ordered(dsn: str) -> tuple[int, int]:
    """How many cards were ever ordered, and for how many holdings."""
    connection = await asyncpg.connect(dsn)
    try:
        named = "from issuance.fact where name = 'card-ordered'"
        cards = await connection.fetchval(f"select count(*) {named}")
        return cards, await connection.fetchval(f"select count(distinct stream) {named}")
    finally:
        await connection.close()


def _compare(roll: Path) -> None:
    """Raises RuntimeError unless every row that brought no new card is one of the manifest's, for the same reason."""
    with roll.with_name(f"{roll.stem}.verdicts.csv").open() as said, manifest_of(roll).open() as due:
        found = (row for row in csv.reader(said) if row[1] != "ordered")
        for verdict, wanted in zip_longest(found, csv.reader(due)):
            if verdict != wanted:
                raise RuntimeError(f"the manifest says {wanted}, the verdict is {verdict}")


def _peak_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


async def _fill(dsn: str, persons: int) -> None:
    """A register that has long been in use: whatever is looked up by a key that chance has made.

    Outboxes stay empty: they only grow at their ends, and readers would have to be taught what they have read. Rows
    come in the order of their keys, and leave as much room on each page as rows that come in no order.
    """
    if not persons:
        return
    connection = await asyncpg.connect(dsn)
    try:
        for index in _BY_CHANCE:
            await connection.execute(f"alter index {index} set (fillfactor = {_FILLED_PERCENT})")
        await connection.execute("set work_mem = '256MB'")
        await connection.execute(
            f"create temp table held as select row_number() over (order by id) - 1 as n, id "
            f"from (select '330900-' || {_DRAWN} as id from generate_series(1, $1::bigint) n) ids",
            persons,
        )
        for schema, category, name, facts in (
            ("identity", "person", "person-registered", 4), ("issuance", "holding", "card-ordered", 1),
        ):  # fmt: skip
            stream, said = f"'{category}-' || id", "'{\"filled\": \"' || repeat('x', 300) || '\"}'"
            await connection.execute(
                f"insert into {schema}.fact select n % 64, (n / 64) * {facts} + v, {stream}, v, '{name}', {said}, "
                f"'{{}}', now(), now() from (select n, id, generate_series(1, {facts}) as v from held) each_"
            )
            await connection.execute(
                f"insert into {schema}.command select md5('{schema}' || n)::uuid, {stream}, {facts}, '', '', now() "
                f"from held order by 1"
            )
        await connection.execute("insert into vault.data_key select id, 'v1.x.' || md5(n::text), now() from held")
        await connection.execute(
            "insert into vault.claim select 'document', decode(md5('a' || n) || md5('b' || n), 'hex'), id from held "
            "order by 2"
        )
        for index in _BY_CHANCE:
            await connection.execute(f"alter index {index} reset (fillfactor)")
        await connection.execute("drop table held")
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
