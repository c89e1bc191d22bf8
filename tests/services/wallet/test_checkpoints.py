"""Whoever edits, deletes, inserts or moves a row of the journal is found by a program that shares only the format."""

import ast
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

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
