"""The daily run on PostgreSQL: it does what the rule says line by line, and wherever it is killed it goes on."""

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kernel import Outage
from libs.kernel.calendar import midnight_after, morning_of
from libs.ledger.entry import Entry, Post, Posting
from libs.ledger.postgres import PostgresLedger
from libs.ledger.postgres import ddl as ledger_ddl
from libs.runtime.citypack import CityPacks, PackUnfit, load_packs
from libs.runtime.lease import MemoryLeases
from libs.runtime.service import Desks
from libs.testing.clocks import StandingClock
from libs.testing.schemas import own_schema
from services.wallet.adapters.clearing import CODES
from services.wallet.adapters.clearing import ddl as clearing_ddl
from services.wallet.adapters.reconciler import Reconciler
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.adapters.reconciling import NotReconciledYet, Reconciling, due_day
from services.wallet.adapters.reconciling import ddl as reconciling_ddl
from services.wallet.adapters.statement_files import Statement, StatementAltered, read, write
from services.wallet.domain.naming import reconciliation_id
from services.wallet.domain.reconciliation.bylaw import Party
from services.wallet.domain.reconciliation.matching import Class, Item, Line, Source, Tally, folded
from services.wallet.domain.taps.tap import Class as TapClass
from services.wallet.wiring import DIFFERENCE, RECONCILIATION
from tests.services.wallet.purse_drawer import ZHOUSHAN

MONDAY = date(2026, 9, 7)
ICBC, BUS = Party(source=Source.BANK, sender="icbc"), Party(source=Source.MERCHANT, sender="zs-bus")
TERMINALS = Party(source=Source.TERMINALS, sender="zs-bus")
PACKS = load_packs(Path(__file__).parents[3] / "deploy")
BYLAWS = ReconciliationBylaws(PACKS)
SHOWN_BUS = f"{ZHOUSHAN}/{BUS.source}/{BUS.sender}"
NOTHING = Tally(source=BUS.source, sender=BUS.sender, ours_fen=0, theirs_fen=0)
TABLES = (
    "fact", "outbox", "command", "entry", "posting", "folded", "statement_file", "statement_line", "statement_mark",
    "statement_ours", "statement_item", "statement_party", "statement_run", "tap", "tap_bad", "tap_terminal",
)  # fmt: skip


@dataclass
class Office:
    """Where a city's books are held against files: a database, and a clock that is set by hand."""

    pool: asyncpg.Pool
    schema: str
    clock: StandingClock = field(default_factory=lambda: StandingClock(morning_of(MONDAY)))
    shown: dict[str, Tally] = field(default_factory=dict)
    waited: list[timedelta] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.ledger = PostgresLedger(self.pool, self.schema, self.clock)
        self.reconciling = Reconciling(self.pool, self.schema, self.clock)
        self.desks = Desks([DIFFERENCE, RECONCILIATION], self.ledger, self.clock)

    async def reset(self) -> None:
        async with self.pool.acquire() as connection:
            for table in TABLES:
                await connection.execute(f"delete from {self.schema}.{table}")
            await connection.execute(f"update {self.schema}.fold_mark set position = 0")
        self.__post_init__()

    async def book(self, party: Party, line: Line) -> None:
        """One movement of ours with a party, on the line's day."""
        kind = "merchant" if party.source is Source.MERCHANT else "channel"
        legs = (Posting(f"{kind}:{ZHOUSHAN}/{party.sender}", line.fen), Posting(f"fee:{ZHOUSHAN}", -line.fen))
        at = morning_of(line.day) + timedelta(hours=12)
        await self.ledger.post(Post(line.reference, at, Entry(line.reference, "payment", legs)))

    async def receive(self, party: Party, day: date, *lines: Line, number: int = 0) -> Any:
        sent = Statement(
            kind=party.source, sender=party.sender, number=number or next(self.numbers), day=day, lines=lines
        )
        return await self.reconciling.receive(ZHOUSHAN, read(write(sent)))

    def reconciler(
        self, reconciling: Reconciling | None = None, may_move: Callable[[], None] = lambda: None
    ) -> Reconciler:
        return Reconciler(
            self.desks,
            self.ledger,
            reconciling or self.reconciling,
            BYLAWS,
            self.clock,
            MemoryLeases(lambda: 0.0, "here", {}),
            may_move,
            lambda city, one, _day: self.shown.update({f"{city}/{one.source}/{one.sender}": one}),
            lambda city, since: self.waited.append(since) if city == ZHOUSHAN else None,
        )

    async def night_after(self, day: date, reconciler: Reconciler | None = None) -> None:
        self.clock.moment = midnight_after(day) + timedelta(hours=5)
        await (reconciler or self.reconciler()).look()

    async def told(self, day: date, party: Party = BUS) -> Tally:
        done = (await self.desks["reconciliation"].standing(reconciliation_id(ZHOUSHAN, day))).state.done
        [found] = [one for one in done.tallies if (one.source, one.sender) == (party.source, party.sender)]
        assert isinstance(found, Tally)
        return found

    async def items(self, party: Party) -> dict[str, Item]:
        rows = await self.pool.fetch(
            "select reference, since, ours_fen, ours_lines, theirs_fen, theirs_lines "
            f"from {self.schema}.statement_item where city = $1 and source = $2 and sender = $3",
            ZHOUSHAN,
            party.source,
            party.sender,
        )
        return {row["reference"]: Item(**row) for row in rows}

    async def books(self) -> dict[str, int]:
        rows = await self.pool.fetch(f"select account, sum(amount_fen)::bigint from {self.schema}.posting group by 1")
        return {account: int(fen) for account, fen in rows if fen}


