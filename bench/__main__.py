"""`python -m bench`: measure the house and print one table."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import (
    appends,
    calls,
    doors,
    facts,
    payments,
    reconciliation,
    replay,
    rolls,
    start,
    statements,
    taps,
    transfers,
    verdicts,
)
from bench.figures import Findings, Row, table
from bench.ground import Ground, ground
from bench.machine import described
from libs.runtime.cli import seldom_search_for_circles

Measure = Callable[[Ground], Awaitable[Findings]]

MEASURES: dict[str, Measure] = {
    "appends": appends.beside_the_library,
    "full": appends.in_a_full_store,
    "doors": doors.beside_a_bare_route,
    "calls": calls.until_refused_everywhere,
    "kafka": calls.until_refused_everywhere_on_kafka,
    "facts": facts.until_a_function_is_switched,
    "replay": replay.beside_a_raw_read,
    "rolls": rolls.into_a_filled_register,
    "verdicts": verdicts.beside_bare_zen,
    "transfers": transfers.beside_pgledger,
    "payments": payments.at_a_steady_rate,
    "taps": taps.from_file_to_books,
    "reconciliation": reconciliation.of_a_day,
    "statements": statements.in_small_and_large_books,
    "start": start.from_a_fresh_clone,
}
DOCUMENT = Path("docs/benchmarks.md")
PATIENCE_S = 900  # A measure that hangs shall not cost those after it their turn.
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds: shows that it works, not how well")
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--peer", type=Path, default=Path(".venv-bench/bin/python"), help="Python with the peers")
    parser.add_argument("--write", type=Path, help=f"write into this document; a whole run in earnest: {DOCUMENT}")
    asked = parser.parse_args()

    import uvloop

    seldom_search_for_circles()  # As whatever is measured in this process does where it is at home.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        text = runner.run(measured(asked.only or list(MEASURES), asked.peer.absolute(), asked.quick))
    sys.stdout.write(text + "\n")
    if document := asked.write or (None if asked.quick or asked.only else DOCUMENT):
        write_into(document, text)
    return 0


async def measured(names: list[str], peer: Path, quick: bool) -> str:
    """All that is to be said, as Markdown. A measure that breaks says so in its line, and the others go on."""
    rows, notes = [], []
    async with ground(peer, quick) as where:
        head = await described(where.dsn)
        for name in names:
            began = time.perf_counter()
            try:
                async with asyncio.timeout(float(os.environ.get("PATIENCE_S", PATIENCE_S))):
                    found = await MEASURES[name](where)
            except Exception as error:
                found = Findings([Row(name, f"broken: {type(error).__name__}: {error}".replace("\n", " "), met=False)])
            sys.stderr.write(f"{name}: {time.perf_counter() - began:.0f} s\n")
            rows += found.rows
            notes += found.notes
    command = " ".join(["python -m bench", *(["--quick"] if quick else []),
                        *(f"--only {name}" for name in names if len(names) < len(MEASURES))])  # fmt: skip
    head = [f"command: `{command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC", *head]
    return "\n\n".join(["\n".join(f"- {line}" for line in head), table(rows), *notes])


def write_into(document: Path, text: str) -> None:
    """Put the text between the document's markers."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
