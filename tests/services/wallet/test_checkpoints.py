"""Whoever edits, deletes, inserts or moves a row of the journal is found by a program that shares only the format."""

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from libs.audit import verify as auditor
from libs.ledger.entry import Entry, Post, Posting
from libs.ledger.postgres import PostgresLedger
from libs.ledger.postgres import ddl as ledger_ddl
from libs.runtime.cli import main
from libs.testing.clocks import NOON, StandingClock
from libs.testing.town import town_settings
from services.wallet.adapters.checkpoint_desk import Signing, signing_key
from services.wallet.adapters.checkpoints import DDL, Checkpoints

SCHEMA = "checkpoint_test"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
async def signer(pool: asyncpg.Pool) -> AsyncIterator[Checkpoints]:
    await pool.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}")
    await pool.execute(ledger_ddl(SCHEMA))
    await pool.execute(DDL.replace("{schema}", SCHEMA))
    signer = Checkpoints(pool, SCHEMA, KEY, StandingClock(NOON))
    await book(pool, 1, 6)
    await signer.sign()
    await book(pool, 7, 5)
    await signer.sign()
    yield signer
    await pool.execute(f"drop schema {SCHEMA} cascade")


async def book(pool: asyncpg.Pool, first: int, count: int, holding: str = "one") -> None:
    ledger = PostgresLedger(pool, SCHEMA, StandingClock(NOON))
    for nth in range(first, first + count):
        legs = (Posting("purse:a", -nth), Posting("merchant:330900/zs-bus", nth))
        await ledger.post(Post(holding, NOON, Entry(f"r-{nth}", "payment", legs)))


async def judged(dsn: str) -> auditor.Verdict:
    return auditor.verify(*await auditor.read_database(dsn, SCHEMA), KEY.public_key())


async def test_a_journal_that_nobody_touched_is_what_was_signed(signer: Checkpoints, dsn: str) -> None:
    verdict = await judged(dsn)
    assert (verdict.rows, verdict.checkpoints, verdict.uncovered, verdict.faults) == (11, 2, 0, [])


async def test_rows_after_the_last_checkpoint_are_counted_and_accuse_nobody(
    signer: Checkpoints, dsn: str, pool: asyncpg.Pool
) -> None:
    await book(pool, 20, 3)
    verdict = await judged(dsn)
    assert (verdict.uncovered, verdict.faults) == (3, [])
    assert await signer.sign() == 3
    assert await signer.sign() == 3  # Nothing new, nothing to sign.
    assert (await judged(dsn)).uncovered == 0


# --- the house signs by itself ---


class Process:
    """A process of the wallet whose clock a test moves; `shown` is how long its operator sees rows wait, in seconds."""

    def __init__(self, pool: asyncpg.Pool, home: Path, **given: Any) -> None:
        self.clock, self.shown = StandingClock(NOON), 0.0
        settings = town_settings(home, **given)
        self._signing = Signing(
            pool, settings, self.clock, lambda: self.clock.moment.timestamp(), self._show, schema=SCHEMA
        )

    def _show(self, seconds: float) -> None:
        self.shown = seconds

    async def look(self, after_s: float = 0) -> float:
        self.clock.move(timedelta(seconds=after_s))
        await self._signing.look()
        return self.shown


@pytest.fixture
async def journal(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Pool]:
    """Three rows that nobody has signed."""
    await pool.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}")
    await pool.execute(ledger_ddl(SCHEMA))
    await pool.execute(DDL.replace("{schema}", SCHEMA))
    await book(pool, 1, 3)
    yield pool
    await pool.execute(f"drop schema {SCHEMA} cascade")


async def checkpoints_in(pool: asyncpg.Pool) -> int:
    count: int = await pool.fetchval(f"select count(*) from {SCHEMA}.checkpoint")
    return count


async def test_the_house_signs_what_is_new_at_its_interval_and_no_more_often(
    journal: asyncpg.Pool, tmp_path: Path, dsn: str
) -> None:
    house = Process(journal, tmp_path)
    assert await house.look() == 0
    await book(journal, 4, 1)
    assert await house.look(after_s=100) == 100
    assert await checkpoints_in(journal) == 1
    assert await house.look(after_s=200) == 0
    assert await checkpoints_in(journal) == 2
    assert await house.look(after_s=1_000) == 0  # Nothing new, nothing to sign.
    assert await checkpoints_in(journal) == 2
    key = signing_key(town_settings(tmp_path)).public_key()
    assert auditor.verify(*await auditor.read_database(dsn, SCHEMA), key).faults == []


async def test_two_processes_with_one_key_sign_no_more_often_than_one(journal: asyncpg.Pool, tmp_path: Path) -> None:
    one, other = Process(journal, tmp_path), Process(journal, tmp_path)
    await asyncio.gather(one.look(), other.look())
    assert await checkpoints_in(journal) == 1
    await book(journal, 4, 1)
    waits = await asyncio.gather(one.look(after_s=100), other.look(after_s=100))
    assert set(waits) == {100}
    assert await checkpoints_in(journal) == 1


async def test_a_process_with_another_key_signs_nothing_and_says_how_long_rows_wait(
    journal: asyncpg.Pool, tmp_path: Path
) -> None:
    await Process(journal, tmp_path / "ours").look()
    await book(journal, 4, 1)
    assert await Process(journal, tmp_path / "theirs").look(after_s=1_200) == 1_200
    assert await checkpoints_in(journal) == 1


