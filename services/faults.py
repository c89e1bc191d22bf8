"""A city under load while a nemesis kills what serves it: `python -m services.faults --minutes 2`.

Real clients keep their own books; at the end each acknowledgement is compared with store, log and telephones.
"""

import argparse
import asyncio
import base64
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import asyncpg

from libs.kernel.checkdigits import mod_11_2
from libs.runtime.citytime import MachineClock
from libs.testing.faults import AckBook, Findings, Nemesis, audit, quiet
from libs.testing.portraits import portrait
from libs.testing.stage import Stage, on_kafka, on_postgres
from libs.testing.town import Visitors, return_file
from libs.web.tokens import Caller

CITY = "330900"
CLERK = Caller("clerk-1", "clerk", CITY, outlet="zs-dinghai")
HALL = Caller("clerk-2", "clerk", CITY, outlet="zs-hall")
BANK = Caller("teller-1", "bank", CITY, outlet="zs-icbc-dinghai")
HOTLINE = Caller("hotline-1", "hotline", CITY)
CENTRE = Caller("centre-1", "centre", CITY)
VENDOR = Caller("vendor-1", "vendor", CITY)
HRSS = Caller("hrss-1", "department", CITY, department="hrss")
OPERATOR = Caller("operator-1", "operator")

CALL, SIGN, LIFT = "pre-reports", "written-reports", "lifts"
FACT_OF = {CALL: "loss-pre-reported", SIGN: "loss-reported", LIFT: "loss-lifted"}
"""The one fact that each acknowledged act at the loss desk must have left, where it was not a repetition."""

PORTRAIT = base64.b64encode(portrait()).decode()


@dataclass
class Holder:
    """Somebody with a card, and all that the city has acknowledged to her about it, in order."""

    person: str
    card: str
    mobile: str
    done: list[str] = field(default_factory=list)

    @property
    def stands(self) -> str:
        """How her card stands, by her own book."""
        return self.done[-1] if self.done else LIFT


