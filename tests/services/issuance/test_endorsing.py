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
from services.issuance.domain.functions import resting
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.commands import EndorseCard, RemindToEndorse, TakeBackEndorsement
from services.issuance.domain.holding.decider import due, holdings
from services.issuance.domain.holding.events import (
    CardEndorsed,
    EndorsementReminded,
    EndorsementTakenBack,
    Event,
    Standing,
)
from services.issuance.domain.holding.state import Holding
from services.issuance.domain.usability import usability
from tests.services.issuance.card_drawer import (
    BYLAWS,
    CARD,
    HOLDING,
    IN_HAND,
    LI,
    NEXT_CARD,
    OURS,
    PACKS,
    REPLACED,
    SECOND,
    activate,
    activated,
    cancelled,
    entitled,
    expire,
    expired,
    hand_over,
    next_arrived,
    next_handed_over,
    next_produced,
    next_reserved,
    note_verdict,
    reissue_ordered,
    replaced,
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
    valid_to=NEXT, at=endorse.at, remind_at=(shanghai(9, 10, 9, year=2028), shanghai(10, 3, 9, year=2028)),
)  # fmt: skip
year_is_full = replace(expired, at=FULL, endorsable=True, grace_until=shanghai(11, 9, 24, year=2027))
all_rest = replace(turned, functions=resting(turned.functions), at=FULL)
LATE = shanghai(10, 20, 10, year=2027)
RESTED = (*IN_USE, year_is_full, all_rest)
remind = RemindToEndorse(holding_id=HOLDING, card_id=CARD, valid_to=FULL, at=shanghai(9, 10, 9, year=2027))
reminded = EndorsementReminded(holding_id=HOLDING, person_id=LI, card_id=CARD, valid_to=FULL, at=remind.at)


@pytest.mark.requirement("R135", "R136", "R137")
def test_in_the_window_the_card_is_valid_for_another_year_from_the_old_anniversary() -> None:
    given(*IN_USE).when(endorse).then(endorsed)
    assert [life.valid_to for life in after(*IN_USE, endorsed).lives] == [NEXT]
    *_, until = due(endorsed)
    assert (until.at, until.command) == (NEXT, replace(expire, valid_to=NEXT))


@pytest.mark.requirement("R136")
def test_before_the_window_and_a_second_time_it_is_too_early() -> None:
    given(*IN_USE).when(replace(endorse, at=shanghai(9, 9, 23, year=2027))).refused(TooEarly)
    given(*IN_USE, endorsed).when(replace(endorse, at=endorse.at + SECOND)).refused(TooEarly)


@pytest.mark.requirement("R138")
def test_it_is_endorsed_by_the_police_or_whom_they_entrusted_and_nowhere_else() -> None:
    given(*IN_USE).when(replace(endorse, outlet=COMMUNITY)).then(replace(endorsed, outlet=COMMUNITY))
    given(*IN_USE).when(replace(endorse, outlet=HALL)).refused(EndorsedElsewhere)


CROSSED = TakeBackEndorsement(
    holding_id=HOLDING, card_id=CARD, endorsed_at=endorse.at, reported_at=endorse.at - SECOND, at=endorse.at + SECOND
)
taken_back = EndorsementTakenBack(
    holding_id=HOLDING, person_id=LI, card_id=CARD, valid_to=FULL, endorsed_at=endorse.at,
    reported_at=endorse.at - SECOND, at=endorse.at + SECOND,
)  # fmt: skip


@pytest.mark.requirement("R136")
def test_where_a_report_and_the_counter_crossed_the_card_stands_as_before_it_was_endorsed() -> None:
    given(*IN_USE, reminded, endorsed).when(CROSSED).then(taken_back)
    assert after(*IN_USE, reminded, endorsed, taken_back) == after(*IN_USE, reminded)
    given(*IN_USE, endorsed, taken_back).when(CROSSED).then()
    given(*IN_USE, endorsed, taken_back).when(replace(endorse, at=CROSSED.at)).then(replace(endorsed, at=CROSSED.at))
    [until] = due(taken_back)
    assert (until.at, until.command) == (FULL, replace(expire, valid_to=FULL))


def test_a_card_that_rested_before_rests_again() -> None:
    late = replace(endorsed, at=LATE)
    works_again = replace(turned, at=LATE)
    crossed = replace(CROSSED, endorsed_at=LATE, reported_at=LATE, at=LATE + SECOND)
    taken = replace(taken_back, endorsed_at=LATE, reported_at=LATE, at=LATE + SECOND)
    given(*RESTED, late, works_again).when(crossed).then(taken, replace(all_rest, at=LATE + SECOND))
    assert after(*RESTED, late, works_again, taken, replace(all_rest, at=LATE + SECOND)) == after(*RESTED)


