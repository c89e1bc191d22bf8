"""Held before it is taken, taken no more than was held, given back no more than was taken."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Missing
from services.wallet.domain.money import ReferenceReused, amount
from services.wallet.domain.payment.commands import Authorise, Capture, Command, ExpireHold, Refund, Release
from services.wallet.domain.payment.events import (
    Event,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentRefunded,
    PaymentReleased,
)
from services.wallet.domain.payment.state import Asked, Payment, Unasked, evolve
from services.wallet.domain.purse.decider import NoWalletHere


class PaymentUnknown(Missing):
    """There is no payment {payment_id}; check the number."""


class HoldClosed(Clash):
    """Nothing is held for this payment any more ({why}); ask for a new authorisation."""


class MoreThanHeld(Clash):
    """Only {held_fen} fen are held for this payment; take no more than that, or ask for a new authorisation."""


class MoreThanCaptured(Clash):
    """Only {refundable_fen} fen of this payment can still be given back; give back no more than that."""


def decide(command: Command, payment: Payment) -> Sequence[Event]:
    match command:
        case ExpireHold():
            return expire(command, payment)
        case Authorise():
            return authorise(command, payment)
        case _:
            pass
    if isinstance(payment, Unasked):
        raise PaymentUnknown(payment_id=command.payment_id)
    struck = struck_by(command, payment)
    for fact in struck:
        payment = evolve(payment, fact)
    assert isinstance(payment, Asked)
    match command:
        case Capture():
            return [*struck, *capture(command, payment)]
        case Release():
            return [*struck, *release(command, payment)]
        case Refund():
            return [*struck, *refund(command, payment)]
        case _:
            assert_never(command)


def struck_by(command: Capture | Release | Refund, payment: Asked) -> Sequence[Event]:
    """What the clock has done by this moment, whether or not its timer has run."""
    if command.at < payment.expires_at:
        return []
    return expire(ExpireHold(payment_id=payment.payment_id, expires_at=payment.expires_at), payment)


def authorise(asked: Authorise, payment: Payment) -> Sequence[Event]:
    """Whether the money is there, and may be used, is judged by the books in the same instant in which it is held."""
    amount(asked.amount_fen)
    if isinstance(payment, Asked):
        if not same_request(asked, payment):
            raise ReferenceReused(reference=asked.reference)
        return []
    if asked.under is None:
        raise NoWalletHere
    authorised = PaymentAuthorised(
        payment_id=asked.payment_id,
        holding_id=asked.holding_id,
        card_id=asked.card_id,
        merchant=asked.merchant,
        reference=asked.reference,
        amount_fen=asked.amount_fen,
        at=asked.at,
        expires_at=asked.under.holds_until(asked.at),
    )
    if not asked.capture:
        return [authorised]
    held = evolve(payment, authorised)
    taken = Capture(payment_id=asked.payment_id, amount_fen=asked.amount_fen, final=True, at=asked.at)
    assert isinstance(held, Asked)
    return [authorised, *capture(taken, held)]


def same_request(asked: Authorise, payment: Asked) -> bool:
    """Whether this reference names what was asked for before."""
    return (asked.card_id, asked.amount_fen) == (payment.card_id, payment.amount_fen)


def capture(asked: Capture, payment: Asked) -> Sequence[Event]:
    """No more than is held; what is not taken by a final capture is free again."""
    amount(asked.amount_fen)
    if payment.closed:
        raise HoldClosed(why=payment.closed)
    if not within_hold(asked.amount_fen, payment):
        raise MoreThanHeld(held_fen=payment.held_fen)
    rest = payment.held_fen - asked.amount_fen
    return [
        PaymentCaptured(
            payment_id=payment.payment_id,
            holding_id=payment.holding_id,
            card_id=payment.card_id,
            merchant=payment.merchant,
            nth=payment.captures + 1,
            amount_fen=asked.amount_fen,
            released_fen=rest if asked.final else 0,
            at=asked.at,
        )
    ]


def within_hold(fen: int, payment: Asked) -> bool:
    return fen <= payment.held_fen


def release(asked: Release, payment: Asked) -> Sequence[Event]:
    """What was taken stays taken; what is only held is free again."""
    if payment.closed in ("cancelled", "expired"):
        return []
    if payment.closed:
        raise HoldClosed(why=payment.closed)
    return [_released(payment, "cancelled", asked.at)]


def expire(asked: ExpireHold, payment: Payment) -> Sequence[Event]:
    """The effect is dated by the hour that was set, not by the moment at which somebody looked at the clock."""
    if isinstance(payment, Unasked) or payment.closed or payment.expires_at != asked.expires_at:
        return []
    return [_released(payment, "expired", asked.expires_at)]


def _released(payment: Asked, why: str, at: datetime) -> PaymentReleased:
    return PaymentReleased(
        payment_id=payment.payment_id,
        holding_id=payment.holding_id,
        card_id=payment.card_id,
        merchant=payment.merchant,
        released_fen=payment.held_fen,
        why=why,
        at=at,
    )


def refund(asked: Refund, payment: Asked) -> Sequence[Event]:
    """In parts, each under its own reference, and never more than was taken."""
    amount(asked.amount_fen)
    known = dict(payment.refunds)
    if asked.reference in known:
        if known[asked.reference] != asked.amount_fen:
            raise ReferenceReused(reference=asked.reference)
        return []
    if not within_captured(asked.amount_fen, payment):
        raise MoreThanCaptured(refundable_fen=payment.refundable_fen)
    return [
        PaymentRefunded(
            payment_id=payment.payment_id,
            holding_id=payment.holding_id,
            card_id=payment.card_id,
            merchant=payment.merchant,
            reference=asked.reference,
            nth=len(payment.refunds) + 1,
            amount_fen=asked.amount_fen,
            to=asked.to,
            cap_fen=asked.under.account_cap_fen if asked.under is not None else None,
            at=asked.at,
        )
    ]


def within_captured(fen: int, payment: Asked) -> bool:
    return fen <= payment.refundable_fen


def due(fact: Event) -> Iterator[Due]:
    if isinstance(fact, PaymentAuthorised):
        yield Due(fact.expires_at, ExpireHold(payment_id=fact.payment_id, expires_at=fact.expires_at))


payments: Decider[Command, Payment, Event] = Decider(Unasked(), decide, evolve, due)
