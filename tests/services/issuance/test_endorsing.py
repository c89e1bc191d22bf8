"""A permit on its card goes on from year to year: in the window, at the right place, for whoever still lives here."""

from dataclasses import replace
from datetime import date

import pytest

from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.issuance.domain.endorsement import (
    EndorsedElsewhere,
    NoLongerEntitled,
    NotEndorsed,
    ReportedLost,
    TooEarly,
)
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.commands import EndorseCard
from services.issuance.domain.holding.decider import due, holdings
from services.issuance.domain.holding.events import CardEndorsed, Event
from services.issuance.domain.holding.state import Holding
from services.issuance.domain.usability import usability
from tests.services.issuance.card_drawer import (
    BYLAWS,
    CARD,
    HOLDING,
    IN_HAND,
    LI,
    OURS,
    PACKS,
    SECOND,
    activated,
    cancelled,
    entitled,
    expire,
    expired,
    shanghai,
    turned,
)


def given(*facts: Event) -> Given:
    return given_at(holdings, *facts)


def after(*facts: Event) -> Holding:
    return holdings.fold(facts)


FULL = shanghai(10, 9, 24, year=2027)
NEXT = shanghai(10, 9, 24, year=2028)
POLICE, COMMUNITY, HALL = "wx-police-liangxi", "wx-tongjiang", "wx-hall"
RULE = BYLAWS.at("320200", "residence-permit", shanghai(9, 1)).endorsing
PERMIT = replace(OURS, endorsing=RULE, validity_years=1)

works = replace(activated, valid_to=FULL)
IN_USE = (*IN_HAND, works, turned)
endorse = EndorseCard(
    holding_id=HOLDING,
    card_id=CARD,
    outlet=POLICE,
    reported_lost=False,
    at=shanghai(9, 20, 10, year=2027),
    under=PERMIT,
)
endorsed = CardEndorsed(
    holding_id=HOLDING, person_id=LI, card_id=CARD, programme="citizen-card", outlet=POLICE, since=date(2026, 10, 9),
    valid_to=NEXT, at=endorse.at,
)  # fmt: skip
year_is_full = replace(expired, at=FULL)


@pytest.mark.requirement("R135", "R136", "R137")
def test_in_the_window_the_card_is_valid_for_another_year_from_the_old_anniversary() -> None:
    given(*IN_USE).when(endorse).then(endorsed)
    assert [life.valid_to for life in after(*IN_USE, endorsed).lives] == [NEXT]
    [until] = due(endorsed)
    assert (until.at, until.command) == (NEXT, replace(expire, valid_to=NEXT))


@pytest.mark.requirement("R136")
def test_before_the_window_and_a_second_time_it_is_too_early() -> None:
    given(*IN_USE).when(replace(endorse, at=shanghai(9, 9, 23, year=2027))).refused(TooEarly)
    given(*IN_USE, endorsed).when(replace(endorse, at=endorse.at + SECOND)).refused(TooEarly)


@pytest.mark.requirement("R138")
def test_it_is_endorsed_by_the_police_or_whom_they_entrusted_and_nowhere_else() -> None:
    given(*IN_USE).when(replace(endorse, outlet=COMMUNITY)).then(replace(endorsed, outlet=COMMUNITY))
    given(*IN_USE).when(replace(endorse, outlet=HALL)).refused(EndorsedElsewhere)


def test_who_has_moved_away_is_told_why_and_who_has_lost_the_card_what_to_do() -> None:
    gone = replace(entitled, granted=False, because="does not live here", at=shanghai(5, 1, year=2027))
    given(*IN_USE, gone).when(endorse).refused(NoLongerEntitled)
    given(*IN_USE).when(replace(endorse, reported_lost=True)).refused(ReportedLost)


def test_a_card_that_has_ended_or_was_never_there_is_not_endorsed_nor_one_that_needs_it_not() -> None:
    given(*IN_USE, cancelled).when(endorse).refused(CardUnknown)
    given(*IN_HAND).when(endorse).refused(CardUnknown)
    given(*IN_USE).when(replace(endorse, under=OURS)).refused(NotEndorsed)


@pytest.mark.requirement("R137")
def test_from_the_anniversary_until_it_is_endorsed_it_rests_and_the_past_stays_as_it_was() -> None:
    late = shanghai(10, 20, 10, year=2027)
    renewed = replace(endorsed, at=late)
    given(*IN_USE, year_is_full).when(replace(endorse, at=late)).then(renewed)
    holding = after(*IN_USE, year_is_full, renewed)
    assert holding.current is not None
    assert not holding.current.expired
    for at, works_then in ((FULL - SECOND, True), (FULL, False), (late - SECOND, False), (late, True), (NEXT, False)):
        [one, *_] = usability(CARD, at, holding, (), OURS.catalogue)
        assert (one.because != "the card has expired") is works_then, at


def test_long_after_its_year_the_years_of_residence_begin_anew() -> None:
    very_late = shanghai(12, 1, 10, year=2027)
    given(*IN_USE, year_is_full).when(replace(endorse, at=very_late)).then(
        replace(endorsed, since=date(2027, 12, 1), valid_to=shanghai(12, 1, year=2028), at=very_late)
    )


def test_the_timer_of_the_old_year_finds_nothing_to_do() -> None:
    given(*IN_USE, endorsed).when(replace(expire, valid_to=FULL)).then()
    given(*IN_USE, endorsed).when(replace(expire, valid_to=NEXT)).then(replace(expired, at=NEXT))


def test_all_cities_together_endorse_one_kind_of_card() -> None:
    endorsing = {
        programme
        for pack in PACKS
        for programme in pack.programmes
        if BYLAWS.at(pack.code, programme, shanghai(9, 1)).endorsing
    }
    assert endorsing == {"residence-permit"}