@dataclass
class Crowd:
    """People who come to the city's doors all the time; each knows only what she was told."""

    book: AckBook
    dice: Random
    holders: list[Holder] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))
    _closed: bool = False

    async def settle(self, many: int) -> None:
        """So many people come to have a card that works, before anything is killed."""
        people = [await self.register() for _ in range(many)]
        await quiet(self.book, OPERATOR)  # Issuance decides by the verdicts that it has heard.
        holdings = [await self.apply(person) for person, _ in people]
        await quiet(self.book, OPERATOR)
        batch = (await self.must(CENTRE, "/v1/batches", {"programme": "citizen-card", "outlet": CLERK.outlet}))[
            "batch_id"
        ]
        await quiet(self.book, OPERATOR)
        seats = (await self.must(CENTRE, f"/v1/batches/{batch}/orders"))["seats"]
        await self.must(VENDOR, f"/v1/batches/{batch}/returns", {"file": return_file(seats)})
        await self.must(CENTRE, f"/v1/batches/{batch}/dispatches")
        await self.must(CLERK, f"/v1/batches/{batch}/receipts", {"counted": many})
        await quiet(self.book, OPERATOR)
        for (person, mobile), holding in zip(people, holdings, strict=True):
            await self.must(CLERK, f"/v1/cards/{holding}.1/hand-overs", {"document": "id_card"})
            self.holders.append(Holder(person, f"{holding}.1", mobile))
        await quiet(self.book, OPERATOR)

    async def must(self, who: Caller, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Do something that the city has to grant."""
        act = await self.book.act(who, path, body)
        if not act.acknowledged:
            raise Unheard(f"{path}: {act.status} {act.answer}")
        return act.answer

    async def register(self) -> tuple[str, str]:
        """Somebody new is registered and insured; returns person and mobile."""
        nth = next(self._numbers)
        digits = f"330902{1950 + nth // 1000 % 50}0615{nth % 1000:03d}"
        document, mobile = {"kind": "id_card", "number": digits + mod_11_2(digits)}, f"{13800000000 + nth}"
        about = {"document": document, "name": "林小舟", "mobile": mobile, "language": "zh"}
        person = str((await self.must(CLERK, "/v1/persons", about))["person_id"])
        fact = {"document": document, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": f"R-{nth}"}
        await self.must(HRSS, "/v1/facts", fact)
        return person, mobile

    async def apply(self, person: str) -> str:
        """She applies and is accepted; returns the holding."""
        papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
        application = (await self.must(CLERK, "/v1/applications", papers))["application_id"]
        return str((await self.must(CLERK, f"/v1/applications/{application}/acceptances"))["holding_id"])

    async def throng(self, applicants: int = 6) -> None:
        """Holders lose and find their cards, and others apply, until the doors close."""
        await asyncio.gather(*map(self._holder, self.holders), *(self._applicants() for _ in range(applicants)))

    def chapter(self, name: str) -> "Crowd":
        """The same people, whose next acts are written into another book."""
        return replace(self, book=AckBook(self.book.people, name))

    def open_the_doors(self) -> None:
        """Let everybody in who comes."""
        self._closed = False

    def close_the_doors(self) -> None:
        """Everybody finishes what she is about, and goes home knowing what came of it."""
        self._closed = True

    async def _applicants(self) -> None:
        while not self._closed:
            person, _ = await self.register()
            await self.apply(person)
            await asyncio.sleep(self.dice.uniform(0, 0.2))

    async def _holder(self, holder: Holder) -> None:
        while not self._closed:
            choice = {LIFT: (CALL, SIGN), CALL: (SIGN, LIFT), SIGN: (LIFT,)}[holder.stands]
            what = self.dice.choice(choice)
            if what == CALL and holder.done.count(CALL) >= 3:
                what = SIGN  # Calls are counted; signatures are not.
            await self.act(holder, what)
            await asyncio.sleep(self.dice.uniform(0, 0.2))

    async def act(self, holder: Holder, what: str) -> Mapping[str, Any]:
        """A holder does something about her card, and writes it down."""
        who = {CALL: HOTLINE, SIGN: BANK, LIFT: HALL}[what]
        body = {"verified_by": "knowledge"} if what == CALL else {"document": "id_card"}
        told = await self.must(who, f"/v1/cards/{holder.card}/{what}", body)
        for proposal in told["proposals"]:  # What was signed for is lifted by two.
            look = {"proposal_id": proposal["proposal_id"]}
            told = await self.must(CLERK, f"/v1/cards/{holder.card}/approvals", look)
        holder.done.append(what)
        return told


class Unheard(Exception):
    """The city refused what it has to grant, or never said what came of it."""


async def compare(stage: Stage, crowd: Crowd) -> Findings:
    """Everything that must agree: books, facts, published messages, timelines and telephones."""
    found = await audit(stage, crowd.book)
    assert stage.database is not None
    connection = await asyncpg.connect(stage.database.dsn)
    sms = await asyncio.to_thread((stage.settings.home / "sms.jsonl").read_text)
    sent = [json.loads(line) for line in sms.splitlines()]
    ringing = Counter(letter["to"] for letter in sent)
    repeated = Counter(letter["notice_id"] for letter in sent)
    found.doubled += [f"SMS {notice} was sent {times} times" for notice, times in repeated.items() if times > 1]
    try:
        for holder in crowd.holders:
            holding = holder.card.partition(".")[0]
            rows = await connection.fetch(
                "select name from loss.fact where stream = $1 order by version", f"loss-{holding}"
            )
            facts = [row["name"] for row in rows if row["name"] in FACT_OF.values()]
            _compare(found, f"card {holder.card}", [FACT_OF[what] for what in holder.done], facts)
            outbox = "select count(*) from loss.outbox where key = $1"
            timeline = "select count(*) from issuance.timeline where holding_id = $1 and service = 'loss'"
            told = await connection.fetchval(outbox, holding)
            _compare_counts(found, f"timeline of {holder.card}", told, await connection.fetchval(timeline, holding))
            _compare_counts(found, f"telephone of {holder.card}", 1 + len(holder.done), ringing[f"+86{holder.mobile}"])
    finally:
        await connection.close()
    return found


def _compare(found: Findings, what: str, acknowledged: Sequence[str], stored: Sequence[str]) -> None:
    if list(acknowledged) == list(stored):
        return
    missing, surplus = Counter(acknowledged) - Counter(stored), Counter(stored) - Counter(acknowledged)
    found.lost += [f"{what}: {name} x {times}" for name, times in missing.items()]
    found.doubled += [f"{what}: {name} x {times}" for name, times in surplus.items()]
    if not missing and not surplus:
        found.doubled.append(f"{what}: another order than was acknowledged")


def _compare_counts(found: Findings, what: str, wanted: int, there: int) -> None:
    if there < wanted:
        found.lost.append(f"{what}: {there} of {wanted}")
    if there > wanted:
        found.doubled.append(f"{what}: {there} instead of {wanted}")


def crowd_of(stage: Stage, seed: int = 0, name: str = "load") -> Crowd:
    """People for a stage."""
    return Crowd(AckBook(Visitors(stage.web, stage.settings, MachineClock()), name), Random(seed))


async def run(minutes: float, engines: str, seed: int, holders: int = 12) -> int:
    """Load, kills, comparison; returns the exit status."""
    home = Path(".citycard") / f"faults-{os.getpid()}"
    print(f"Each service as a process of its own on {engines} engines; seed {seed} …", flush=True)
    try:
        async with (on_kafka if engines == "kafka" else on_postgres)(home) as stage:
            crowd, nemesis = crowd_of(stage, seed), Nemesis(stage, seed)
            await crowd.settle(holders)
            settled = len(crowd.book.acts)
            began = time.monotonic()
            print(f"… {holders} people have cards; {minutes:g} minutes of load and faults begin.", flush=True)
            throng = asyncio.create_task(crowd.throng())
            await nemesis.rage(minutes * 60)
            crowd.close_the_doors()
            await throng
            lasted = time.monotonic() - began
            await quiet(crowd.book, OPERATOR)
            drained = time.monotonic() - began - lasted
            found = await compare(stage, crowd)
            report(crowd, nemesis, found, settled, lasted, drained)
            return 0 if found.clean and not crowd.book.unresolved else 1
    finally:
        shutil.rmtree(home, ignore_errors=True)


def report(crowd: Crowd, nemesis: Nemesis, found: Findings, settled: int, lasted_s: float, drained_s: float) -> None:
    """Say what happened."""
    book = crowd.book
    print("\nfaults:")
    for kind, times in sorted(nemesis.struck.items()):
        print(f"  {times:4}  {kind}")
    print(f"  {nemesis.struck.total():4}  in {lasted_s:.0f} s; everything quiet {drained_s:.1f} s after the last act")
    acts = Counter(act.path.rpartition("/")[2] for act in book.acts[settled:] if act.acknowledged)
    print("\noperations acknowledged under faults:")
    for kind, times in acts.most_common():
        print(f"  {times:4}  {kind}")
    print(
        f"  {acts.total():4}  in all ({acts.total() / lasted_s:.0f} a second), {len(book.acknowledged)} with the set-up"
    )
    tries = sum(act.tries for act in book.acts)
    faults = ", ".join(f"{status}: {times}" for status, times in book.faults.items()) or "none"
    print(f"  {tries:4}  tries; 5xx answers on the way: {faults}")
    print(f"  p50 {book.percentile_s(0.5) * 1e3:.0f} ms, p99 {book.percentile_s(0.99) * 1e3:.0f} ms (answered tries)")
    print(f"\nletters sent again and passed over: {found.sent_again}")
    for what, names in (
        ("unknown outcomes resolved", book.resolved),
        ("never resolved", [act.path for act in book.unresolved]),
        ("parked", found.parked),
        ("lost", found.lost),
        ("doubled", found.doubled),
    ):
        print(f"{what}: {names if isinstance(names, int) else len(names)}")
        for name in [] if isinstance(names, int) else names[:20]:
            print(f"  {name}")


def main() -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--engines", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    return asyncio.run(run(asked.minutes, asked.engines, asked.seed))


if __name__ == "__main__":
    sys.exit(main())
