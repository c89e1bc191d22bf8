"""What has happened to one top-up of the online account."""

from datetime import datetime

from libs.kernel import event
from services.ids import CardId, HoldingId
from services.wallet.domain.bylaw import Origin
from services.wallet.domain.naming import TopUpId


@event
class AccountToppedUp:
    """Money was paid in at a counter, and is on the account; `cap_fen` is the bylaw's cap at that moment."""

    top_up_id: TopUpId
    holding_id: HoldingId
    card_id: CardId
    channel: str
    reference: str
    origin: Origin
    amount_fen: int
    cap_fen: int
    at: datetime


@event
class TopUpReversed:
    """The counter took a top-up back: it was given for the wrong card, or the wrong amount."""

    top_up_id: TopUpId
    holding_id: HoldingId
    card_id: CardId
    channel: str
    origin: Origin
    amount_fen: int
    reason: str
    at: datetime


Event = AccountToppedUp | TopUpReversed
