"""What can be asked about one payment."""

from datetime import datetime
from typing import Literal

from libs.kernel import command
from services.ids import CardId, HoldingId
from services.wallet.domain.bylaw import WalletBylaw
from services.wallet.domain.naming import PaymentId


@command
class Authorise:
    """A merchant asks for money of this card; `capture` takes it in the same breath."""

    payment_id: PaymentId
    holding_id: HoldingId
    card_id: CardId
    merchant: str
    reference: str
    amount_fen: int
    capture: bool
    at: datetime
    under: WalletBylaw | None = None


@command
class Capture:
    """The merchant takes what was held, or a part of it; `final` lets the rest go."""

    payment_id: PaymentId
    amount_fen: int
    final: bool
    at: datetime


@command
class Release:
    """The merchant lets go of what is still held."""

    payment_id: PaymentId
    at: datetime


@command
class ExpireHold:
    """The hour that was set when the money was held has struck."""

    payment_id: PaymentId
    expires_at: datetime


@command
class Refund:
    """The merchant gives money back; `to` is the account, or `payable` where the account cannot take it."""

    payment_id: PaymentId
    amount_fen: int
    reference: str
    to: Literal["account", "payable"]
    at: datetime
    under: WalletBylaw | None = None


Command = Authorise | Capture | Release | ExpireHold | Refund
