"""`citycard roll import`: a city's roll from a file to ordered cards, with a verdict for each row."""

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from libs.eventsourcing.desk import Order
from libs.kernel import Refused
from libs.kernel.ids import derived
from libs.messaging.bus import topic_of
from libs.runtime.engines import open_platform, visited
from libs.runtime.house import House
from libs.runtime.platform import Platform
from libs.runtime.service import Service
from libs.runtime.settings import Settings
from services.identity.adapters.carrier import Errand
from services.identity.adapters.roll_files import REMEDIES, Page, RollUnreadable, Survey, look_through, pages, quoted
from services.identity.domain.roll.commands import OpenRoll, ReceivePart
from services.identity.domain.roll.decider import PartChanged
from services.identity.domain.roll.events import Outcome, RowVerdict
from services.identity.domain.roll.state import Roll
from services.identity.wiring import RollOffice, roll_office
from services.ids import RollId, roll_id

ACTOR = "operator:roll-import"
PART = 1  # A file of this machine is a roll of one part.
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,59}")
HEADING = ("line", "outcome", "field", "code")
REJECTED = ("line", "outcome", "field", "code", "what_to_do", "row")
COPY_CHARS_MAX = 1_000
SETTLE_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which file is to be imported as which roll; the two lists are written beside it unless told otherwise."""

    file: Path
    city: str
    programme: str
    department: str
    name: str
    verdicts: Path
    rejects: Path

    @classmethod
    def of(
        cls, file: Path, city: str, programme: str, department: str, name: str = "", into: Path | None = None
    ) -> "Wanted":
        beside = into or file.parent
        return cls(
            file=file,
            city=city,
            programme=programme,
            department=department,
            name=name or _name_of(file),
            verdicts=beside / f"{file.stem}.verdicts.csv",
            rejects=beside / f"{file.stem}.rejects.csv",
        )

    @property
    def roll_id(self) -> RollId:
        return roll_id(self.city, self.name)


@dataclass
class Tally:
    """How far an import is: rows of the file, rows judged (before and now), and what became of them."""

    rows: int
    judged: int = 0
    came_to: Counter[Outcome] = field(default_factory=Counter)


class RollUnfit(Exception):
    """This cannot be imported; nothing was done. The text says why, and what to do."""


Watch = Callable[[Tally], None]


async def carry(platform: Platform, wanted: Wanted, watch: Watch = lambda _tally: None) -> Tally:
    """Import a file, or go on where an earlier import stopped. Raises RollUnfit, RollUnreadable, Outage.

    Both lists are written anew from what is known of the pages that were carried out before, and then go on.
    """
    if not NAME.fullmatch(wanted.name):
        raise RollUnfit(f"{wanted.name!r} names no roll: take small letters, digits, dots and dashes (--as NAME)")
    office = roll_office(platform)
    try:
        with wanted.file.open("rb") as file:
            survey = look_through(file)
    except OSError as error:
        raise RollUnfit(f"{wanted.file} cannot be read: {error.strerror}") from error
    try:
        roll = await _taken_in(office, platform, wanted, survey)
    except PartChanged as changed:
        raise RollUnfit(await _where_changed(office, wanted, survey)) from changed
    except Refused as refused:
        raise RollUnfit(str(refused)) from refused
    errand = Errand(
        roll_id=wanted.roll_id,
        part=PART,
        programme=wanted.programme,
        department=wanted.department,
        encoding=survey.encoding,
        actor=ACTOR,
        bylaws=platform.packs.hash_of(wanted.city),
    )
    tally = Tally(rows=survey.last_line - 1)
    carried = roll.parts[PART].pages
    with wanted.file.open("rb") as file, _lists(wanted) as lists:
        seen = os.fstat(file.fileno())
        for page in pages(file, survey, [one.last_line for one in carried]):
            if _moved(seen, os.stat(wanted.file)):
                raise RollUnfit(f"{wanted.file} was changed while it was read; import it again, unchanged")
            if page.number <= len(carried):
                verdicts = carried[page.number - 1].of_each_row
            else:
                verdicts = await office.carrier.carry_out(errand, page)
            lists.write(page, verdicts, survey.encoding)
            tally.judged += len(verdicts)
            tally.came_to.update(verdict.outcome for verdict in verdicts)
            watch(tally)
    return tally


async def _taken_in(office: RollOffice, platform: Platform, wanted: Wanted, survey: Survey) -> Roll:
    """The roll, opened, with its only part. Raises Refused."""
    office.sharing.served(wanted.city)
    office.mass_issues.at(wanted.city, wanted.programme, platform.city.now())
    rolls, key = office.desks["roll"], wanted.roll_id

    def order(what: str) -> Order:
        return Order(
            command_id=derived(what, key, PART, survey.digest, wanted.programme, wanted.department),
            actor=ACTOR,
            channel="roll",
            city=wanted.city,
            correlation=key,
        )

    await rolls.handle(
        key,
        lambda _now, at: OpenRoll(
            roll_id=key, programme=wanted.programme, department=wanted.department, name=wanted.name, at=at
        ),
        order("open roll"),
    )
    await rolls.handle(
        key,
        lambda _now, at: ReceivePart(
            roll_id=key,
            part=PART,
            digest=survey.digest,
            size_bytes=survey.size_bytes,
            last_line=survey.last_line,
            reference="",
            at=at,
        ),
        order("receive part"),
    )
    roll: Roll = (await rolls.standing(key)).state
    return roll


async def _where_changed(office: RollOffice, wanted: Wanted, survey: Survey) -> str:
    """Which lines are others than those that were carried out before."""
    roll: Roll = (await office.desks["roll"].standing(wanted.roll_id)).state
    carried = roll.parts[PART].pages
    place = f"after line {roll.parts[PART].carried_to}"
    with wanted.file.open("rb") as file:
        for page, done in zip(pages(file, survey, [one.last_line for one in carried]), carried, strict=False):
            if page.digest != done.digest:
                place = f"between line {done.first_line} and line {done.last_line}"
                break
    return (
        f"{wanted.file} was begun as roll {wanted.name} with other content; it differs {place}. Nothing was done now. "
        "Import the file as it was; or import the changed one as a roll of its own (--as NAME): whoever the first one "
        "has admitted is known then and gets no second card."
    )


class _Lists:
    """A verdict for each row; and for each row that brought no card, why and what to do, with the row's own copy."""

    def __init__(self, verdicts: TextIO, rejects: TextIO) -> None:
        self._verdicts, self._rejects = verdicts, rejects
        verdicts.write(quoted(list(HEADING)))
        rejects.write(quoted(list(REJECTED)))

    def write(self, page: Page, verdicts: Sequence[RowVerdict], encoding: str) -> None:
        self._verdicts.writelines(f"{v.line},{v.outcome.value},{v.field},{v.code}\n" for v in verdicts)
        for v in verdicts:
            if v.outcome in (Outcome.LEFT_OUT, Outcome.REJECTED, Outcome.CASE):
                own = page.lines[v.line - page.first_line].decode(encoding, errors="replace").replace("\0", "\ufffd")
                copy = own if len(own) <= COPY_CHARS_MAX else own[:COPY_CHARS_MAX] + "…"
                row = [str(v.line), v.outcome.value, v.field, v.code, REMEDIES.get(v.code, ""), copy]
                self._rejects.write(quoted(row))


