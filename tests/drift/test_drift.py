"""The gate itself: it finds nothing where nothing is wrong, and it finds what is planted."""

from pathlib import Path

import pytest

from services.drift.__main__ import played
from services.drift.comparison import Verdict
from services.drift.planted import BUGS, NO_BUG


async def test_kills_and_repetitions_move_no_money(workshop: Path) -> None:
    ran = await played(workshop / "drift", 12, 0, seed=7, cards=40)
    assert ran.verdict.clean, ran.verdict.first
    assert len(ran.town.book.acknowledged) > 100
    assert ran.verdict.entries > 100


@pytest.mark.parametrize("name", ["nobody looks whether the money is there", "every command is new"])
async def test_a_planted_bug_is_caught(workshop: Path, name: str) -> None:
    (bug,) = (bug for bug in BUGS if bug.name == name)
    ran = await played(workshop / "planted", 6, 0, seed=7, cards=24, bug=bug, kills=False)
    assert ran.verdict.first


def test_every_bug_has_a_name_of_its_own_and_takes_something_away() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 10
    assert all(bug.sql or bug.patches or bug.law for bug in BUGS)
    assert all(bug.sql("wallet") for bug in BUGS if bug.sql)
    assert not NO_BUG.name


def test_a_verdict_shows_its_first_finding() -> None:
    assert Verdict().clean
    assert Verdict(drift=["one fen"]).first == "drift: one fen"
    assert not Verdict(untrue=["a stopped card paid"]).clean