def test_only_the_last_endorsement_of_the_card_that_counts_is_taken_back() -> None:
    given(*IN_USE, endorsed).when(replace(CROSSED, endorsed_at=endorse.at - SECOND)).then()
    given(*IN_USE).when(CROSSED).then()
    given(*IN_USE, endorsed, cancelled).when(CROSSED).then()
    given(*IN_HAND).when(CROSSED).then()


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
    late, renewed = LATE, replace(endorsed, at=LATE)
    given(*RESTED).when(replace(endorse, at=late)).then(renewed, replace(turned, at=late))
    holding = after(*RESTED, renewed, replace(turned, at=late))
    assert holding.current is not None
    assert not holding.current.expired
    for at, works_then in ((FULL - SECOND, True), (FULL, False), (late - SECOND, False), (late, True), (NEXT, False)):
        [one, *_] = usability(CARD, at, holding, (), OURS.catalogue)
        assert (one.because != "the card has expired") is works_then, at


def test_long_after_its_year_the_years_of_residence_begin_anew() -> None:
    very_late = shanghai(12, 1, 10, year=2027)
    given(*RESTED).when(replace(endorse, at=very_late)).then(
        replace(
            endorsed,
            since=date(2027, 12, 1),
            valid_to=shanghai(12, 1, year=2028),
            at=very_late,
            remind_at=(shanghai(11, 1, 9, year=2028), shanghai(11, 24, 9, year=2028)),
        ),
        replace(turned, at=very_late),
    )


def test_the_timer_of_the_old_year_finds_nothing_to_do() -> None:
    given(*IN_USE, endorsed).when(replace(expire, valid_to=FULL, under=PERMIT)).then()
    given(*IN_USE, endorsed).when(replace(expire, valid_to=NEXT, under=PERMIT)).then(
        replace(year_is_full, at=NEXT, grace_until=shanghai(11, 9, 24, year=2028)), replace(all_rest, at=NEXT)
    )


@pytest.mark.requirement("R137")
def test_the_flags_of_its_functions_rest_with_it_and_come_back_with_it_whatever_is_said_between() -> None:
    given(*IN_USE).when(replace(expire, valid_to=FULL, under=PERMIT)).then(year_is_full, all_rest)
    assert Standing.ENABLED not in {one.standing for one in all_rest.functions}
    given(*RESTED).when(replace(expire, valid_to=FULL, under=PERMIT)).then()
    news = replace(note_verdict, because="still lives here", at=LATE, under=PERMIT)
    noted = replace(entitled, because=news.because, at=LATE)
    given(*RESTED).when(news).then(noted)
    given(*IN_USE).when(news).then(noted, replace(all_rest, at=LATE))  # The clock of the year is late.


@pytest.mark.requirement("R136")
def test_while_it_can_be_endorsed_its_holder_is_reminded_until_she_comes() -> None:
    assert [one.at for one in due(endorsed)][:-1] == list(endorsed.remind_at)
    given(*IN_USE).when(remind).then(reminded)
    given(*IN_USE, reminded).when(remind).then()
    second = shanghai(10, 3, 9, year=2027)
    given(*IN_USE, reminded).when(replace(remind, at=second)).then(replace(reminded, at=second))
    given(*IN_USE, reminded, endorsed).when(replace(remind, at=second)).then()
    gone = replace(entitled, granted=False, because="does not live here", at=shanghai(5, 1, year=2027))
    for past in ((), (*IN_USE, gone), (*IN_USE, cancelled), REPLACED):
        given(*past).when(remind).then()


def test_in_a_short_month_nobody_is_reminded_before_the_window_opens() -> None:
    assert RULE is not None
    assert RULE.reminders(date(2027, 3, 15)) == (shanghai(2, 15, 9, year=2027), shanghai(3, 8, 9, year=2027))


def test_the_first_reminders_are_counted_when_the_card_begins_to_work() -> None:
    hours = (shanghai(9, 10, 9, year=2027), shanghai(10, 3, 9, year=2027))
    given(*IN_HAND).when(replace(activate, under=PERMIT)).then(replace(works, remind_at=hours), turned)


def test_losing_a_permit_does_not_renew_it() -> None:
    """The new card is valid as long as the old one was, and its years count from the old one's."""
    again = (reissue_ordered, next_reserved, next_produced, next_arrived)
    fetch = replace(hand_over, card_id=NEXT_CARD, outlet=next_handed_over.outlet, under=PERMIT, at=LATE)
    handed, new = replace(next_handed_over, at=LATE), replace(replaced, valid_to=FULL, at=LATE)
    rests = replace(all_rest, card_id=NEXT_CARD, at=LATE)
    given(*RESTED, *again).when(fetch).then(handed, new, rests)
    past = (*RESTED, *again, handed, new, rests)
    tomorrow = replace(endorse, card_id=NEXT_CARD, at=shanghai(10, 21, 10, year=2027))
    given(*past).when(tomorrow).then(
        replace(endorsed, card_id=NEXT_CARD, at=tomorrow.at), replace(turned, card_id=NEXT_CARD, at=tomorrow.at)
    )
    struck = replace(expire, card_id=NEXT_CARD, valid_to=FULL, under=PERMIT)
    given(*past).when(struck).then(replace(year_is_full, card_id=NEXT_CARD, at=LATE))  # Never before it worked.


def test_all_cities_together_endorse_one_kind_of_card() -> None:
    endorsing = {
        programme
        for pack in PACKS
        for programme in pack.programmes
        if BYLAWS.at(pack.code, programme, shanghai(9, 1)).endorsing
    }
    assert endorsing == {"residence-permit"}
