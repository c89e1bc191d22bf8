"""A signature makes it last."""

from dataclasses import replace
from datetime import timedelta

from services.loss.domain.bylaw import Covered
from services.loss.domain.decider import CardEnded, CardUnknown, DocumentNotAccepted, WrongPlace, loss_desk
from services.loss.domain.events import Stop
from services.loss.domain.state import Lost
from tests.services.loss.desk_drawer import (
    AUTUMN,
    BANK,
    CARD,
    HALL,
    HOTLINE,
    HOUR,
    MORNING,
    NEXT_CARD,
    NIGHT,
    OTHER_BANK,
    OURS,
    SECOND,
    after,
    called,
    cancelled,
    given,
    issued,
    lapsed,
    reissue,
    sign,
    signed,
    signed_after_call,
    stops,
    succeeded,
    when,
)


def test_a_signature_stops_the_card_at_once() -> None:
    given(issued).when(sign).then(signed)


def test_a_signature_after_a_call_takes_effect_from_the_call_on() -> None:
    given(issued, called).when(sign).then(signed_after_call)


def test_a_signature_does_not_lapse() -> None:
    desk = after(issued, called, signed_after_call)
    assert desk.stopped(CARD, "medical", HOUR + timedelta(days=4000))
    assert not list(loss_desk.due(signed))
    assert isinstance(desk.card, Lost)


def test_a_second_signature_changes_nothing() -> None:
    given(issued, signed).when(replace(sign, at=AUTUMN, place=OTHER_BANK)).then()
    given(issued, signed, reissue).when(replace(sign, at=AUTUMN)).then()


def test_the_hour_at_which_the_holder_lost_it_is_written_down() -> None:
    given(issued).when(replace(sign, lost_at=NIGHT)).then(replace(signed, lost_at=NIGHT))


def test_a_report_is_signed_where_the_city_says() -> None:
    given(issued).when(replace(sign, place=HALL)).then(replace(signed, outlet=HALL.outlet))
    given(issued).when(replace(sign, place=HOTLINE)).refused(WrongPlace)


def test_a_report_is_signed_with_a_valid_document() -> None:
    given(issued).when(replace(sign, document="passport")).refused(DocumentNotAccepted)


def test_nobody_signs_for_a_card_that_is_not_there() -> None:
    when(sign).refused(CardUnknown)
    given(issued).when(replace(sign, card_id=NEXT_CARD)).refused(CardUnknown)
    given(issued, cancelled).when(replace(sign, at=AUTUMN)).refused(CardEnded)
    given(issued, succeeded).when(replace(sign, at=AUTUMN)).refused(CardEnded)


def test_each_function_stops_after_its_own_delay_and_never_later_than_the_call_had_stopped_it() -> None:
    slow = replace(OURS, written_report_covers=(Covered(function="medical", after_hours=2), Covered(function="epurse")))
    given(issued).when(replace(sign, under=slow)).then(
        replace(
            signed,
            stops=(
                Stop(function="medical", from_=MORNING + timedelta(hours=2)),
                Stop(function="epurse", from_=MORNING),
            ),
        )
    )
    desk = after(issued, called, *loss_desk.decide(replace(sign, under=slow), after(issued, called)))
    assert desk.stopped(CARD, "medical", MORNING)
    assert desk.stopped(CARD, "epurse", MORNING)
    assert not desk.stopped(CARD, "epurse", MORNING - SECOND)


def test_a_signature_sets_nothing_free_that_a_call_had_stopped() -> None:
    narrow = replace(OURS, written_report_covers=(Covered(function="medical"),))
    given(issued, called).when(replace(sign, under=narrow)).then(signed_after_call)


def test_after_a_lapse_the_signature_takes_effect_anew() -> None:
    given(issued, called, lapsed).when(replace(sign, at=AUTUMN)).then(
        replace(signed, at=AUTUMN, stops=stops(AUTUMN)),
    )


def test_reporting_the_new_card_leaves_the_lost_one_stopped_for_good() -> None:
    the_next = replace(signed, card_id=NEXT_CARD, at=AUTUMN + timedelta(days=1), stops=stops(AUTUMN))
    desk = after(issued, signed, reissue, succeeded, the_next)
    assert desk.stopped(CARD, "medical", AUTUMN + timedelta(days=2))
    assert desk.stopped(NEXT_CARD, "medical", AUTUMN + timedelta(days=2))


def test_the_accepting_outlet_is_remembered() -> None:
    desk = after(issued, signed)
    assert isinstance(desk.card, Lost)
    assert (desk.card.outlet, desk.card.since) == (BANK.outlet, MORNING)
