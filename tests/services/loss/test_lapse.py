"""An unsigned call ends at its own hour, whoever looks at the clock and however late."""

from dataclasses import replace
from datetime import timedelta

from services.loss.domain.decider import CardEnded
from services.loss.domain.state import Ended, InUse
from tests.services.loss.desk_drawer import (
    AUTUMN,
    CARD,
    HOUR,
    OURS,
    SECOND,
    STERN,
    a_call,
    after,
    announce,
    apply_anew,
    called,
    called_sternly,
    cancel,
    cancelled,
    given,
    issued,
    lapsed,
    lapsed_sternly,
    lift,
    lifted,
    sign,
    signed,
    signed_after_call,
    stops,
    succeed,
    succeeded,
    the_clock,
    warned,
    when,
)


def test_an_unsigned_call_lapses_at_its_own_hour() -> None:
    given(issued, called).when(the_clock).then(lapsed)


def test_a_late_timer_changes_nothing_about_the_hour() -> None:
    desk = after(issued, called, lapsed)
    assert desk == replace(after(issued, called), card=InUse(card_id=CARD))
    for moment, stopped in ((HOUR - SECOND, True), (HOUR, False), (AUTUMN, False)):
        assert after(issued, called).stopped(CARD, "medical", moment) is stopped
        assert desk.stopped(CARD, "medical", moment) is stopped


def test_a_timer_that_was_set_for_another_report_does_nothing() -> None:
    for past in ((), (called, lapsed), (called, lifted), (called, signed_after_call), (signed,)):
        given(issued, *past).when(the_clock).then()
    given(issued, called).when(replace(the_clock, lapses_at=HOUR + SECOND)).then()
    when(the_clock).then()


def test_the_holder_is_warned_once_before_the_card_wakes() -> None:
    given(issued, called).when(announce).then(warned)
    given(issued, called, warned).when(announce).then()
    given(issued, called, warned).when(the_clock).then(lapsed)
    for past in ((), (called, lapsed), (called, lifted), (called, signed_after_call)):
        given(issued, *past).when(announce).then()


def test_whoever_signs_before_the_hour_has_signed_in_time() -> None:
    just_in_time = replace(sign, at=HOUR - SECOND)
    given(issued, called).when(just_in_time).then(replace(signed_after_call, at=HOUR - SECOND))


def test_whoever_signs_after_the_hour_finds_the_card_awake_though_the_timer_is_late() -> None:
    for moment in (HOUR, AUTUMN):
        given(issued, called).when(replace(sign, at=moment)).then(
            lapsed, replace(signed, at=moment, stops=stops(moment))
        )


def test_whoever_calls_again_after_the_hour_makes_a_new_report() -> None:
    given(issued, called).when(replace(a_call, at=HOUR)).then(
        lapsed,
        replace(
            called,
            at=HOUR,
            lapses_at=OURS.pre_report_ends(HOUR).at,
            warns_at=OURS.pre_report_ends(HOUR).at - timedelta(days=1),
            stops=stops(HOUR),
        ),
    )


def test_whoever_lifts_after_the_hour_finds_it_lifted_by_itself() -> None:
    given(issued, called).when(replace(lift, at=HOUR)).then(lapsed)


def test_a_new_card_after_the_hour_finds_the_old_one_awake() -> None:
    given(issued, called).when(succeed).then(lapsed, succeeded)


def test_where_the_city_says_so_an_unsigned_call_ends_the_card() -> None:
    given(issued).when(replace(a_call, under=STERN)).then(called_sternly)
    given(issued, called_sternly).when(the_clock).then(lapsed_sternly)
    given(issued, called_sternly).when(replace(sign, at=HOUR - SECOND)).then(
        replace(signed_after_call, at=HOUR - SECOND)
    )


def test_where_the_card_ends_it_never_wakes_however_late_the_timer() -> None:
    for desk in (after(issued, called_sternly), after(issued, called_sternly, lapsed_sternly)):
        assert desk.stopped(CARD, "medical", HOUR - SECOND)
        assert desk.stopped(CARD, "medical", HOUR)
        assert desk.stopped(CARD, "medical", AUTUMN)
    assert after(issued, called_sternly, lapsed_sternly).card == Ended(
        card_id=CARD, at=HOUR, reason="report lapsed unsigned"
    )


def test_where_the_card_ends_nothing_helps_after_the_hour() -> None:
    for command in (sign, lift, a_call, apply_anew):
        given(issued, called_sternly).when(replace(command, at=HOUR)).refused(CardEnded)
    given(issued, called_sternly).when(replace(cancel, at=HOUR)).then(lapsed_sternly)


def test_a_card_that_was_cancelled_meanwhile_does_not_wake() -> None:
    given(issued, called, cancelled).when(the_clock).then()
