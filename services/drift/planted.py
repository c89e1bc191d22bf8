"""Planted bugs: each takes one guard of the money away, and the gate, or the laws of the books, must notice.

A gate that finds nothing proves nothing until it has found these. `python -m services.drift.planted serve wallet`
starts a process in which the bug that `CITYCARD_DRIFT_BUG` names is planted.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager as Manager
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import asyncpg

from libs.eventsourcing.postgres import PostgresStore
from libs.eventsourcing.store import Conflict
from libs.ledger import guards
from libs.ledger.postgres import functions
from libs.messaging import reader
from libs.runtime import service
from libs.testing import faults
from libs.web import call
from services.drift import callers
from services.wallet import booking
from services.wallet.adapters import clearing
from services.wallet.adapters.cryptograms import SimulatedCryptograms
from services.wallet.adapters.tap_files import RECORD
from services.wallet.domain.payment import decider as payment
from services.wallet.domain.purse import decider as purse

SECONDS = 6.0  # Load per bug; nothing is killed, for these bugs need no kill to show.


@dataclass(frozen=True)
class Bug:
    """A guard that is taken away: in the database's functions, in the wallet's process, or before the laws."""

    name: str
    sql: Callable[[str], str] | None = None
    """What becomes of the text of the books' functions."""
    patches: Sequence[Callable[[], Manager[Any]]] = ()
    wallets: int = 1
    """How many processes it takes."""
    law: str = ""
    """Where callers over HTTP cannot reach it: the guard without which a law of the books breaks, see `LAWS`."""

    async def plant(self, dsn: str) -> None:
        """Put the changed functions in place of the right ones."""
        if self.sql is not None:
            connection = await asyncpg.connect(dsn)
            try:
                await connection.execute(self.sql("wallet"))
            finally:
                await connection.close()


NO_BUG = Bug("")


def _without(*codes: str) -> Callable[[str], str]:
    return lambda schema: functions(schema, frozenset(codes))


def _changed(old: str, new: str) -> Callable[[str], str]:
    def change(schema: str) -> str:
        text, times = re.subn(old, new, functions(schema))
        assert times, f"the functions do not say {old!r} any more; plant this bug anew"
        return text

    return change


def _cleared(old: str, new: str) -> Callable[[str], str]:
    """The functions that clear taps, put in place of the right ones."""

    def change(schema: str) -> str:
        text, times = re.subn(old, new, clearing.functions_ddl(schema))
        assert times, f"clearing does not say {old!r} any more; plant this bug anew"
        return text

    return change


def _patched(target: Any, name: str, with_: Any) -> Callable[[], Manager[Any]]:
    return lambda: patch.object(target, name, with_)


_append = PostgresStore.append


async def _append_stale(self: PostgresStore, wanted: Any) -> Any:
    """What was decided on an old state is stored all the same."""
    outcome = await _append(self, wanted)
    while isinstance(outcome, Conflict):
        wanted = replace(wanted, expected=outcome.version)
        outcome = await _append(self, wanted)
    return outcome


_refund = payment.refund


def _refund_without_reference(asked: Any, state: Any) -> Any:
    return _refund(asked, replace(state, refunds=tuple((f"{nth}", 0) for nth, _ in enumerate(state.refunds))))


def _taken_for_loaded(card_id: Any, asked: Any, state: Any) -> Any:
    """Whatever the chip's counter says, the load is believed to be on the chip."""
    if state.load is None or state.load.card_id != card_id:
        return []
    return _by_the_counter(card_id, replace(asked, counter=purse.after(state.load.counter)), state)


_by_the_counter = purse.by_the_counter


