"""One person has one card under one programme, and at most one on its way."""

from dataclasses import replace

import pytest

from libs.kernel import Due
from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.issuance.domain.batch.commands import PlasticGone, SeatTaken, SeatVoid
from services.issuance.domain.functions import resting
from services.issuance.domain.holding.decider import NothingOrdered, TooLateToWithdraw, holdings
from services.issuance.domain.holding.events import Event, Kind
from services.issuance.domain.holding.state import Holding, InWork, NothingComing, Queued, Waiting
from tests.services.issuance.card_drawer import (
    AT_OUTLET,
    BATCH,
    CARD,
    DRAWN,
    FETCHED,
    GOOD,
    HALL,
    IN_HAND,
    IN_USE,
    IN_WORK,
    KEPT_UNTIL,
    LATER,
    NEXT_AT_OUTLET,
    NEXT_BATCH,
    NEXT_CARD,
    OTHER_NUMBER,
    REPLACED,
    SECOND,
    SECOND_PAPER,
    TAKEN_IN,
    VALID_TO,
    activated,
    approved,
    arrived,
    cancelled,
    claim,
    declined,
    end_card,
    entitled,
    exchange_ordered,
    expire,
    expired,
    give_up,
    handed_over,
    joined,
    next_arrived,
    next_produced,
    next_reserved,
    not_entitled,
    note_arrival,
    note_produced,
    note_spoiled,
    note_verdict,
    order_reissue,
    ordered,
    produced,
    recalled,
    reissue_ordered,
    replaced,
    reserved,
    seat_declined,
    shanghai,
    spoiled,
    take_seat,
    turned,
    unclaimed,
    waiting,
    withdraw_order,
)

second_claim = replace(claim, application_id=SECOND_PAPER, at=LATER)
second_declined = replace(declined, application_id=SECOND_PAPER)


def given(*facts: Event) -> Given:
    return given_at(holdings, *facts)


def after(*facts: Event) -> Holding:
    return holdings.fold(facts)


def test_whoever_is_entitled_gets_a_card() -> None:
    given(entitled).when(claim).then(ordered)


def test_before_the_verdict_the_order_waits() -> None:
    given().when(claim).then(waiting)
    assert isinstance(after(waiting).coming, Waiting)


def test_the_verdict_decides_the_order_that_waits_for_it() -> None:
    given(waiting).when(replace(note_verdict, at=DRAWN)).then(replace(entitled, at=DRAWN), approved)
    no = replace(note_verdict, granted=False, because="not resident", functions=(), at=LATER)
    given(waiting).when(no).then(not_entitled, declined)
    assert isinstance(after(waiting, not_entitled, declined).coming, NothingComing)


def test_whoever_is_not_entitled_gets_none_and_is_told_why() -> None:
    given(not_entitled).when(replace(claim, at=LATER)).then(declined)


@pytest.mark.requirement("R101", "R110")
def test_the_conditions_of_applying_are_those_of_a_first_card_alone() -> None:
    why = "the work permit is valid for 90 more days or less"
    soon = replace(note_verdict, may_apply=False, because=why, at=LATER)
    noted = replace(entitled, may_apply=False, because=why, at=LATER)
    given(noted).when(replace(claim, at=LATER)).then(replace(declined, reason=why))
    given(waiting).when(soon).then(noted, replace(declined, reason=why))
    given(*IN_USE, noted).when(order_reissue).then(reissue_ordered)


def test_the_same_verdict_again_is_no_news() -> None:
    given(entitled).when(replace(note_verdict, at=LATER)).then()
    given(entitled, not_entitled).when(replace(note_verdict, at=LATER)).then(replace(entitled, at=LATER))


def test_the_same_claim_again_changes_nothing() -> None:
    for past in (IN_WORK, IN_USE, (not_entitled, declined)):
        given(*past).when(claim).then()


def test_a_second_application_is_declined_while_the_first_is_under_way() -> None:
    reason = "another application for this card is under way"
    for past in ((entitled, ordered), IN_WORK, AT_OUTLET, IN_HAND):
        given(*past).when(second_claim).then(replace(second_declined, reason=reason))
    assert after(entitled, ordered, second_declined).coming == after(entitled, ordered).coming


def test_whoever_has_a_card_is_not_given_another() -> None:
    reason = "the holder has this card already; report it lost or exchange it"
    given(*IN_USE).when(second_claim).then(replace(second_declined, reason=reason))
    given(*IN_USE, expired).when(second_claim).then(replace(second_declined, reason=reason))


def test_whoever_has_given_a_card_back_may_apply_again() -> None:
    given(*IN_USE, cancelled).when(second_claim).then(replace(ordered, application_id=SECOND_PAPER, at=LATER))


def test_a_new_card_is_ordered_in_place_of_the_one_that_counts() -> None:
    given(*IN_USE).when(order_reissue).then(reissue_ordered)
    given(*IN_USE).when(replace(order_reissue, kind=Kind.REPLACEMENT)).then(exchange_ordered)
    given(*IN_USE, expired).when(order_reissue).then(reissue_ordered)
    given(*IN_USE, not_entitled).when(order_reissue).then(
        replace(declined, kind=Kind.REISSUE, application_id=None, old_card_id=CARD)
    )


