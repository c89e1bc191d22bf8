"""A call is enough to stop a card, day or night."""

from dataclasses import replace
from datetime import timedelta

from libs.kernel import Due
from services.loss.domain.decider import CardEnded, TooManyCalls, loss_desk
from services.loss.domain.events import Event
from services.loss.domain.state import Resting
from tests.services.loss.desk_drawer import (
    AUTUMN,
    CARD,
    HOUR,
    MORNING,
    NIGHT,
    OURS,
    SECOND,
    a_call,
    after,
    announce,
    called,
    cancelled,
    given,
    issued,
    lapsed,
    lifted,
    reissue,
    signed,
    succeeded,
    the_clock,
    worn,
)


def test_one_call_stops_the_card() -> None:
    given(issued).when(a_call).then(called)


def test_a_second_call_changes_nothing_and_the_hour_does_not_move() -> None:
    given(issued, called).when(replace(a_call, at=MORNING)).then()


def test_a_call_about_a_card_that_is_signed_for_changes_nothing() -> None:
    given(issued, signed).when(replace(a_call, at=AUTUMN)).then()
    given(issued, signed, reissue).when(replace(a_call, at=AUTUMN)).then()


def test_the_hour_at_which_the_caller_lost_it_is_written_down_beside_the_hour_of_the_call() -> None:
    lost_at = NIGHT - timedelta(hours=3)
    given(issued).when(replace(a_call, lost_at=lost_at)).then(replace(called, lost_at=lost_at))


def test_a_worn_card_whose_successor_is_being_made_can_be_lost_too() -> None:
    given(issued, worn).when(replace(a_call, at=HOUR)).then(
        *loss_desk.decide(replace(a_call, at=HOUR), after(issued)),
    )


def test_a_card_that_has_ended_cannot_be_lost() -> None:
    given(issued, cancelled).when(replace(a_call, at=AUTUMN)).refused(CardEnded)
    given(issued, succeeded).when(replace(a_call, at=AUTUMN)).refused(CardEnded)


def test_the_call_sets_the_clock_for_the_warning_and_for_the_hour() -> None:
    assert list(loss_desk.due(called)) == [Due(HOUR - timedelta(days=1), announce), Due(HOUR, the_clock)]


def test_where_the_window_is_shorter_than_the_warning_the_holder_is_warned_at_once() -> None:
    hasty = replace(OURS, warn_hours_before=24 * 30)
    [stopped] = loss_desk.decide(replace(a_call, under=hasty), after(issued))
    given(issued).when(replace(a_call, under=hasty)).then(replace(called, warns_at=NIGHT))
    assert next(iter(loss_desk.due(stopped))).at == NIGHT


def test_three_calls_in_thirty_days_are_enough() -> None:
    calls: list[Event] = [
        fact
        for day in (-20, -10, 0)
        for fact in (
            replace(called, at=NIGHT + timedelta(days=day)),
            replace(lifted, at=NIGHT + timedelta(days=day, hours=1)),
        )
    ]
    given(issued, *calls).when(replace(a_call, at=NIGHT + timedelta(days=9))).refused(TooManyCalls)
    assert loss_desk.decide(replace(a_call, at=NIGHT + timedelta(days=10)), after(issued, *calls))
    assert len(after(issued, *calls).calls) == 3


def test_calls_about_a_predecessor_are_not_counted() -> None:
    calls: list[Event] = [called, lifted]
    assert after(issued, *calls * 3, succeeded).calls == ()


def test_a_card_that_has_woken_can_be_called_about_again() -> None:
    [again] = loss_desk.decide(replace(a_call, at=HOUR + SECOND), after(issued, called, lapsed))
    desk = after(issued, called, lapsed, again)
    assert isinstance(desk.card, Resting)
    assert desk.card.since == HOUR + SECOND
    assert desk.calls == (NIGHT, HOUR + SECOND)


def test_only_the_functions_that_the_city_names_are_stopped() -> None:
    desk = after(issued, called)
    assert desk.stopped(CARD, "medical", NIGHT)
    assert not desk.stopped(CARD, "medical", NIGHT - SECOND)
    assert not desk.stopped(CARD, "epurse", NIGHT)
