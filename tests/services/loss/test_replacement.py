"""A worn card goes on working until its successor does."""

from dataclasses import replace

from services.loss.domain.decider import CardEnded, CardUnknown, DocumentNotAccepted, ReportedLost, WrongPlace
from services.loss.domain.state import InUse, Lost
from tests.services.loss.desk_drawer import (
    BANK,
    CARD,
    EVENING,
    HALL,
    NEXT_CARD,
    NOON,
    after,
    called,
    cancelled,
    decline,
    declined,
    exchange,
    given,
    issued,
    lifted,
    reissue,
    sign,
    signed,
    stops,
    succeed,
    succeeded,
    when,
    worn,
)

decline_exchange = replace(decline, kind="replacement")


def test_a_worn_card_is_exchanged_at_the_bank() -> None:
    given(issued).when(exchange).then(worn)
    given(issued).when(replace(exchange, place=HALL)).refused(WrongPlace)
    given(issued).when(replace(exchange, document="passport")).refused(DocumentNotAccepted)


def test_the_reason_is_written_down() -> None:
    given(issued).when(replace(exchange, reason="data_changed")).then(replace(worn, reason="data_changed"))


def test_a_worn_card_works_on() -> None:
    desk = after(issued, worn)
    assert desk.card == InUse(card_id=CARD, replacing=True)
    assert not desk.stopped(CARD, "medical", NOON)


def test_a_second_exchange_changes_nothing() -> None:
    given(issued, worn).when(replace(exchange, reason="illegible")).then()


def test_a_declined_exchange_can_be_asked_for_again() -> None:
    given(issued, worn).when(decline_exchange).then(declined)
    given(issued, worn, declined).when(exchange).then(worn)
    given(issued, worn).when(decline).then()
    given(issued).when(decline_exchange).then()


def test_a_lost_card_is_not_exchanged() -> None:
    for past in ((called,), (signed,), (signed, reissue)):
        given(issued, *past).when(exchange).refused(ReportedLost)


def test_a_worn_card_that_is_lost_can_be_reported_and_found() -> None:
    given(issued, worn).when(replace(sign, at=EVENING)).then(replace(signed, at=EVENING, stops=stops(EVENING)))
    card = after(issued, worn, replace(signed, at=EVENING)).card
    assert isinstance(card, Lost)
    assert (card.card_id, card.since, card.outlet) == (CARD, EVENING, BANK.outlet)
    assert after(issued, worn, signed, lifted).card == InUse(card_id=CARD)


def test_the_new_card_takes_the_worn_one_s_place() -> None:
    given(issued, worn).when(succeed).then(succeeded)
    given(issued, worn, succeeded).when(replace(exchange, card_id=NEXT_CARD)).then(replace(worn, card_id=NEXT_CARD))


def test_nothing_is_exchanged_that_is_not_there() -> None:
    when(exchange).refused(CardUnknown)
    given(issued, cancelled).when(exchange).refused(CardEnded)
    given(issued, succeeded).when(exchange).refused(CardEnded)
