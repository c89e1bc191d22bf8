"""Whoever calls before the card is heard of here is heard as soon as it is."""

from dataclasses import replace
from datetime import timedelta

from services.loss.domain.decider import CardUnknown
from services.loss.domain.state import InUse, Kept, Resting
from services.loss.routes import view
from tests.services.loss.desk_drawer import (
    AUTUMN,
    CARD,
    HOUR,
    MORNING,
    NEXT_CARD,
    NIGHT,
    NOON,
    THIRD_CARD,
    a_call,
    after,
    called,
    enter_card,
    given,
    issued,
    kept,
    lapsed,
    reissue,
    sign,
    signed,
    succeed,
    succeeded,
    the_clock,
    when,
)

kept_next = replace(kept, card_id=NEXT_CARD)


def test_a_call_about_a_card_that_we_have_not_heard_of_is_kept() -> None:
    when(a_call).then(kept)
    given(issued, signed, reissue).when(replace(a_call, card_id=NEXT_CARD)).then(kept_next)


def test_nothing_is_kept_for_a_card_that_nobody_has_asked_for() -> None:
    given(issued).when(replace(a_call, card_id=NEXT_CARD)).refused(CardUnknown)


def test_a_kept_call_that_would_have_lapsed_by_now_stops_nothing() -> None:
    late = replace(enter_card, at=HOUR + timedelta(days=1))
    given(kept).when(late).then(replace(issued, at=late.at))


def test_a_second_call_is_not_kept_again() -> None:
    given(kept).when(replace(a_call, at=MORNING)).then()


def test_a_kept_call_acts_when_the_card_comes_and_is_dated_by_itself() -> None:
    given(kept).when(enter_card).then(issued, called)
    assert after(kept, issued, called).kept == ()


def test_a_call_that_came_before_the_card_worked_acts_when_it_works() -> None:
    early = replace(kept, at=NIGHT - timedelta(hours=1))
    given(early).when(replace(enter_card, at=NIGHT)).then(replace(issued, at=NIGHT), called)


def test_a_kept_call_keeps_what_the_caller_said() -> None:
    lost_at = NIGHT - timedelta(hours=2)
    said = replace(kept, lost_at=lost_at)
    when(replace(a_call, lost_at=lost_at)).then(said)
    given(said).when(enter_card).then(issued, replace(called, lost_at=lost_at))


def test_a_kept_call_acts_on_a_successor_too() -> None:
    past = (issued, signed, reissue)
    just_now = replace(kept_next, at=AUTUMN - timedelta(hours=1))
    [new, stopped] = given(*past, just_now).decider.decide(succeed, after(*past, just_now))
    assert new == succeeded
    assert after(*past, just_now, new, stopped).stopped(NEXT_CARD, "medical", AUTUMN)


def test_a_slip_of_the_pen_does_not_push_out_the_call_that_waits() -> None:
    astray = replace(a_call, card_id=THIRD_CARD, at=MORNING)
    given(kept).when(astray).then(replace(kept, card_id=THIRD_CARD, at=MORNING))
    given(kept, replace(kept, card_id=THIRD_CARD, at=MORNING)).when(enter_card).then(issued, called)
    assert after(kept, replace(kept, card_id=THIRD_CARD, at=MORNING), issued, called).kept == (
        Kept(card_id=THIRD_CARD, at=MORNING, lost_at=None),
    )


def test_a_kept_call_whose_hour_has_passed_wakes_the_card_at_once() -> None:
    given(kept, issued, called).when(the_clock).then(lapsed)
    assert not after(kept, issued, called).stopped(CARD, "medical", HOUR)
    assert isinstance(after(kept, issued, called).card, Resting)


def test_a_card_comes_once() -> None:
    given(kept, issued, called).when(enter_card).then()
    given(issued).when(replace(enter_card, at=NOON)).then()
    assert after(issued).card == InUse(card_id=CARD)


def test_a_signature_waits_until_the_card_is_heard_of() -> None:
    given(kept).when(sign).refused(CardUnknown)


def test_the_caller_is_told_that_the_call_is_kept() -> None:
    told = view(CARD, after(kept))
    assert (told.status, told.stopped_at) == ("call_kept", NIGHT)