def test_a_new_card_is_not_ordered_in_place_of_one_that_does_not_count() -> None:
    for past in ((), AT_OUTLET, (*IN_USE, cancelled), REPLACED):
        given(*past).when(order_reissue).then()
    given(*IN_USE).when(replace(order_reissue, old_card_id=NEXT_CARD)).then()


def test_a_new_card_is_ordered_once() -> None:
    given(*IN_USE, reissue_ordered).when(order_reissue).then()
    given(*IN_USE, exchange_ordered).when(replace(order_reissue, kind=Kind.REPLACEMENT)).then()
    given(*IN_USE, reissue_ordered).when(replace(order_reissue, kind=Kind.REPLACEMENT)).then()


def test_a_worn_card_that_is_lost_takes_the_card_that_is_on_its_way() -> None:
    given(*IN_USE, exchange_ordered).when(order_reissue).then(joined)
    given(*IN_USE, exchange_ordered, joined).when(order_reissue).then()
    given(*IN_USE, exchange_ordered, joined, next_reserved).when(
        replace(note_produced, batch_id=NEXT_BATCH, at=LATER)
    ).then(next_produced)
    until = next_arrived.kept_until
    asked = replace(give_up, card_id=NEXT_CARD, kept_until=until)
    past = (*IN_USE, exchange_ordered, joined, next_reserved, next_produced, next_arrived)
    _, _, answer = holdings.decide(asked, after(*past))
    assert answer == replace(
        declined, kind=Kind.REISSUE, application_id=None, old_card_id=CARD, at=until,
        reason="the new card was not collected in time",
    )  # fmt: skip


def test_an_order_is_withdrawn_until_it_is_being_made() -> None:
    given(entitled, ordered).when(withdraw_order).then(declined)
    given(waiting).when(withdraw_order).then(declined)
    for past in (IN_WORK, GOOD, AT_OUTLET, IN_HAND):
        given(*past).when(withdraw_order).refused(TooLateToWithdraw)


def test_an_application_withdraws_its_own_card_and_no_other() -> None:
    given().when(withdraw_order).refused(NothingOrdered)
    given(*IN_USE).when(withdraw_order).refused(NothingOrdered)
    given(*IN_USE, reissue_ordered).when(withdraw_order).refused(NothingOrdered)
    given(entitled, ordered).when(replace(withdraw_order, application_id=SECOND_PAPER)).refused(NothingOrdered)


def test_an_order_takes_its_seat_once() -> None:
    given(entitled, ordered).when(take_seat).then(reserved)
    for past in (IN_WORK, GOOD, AT_OUTLET, IN_HAND):
        given(*past).when(take_seat).then()
    assert list(holdings.due(reserved)) == [Due(DRAWN, SeatTaken(batch_id=BATCH, seat=1, at=DRAWN))]


def test_a_seat_for_which_there_is_nothing_to_make_stays_empty() -> None:
    offer = replace(take_seat, batch_id=NEXT_BATCH)
    for past in ((), (waiting,), IN_WORK, IN_USE):
        given(*past).when(offer).then(seat_declined)
    given(*IN_WORK).when(replace(take_seat, seat=2)).then(replace(seat_declined, batch_id=BATCH, seat=2))
    assert list(holdings.due(seat_declined)) == [Due(DRAWN, SeatVoid(batch_id=NEXT_BATCH, seat=1, at=DRAWN))]


def test_a_card_comes_back_good_or_spoiled_once() -> None:
    given(*IN_WORK).when(note_produced).then(produced)
    given(*IN_WORK).when(note_spoiled).then(spoiled)
    for command in (note_produced, note_spoiled):
        given(*GOOD).when(command).then()
        given(*IN_WORK, spoiled).when(command).then()
        given(*IN_WORK).when(replace(command, seat=2)).then()


def test_a_spoiled_card_waits_for_the_next_batch_and_its_number_and_name_are_never_used_again() -> None:
    assert isinstance(after(*IN_WORK, spoiled).coming, Queued)
    given(*IN_WORK, spoiled).when(replace(take_seat, batch_id=NEXT_BATCH, card_number=OTHER_NUMBER, at=LATER)).then(
        replace(next_reserved, application_id=ordered.application_id)
    )
    again = after(*IN_WORK, spoiled, replace(next_reserved, application_id=ordered.application_id))
    assert isinstance(again.coming, InWork)
    assert again.coming.plastic.card_id == NEXT_CARD


def test_a_good_card_arrives_and_is_kept() -> None:
    reminders = (shanghai(11, 7, 24), shanghai(1, 6, 24, year=2027), shanghai(3, 7, 24, year=2027))
    given(*GOOD).when(note_arrival).then(
        replace(arrived, remind_at=reminders, destroy_at=shanghai(7, 5, 24, year=2027))
    )
    given(*AT_OUTLET).when(note_arrival).then()
    given(*IN_WORK).when(note_arrival).then()
    given(*GOOD).when(replace(note_arrival, under=None)).then()
    assert list(holdings.due(arrived)) == [Due(KEPT_UNTIL, give_up)]


