"""Each fen of difference has a reason or an age; a file that does not add up is refused with a sentence."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wallet.adapters.statement_files import (
    Statement,
    StatementAltered,
    StatementUnfit,
    is_replay,
    read,
    settlement,
    write,
)
from services.wallet.domain.reconciliation.matching import Difference, Line, LineTwice, Standing, Why, reconcile

MONDAY = date(2026, 9, 28)
sale = Line(reference="P1/capture/1", fen=182, day=MONDAY, posted=MONDAY)
other = Line(reference="P2/capture/1", fen=500, day=MONDAY, posted=MONDAY)
file = Statement(kind="bank", sender="icbc", number=7, day=MONDAY, lines=(sale, other))
TEXT = write(file)


def test_what_both_sides_have_alike_is_no_difference() -> None:
    done = reconcile([sale, other], [other, sale], stale_days=3)
    assert (done.matched, done.differences, done.stale) == (2, (), ())


def test_what_one_side_lacks_is_in_transit_while_young_and_in_suspense_when_old() -> None:
    done = reconcile([sale, other], [other], stale_days=3)
    missing = Difference(reference=sale.reference, why=Why.ONLY_OURS, fen=182, since=MONDAY)
    assert done.differences == (missing,)
    assert missing.standing(MONDAY + timedelta(days=1), transit_days=1) is Standing.IN_TRANSIT
    assert done.suspense(MONDAY + timedelta(days=1), transit_days=1) == ()
    assert done.suspense(MONDAY + timedelta(days=2), transit_days=1) == (missing,)
    assert missing.age_days(MONDAY + timedelta(days=9)) == 9


def test_another_amount_is_unexplained_from_the_first_day() -> None:
    done = reconcile([sale], [replace(sale, fen=180)], stale_days=3)
    (found,) = done.suspense(MONDAY, transit_days=1)
    assert (found.why, found.fen) == (Why.OTHER_AMOUNT, 2)


def test_what_comes_tomorrow_explains_what_was_missing_today() -> None:
    assert reconcile([sale], [], stale_days=3).differences
    assert not reconcile([sale], [replace(sale, posted=MONDAY + timedelta(days=1))], stale_days=3).differences


def test_a_posting_that_comes_months_later_is_an_alarm_even_if_both_sides_agree() -> None:
    late = replace(sale, posted=MONDAY + timedelta(days=60))
    assert reconcile([sale], [late], stale_days=3).stale == (sale.reference,)


def test_a_reference_that_one_side_names_twice_is_not_guessed_at() -> None:
    with pytest.raises(LineTwice):
        reconcile([sale, sale], [sale], stale_days=3)


lines = st.lists(
    st.builds(
        Line,
        reference=st.sampled_from([f"r{n}" for n in range(9)]),
        fen=st.integers(-900, 900).filter(bool),
        day=st.dates(date(2026, 9, 1), date(2026, 9, 28)),
        posted=st.just(MONDAY),
    ),
    unique_by=lambda line: line.reference,
    max_size=9,
)


@given(lines, lines)
def test_the_differences_add_up_to_the_difference(ours: list[Line], theirs: list[Line]) -> None:
    done = reconcile(ours, theirs, stale_days=3)
    assert done.difference_fen == done.ours_fen - done.theirs_fen
    mirrored = reconcile(theirs, ours, stale_days=3)
    assert mirrored.difference_fen == -done.difference_fen
    assert len(mirrored.differences) == len(done.differences)


@given(lines)
def test_a_file_is_read_as_it_was_written(found: list[Line]) -> None:
    sent = settlement("zs-bus", 3, MONDAY, found)
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
        ("182,2026", "0,2026", "line 3: an amount is a whole number of fen"),
        ("182,2026", "99999999999999,2026", "line 3: an amount"),
        ("182,2026-09-28", "182,2026-09-31", "line 3: there is no day 2026-09-31"),
        ("182,2026-09-28,", "182,28.9.2026,", "line 3: a day is written"),
        ("P1/capture/1,", "", "line 3: 4 columns are needed, and 3 are there"),
        ("bank,icbc", "gift,icbc", "line 1: the kind must be one of"),
        ("statement,1", "statement,2", "line 1: version 1 is read"),
        ("icbc,7", "ICBC,7", "line 1: a sender"),
        ("icbc,7", "icbc,0", "line 1: the number of the file"),
        ("reference,fen", "reference,yuan", "line 2: the columns must be"),
    ],
)
def test_a_file_that_does_not_add_up_is_refused_with_its_line_and_reason(old: str, new: str, says: str) -> None:
    with pytest.raises(StatementUnfit, match=says):
        read(TEXT.replace(old, new, 1))


@given(st.integers(0, len(TEXT) - 1))
def test_a_torn_file_is_refused(length: int) -> None:
    with pytest.raises(StatementUnfit):
        read(TEXT[:length])


def test_a_file_that_comes_again_is_known_and_an_altered_one_is_refused() -> None:
    come = read(TEXT)
    assert not is_replay(None, come)
    assert is_replay(come, read(TEXT))
    with pytest.raises(StatementAltered, match="a number of its own"):
        is_replay(come, read(write(replace(file, lines=(sale,)))))
