"""How the wallet shows what it knows."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from libs.ledger.entry import Balance
from services.ids import CardId
from services.wallet.domain.bylaw import WalletBylaw
from services.wallet.domain.payment.state import Asked
from services.wallet.domain.purse.decider import CardOfYesterday, CardUnknown
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.topup.state import Paid


class PurseView(BaseModel):
    """The money of a card. Amounts are whole fen."""

    card_id: str
    status: Literal["not_opened", "open", "frozen", "expired", "ended"]
    opened_at: datetime | None = None
    balance_fen: int = 0
    """What the holder has at the host, holds included."""
    held_fen: int = 0
    """What of that is held for merchants."""
    available_fen: int = 0
    """What can be spent now."""
    purse_fen: int = 0
    """What the chip's own purse holds, as far as the host has heard."""
    account_cap_fen: int | None = None
    purse_cap_fen: int | None = None
    frozen_at: datetime | None = None
    frozen_until: datetime | None = None
    """When the money can be used again by itself."""


class TopUpView(BaseModel):
    """A top-up."""

    top_up_id: str
    card_id: str
    amount_fen: int
    origin: str
    channel: str
    status: Literal["confirmed", "reversed"]
    at: datetime


class PaymentView(BaseModel):
    """A payment."""

    payment_id: str
    card_id: str
    merchant: str
    reference: str
    status: Literal["held", "captured", "cancelled", "expired"]
    amount_fen: int
    held_fen: int
    captured_fen: int
    refunded_fen: int
    authorised_at: datetime
    expires_at: datetime


def purse_view(
    card_id: CardId, purse: Purse, at: datetime, account: Balance, chip: Balance, rules: WalletBylaw | None
) -> PurseView:
    """How the money of this card stands. Raises CardUnknown, or CardOfYesterday for a predecessor."""
    if purse.card is None or not purse.heard_of(card_id):
        raise CardUnknown(card_id=card_id)
    if purse.card.card_id != card_id:
        raise CardOfYesterday(card_id=card_id)
    frozen = purse.freeze if purse.frozen(at) else None
    return PurseView(
        card_id=card_id,
        status=_status(purse, at),
        opened_at=purse.opened_at,
        balance_fen=account.balance_fen,
        held_fen=account.held_fen,
        available_fen=account.available_fen,
        purse_fen=chip.balance_fen,
        account_cap_fen=rules.account_cap_fen if rules else None,
        purse_cap_fen=rules.purse_cap_fen if rules else None,
        frozen_at=frozen.at if frozen else None,
        frozen_until=frozen.until if frozen else None,
    )


def _status(purse: Purse, at: datetime) -> Literal["not_opened", "open", "frozen", "expired", "ended"]:
    assert purse.card is not None
    if purse.ended_at is not None and at >= purse.ended_at:
        return "ended"
    if at >= purse.card.valid_to:
        return "expired"
    if purse.frozen(at):
        return "frozen"
    return "not_opened" if purse.opened_at is None else "open"


def top_up_view(top_up: Paid) -> TopUpView:
    fact = top_up.fact
    return TopUpView(
        top_up_id=fact.top_up_id,
        card_id=fact.card_id,
        amount_fen=fact.amount_fen,
        origin=fact.origin,
        channel=fact.channel,
        status="reversed" if top_up.reversed else "confirmed",
        at=fact.at,
    )


def payment_view(payment: Asked, at: datetime) -> PaymentView:
    """How a payment stands at this moment; a hold whose hour has struck holds nothing, whether or not a timer ran."""
    expired = not payment.closed and at >= payment.expires_at
    closed = "expired" if expired else payment.closed
    status: Literal["held", "captured", "cancelled", "expired"]
    if payment.captured_fen:
        status = "captured"
    elif closed == "cancelled":
        status = "cancelled"
    elif closed == "expired":
        status = "expired"
    else:
        status = "held"
    return PaymentView(
        payment_id=payment.payment_id,
        card_id=payment.card_id,
        merchant=payment.merchant,
        reference=payment.reference,
        status=status,
        amount_fen=payment.amount_fen,
        held_fen=0 if expired else payment.held_fen,
        captured_fen=payment.captured_fen,
        refunded_fen=payment.refunded_fen,
        authorised_at=payment.authorised_at,
        expires_at=payment.expires_at,
    )