@pytest.fixture(scope="module")
async def furnished(pool: asyncpg.Pool) -> AsyncIterator[Office]:
    async with own_schema(pool, "reconciler", ledger_ddl, clearing_ddl, reconciling_ddl) as schema:
        yield Office(pool, schema)


@pytest.fixture
async def office(furnished: Office) -> Office:
    await furnished.reset()
    furnished.clock.moment, furnished.numbers, furnished.shown = morning_of(MONDAY), count(1), {}
    furnished.waited.clear()
    return furnished


def line(reference: str, fen: int, day: date = MONDAY) -> Line:
    return Line(reference=reference, fen=fen, day=day, posted=day)


async def a_day(office: Office) -> None:
    """Sales, one of which the merchant has for another amount, and one that we have not."""
    for nth in range(4):
        await office.book(BUS, line(f"s-{nth}", 100 + nth))
    office.clock.moment = midnight_after(MONDAY)
    said = [line("s-0", 100), line("s-1", 99), line("s-2", 98), line("nobody", 7), line("s-3", 103)]
    await office.receive(BUS, MONDAY, *said)


class Killed(Reconciling):
    """Dies at its `nth` act about Zhoushan, before or after it is done."""

    def __init__(self, office: Office, nth: int, done: bool) -> None:
        super().__init__(office.pool, office.schema, office.clock)
        self.left, self.done_first = nth, done

    async def _or_die(self, city: str, act: Any) -> Any:
        self.left -= city == ZHOUSHAN
        if city == ZHOUSHAN and self.left == 0 and not self.done_first:
            act.close()
            raise Outage("killed")
        found = await act
        if city == ZHOUSHAN and self.left == 0:
            raise Outage("killed")
        return found

    async def take(self, *given: Any) -> None:
        await self._or_die(given[0], super().take(*given))

    async def note(self, *given: Any) -> None:
        await self._or_die(given[0], super().note(*given))

    async def done(self, *given: Any) -> None:
        await self._or_die(given[0], super().done(*given))


