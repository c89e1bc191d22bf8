"""Each fen of difference has a reason or lies in suspense with its age; a file that does not add up is refused."""

from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import pytest
from hypothesis import given as whatever
from hypothesis import strategies as st

from libs.kernel import Calendar
from libs.kernel.calendar import Year
from libs.kernel.foureyes import NOBODY, Hand, HandUnnamed
from libs.testing import conversation
from services.wallet.adapters.statement_files import (
    Statement,
    StatementAltered,
    StatementUnfit,
    decoded,
    is_replay,
    read,
    settlement,
    write,
)
from services.wallet.booking import book_difference
from services.wallet.domain import chart
from services.wallet.domain.naming import difference_id, pile_of, reconciliation_id
from services.wallet.domain.reconciliation.bylaw import Party, ReconciliationBylaw
from services.wallet.domain.reconciliation.commands import ExplainDifference, JudgeDifference, RecordReconciliation
from services.wallet.domain.reconciliation.decider import (
    DifferenceUnknown,
    DoesNotAddUp,
    MoneyLiesThere,
    NothingToExplain,
    differences,
    reconciliations,
)
from services.wallet.domain.reconciliation.events import (
    DayReconciled,
    DifferenceEvent,
    DifferenceExplained,
    DifferenceResolved,
    DifferenceSuspended,
)
from services.wallet.domain.reconciliation.matching import (
    Class,
    Item,
    Line,
    Part,
    Source,
    Tally,
    Terms,
    classes_of,
    folded,
    tally,
    unexplained_fen,
)
from services.wallet.publishing import tell_of_difference, tell_of_reconciliation
from tests.services.wallet.purse_drawer import MORNING, NIGHT, ZHOUSHAN

FRIDAY, SATURDAY, MONDAY = date(2026, 9, 25), date(2026, 9, 26), date(2026, 9, 28)
HOLIDAYS = frozenset(date(2026, 10, day) for day in range(1, 8))
CALENDAR = Calendar(years={2026: Year(days_off=HOLIDAYS, days_worked=frozenset({date(2026, 10, 10)}))})
sale = Line(reference="P1/capture/1", fen=182, day=MONDAY, posted=MONDAY)
other = Line(reference="P2/capture/1", fen=500, day=MONDAY, posted=MONDAY)
file = Statement(kind="bank", sender="icbc", number=7, day=MONDAY, lines=(sale, other))
TEXT = write(file)


def on(day: date, covered: date | None = MONDAY) -> Terms:
    """Two working days in transit, stale after five, by Zhoushan's calendar."""
    return Terms(day=day, transit_days=2, stale_days=5, calendar=CALENDAR, covered=covered)


def compared(ours: list[Line], theirs: list[Line]) -> list[Item]:
    return list(folded(ours, theirs).values())


def classes(item: Item, terms: Terms) -> dict[Class, int]:
    return dict(classes_of(item, terms))


# --- matching ---


def test_what_both_sides_have_alike_is_no_difference() -> None:
    assert [item.fen for item in compared([sale, other], [other, sale])] == [0, 0]
    assert all(not classes(item, on(MONDAY)) for item in compared([sale, other], [other, sale]))


def test_what_one_side_lacks_is_in_transit_while_young_and_in_suspense_when_old() -> None:
    [missing] = compared([sale], [])
    wednesday = MONDAY + timedelta(days=2)
    assert classes(missing, on(wednesday)) == {Class.IN_TRANSIT: 182}
    assert unexplained_fen(missing, on(wednesday)) == 0
    assert classes(missing, on(wednesday + timedelta(days=1))) == {Class.ONLY_OURS: 182}
    assert unexplained_fen(missing, on(wednesday + timedelta(days=1))) == 182
    [theirs_alone] = compared([], [sale])
    assert classes(theirs_alone, on(wednesday)) == {Class.IN_TRANSIT: -182}
    assert classes(theirs_alone, on(wednesday + timedelta(days=1))) == {Class.ONLY_THEIRS: -182}


def test_working_days_are_the_citys_own() -> None:
    [before_the_holidays] = compared([replace(sale, day=date(2026, 9, 30))], [])
    worked = on(date(2026, 10, 9), covered=date(2026, 10, 9))
    assert classes(before_the_holidays, worked) == {Class.IN_TRANSIT: 182}, "1 to 7 October are no working days"
    saturday_worked = on(date(2026, 10, 10), covered=date(2026, 10, 9))
    assert classes(before_the_holidays, saturday_worked) == {Class.ONLY_OURS: 182}


def test_what_waits_for_a_file_that_has_not_come_is_explained_by_that_and_grows_stale() -> None:
    [missing] = compared([sale], [])
    for covered in (None, FRIDAY):
        terms = on(MONDAY + timedelta(days=30), covered)
        assert classes(missing, terms) == {Class.FILE_MISSING: 182}
        assert unexplained_fen(missing, terms) == 0
        assert terms.stale(missing)


