"""A card given back for good, once nothing hangs on it any more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.loss.domain.decider import AffairsOpen, CardEnded, CardUnknown, DocumentNotAccepted, WrongPlace
from services.loss.domain.events import CardCancelled, Event
from services.loss.domain.state import InUse
from tests.services.loss.desk_drawer import (
    AUTUMN,
    CARD,
    HALL,
    HOLDING,
    NEXT_CARD,
    NOON,
    SECOND,
    THIRD_CARD,
    a_call,
    after,
    approve_cancellation,
    called,
    cancel,
    cancelled,
    enter_card,
    given,
    issued,
    reissue,
    signed,
    succeed,
    succeeded,
    to_be_cancelled,
    when,
    worn,
)

the_next = replace(issued, card_id=NEXT_CARD, at=AUTUMN)
ended_too = CardCancelled(holding_id=HOLDING, card_id=NEXT_CARD, at=AUTUMN, reason="moved_away", with_card_id=CARD)
enter_next = replace(enter_card, card_id=NEXT_CARD, at=AUTUMN)


@pytest.mark.parametrize("past", [(), (called,), (signed,), (signed, reissue), (worn,)])
def test_a_card_can_be_given_back_however_it_stands(past: tuple[Event, ...]) -> None:
    given(issued, *past).when(cancel).then(to_be_cancelled)
    given(issued, *past, to_be_cancelled).when(approve_cancellation).then(cancelled)


@pytest.mark.parametrize("reason", ["death", "moved_away", "own_request"])
def test_the_reason_is_written_down(reason: str) -> None:
    proposed = replace(to_be_cancelled, reason=reason)
    given(issued).when(replace(cancel, reason=reason)).then(proposed)
    given(issued, proposed).when(approve_cancellation).then(replace(cancelled, reason=reason))


def test_open_affairs_are_settled_first() -> None:
    given(issued).when(replace(cancel, open_affairs=("medical settlement",))).refused(AffairsOpen)


def test_a_card_is_given_back_at_the_bank_with_a_valid_document() -> None:
    given(issued).when(replace(cancel, place=HALL)).refused(WrongPlace)
    given(issued).when(replace(cancel, document="passport")).refused(DocumentNotAccepted)


def test_given_back_once_is_given_back_for_good() -> None:
    given(issued, cancelled).when(replace(cancel, at=AUTUMN, open_affairs=("a fine",))).then()
    given(issued, cancelled).when(replace(a_call, at=AUTUMN)).refused(CardEnded)
    given(issued, cancelled).when(enter_card).then()


def test_what_is_not_there_is_not_given_back() -> None:
    when(cancel).refused(CardUnknown)
    given(issued, succeeded).when(cancel).refused(CardEnded)


def test_it_has_ended_from_that_instant_on() -> None:
    desk = after(issued, cancelled)
    assert [desk.ended(CARD, at) for at in (NOON - SECOND, NOON, AUTUMN)] == [False, True, True]


def test_whoever_applies_anew_after_a_cancellation_has_a_card_that_can_be_lost() -> None:
    given(issued, called, cancelled).when(enter_next).then(the_next)
    desk = after(issued, called, cancelled, the_next)
    assert desk.card == InUse(card_id=NEXT_CARD)
    assert desk.calls == ()
    assert desk.ended(CARD, NOON)
    assert not desk.ended(NEXT_CARD, AUTUMN)


def test_a_new_card_that_was_handed_over_after_the_cancellation_ends_with_it() -> None:
    given(issued, cancelled).when(succeed).then(the_next, ended_too)


def test_a_new_card_that_worked_before_the_cancellation_works_on_and_can_be_lost() -> None:
    early = NOON - timedelta(hours=1)
    given(issued, cancelled).when(replace(succeed, at=early)).then(replace(the_next, at=early))


def test_a_cancellation_reaches_the_direct_successor_only() -> None:
    past = (issued, cancelled, the_next)
    given(*past).when(replace(succeed, old_card_id=NEXT_CARD, card_id=THIRD_CARD)).then(
        replace(succeeded, old_card_id=NEXT_CARD, card_id=THIRD_CARD)
    )
    given(*past).when(succeed).then()
