"""How one payment can stand."""

from dataclasses import replace
from datetime import datetime
from typing import TypeAlias, assert_never

from libs.kernel import state
from services.ids import CardId, HoldingId
from services.wallet.domain.naming import PaymentId
from services.wallet.domain.payment.events import (
    Event,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentRefunded,
    PaymentReleased,
)


@state
class Unasked:
    """Nobody has asked for this money."""


@state
class Asked:
    """A payment: `held_fen` is still held, `captured_fen` is the merchant's, `refunded_fen` of that was given back.

    `refunds` maps the merchant's reference of each refund to its amount.
    """

    payment_id: PaymentId
    holding_id: HoldingId
    card_id: CardId
    merchant: str
    reference: str
    amount_fen: int
    authorised_at: datetime
    expires_at: datetime
    held_fen: int
    captured_fen: int = 0
    captures: int = 0
    refunded_fen: int = 0
    refunds: tuple[tuple[str, int], ...] = ()
    closed: str = ""
    """Why no more can be captured: `captured`, `cancelled` or `expired`; empty while the hold is open."""

    @property
    def refundable_fen(self) -> int:
        return self.captured_fen - self.refunded_fen


Payment: TypeAlias = Unasked | Asked


def evolve(payment: Payment, fact: Event) -> Payment:
    if isinstance(fact, PaymentAuthorised):
        return Asked(
            payment_id=fact.payment_id,
            holding_id=fact.holding_id,
            card_id=fact.card_id,
            merchant=fact.merchant,
            reference=fact.reference,
            amount_fen=fact.amount_fen,
            authorised_at=fact.at,
            expires_at=fact.expires_at,
            held_fen=fact.amount_fen,
        )
    assert isinstance(payment, Asked)
    match fact:
        case PaymentCaptured():
            held = payment.held_fen - fact.amount_fen - fact.released_fen
            return replace(
                payment,
                held_fen=held,
                captured_fen=payment.captured_fen + fact.amount_fen,
                captures=fact.nth,
                closed="" if held else "captured",
            )
        case PaymentReleased():
            return replace(payment, held_fen=payment.held_fen - fact.released_fen, closed=fact.why)
        case PaymentRefunded():
            return replace(
                payment,
                refunded_fen=payment.refunded_fen + fact.amount_fen,
                refunds=(*payment.refunds, (fact.reference, fact.amount_fen)),
            )
        case _:
            assert_never(fact)