@pytest.mark.parametrize("theirs_fen", [180, -182, 181])
def test_another_amount_is_unexplained_from_the_first_day(theirs_fen: int) -> None:
    [item] = compared([sale], [replace(sale, fen=theirs_fen)])
    assert classes(item, on(MONDAY)) == {Class.OTHER_AMOUNT: 182 - theirs_fen}
    assert unexplained_fen(item, on(MONDAY)) == 182 - theirs_fen


def test_what_they_say_twice_is_doubled_and_what_they_take_back_is_whole_again() -> None:
    [item] = compared([sale], [sale, sale])
    assert classes(item, on(MONDAY)) == {Class.DOUBLED: -182}
    [right] = compared([sale], [sale, sale, replace(sale, fen=-182)])
    assert not classes(right, on(MONDAY))


def test_what_comes_tomorrow_explains_what_was_missing_today() -> None:
    [item] = compared([sale], [replace(sale, posted=MONDAY + timedelta(days=9))])
    assert not classes(replace(item, suspended_fen=182), on(MONDAY + timedelta(days=9)))


def test_a_posting_that_no_file_confirms_for_five_working_days_is_an_alarm() -> None:
    [missing] = compared([replace(sale, day=FRIDAY)], [])
    assert not on(date(2026, 10, 9)).stale(missing), "28, 29, 30 September, 8 and 9 October"
    assert on(date(2026, 10, 10)).stale(missing)
    [confirmed] = compared([sale], [replace(sale, fen=1)])
    assert not on(MONDAY + timedelta(days=99)).stale(confirmed)


def test_taps_that_were_put_aside_explain_their_part_of_a_terminals_total() -> None:
    item = Item(
        reference="330900000001/2026-09-28", since=MONDAY, ours_fen=1_000, ours_lines=1, theirs_fen=1_482,
        theirs_lines=1, parked_fen=300,
    )  # fmt: skip
    assert classes(item, on(MONDAY)) == {Class.PARKED: -300, Class.OTHER_AMOUNT: -182}
    assert unexplained_fen(item, on(MONDAY)) == -182


def test_what_people_have_worked_off_is_told_apart_and_turns_round_if_the_other_side_comes_after_all() -> None:
    [missing] = compared([sale], [])
    later = on(MONDAY + timedelta(days=9))
    partly = replace(missing, suspended_fen=182, worked_off_fen=100)
    assert classes(partly, later) == {Class.WORKED_OFF: 100, Class.ONLY_OURS: 82}
    assert classes(replace(partly, worked_off_fen=182), later) == {Class.WORKED_OFF: 182}
    [come] = compared([sale], [sale])
    assert classes(replace(come, worked_off_fen=182), later) == {Class.WORKED_OFF: 182, Class.TURNED_ROUND: -182}


# --- laws ---

lines = st.lists(
    st.builds(
        Line,
        reference=st.sampled_from([f"r{n}" for n in range(9)]),
        fen=st.sampled_from([-900, -182, 1, 182, 364, 900]),
        day=st.dates(date(2026, 9, 1), MONDAY),
        posted=st.just(MONDAY),
    ),
    max_size=12,
)
days = st.dates(MONDAY, date(2026, 11, 1))
covers = st.none() | st.dates(date(2026, 9, 1), date(2026, 11, 1))


@whatever(lines, lines, days, covers, st.integers(-400, 400), st.integers(-400, 400))
def test_the_classes_add_up_to_the_difference(
    ours: list[Line], theirs: list[Line], day: date, covered: date | None, worked_off_fen: int, parked_fen: int
) -> None:
    items = [replace(one, worked_off_fen=worked_off_fen, parked_fen=parked_fen) for one in compared(ours, theirs)]
    for item in items:
        assert sum(classes(item, on(day, covered)).values()) == item.fen
    ours_fen, theirs_fen = sum(one.fen for one in ours), sum(one.fen for one in theirs)
    done = tally(Source.BANK, "icbc", ours_fen, theirs_fen, items, on(day, covered))
    assert done.adds_up
    assert not replace(done, ours_fen=ours_fen + 1).adds_up


@whatever(lines, lines, days, covers, st.randoms(use_true_random=False))
def test_any_order_of_the_lines_and_any_cut_into_files_gives_the_same(
    ours: list[Line], theirs: list[Line], day: date, covered: date | None, chance: object
) -> None:
    mixed, mixed_too = [*ours], [*theirs]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    chance.shuffle(mixed_too)  # type: ignore[attr-defined]
    here, there = folded(ours, theirs), folded(mixed, mixed_too)
    assert here == there
    terms = on(day, covered)
    tallies = [tally(Source.BANK, "icbc", 0, 0, one, terms) for one in (here.values(), [*there.values()][::-1])]
    assert tallies[0] == tallies[1]