async def test_away_from_loopback_the_house_signs_only_with_a_key_that_it_is_given(
    journal: asyncpg.Pool, tmp_path: Path
) -> None:
    abroad = {"host": "0.0.0.0"}
    assert await Process(journal, tmp_path, **abroad).look(after_s=60) == 60
    assert not (tmp_path / "keys").exists()
    for content, signs in ((b"too short", False), (bytes(32), True)):
        key = tmp_path / "given"
        key.write_bytes(content)
        waits = await Process(journal, tmp_path, journal_key=key, **abroad).look(after_s=60)
        assert (waits, await checkpoints_in(journal)) == ((0, 1) if signs else (60, 0))


async def test_a_house_that_leaves_it_to_others_still_says_how_long_rows_wait(
    journal: asyncpg.Pool, tmp_path: Path
) -> None:
    assert await Process(journal, tmp_path, checkpoint_every_s=0).look(after_s=3_600) == 3_600
    assert await checkpoints_in(journal) == 0


def test_the_key_of_a_home_is_made_once_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    made = signing_key(town_settings(tmp_path)).private_bytes_raw()
    assert signing_key(town_settings(tmp_path)).private_bytes_raw() == made
    (path,) = (tmp_path / "keys").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


TAMPERINGS = {
    "edited": "update {s}.entry set amounts_fen = '{{-900,900}}' where position = 3",
    "edited, the reference alone": "update {s}.entry set reference = 'r-x' where position = 11",
    "edited, the moment alone": "update {s}.entry set recorded_at = recorded_at + interval '1 microsecond' "
    "where position = 1",
    "deleted": "delete from {s}.entry where position = 4",
    "deleted at the end": "delete from {s}.entry where position = 11",
    "inserted": "update {s}.entry set position = position + 100 where position > 4; "
    "update {s}.entry set position = position - 99 where position > 100; "
    "insert into {s}.entry select shard, 5, 'r-new', kind, digest, at, recorded_at, accounts, amounts_fen, held_fen "
    "from {s}.entry where position = 4",
    "moved": "update {s}.entry set position = 100 where position = 3; "
    "update {s}.entry set position = 3 where position = 9; update {s}.entry set position = 9 where position = 100",
    "a checkpoint cut out": "delete from {s}.checkpoint where number = 1",
    "a checkpoint written anew": "update {s}.checkpoint set text = text || ' ' where number = 2",
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_whoever_touches_what_was_signed_is_found(
    signer: Checkpoints, dsn: str, pool: asyncpg.Pool, tampering: str
) -> None:
    await pool.execute(TAMPERINGS[tampering].format(s=SCHEMA))
    assert (await judged(dsn)).faults


async def test_the_auditor_says_between_which_checkpoints_the_row_lies(
    signer: Checkpoints, dsn: str, pool: asyncpg.Pool
) -> None:
    await pool.execute(f"update {SCHEMA}.entry set kind = 'gift' where position = 9")
    (fault,) = (await judged(dsn)).faults
    assert "between positions 7 and 11" in fault
    assert "checkpoint 2" in fault


async def test_another_key_proves_nothing(signer: Checkpoints, dsn: str) -> None:
    rows, checkpoints = await auditor.read_database(dsn, SCHEMA)
    stranger = Ed25519PrivateKey.generate().public_key()
    assert len(auditor.verify(rows, checkpoints, stranger).faults) == 2


async def test_without_a_checkpoint_nothing_is_proven(signer: Checkpoints, dsn: str) -> None:
    rows, _ = await auditor.read_database(dsn, SCHEMA)
    assert auditor.verify(rows, [], KEY.public_key()).faults == ["there is no checkpoint: nothing is proven"]


async def test_an_exported_journal_is_verified_without_the_database(
    signer: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line async for line in signer.export()]
    path = tmp_path / "journal.jsonl"
    path.write_text("\n".join(lines) + "\n")
    ask = ["audit", "verify", str(path), "--key", signer.public_key]
    assert main(ask) == 0
    assert "11 rows, 2 checkpoints, 0 rows since the last one" in capsys.readouterr().out
    row = json.loads(lines[4])
    row[8] = [-1, 1]
    path.write_text("\n".join([*lines[:4], json.dumps(row, separators=(",", ":")), *lines[5:]]))
    assert main(ask) == 1
    assert "FOUND" in capsys.readouterr().out
    path.write_text("\n".join([*lines[:4], "{torn"]))
    assert main(ask) == 2
    assert "line 5" in capsys.readouterr().err


@given(st.lists(st.text(max_size=5), min_size=1, max_size=40))
def test_a_tree_that_grows_has_the_root_that_rfc_6962_defines(rows: list[str]) -> None:
    tree = auditor.Tree()
    for row in rows:
        tree.add(row)
    assert tree.root() == defined(rows).hex()


def defined(rows: list[str]) -> bytes:
    """The hash of a tree as section 2.1 of RFC 6962 writes it: split at the largest power of two below the size."""
    if len(rows) == 1:
        return sha256(b"\0" + rows[0].encode()).digest()
    split = 1 << (len(rows) - 1).bit_length() - 1
    return sha256(b"\1" + defined(rows[:split]) + defined(rows[split:])).digest()


def test_the_auditor_imports_nothing_of_the_platform() -> None:
    tree = ast.parse(Path(auditor.__file__).read_text())
    named = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {one for one in named if one.partition(".")[0] in ("libs", "services")}