def _all_genuine(_self: SimulatedCryptograms, records: bytes) -> list[bool]:
    return [True] * (len(records) // RECORD.size)


BUGS = (
    Bug("holds do not count in what is available", _changed("- kept.held_fen - asks.held_fen <", "- asks.held_fen <")),
    Bug("nobody looks whether the money is there", _without(guards.FUNDS_SHORT)),
    Bug("an account has no cap", _without(guards.ABOVE_CAP)),
    Bug("a stopped card pays", _without(guards.ACCOUNT_STOPPED)),
    Bug("balances move before holds are let go", _changed(r", held_fen = a\.held_fen \+ u\.held", "")),
    Bug("a hold holds nothing", patches=[_patched(booking, "held_by", lambda _fen: 0)]),
    Bug("every command is new", patches=[_patched(call, "derived", lambda *_: uuid4())]),
    Bug("a decision on an old state is stored", patches=[_patched(PostgresStore, "append", _append_stale)], wallets=2),
    Bug("a capture takes more than is held", patches=[_patched(payment, "within_hold", lambda *_: True)]),
    Bug("a refund gives more than was taken", patches=[_patched(payment, "within_captured", lambda *_: True)]),
    Bug("a refund's reference is not looked up", patches=[_patched(payment, "refund", _refund_without_reference)]),
    Bug("a sale's reference means any sum", patches=[_patched(payment, "same_request", lambda *_: True)]),
    Bug("a letter that comes again is news", patches=[
        _patched(service, "derived", lambda *_: uuid4()), _patched(reader, "heard_before", lambda *_: False),
    ]),
    Bug("the chip's load counter is not read", patches=[_patched(purse, "by_the_counter", _taken_for_loaded)]),
    Bug("a load is paid over one that hangs", patches=[_patched(purse, "by_the_counter", lambda *_: [])]),
    Bug("a chip has no cap", patches=[_patched(purse, "fits_the_purse", lambda *_: True)]),
    Bug("a tap is booked as often as it comes", _cleared(r"delete from tap_fresh f where not exists[^;]*;", "")),
    Bug("of two contents under one key the first is believed", _cleared(
        r"(create temp table tap_moved on commit drop as)", r"delete from tap_doubtful; \1")),
    Bug("nobody looks who signed a tap", patches=[_patched(SimulatedCryptograms, "genuine", _all_genuine)]),
    Bug("any fare is a fare", _cleared(r"when l\.fen is null or f\.fen > l\.fen then 5", "")),
    Bug("nobody waits for a shard", wallets=2, sql=_changed(r"perform pg_advisory_xact_lock\([^)]*\);", "")),
    Bug("the journal knows no references", law="reference-reused"),
    Bug("an account goes with any card", law="other-bearer"),
    Bug("more is let go than is held", law="hold-short"),
)  # fmt: skip


async def hunt(bugs: Sequence[Bug], seed: int, say: Callable[[str], None] = print) -> int:
    """Plant one bug after another and print what caught it; the exit status is 1 if one survives."""
    from services.drift.__main__ import played

    say(f"{'planted bug':<46} {'s':>5}  caught by")
    survivors = 0
    for bug in bugs:
        began = perf_counter()
        if bug.law:
            caught = f"laws: {LAWS}[{bug.law}]" if await asyncio.to_thread(_caught_by_laws, bug.law) else ""
        else:
            home = Path(".citycard") / f"drift-bug-{os.getpid()}"
            try:
                with patch.object(faults, "PATIENCE_S", 10.0), patch.object(callers, "HEARD_WITHIN_S", 20.0):
                    ran = await played(home, SECONDS, 0, seed, cards=24, bug=bug, kills=False, wallets=bug.wallets)
                caught = ran.verdict.first
            finally:
                shutil.rmtree(home, ignore_errors=True)
        survivors += not caught
        say(f"{bug.name:<46} {perf_counter() - began:>5.1f}  {caught[:150] or 'NOBODY: IT SURVIVES'}")
    say(f"{len(bugs)} planted, {survivors} survived")
    return 1 if survivors else 0


LAWS = "tests/drift/test_laws_of_the_books.py"


def _caught_by_laws(guard: str) -> bool:
    """Whether the test that plants this bug in PostgreSQL itself, and sees a law break, passes."""
    root = Path(__file__).parents[2]
    test = f"{LAWS}::test_books_without_this_guard_break_a_law[{guard}]"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0


def main() -> int:
    """A `citycard` process with a bug; returns its exit status."""
    from libs.runtime import cli

    (bug,) = (bug for bug in BUGS if bug.name == os.environ["CITYCARD_DRIFT_BUG"])
    with ExitStack() as stack:
        for take_away in bug.patches:
            stack.enter_context(take_away())
        return cli.main()


if __name__ == "__main__":
    sys.exit(main())