async def test_a_day_is_reconciled_once_after_its_hour(office: Office) -> None:
    await a_day(office)
    office.clock.moment = midnight_after(MONDAY) + timedelta(hours=4, minutes=59)
    await office.reconciler().look()
    assert await office.reconciling.last_done(ZHOUSHAN) == MONDAY - timedelta(days=1)
    reconciler = office.reconciler()
    await office.night_after(MONDAY, reconciler)
    first, books = await office.told(MONDAY), await office.books()
    assert (first.ours_fen, first.theirs_fen) == (406, 407)
    assert {part.kind: part.fen for part in first.parts} == {Class.OTHER_AMOUNT: 2 + 4, Class.IN_TRANSIT: -7}
    assert office.shown[f"{ZHOUSHAN}/merchant-settlement/zs-bus"] == first
    for again in (reconciler, office.reconciler()):
        await again.look()
    assert (await office.told(MONDAY), await office.books()) == (first, books)


@pytest.mark.parametrize("done_first", [False, True])
@pytest.mark.parametrize("nth", range(1, 5))
async def test_wherever_it_is_killed_it_goes_on_and_books_nothing_twice(
    office: Office, nth: int, done_first: bool
) -> None:
    await a_day(office)
    killed = office.reconciler(Killed(office, nth, done_first))
    office.clock.moment = midnight_after(MONDAY) + timedelta(hours=5)
    with pytest.raises(Outage):
        await killed.look()
    await office.book(BUS, line("after-the-kill", 50, MONDAY + timedelta(days=1)))
    await office.night_after(MONDAY + timedelta(days=1))
    books = await office.books()
    assert sorted(fen for account, fen in books.items() if account.startswith("suspense")) == [2, 4]
    assert books[f"merchant:{ZHOUSHAN}/zs-bus"] == 406 + 50 - 6
    tally = await office.told(MONDAY + timedelta(days=1))
    assert tally.adds_up
    assert {part.kind: part.fen for part in tally.parts} == {Class.OTHER_AMOUNT: 6, Class.IN_TRANSIT: 50 - 7}


async def test_what_a_day_has_taken_stays_as_it_is_while_files_come_in(office: Office) -> None:
    await a_day(office)
    killed = office.reconciler(Killed(office, 1, done=True))
    with pytest.raises(Outage):
        await office.night_after(MONDAY, killed)
    await office.receive(BUS, MONDAY, line("s-1", 2))
    await office.night_after(MONDAY + timedelta(days=1))
    assert {part.kind: part.fen for part in (await office.told(MONDAY)).parts}[Class.OTHER_AMOUNT] == 6
    assert (await office.told(MONDAY + timedelta(days=1))).theirs_fen == 409
    assert {part.kind: part.fen for part in (await office.told(MONDAY + timedelta(days=1))).parts}[
        Class.OTHER_AMOUNT
    ] == 4


async def test_a_quiet_day_is_told_to_nobody(office: Office) -> None:
    await office.night_after(MONDAY)
    assert await office.reconciling.last_done(ZHOUSHAN) == MONDAY
    assert await office.pool.fetchval(f"select count(*) from {office.schema}.outbox") == 0


async def test_our_file_says_what_the_day_took_and_never_changes(office: Office) -> None:
    await a_day(office)
    with pytest.raises(NotReconciledYet):
        await office.reconciling.ours(ZHOUSHAN, Source.MERCHANT, "zs-bus", MONDAY)
    await office.night_after(MONDAY)
    ours = await office.reconciling.ours(ZHOUSHAN, Source.MERCHANT, "zs-bus", MONDAY)
    assert [(one.reference, one.fen) for one in ours.lines] == [(f"s-{nth}", 100 + nth) for nth in range(4)]
    await office.book(BUS, line("s-9", 9, MONDAY))
    await office.night_after(MONDAY + timedelta(days=1))
    assert await office.reconciling.ours(ZHOUSHAN, Source.MERCHANT, "zs-bus", MONDAY) == ours
    late = await office.reconciling.ours(ZHOUSHAN, Source.MERCHANT, "zs-bus", MONDAY + timedelta(days=1))
    assert ([one.reference for one in late.lines], late.number) == (["s-9"], ours.number + 1)


