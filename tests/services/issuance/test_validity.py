"""Until when a card is valid: by years, by the holder's age, and no longer than the fact on which it stands."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from libs.kernel.calendar import midnight_after
from libs.kernel.why import FactUsed
from libs.testing.conversation import given
from services.ids import ApplicationId
from services.issuance.adapters.why import why
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding.decider import holdings
from services.issuance.domain.validity import LONG_TERM, AgeBand
from tests.services.issuance.card_drawer import (
    BYLAWS,
    DRAWN,
    FETCHED,
    MADE,
    PAPER,
    WUXI,
    activated,
    arrived,
    declined,
    entitled,
    hand_over,
    handed_over,
    ordered,
    produced,
    reserved,
    take_seat,
    waiting,
)

HANGZHOU = "330100"
ROW: Any = SimpleNamespace(edition="")


def of(city: str, programme: str) -> IssuanceBylaw:
    return BYLAWS.at(city, programme, DRAWN)


ID_CARD, TALENTS = of(WUXI, "resident-id"), of(HANGZHOU, "foreign-talent-card")
permit = FactUsed(
    fact="work_permit", department="experts", valid_from=date(2026, 1, 1), stated_at=DRAWN, valid_to=date(2028, 6, 30)
)


def to_the_end_of(day: date) -> datetime:
    return midnight_after(day).astimezone(UTC)


@pytest.mark.parametrize(
    ("age", "last"),
    [
        (0, date(2031, 9, 10)),
        (15, date(2031, 9, 10)),
        (16, date(2036, 9, 10)),
        (25, date(2036, 9, 10)),
        (26, date(2046, 9, 10)),
        (45, date(2046, 9, 10)),
        (46, LONG_TERM),
    ],
)
def test_an_id_card_is_valid_for_so_long_as_its_holder_s_age_says(age: int, last: date) -> None:
    printed = replace(reserved, valid_to=to_the_end_of(last), valid_by="age")
    given(holdings, entitled, ordered).when(replace(take_seat, under=ID_CARD, age=age)).then(printed)


def test_of_somebody_whose_age_nobody_knows_the_years_for_everybody_count() -> None:
    printed = replace(reserved, valid_to=to_the_end_of(date(2036, 9, 10)), valid_by="years")
    given(holdings, entitled, ordered).when(replace(take_seat, under=ID_CARD)).then(printed)


@pytest.mark.parametrize(
    ("ends", "last", "by"),
    [
        (date(2028, 6, 30), date(2028, 6, 30), "work_permit"),
        (date(2040, 1, 1), date(2036, 9, 10), "years"),
        (None, date(2036, 9, 10), "years"),
    ],
)
def test_a_talent_s_card_ends_with_the_work_permit_at_the_latest(ends: date | None, last: date, by: str) -> None:
    verdict = replace(entitled, used=(replace(permit, valid_to=ends),))
    printed = replace(reserved, valid_to=to_the_end_of(last), valid_by=by)
    given(holdings, verdict, ordered).when(replace(take_seat, under=TALENTS)).then(printed)


def test_where_it_is_nobody_s_own_it_counts_from_the_hand_over() -> None:
    given(holdings, entitled, ordered).when(replace(take_seat, under=of("330900", "citizen-card"))).then(reserved)


def test_what_is_printed_on_the_card_is_until_when_it_works() -> None:
    ends = to_the_end_of(date(2028, 6, 30))
    there = (entitled, ordered, replace(reserved, valid_to=ends, valid_by="work_permit"), produced, arrived)
    facts = holdings.decide(hand_over, holdings.fold(there))
    assert facts[:2] == [handed_over, replace(activated, valid_to=ends)]


def test_whoever_asks_is_told_by_which_rule_and_which_fact_the_card_ends() -> None:
    verdict = replace(entitled, programme="foreign-talent-card", used=(permit,))
    printed = replace(reserved, valid_to=to_the_end_of(date(2028, 6, 30)), valid_by="work_permit")
    paper = ApplicationId(PAPER.replace("330900", HANGZHOU))
    story = [(fact, ROW) for fact in (verdict, replace(printed, application_id=paper))]
    told = why("validity", paper, [], story, BYLAWS)
    assert told.said.en == "valid to the end of 30 June 2028"
    assert told.said.zh == "有效期至2028年6月30日"
    assert [ground.rule for ground in told.grounds] == ["foreign-talent-card/programme.issuance.validity_ends_with"]
    assert told.facts == (permit,)


def test_a_card_whose_years_count_from_the_hand_over_says_so() -> None:
    story = [(fact, ROW) for fact in (entitled, reserved, activated)]
    told = why("validity", PAPER, [], story, BYLAWS)
    assert told.said.en == "valid to the end of 9 October 2036"
    assert [ground.rule for ground in told.grounds] == ["citizen-card/programme.issuance.validity_years"]


@pytest.mark.requirement("R11")
def test_a_refusal_names_the_facts_that_were_looked_at_with_department_and_day() -> None:
    refused = replace(entitled, granted=False, because="permit too short", used=(permit,), missing=("work_permit",))
    no = replace(declined, reason="permit too short")
    told = why("refusal", PAPER, [], [(fact, ROW) for fact in (refused, waiting, no)], BYLAWS)
    assert told.facts == (permit,)
    assert told.missing == ("work_permit",)


@pytest.mark.parametrize("years", [-1, 101])
def test_a_band_out_of_bounds_is_not_born(years: int) -> None:
    with pytest.raises(ValueError, match="up to 100 years"):
        AgeBand(under=16, years=years)


def test_a_spoiled_card_is_printed_anew_with_what_holds_then() -> None:
    assert MADE < FETCHED  # The date is that of the seat, not of the order.
    later = replace(take_seat, under=ID_CARD, age=26, at=MADE)
    facts = holdings.decide(later, holdings.fold([entitled, ordered]))
    assert facts == [replace(reserved, at=MADE, valid_to=to_the_end_of(date(2046, 9, 20)), valid_by="age")]
