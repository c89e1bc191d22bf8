"""What can be asked about one top-up."""

from datetime import datetime

from libs.kernel import command
from services.ids import CardId, HoldingId
from services.wallet.domain.bylaw import Origin, Place, WalletBylaw
from services.wallet.domain.naming import TopUpId


@command
class TopUp:
    """Somebody pays money in at a counter."""

    top_up_id: TopUpId
    holding_id: HoldingId
    card_id: CardId
    place: Place
    reference: str
    origin: Origin
    amount_fen: int
    at: datetime
    under: WalletBylaw | None = None


@command
class ReverseTopUp:
    """The counter finds that it has made a mistake."""

    top_up_id: TopUpId
    place: Place
    reason: str
    at: datetime


Command = TopUp | ReverseTopUp
