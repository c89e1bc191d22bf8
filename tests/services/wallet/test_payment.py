"""Held before it is taken, taken no more than was held, given back no more than was taken."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.wallet.booking import book_payment
from services.wallet.domain.money import AmountUnfit, ReferenceReused
from services.wallet.domain.naming import payment_id
from services.wallet.domain.payment import decider as payments
from services.wallet.domain.payment.commands import Authorise, Capture, ExpireHold, Refund, Release
from services.wallet.domain.payment.events import (
    Event,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentRefunded,
    PaymentReleased,
)
from services.wallet.domain.purse.decider import NoWalletHere
from tests.services.wallet.purse_drawer import CARD, HERS, MORNING, NIGHT, OURS

SALE = payment_id(HERS, "zs-bus", "s-1")
WEEK = MORNING + timedelta(hours=168)

authorised = PaymentAuthorised(
    payment_id=SALE, holding_id=HERS, card_id=CARD, merchant="zs-bus", reference="s-1", amount_fen=600, at=MORNING,
    expires_at=WEEK,
)  # fmt: skip
captured = PaymentCaptured(
    payment_id=SALE, holding_id=HERS, card_id=CARD, merchant="zs-bus", nth=1, amount_fen=600, released_fen=0, at=NIGHT
)
in_part = replace(captured, amount_fen=200)
cancelled = PaymentReleased(
    payment_id=SALE, holding_id=HERS, card_id=CARD, merchant="zs-bus", released_fen=600, why="cancelled", at=NIGHT
)
expired = replace(cancelled, why="expired", at=WEEK)
refunded = PaymentRefunded(
    payment_id=SALE, holding_id=HERS, card_id=CARD, merchant="zs-bus", reference="b-1", nth=1, amount_fen=250,
    to="account", cap_fen=OURS.account_cap_fen, at=NIGHT,
)  # fmt: skip

ask = Authorise(
    payment_id=SALE, holding_id=HERS, card_id=CARD, merchant="zs-bus", reference="s-1", amount_fen=600, capture=False,
    at=MORNING, under=OURS,
)  # fmt: skip
take = Capture(payment_id=SALE, amount_fen=600, final=True, at=NIGHT)
let_go = Release(payment_id=SALE, at=NIGHT)
strike = ExpireHold(payment_id=SALE, expires_at=WEEK)
give_back = Refund(payment_id=SALE, amount_fen=250, reference="b-1", to="account", at=NIGHT, under=OURS)


def given(*facts: Event) -> Given:
    return given_at(payments.payments, *facts)


def test_money_is_held_and_then_taken() -> None:
    given().when(ask).then(authorised)
    given(authorised).when(take).then(captured)


def test_a_sale_at_a_till_holds_and_takes_in_one_breath() -> None:
    given().when(replace(ask, capture=True)).then(authorised, replace(captured, at=MORNING))


def test_a_sale_said_twice_is_one_and_its_number_names_no_other() -> None:
    given(authorised).when(ask).then()
    given(authorised, captured).when(ask).then()
    given(authorised).when(replace(ask, amount_fen=601)).refused(ReferenceReused)


@pytest.mark.parametrize("fen", [0, -1, 100_000_001])
def test_what_is_no_amount(fen: int) -> None:
    given().when(replace(ask, amount_fen=fen)).refused(AmountUnfit)
    given(authorised).when(replace(take, amount_fen=fen)).refused(AmountUnfit)
    given(authorised, captured).when(replace(give_back, amount_fen=fen)).refused(AmountUnfit)


def test_a_final_part_frees_the_rest_and_another_leaves_it_held() -> None:
    given(authorised).when(replace(take, amount_fen=200)).then(replace(in_part, released_fen=400))
    given(authorised).when(replace(take, amount_fen=200, final=False)).then(in_part)
    given(authorised, in_part).when(replace(take, amount_fen=400)).then(replace(captured, nth=2, amount_fen=400))


def test_no_more_is_taken_than_is_held() -> None:
    given(authorised).when(replace(take, amount_fen=601)).refused(payments.MoreThanHeld)
    given(authorised, in_part).when(replace(take, amount_fen=401)).refused(payments.MoreThanHeld)
    given(authorised, captured).when(replace(take, amount_fen=1)).refused(payments.HoldClosed)


def test_what_is_held_is_let_go_once_and_what_was_taken_is_not() -> None:
    given(authorised).when(let_go).then(cancelled)
    given(authorised, cancelled).when(let_go).then()
    given(authorised, captured).when(let_go).refused(payments.HoldClosed)
    given(authorised, in_part).when(let_go).then(replace(cancelled, released_fen=400))


def test_a_hold_ends_at_its_hour_whether_or_not_a_timer_runs() -> None:
    given(authorised).when(strike).then(expired)
    given(authorised, captured).when(strike).then()
    given(authorised, expired).when(strike).then()
    just_before = WEEK - timedelta(milliseconds=1)
    given(authorised).when(replace(take, at=just_before)).then(replace(captured, at=just_before))
    given(authorised).when(replace(take, at=WEEK)).refused(payments.HoldClosed)
    given(authorised).when(replace(let_go, at=WEEK)).then(expired)


def test_no_more_is_given_back_than_was_taken() -> None:
    given(authorised).when(give_back).refused(payments.MoreThanCaptured)
    given(authorised, captured).when(give_back).then(refunded)
    given(authorised, captured, refunded).when(give_back).then()
    given(authorised, captured, refunded).when(replace(give_back, amount_fen=251)).refused(ReferenceReused)
    rest = replace(give_back, reference="b-2", amount_fen=350)
    given(authorised, captured, refunded).when(rest).then(replace(refunded, reference="b-2", nth=2, amount_fen=350))
    given(authorised, captured, refunded).when(replace(rest, amount_fen=351)).refused(payments.MoreThanCaptured)


def test_nothing_happens_to_a_payment_that_nobody_asked_for() -> None:
    for command in (take, let_go, give_back):
        given().when(command).refused(payments.PaymentUnknown)
    given().when(strike).then()
    given().when(replace(ask, under=None)).refused(NoWalletHere)


def test_what_each_fact_means_in_the_books() -> None:
    after = payments.payments.fold([authorised])
    booking = book_payment([authorised, in_part, replace(cancelled, released_fen=400), refunded], after)
    assert booking is not None
    told = [
        (entry.reference.partition("/")[2], [(leg.account.partition(":")[0], leg.amount_fen, leg.held_fen)
         for leg in entry.postings])
        for entry in booking.entries
    ]  # fmt: skip
    assert told == [
        ("hold", [("online", 0, 600)]),
        ("capture/1", [("online", -200, -200), ("merchant", 200, 0)]),
        ("release", [("online", 0, -400)]),
        ("refund/1", [("merchant", -250, 0), ("online", 250, 0)]),
    ]
    hold = booking.entries[0].postings[0].guard
    assert hold is not None
    assert (hold.least_fen, hold.in_use, hold.bearer) == (0, True, CARD)
