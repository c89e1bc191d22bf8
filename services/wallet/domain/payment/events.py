"""What has happened to one payment."""

from datetime import datetime

from libs.kernel import event
from services.ids import CardId, HoldingId
from services.wallet.domain.naming import PaymentId


@event
class PaymentAuthorised:
    """The money is held for a merchant: it can be spent nowhere else, and it is not spent yet."""

    payment_id: PaymentId
    holding_id: HoldingId
    card_id: CardId
    merchant: str
    reference: str
    amount_fen: int
    at: datetime
    expires_at: datetime


@event
class PaymentCaptured:
    """A part of what was held, or all of it, is the merchant's; `released_fen` of the rest is free again."""

    payment_id: PaymentId
    holding_id: HoldingId
    card_id: CardId
    merchant: str
    nth: int
    amount_fen: int
    released_fen: int
    at: datetime


@event
class PaymentReleased:
    """What was still held is free again: the merchant let it go, or the hour of the hold has struck."""

    payment_id: PaymentId
    holding_id: HoldingId
    card_id: CardId
    merchant: str
    released_fen: int
    why: str
    at: datetime


@event
class PaymentRefunded:
    """The merchant gave money back; `to` says whether the account took it or it waits to be paid out.

    `cap_fen` is the bylaw's cap of the account at that moment.
    """

    payment_id: PaymentId
    holding_id: HoldingId
    card_id: CardId
    merchant: str
    reference: str
    nth: int
    amount_fen: int
    to: str
    cap_fen: int | None
    at: datetime


Event = PaymentAuthorised | PaymentCaptured | PaymentReleased | PaymentRefunded