@whatever(st.lists(st.integers(-500, 500), max_size=8))
def test_what_lies_in_suspense_is_always_what_was_last_unexplained_and_no_more_moves(targets: list[int]) -> None:
    facts: list[DifferenceEvent] = []
    for fen in targets:
        facts += differences.decide(replace(judged, fen=fen), differences.fold(facts))
    booking = book_difference(facts, differences.fold(facts))
    assert booking is not None
    lies = [leg.amount_fen for entry in booking.entries for leg in entry.postings if leg.account == PILE]
    assert sum(lies) == (targets[-1] if targets else 0)
    assert len({entry.reference for entry in booking.entries}) == len(booking.entries)


# --- a difference, and a day ---

ONE = difference_id(ZHOUSHAN, Source.BANK, "icbc", sale.reference)
ACCOUNT, PILE = chart.channel(ZHOUSHAN, "icbc"), chart.suspense(ZHOUSHAN, pile_of(ONE))
ANNA = Hand("anna")
judged = JudgeDifference(
    difference_id=ONE, source=Source.BANK, sender="icbc", account=ACCOUNT, fen=182, why=Class.ONLY_OURS, since=MONDAY,
    day=MONDAY, at=MORNING,
)  # fmt: skip
suspended = DifferenceSuspended(
    difference_id=ONE, source=Source.BANK, sender="icbc", account=ACCOUNT, pile=PILE, fen=182, moved_fen=182, nth=1,
    why=Class.ONLY_OURS, since=MONDAY, day=MONDAY, at=MORNING,
)  # fmt: skip
resolved = DifferenceResolved(
    difference_id=ONE, account=ACCOUNT, pile=PILE, moved_fen=-182, nth=2, day=MONDAY, at=MORNING
)
no_money = replace(suspended, account="")
explain = ExplainDifference(difference_id=ONE, reason="counted twice there", evidence="F-1", by=ANNA, at=NIGHT)
explained = DifferenceExplained(
    difference_id=ONE, fen=182, reason="counted twice there", evidence="F-1", by=ANNA, at=NIGHT
)
given = partial(conversation.given, differences)


def test_what_nobody_can_explain_lies_in_suspense_once_and_comes_back_when_the_other_side_comes() -> None:
    given().when(judged).then(suspended)
    given(suspended).when(judged).then()
    given(suspended).when(replace(judged, fen=100)).then(replace(suspended, fen=100, moved_fen=-82, nth=2))
    given(suspended).when(replace(judged, fen=0, why=None)).then(resolved)
    given(suspended, resolved).when(replace(judged, fen=0, why=None)).then()
    given().when(replace(judged, fen=0, why=None)).then()


def test_a_word_is_enough_where_no_money_lies_and_never_where_some_does() -> None:
    given(no_money).when(explain).then(explained)
    given(no_money, explained).when(explain).then()
    given(suspended).when(explain).refused(MoneyLiesThere)
    given().when(explain).refused(DifferenceUnknown)
    given(no_money, resolved).when(explain).refused(NothingToExplain)
    given(no_money).when(replace(explain, by=NOBODY)).refused(HandUnnamed)


def test_what_each_fact_about_a_difference_means_in_the_books() -> None:
    booking = book_difference([suspended, resolved, no_money, explained], differences.initial)
    assert booking is not None
    assert [(entry.reference, entry.kind) for entry in booking.entries] == [
        (f"{ONE}/1", "suspense"), (f"{ONE}/2", "suspense"),
    ]  # fmt: skip
    assert [[(leg.account, leg.amount_fen) for leg in entry.postings] for entry in booking.entries] == [
        [(ACCOUNT, -182), (PILE, 182)], [(ACCOUNT, 182), (PILE, -182)],
    ]  # fmt: skip


of_a_day = Tally(
    source=Source.BANK, sender="icbc", ours_fen=682, theirs_fen=500,
    parts=(Part(kind=Class.ONLY_OURS, count=1, fen=182),), stale=1, stale_fen=182, oldest=MONDAY,
)  # fmt: skip
record = RecordReconciliation(
    reconciliation_id=reconciliation_id(ZHOUSHAN, MONDAY), city=ZHOUSHAN, day=MONDAY, tallies=(of_a_day,), at=MORNING
)
done = DayReconciled(
    reconciliation_id=record.reconciliation_id, city=ZHOUSHAN, day=MONDAY, tallies=(of_a_day,), at=MORNING
)


def test_a_day_is_written_down_once_and_only_if_it_adds_up() -> None:
    conversation.given(reconciliations).when(record).then(done)
    conversation.given(reconciliations, done).when(replace(record, tallies=())).then()
    with pytest.raises(DoesNotAddUp):
        reconciliations.decide(replace(record, tallies=(replace(of_a_day, theirs_fen=501),)), reconciliations.initial)


