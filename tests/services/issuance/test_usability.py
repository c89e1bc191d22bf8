"""Whether a card can be used is a function of how things stand and of the instant, of nothing else."""

from dataclasses import replace
from datetime import datetime

import pytest

from libs.kernel.ids import derived
from services.ids import card_id, holding_id, person_id
from services.issuance.domain.holding.decider import holdings
from services.issuance.domain.holding.events import Event
from services.issuance.domain.holding.state import Holding
from services.issuance.domain.usability import Stop, usability
from services.issuance.views import card_view
from tests.services.issuance.card_drawer import (
    ARRIVED,
    AT_OUTLET,
    CARD,
    FETCHED,
    GOOD,
    HOLDING,
    IN_HAND,
    IN_USE,
    IN_WORK,
    LATER,
    NEXT_CARD,
    OURS,
    REPLACED,
    SECOND,
    VALID_TO,
    ZHOUSHAN,
    cancelled,
    entitled,
    expired,
    not_entitled,
)


def after(*facts: Event) -> Holding:
    return holdings.fold(facts)


def said(holding: Holding, at: datetime, *stops: Stop, card: str = CARD) -> dict[str, str]:
    """For each function `yes`, or why not."""
    answers = usability(card_id(HOLDING, int(card[-1])), at, holding, stops, OURS.catalogue)
    assert all(answer.usable == (answer.because == "yes") for answer in answers)
    return {answer.function: answer.because for answer in answers}


def everything(answer: str) -> dict[str, str]:
    return {entry.function: answer for entry in OURS.catalogue}


def test_a_card_in_use_can_do_what_its_holder_is_entitled_to() -> None:
    assert said(after(*IN_USE), FETCHED) == {
        "social_security": "the holder's entitlement does not name this function",
        "medical": "yes",
        "rural_medical": "not in the rural scheme",
        "identity_query": "the holder's entitlement does not name this function",
        "transit": "yes",
        "epurse": "not opened: open the card's wallet at a service hall or a partner bank",
        "bank_debit": "not opened: the holder opens it in person at the bank",
    }


def test_a_card_works_from_the_instant_of_its_activation() -> None:
    assert said(after(*IN_USE), FETCHED - SECOND) == everything("the card is not active yet")
    for past in (IN_WORK, GOOD, AT_OUTLET, IN_HAND, ()):
        assert said(after(*past), LATER) == everything("the card is not active yet")


def test_a_card_works_until_its_last_second() -> None:
    for past in (IN_USE, (*IN_USE, expired)):
        assert said(after(*past), VALID_TO - SECOND)["medical"] == "yes"
        assert said(after(*past), VALID_TO) == everything("the card has expired")


def test_a_card_that_has_ended_does_nothing_and_did_what_it_did() -> None:
    assert said(after(*IN_USE, cancelled), LATER) == everything("the card has ended: cancelled: moved_away")
    assert said(after(*IN_USE, cancelled), LATER - SECOND)["medical"] == "yes"


def test_the_new_card_begins_where_the_old_one_ends() -> None:
    holding = after(*REPLACED)
    assert said(holding, LATER - SECOND)["medical"] == "yes"
    assert said(holding, LATER - SECOND, card=NEXT_CARD) == everything("the card is not active yet")
    assert said(holding, LATER) == everything("the card has ended: replaced")
    assert said(holding, LATER, card=NEXT_CARD)["medical"] == "yes"


def test_a_stopped_function_rests_and_the_others_work() -> None:
    stop = Stop(function="medical", from_=LATER, until=None)
    assert said(after(*IN_USE), LATER - SECOND, stop)["medical"] == "yes"
    assert said(after(*IN_USE), LATER, stop)["medical"] == "the card is reported lost"
    assert said(after(*IN_USE), LATER, stop)["transit"] == "yes"


def test_a_stop_that_lapses_lets_the_function_wake_by_itself() -> None:
    stop = Stop(function="medical", from_=FETCHED, until=LATER)
    assert said(after(*IN_USE), LATER - SECOND, stop)["medical"] == "the card is reported lost"
    assert said(after(*IN_USE), LATER, stop)["medical"] == "yes"
    signed = Stop(function="medical", from_=FETCHED, until=None)
    assert said(after(*IN_USE), LATER, stop, signed)["medical"] == "the card is reported lost"


def test_a_verdict_counts_from_its_own_instant_on() -> None:
    holding = after(*IN_USE, not_entitled)
    assert said(holding, LATER - SECOND)["medical"] == "yes"
    assert said(holding, LATER)["medical"] == "the holder's entitlement does not name this function"
    early = replace(entitled, at=LATER)
    assert said(after(early, *IN_USE[1:]), FETCHED)["medical"] == "no verdict on the holder's entitlement has come yet"


@pytest.mark.parametrize(
    ("past", "at", "status"),
    [
        (IN_WORK, ARRIVED, "in_production"),
        (GOOD, ARRIVED, "on_its_way"),
        (AT_OUTLET, ARRIVED, "at_outlet"),
        (IN_HAND, FETCHED, "in_hand"),
        (IN_USE, FETCHED, "active"),
        (IN_USE, FETCHED - SECOND, "in_hand"),
        (IN_USE, VALID_TO, "expired"),
        ((*IN_USE, cancelled), LATER, "ended"),
        ((*IN_USE, cancelled), LATER - SECOND, "active"),
        (REPLACED, LATER, "ended"),
    ],
)
def test_how_a_card_is_shown(past: tuple[Event, ...], at: datetime, status: str) -> None:
    shown = card_view(HOLDING, CARD, after(*past), at, [])
    assert shown is not None
    assert shown.status == status
    assert (shown.ended_at is None) == (status != "ended")


def test_a_card_that_was_never_made_is_not_shown() -> None:
    assert card_view(HOLDING, NEXT_CARD, after(*IN_USE), LATER, []) is None
    stranger = card_id(holding_id(person_id(ZHOUSHAN, derived("Wang")), "citizen-card"), 1)
    assert card_view(HOLDING, stranger, after(*IN_WORK), LATER, []) is None
