"""A new card in place of a lost one: lifting and reissuing race, and exactly one of them wins."""

from dataclasses import replace

import pytest

from services.loss.domain.decider import (
    AlreadyReissued,
    CardEnded,
    CardUnknown,
    DocumentNotAccepted,
    NotReported,
    NotSigned,
    WrongPlace,
)
from services.loss.domain.state import InUse, Lost, Superseded
from tests.services.loss.desk_drawer import (
    AUTUMN,
    BANK,
    CARD,
    HALL,
    MORNING,
    NEXT_CARD,
    NIGHT,
    OTHER_BANK,
    after,
    apply_anew,
    called,
    cancelled,
    decline,
    declined,
    enter_card,
    given,
    issued,
    lift,
    lifted,
    reissue,
    signed,
    succeed,
    succeeded,
    when,
    worn,
)


@pytest.mark.requirement("R60")
def test_a_lost_card_is_reissued_at_the_bank() -> None:
    given(issued, signed).when(apply_anew).then(reissue)
    given(issued, signed).when(replace(apply_anew, place=HALL)).refused(WrongPlace)
    given(issued, signed).when(replace(apply_anew, document="passport")).refused(DocumentNotAccepted)


def test_a_reissue_needs_a_signature() -> None:
    given(issued).when(apply_anew).refused(NotReported)
    given(issued, called).when(apply_anew).refused(NotSigned)


def test_a_second_application_changes_nothing() -> None:
    given(issued, signed, reissue).when(replace(apply_anew, place=OTHER_BANK)).then()


def test_lifting_and_reissuing_race_and_exactly_one_wins() -> None:
    given(issued, signed, reissue).when(lift).refused(AlreadyReissued)
    given(issued, signed, lifted).when(apply_anew).refused(NotReported)


def test_the_report_stays_while_the_new_card_is_made() -> None:
    card = after(issued, signed, reissue).card
    assert isinstance(card, Superseded)
    assert (card.card_id, card.since, card.outlet) == (CARD, MORNING, BANK.outlet)


def test_a_declined_reissue_leaves_the_report_as_it_was() -> None:
    given(issued, signed, reissue).when(decline).then(declined)
    assert after(issued, signed, reissue, declined).card == after(issued, signed).card
    assert isinstance(after(issued, signed).card, Lost)


def test_what_is_not_awaited_is_not_declined() -> None:
    for past in ((), (issued,), (issued, called), (issued, signed), (issued, signed, reissue, declined)):
        given(*past).when(decline).then()
    given(issued, signed, reissue).when(replace(decline, card_id=NEXT_CARD)).then()


def test_the_answer_to_an_exchange_asked_for_before_the_loss_unlocks_nothing() -> None:
    given(issued, worn, signed, reissue).when(replace(decline, kind="replacement")).then()


def test_the_new_card_closes_the_report() -> None:
    given(issued, signed, reissue).when(succeed).then(succeeded)
    desk = after(issued, signed, reissue, succeeded)
    assert desk.card == InUse(card_id=NEXT_CARD)
    assert desk.ended(CARD, AUTUMN)
    assert not desk.ended(CARD, NIGHT)
    assert not desk.ended(NEXT_CARD, AUTUMN)


def test_the_new_card_works_once() -> None:
    given(issued, signed, reissue, succeeded).when(succeed).then()


def test_a_lost_card_stays_stopped_when_its_successor_works() -> None:
    assert after(issued, signed, reissue, succeeded).stopped(CARD, "medical", AUTUMN)


def test_the_successor_of_a_card_that_we_never_heard_of_is_a_card_like_any_other() -> None:
    when(succeed).then(replace(issued, card_id=NEXT_CARD, at=AUTUMN))
    given(replace(issued, card_id=NEXT_CARD, at=AUTUMN)).when(enter_card).then()


def test_nothing_is_reissued_that_has_ended() -> None:
    when(apply_anew).refused(CardUnknown)
    given(issued, cancelled).when(apply_anew).refused(CardEnded)
    given(issued, succeeded).when(apply_anew).refused(CardEnded)