def test_the_city_is_told_sums_and_never_what_a_sender_calls_a_movement() -> None:
    told = [tell_of_difference(suspended), tell_of_difference(resolved), tell_of_reconciliation(done)]
    assert all(one is not None and sale.reference not in one.model_dump_json() for one in told)
    assert tell_of_difference(explained) is None


def test_a_bylaw_that_makes_no_sense_is_no_bylaw() -> None:
    ours = ReconciliationBylaw(
        at_hour=5, transit_working_days=2, stale_working_days=5, parties=(Party(source=Source.BANK, sender="icbc"),)
    )
    for change in (
        {"at_hour": 24}, {"at_hour": -1}, {"transit_working_days": 5}, {"transit_working_days": -1},
        {"stale_working_days": 251}, {"parties": ours.parties * 2},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"hour|transit|twice"):
            replace(ours, **change)


# --- files ---


@whatever(lines)
def test_a_file_is_read_as_it_was_written(found: list[Line]) -> None:
    sent = settlement("zs-bus", 3, MONDAY, {one.reference: one for one in found}.values())
    come = read(write(sent))
    assert replace(come, sha256="") == sent


def test_the_frame_is_pinned() -> None:
    assert TEXT.splitlines()[:3] == [
        "citycard-statement,1,bank,icbc,7,2026-09-28",
        "reference,fen,day,posted",
        "P1/capture/1,182,2026-09-28,2026-09-28",
    ]
    assert TEXT.splitlines()[-1].startswith("total,2,682,")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("total,2,682", "total,2,683", "line 5: it announces 683 fen, and the lines add up to 682"),
        ("total,2,", "total,3,", "line 5: it announces 3 lines, and 2 are there"),
        ("182,2026", "181,2026", "lines add up to 681"),
        ("P1/", "P3/", "checksum does not fit"),
        ("P2/", "P1/", "line 4: the reference stands in line 3 already"),
        ("182,2026", "1.82,2026", "line 3: an amount is a whole number of fen"),
        ("182,2026", "USD182,2026", "line 3: an amount is a whole number of fen"),
        ("182,2026", "+182,2026", "line 3: an amount is a whole number of fen"),
        ("182,2026", "0,2026", "line 3: an amount is a whole number of fen"),
        ("182,2026", "99999999999999,2026", "line 3: an amount"),
        ("182,2026", "1000000000001,2026", "line 3: an amount"),
        ("182,2026-09-28", "182,2026-09-31", "line 3: there is no day 2026-09-31"),
        ("182,2026-09-28,", "182,28.9.2026,", "line 3: a day is written"),
        ("182,2026-09-28,", "182,2026-09-29,", "line 3: a day of it lies after 2026-09-28, the day of the file"),
        ("P1/capture/1,", "", "line 3: 4 columns are needed, and 3 are there"),
        ("bank,icbc", "gift,icbc", "line 1: the kind must be one of"),
        ("bank,icbc", "terminal-totals,zs-bus", "line 3: a terminal's total is called <terminal>/2026-09-28"),
        ("statement,1", "statement,2", "line 1: version 1 is read"),
        ("icbc,7", "ICBC,7", "line 1: a sender"),
        ("icbc,7", "icbc,0", "line 1: the number of the file"),
        ("reference,fen", "reference,yuan", "line 2: the columns must be"),
    ],
)
def test_a_file_that_does_not_add_up_is_refused_with_its_line_and_reason(old: str, new: str, says: str) -> None:
    with pytest.raises(StatementUnfit, match=says):
        read(TEXT.replace(old, new, 1))


def test_a_file_whose_sum_is_beyond_all_money_is_refused() -> None:
    much = [Line(reference=f"r{nth}", fen=10**12, day=MONDAY, posted=MONDAY) for nth in range(1_001)]
    with pytest.raises(StatementUnfit, match="a file comes to 1000000000000000 fen at most"):
        read(write(replace(file, lines=tuple(much))))


def test_what_is_no_text_is_refused_with_its_line() -> None:
    with pytest.raises(StatementUnfit, match="line 3: this is not UTF-8"):
        decoded(TEXT.encode().replace(b"P1", b"\xff1"))
    assert decoded(TEXT.encode()) == TEXT


@whatever(st.integers(0, len(TEXT) - 1))
def test_a_torn_file_is_refused(length: int) -> None:
    with pytest.raises(StatementUnfit):
        read(TEXT[:length])


def test_a_file_that_comes_again_is_known_and_an_altered_one_is_refused() -> None:
    come = read(TEXT)
    assert not is_replay(None, come)
    assert is_replay(come, read(TEXT))
    with pytest.raises(StatementAltered, match="a number of its own"):
        is_replay(come, read(write(replace(file, lines=(sale,)))))
