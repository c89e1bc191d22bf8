"""Who bears a loss: the holder before a report takes effect, the issuer after (Zhoushan FAQ 3)."""

from datetime import datetime

import pytest

from services.loss.domain.decider import CardUnknown
from services.loss.domain.events import Event
from services.loss.routes import liability, view
from tests.services.loss.desk_drawer import (
    AUTUMN,
    CARD,
    HOUR,
    MORNING,
    NEXT_CARD,
    NIGHT,
    NOON,
    OURS,
    SECOND,
    THIRD_CARD,
    after,
    called,
    cancelled,
    issued,
    kept,
    lapsed,
    lifted,
    reissue,
    signed,
    signed_after_call,
    succeeded,
    worn,
)

MISUSES: list[tuple[str, tuple[Event, ...], datetime, str, str]] = [
    ("nobody had called", (issued,), NIGHT, "medical", "holder"),
    ("a second before the call", (issued, called), NIGHT - SECOND, "medical", "holder"),
    ("in the second of the call", (issued, called), NIGHT, "medical", "issuer"),
    ("cash is the holder's", (issued, called), NIGHT, "epurse", "holder"),
    ("a second before the lapse", (issued, called), HOUR - SECOND, "medical", "issuer"),
    ("unsigned, and lapsed", (issued, called, lapsed), HOUR, "medical", "holder"),
    ("unsigned, and the timer is late", (issued, called), AUTUMN, "medical", "holder"),
    ("signed before the hour", (issued, called, signed_after_call), HOUR, "medical", "issuer"),
    ("between call and signature", (issued, called, signed_after_call), NIGHT + SECOND, "medical", "issuer"),
    ("before a signature without a call", (issued, signed), MORNING - SECOND, "medical", "holder"),
    ("while it was missed", (issued, signed, lifted), NOON - SECOND, "medical", "issuer"),
    ("after it was found", (issued, signed, lifted), NOON, "medical", "holder"),
    ("the new card is on its way", (issued, signed, reissue), AUTUMN, "medical", "issuer"),
    ("the old card after the new one", (issued, signed, reissue, succeeded), AUTUMN, "medical", "issuer"),
    ("the worn card after the new one", (issued, worn, succeeded), AUTUMN, "medical", "issuer"),
    ("the worn card before the new one", (issued, worn, succeeded), AUTUMN - SECOND, "medical", "holder"),
    ("even its cash", (issued, worn, succeeded), AUTUMN, "epurse", "issuer"),
    ("a card given back", (issued, cancelled), NOON, "medical", "issuer"),
    ("a card given back while it rested", (issued, called, cancelled), AUTUMN, "medical", "issuer"),
    ("before it was given back", (issued, cancelled), NOON - SECOND, "medical", "holder"),
]


@pytest.mark.parametrize(("when", "past", "at", "function", "bearer"), MISUSES, ids=[when for when, *_ in MISUSES])
def test_who_bears_a_loss(when: str, past: tuple[Event, ...], at: datetime, function: str, bearer: str) -> None:
    answer = liability(CARD, function, at, after(*past), OURS)
    assert (answer.borne_by, answer.stopped) == (bearer, bearer == "issuer"), when
    assert answer.because


def test_the_new_card_is_another_matter() -> None:
    desk = after(issued, signed, reissue, succeeded)
    assert liability(NEXT_CARD, "medical", AUTUMN, desk, OURS).borne_by == "holder"


def test_nobody_bears_anything_for_a_card_that_is_not_there() -> None:
    for past in ((), (kept,), (issued,)):
        with pytest.raises(CardUnknown):
            liability(THIRD_CARD, "medical", AUTUMN, after(*past), OURS)


@pytest.mark.parametrize(
    ("past", "status", "stopped_at"),
    [
        ((issued,), "in_use", None),
        ((issued, called), "pre_reported", NIGHT),
        ((issued, called, lapsed), "in_use", None),
        ((issued, signed), "reported", MORNING),
        ((issued, signed, reissue), "superseded", MORNING),
        ((issued, cancelled), "ended", NOON),
        ((issued, succeeded), "ended", None),
    ],
)
def test_a_clerk_reads_out_how_the_card_stands(
    past: tuple[Event, ...], status: str, stopped_at: datetime | None
) -> None:
    told = view(CARD, after(*past))
    assert (told.status, told.stopped_at) == (status, stopped_at)
    assert told.advice


def test_a_clerk_reads_out_when_it_wakes_and_how_often_it_was_called_about() -> None:
    told = view(CARD, after(issued, called))
    assert (told.lapses_at, told.pre_reports, told.provisional) == (HOUR, 1, False)


def test_a_clerk_is_not_told_of_a_card_that_is_not_there() -> None:
    for past in ((), (issued,), (issued, cancelled)):
        with pytest.raises(CardUnknown):
            view(NEXT_CARD, after(*past))
