"""What was found works again as before – until a new card is asked for."""

from dataclasses import replace

import pytest

from libs.kernel import Refused
from services.loss.domain.bylaw import LiftAt
from services.loss.domain.decider import (
    AlreadyReissued,
    CannotBeLifted,
    CardEnded,
    CardUnknown,
    DocumentNotAccepted,
    LiftElsewhere,
    WrongPlace,
)
from services.loss.domain.state import InUse
from tests.services.loss.desk_drawer import (
    BANK,
    CARD,
    COVERED,
    HOTLINE,
    NOON,
    OTHER_BANK,
    OURS,
    SECOND,
    after,
    approve_lift,
    called,
    cancelled,
    declined,
    given,
    issued,
    lift,
    lifted,
    lifted_by_two,
    reissue,
    signed,
    signed_after_call,
    succeeded,
    to_be_lifted,
)

THERE_ONLY = replace(OURS, lift_at=LiftAt.ACCEPTING_OUTLET)
NOWHERE = replace(OURS, lift_at=LiftAt.NOWHERE)


def test_a_card_that_was_found_works_again() -> None:
    given(issued, called).when(lift).then(lifted)
    given(issued, signed).when(lift).then(to_be_lifted)
    given(issued, signed, to_be_lifted).when(approve_lift).then(lifted_by_two)


def test_every_function_stands_as_it_stood_before_the_report() -> None:
    desk = after(issued, called, signed_after_call, to_be_lifted, lifted_by_two)
    assert desk.card == InUse(card_id=CARD)
    for function in COVERED:
        assert desk.stopped(CARD, function, NOON - SECOND)
        assert not desk.stopped(CARD, function, NOON)


def test_a_card_that_is_in_use_has_nothing_to_lift() -> None:
    given(issued).when(lift).then()
    given(issued, signed, lifted).when(lift).then()


def test_a_new_card_once_asked_for_is_the_end_of_the_old_one() -> None:
    given(issued, signed, reissue).when(lift).refused(AlreadyReissued)
    given(issued, signed, reissue).when(replace(lift, place=HOTLINE)).refused(AlreadyReissued)


def test_when_no_new_card_will_come_the_report_can_be_lifted_again() -> None:
    given(issued, signed, reissue, declined).when(lift).then(to_be_lifted)


def test_a_call_can_undo_neither_a_call_nor_a_signature() -> None:
    given(issued, called).when(replace(lift, place=HOTLINE)).refused(WrongPlace)
    given(issued, signed).when(replace(lift, place=HOTLINE)).refused(WrongPlace)


def test_where_the_city_says_so_a_signature_is_lifted_where_it_was_given() -> None:
    given(issued, signed).when(replace(lift, under=THERE_ONLY, place=OTHER_BANK)).refused(LiftElsewhere)
    given(issued, signed).when(replace(lift, under=THERE_ONLY)).then(to_be_lifted)
    given(issued, called).when(replace(lift, under=THERE_ONLY, place=OTHER_BANK)).then(
        replace(lifted, outlet=OTHER_BANK.outlet)
    )


def test_where_the_city_says_so_a_signature_is_not_lifted_at_all() -> None:
    given(issued, signed).when(replace(lift, under=NOWHERE)).refused(CannotBeLifted)
    given(issued, called).when(replace(lift, under=NOWHERE)).then(lifted)


def test_a_lift_needs_a_valid_document() -> None:
    given(issued, signed).when(replace(lift, document="passport")).refused(DocumentNotAccepted)


@pytest.mark.parametrize("place", [BANK, HOTLINE])
def test_what_has_ended_is_not_lifted(place: object) -> None:
    for refusal, past in ((CardUnknown, ()), (CardEnded, (issued, cancelled)), (CardEnded, (issued, succeeded))):
        kind: type[Refused] = refusal
        given(*past).when(replace(lift, place=place)).refused(kind)  # type: ignore[arg-type]