async def test_a_file_that_is_refused_leaves_nothing(office: Office) -> None:
    taken = await office.receive(ICBC, MONDAY, line("p-1", 100), number=1)
    assert await office.receive(ICBC, MONDAY, line("p-1", 100), number=1) == taken
    with pytest.raises(StatementAltered):
        await office.receive(ICBC, MONDAY, line("p-1", 101), number=1)
    assert await office.pool.fetchval(f"select sum(fen) from {office.schema}.statement_line") == 100


async def test_a_terminals_total_is_held_against_the_taps_and_moves_no_money(office: Office) -> None:
    terminal, at = 330900000001, morning_of(MONDAY).astimezone(UTC) + timedelta(hours=8)
    await office.pool.execute(
        f"insert into {office.schema}.tap_terminal values ($1, $2, 'zs-bus', 'bus')", terminal, ZHOUSHAN
    )
    code = {one: nth for nth, one in CODES.items()}
    taps = [(200, code[TapClass.BOOKED]), (182, code[TapClass.BOOKED]), (300, code[TapClass.CONFLICT])]
    for nth, (fen, standing) in enumerate(taps, 1):
        await office.pool.execute(
            f"insert into {office.schema}.tap values ($1, $2, $3, $4, $4, $5, 0, 0, 1, $4, 6, $6, $6, 0, 0)",
            3309000100000000000 + nth, terminal, at, nth, fen, standing,
        )  # fmt: skip
    await office.pool.execute(
        f"insert into {office.schema}.tap values (3309000100000000099, $1, $2, 9, 9, 5, 0, 0, 1, 9, 6, 1, 1, 0, 0)",
        terminal, at + timedelta(days=1),
    )  # fmt: skip
    reference = f"{terminal}/{MONDAY}"
    await office.receive(TERMINALS, MONDAY, line(reference, 782))
    before = await office.books()
    await office.night_after(MONDAY)
    tally = await office.told(MONDAY, TERMINALS)
    assert (tally.ours_fen, tally.theirs_fen) == (382, 782)
    assert {part.kind: part.fen for part in tally.parts} == {Class.PARKED: -300, Class.OTHER_AMOUNT: -100}
    assert await office.books() == before
    await office.pool.execute(
        f"insert into {office.schema}.tap values ($1, $2, $3, 10, 10, 100, 0, 0, 1, 10, 6, 1, 1, 0, 0)",
        3309000100000000100, terminal, at,
    )  # fmt: skip
    await office.night_after(MONDAY + timedelta(days=1))
    tally = await office.told(MONDAY + timedelta(days=1), TERMINALS)
    assert (tally.ours_fen, {part.kind: part.fen for part in tally.parts}) == (482, {Class.PARKED: -300})


async def test_a_file_that_does_not_come_in_time_is_missed_from_then_on_until_it_comes(office: Office) -> None:
    await office.book(BUS, line("s-1", 500))
    for later, missing in ((0, 0), (1, 0), (2, 0), (3, 1)):  # Two working days may pass.
        await office.night_after(MONDAY + timedelta(days=later))
        assert office.shown.get(SHOWN_BUS, NOTHING).missing == missing
    assert office.shown[SHOWN_BUS].missing_since == MONDAY
    await office.receive(BUS, MONDAY, line("s-1", 500))
    await office.night_after(MONDAY + timedelta(days=4))
    assert office.shown[SHOWN_BUS].missing == 0


async def test_a_terminal_that_tells_no_total_is_missed_for_each_day_on_which_it_took_something(office: Office) -> None:
    terminal, at = 330900000001, morning_of(MONDAY).astimezone(UTC) + timedelta(hours=8)
    await office.pool.execute(
        f"insert into {office.schema}.tap_terminal values ($1, $2, 'zs-bus', 'bus')", terminal, ZHOUSHAN
    )
    for nth, later in enumerate((0, 0, 1, 5)):
        await office.pool.execute(
            f"insert into {office.schema}.tap values ($1, $2, $3, $4, $4, 200, 0, 0, 1, $4, 6, 1, 1, 0, 0)",
            3309000100000000000 + nth, terminal, at + timedelta(days=later), nth,
        )  # fmt: skip
    await office.night_after(MONDAY + timedelta(days=2))
    assert await office.pool.fetchval(f"select count(*) from {office.schema}.outbox") == 0
    await office.night_after(MONDAY + timedelta(days=4))
    assert (await office.told(MONDAY + timedelta(days=4), TERMINALS)).missing == 2
    await office.receive(TERMINALS, MONDAY, line(f"{terminal}/{MONDAY}", 400))
    await office.night_after(MONDAY + timedelta(days=5))
    told = await office.told(MONDAY + timedelta(days=5), TERMINALS)
    assert (told.missing, told.missing_since) == (1, MONDAY + timedelta(days=1))