def test_a_card_that_nobody_fetches_goes_back() -> None:
    given(*AT_OUTLET).when(give_up).then(unclaimed, recalled)
    given(*AT_OUTLET, unclaimed, recalled).when(give_up).then()
    given(*IN_USE).when(give_up).then()
    given(*AT_OUTLET).when(replace(give_up, kept_until=KEPT_UNTIL + SECOND)).then()
    assert list(holdings.due(recalled)) == [
        Due(KEPT_UNTIL, PlasticGone(batch_id=BATCH, seat=1, how="recalled", at=KEPT_UNTIL))
    ]


def test_when_nobody_fetches_the_new_card_the_loss_desk_is_told() -> None:
    until = next_arrived.kept_until
    given(*NEXT_AT_OUTLET).when(replace(give_up, card_id=NEXT_CARD, kept_until=until)).then(
        replace(unclaimed, application_id=None, card_id=NEXT_CARD, batch_id=NEXT_BATCH, at=until),
        replace(recalled, card_id=NEXT_CARD, batch_id=NEXT_BATCH, at=until),
        replace(
            declined, kind=Kind.REISSUE, application_id=None, old_card_id=CARD, at=until,
            reason="the new card was not collected in time",
        ),
    )  # fmt: skip


def test_a_card_that_is_cancelled_ends_with_what_was_to_take_its_place() -> None:
    given(*IN_USE).when(end_card).then(cancelled)
    given(*IN_USE, reissue_ordered).when(end_card).then(cancelled)
    for past in (NEXT_AT_OUTLET[:-2], NEXT_AT_OUTLET[:-1], NEXT_AT_OUTLET):
        given(*past).when(end_card).then(cancelled, replace(recalled, card_id=NEXT_CARD, batch_id=NEXT_BATCH, at=LATER))
    assert isinstance(after(*NEXT_AT_OUTLET, cancelled).coming, NothingComing)


def test_a_card_ends_once_and_not_before_it_began() -> None:
    given(*IN_USE, cancelled).when(end_card).then()
    given(*REPLACED).when(end_card).then()
    given().when(end_card).then()
    given(*IN_USE).when(replace(end_card, at=TAKEN_IN)).then(replace(cancelled, at=FETCHED))


def test_a_card_expires_at_its_own_hour_and_still_counts() -> None:
    given(*IN_USE).when(expire).then(expired, replace(turned, functions=resting(turned.functions), at=VALID_TO))
    for past in ((*IN_USE, expired), (*IN_USE, cancelled), (), REPLACED):
        given(*past).when(expire).then()
    given(*IN_USE).when(replace(expire, valid_to=VALID_TO + SECOND)).then()
    current = after(*IN_USE, expired).current
    assert current is not None
    assert (current.card_id, current.expired) == (CARD, True)
    assert list(holdings.due(activated)) == [Due(VALID_TO, expire)]
    assert list(holdings.due(replaced)) == [
        Due(replaced.valid_to, replace(expire, card_id=NEXT_CARD, valid_to=replaced.valid_to))
    ]


def test_the_drawer_knows_that_a_card_is_gone() -> None:
    assert list(holdings.due(handed_over)) == [
        Due(FETCHED, PlasticGone(batch_id=BATCH, seat=1, how="handed_over", at=FETCHED))
    ]


def test_one_card_counts() -> None:
    holding = after(*REPLACED)
    assert [life.card_id for life in holding.lives] == [CARD, NEXT_CARD]
    assert [life.ended_at for life in holding.lives] == [LATER, None]
    assert holding.current == holding.life_of(NEXT_CARD)


class TestWithoutAnApplication:
    """Who stands on a roll gets a card without asking for one."""

    pytestmark = pytest.mark.requirement("R41")
    by_roll = replace(note_verdict, outlet=HALL)
    card = replace(
        ordered, application_id=None, outlet=HALL, kind=Kind.FIRST, old_card_id=None, approved=True, at=note_verdict.at
    )

    def test_a_verdict_from_a_roll_orders_the_card(self) -> None:
        given().when(self.by_roll).then(entitled, self.card)
        given(entitled).when(self.by_roll).then(self.card)

    def test_a_card_on_its_way_or_in_use_is_enough(self) -> None:
        given(entitled, self.card).when(self.by_roll).then()
        given(*IN_WORK).when(self.by_roll).then()
        given(*IN_USE).when(self.by_roll).then()

    def test_who_is_not_entitled_gets_none(self) -> None:
        no = replace(self.by_roll, granted=False, because="not resident", functions=(), at=LATER)
        given().when(no).then(not_entitled)

    def test_it_goes_into_a_batch_as_any_other(self) -> None:
        given(entitled, self.card).when(take_seat).then(replace(reserved, application_id=None))