@contextmanager
def _lists(wanted: Wanted) -> Iterator[_Lists]:
    """Both lists, readable by nobody but whoever imports: they name persons."""

    def mine(path: str, flags: int) -> int:
        return os.open(path, flags, 0o600)

    with (
        open(wanted.verdicts, "w", encoding="utf-8", opener=mine) as verdicts,
        open(wanted.rejects, "w", encoding="utf-8", opener=mine) as rejects,
    ):
        yield _Lists(verdicts, rejects)


def _moved(before: os.stat_result, now: os.stat_result) -> bool:
    return (before.st_mtime_ns, before.st_size, before.st_ino) != (now.st_mtime_ns, now.st_size, now.st_ino)


def _name_of(file: Path) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", file.stem.lower()).strip("-.") or "roll"


async def heard(platform: Platform, watch: Callable[[int], None] = lambda _left: None) -> None:
    """Wait until issuance has heard all that identity has told by now: then every card is ordered."""
    store, notebook, topic = platform.store("identity"), platform.notebook("issuance"), topic_of("identity")

    async def unsent() -> int:
        sent = await store.marks()
        return sum(max(0, end - sent.get(shard, 0)) for shard, end in told.items())

    async def unread() -> int:
        read = (await notebook.load("city")).positions
        return sum(max(0, end - read.get(slot, 0)) for slot, end in on_the_log.items())

    told = await store.ends()
    while left := await unsent():
        watch(left)
        await asyncio.sleep(SETTLE_LOOK_S)
    on_the_log = await platform.bus.ends([topic])
    while left := await unread():
        watch(left)
        await asyncio.sleep(SETTLE_LOOK_S)


@asynccontextmanager
async def at_work(
    settings: Settings, services: Sequence[str], build: Callable[[Platform], list[Service]]
) -> AsyncIterator[Platform]:
    """A platform for the import; if nobody else serves this database, the house works here as long as it takes."""
    async with AsyncExitStack() as stack:
        dsn, alone = await stack.enter_async_context(visited(settings))
        settings = settings.model_copy(update={"database_url": dsn})
        platform = await stack.enter_async_context(open_platform(settings, list(services)))
        if alone:
            house = House(platform, build(platform))
            house.start()
            stack.push_async_callback(house.stop)
        yield platform


async def import_roll(
    settings: Settings, wanted: Wanted, services: Sequence[str], build: Callable[[Platform], list[Service]]
) -> int:
    """What `citycard roll import` does; returns its exit status."""
    try:
        async with at_work(settings, services, build) as platform:
            tally = await carry(platform, wanted, _bar())
            await heard(platform, _rest())
    except (RollUnfit, RollUnreadable) as refused:
        sys.stderr.write(f"citycard: {wanted.file}: {refused}\n")
        return 2
    sys.stderr.write("\n")
    came_to = ", ".join(f"{outcome.value} {tally.came_to[outcome]:,}" for outcome in Outcome)
    sys.stdout.write(
        f"roll {wanted.name} ({wanted.roll_id}): {tally.rows:,} rows: {came_to}\n"
        f"verdicts: {wanted.verdicts}\nrejects: {wanted.rejects}\n"
    )
    return 0


def _bar() -> Watch:
    clock = asyncio.get_running_loop()
    began, before = clock.time(), -1

    def show(tally: Tally) -> None:
        nonlocal before, began
        if before < 0:
            before, began = tally.judged, clock.time()
        share = tally.judged / tally.rows
        took = clock.time() - began
        per_s = (tally.judged - before) / took if took > 0.5 else 0
        done = "█" * int(30 * share)
        sys.stderr.write(f"\r{done:░<30} {share:6.1%} {tally.judged:,} of {tally.rows:,} rows, {per_s:,.0f}/s ")
        sys.stderr.flush()

    return show


def _rest() -> Callable[[int], None]:
    def show(left: int) -> None:
        sys.stderr.write(f"\r{'█' * 30} judged; issuance has still to hear {left:,} messages" + " " * 20)
        sys.stderr.flush()

    return show