async def test_a_day_that_is_not_reconciled_waits_for_all_to_see(office: Office) -> None:
    await office.night_after(MONDAY)
    office.waited.clear()

    def halted() -> None:
        raise Outage("the books drift")

    reconciler = office.reconciler(may_move=halted)
    for later in (1, 2):
        with pytest.raises(Outage):
            await office.night_after(MONDAY + timedelta(days=later), reconciler)
    assert office.waited == [timedelta(), timedelta(days=1)]
    office.waited.clear()
    await office.night_after(MONDAY + timedelta(days=2))
    assert office.waited == [timedelta(days=1), timedelta()]


sides = st.lists(
    st.tuples(
        st.sampled_from("abcde"), st.sampled_from([-182, 100, 182]), st.dates(MONDAY - timedelta(days=9), MONDAY)
    ),
    max_size=8,
)


@given(sides, sides, st.integers(1, 3))
@settings(
    max_examples=15, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
async def test_the_set_says_what_the_rule_says_line_by_line(
    furnished: Office, ours: list[Any], theirs: list[Any], files: int
) -> None:
    await furnished.reset()
    furnished.clock.moment, furnished.numbers = midnight_after(MONDAY), count(1)
    booked = {reference: line(reference, fen, day) for reference, fen, day in ours}
    for one in booked.values():
        await furnished.book(BUS, one)
    said = [line(*one) for one in theirs]
    for one in said:  # In files of a line each: a reference stands once in a file.
        await furnished.receive(BUS, MONDAY, one)
    for nth in range(files):  # Whatever was taken before is not taken again.
        await furnished.reconciling.take(ZHOUSHAN, MONDAY + timedelta(days=nth), [BUS, ICBC])
    assert await furnished.items(BUS) == folded(booked.values(), said)
    totals = await furnished.reconciling.totals(ZHOUSHAN, BUS)
    assert (totals.ours_fen, totals.theirs_fen) == (
        sum(one.fen for one in booked.values()),
        sum(one.fen for one in said),
    )


def test_a_day_is_due_after_its_hour_in_the_citys_zone() -> None:
    assert due_day(datetime(2026, 9, 7, 20, 59, tzinfo=UTC), 5) == date(2026, 9, 6)
    assert due_day(datetime(2026, 9, 7, 21, 0, tzinfo=UTC), 5) == date(2026, 9, 7)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda value: value.update(at_hour=24), "the hour of the reconciliation"),
        (lambda value: value.update(transit_working_days=5), "fewer working days in transit"),
        (lambda value: value["parties"].append(value["parties"][0]), "listed twice"),
        (lambda value: value["parties"].append({"source": "bank", "sender": "The Bank"}), "cannot name a party"),
        (lambda value: value["parties"].append({"source": "terminal-totals", "sender": "zs"}), "no merchant"),
        (lambda value: value["parties"].append({"source": "gift", "sender": "zs"}), "source"),
    ],
)
def test_a_pack_whose_reconciliation_makes_no_sense_is_refused(spoil: Any, says: str) -> None:
    pack = next(pack for pack in PACKS if pack.code == ZHOUSHAN)
    files = deepcopy(dict(pack.files))
    spoil(files["wallet"]["reconciliation"][0]["value"])
    with pytest.raises(PackUnfit, match=says):
        ReconciliationBylaws(CityPacks([replace(pack, files=files)]))
