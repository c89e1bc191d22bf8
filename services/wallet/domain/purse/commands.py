"""What can be asked about the wallet of a holding."""

from datetime import datetime

from libs.kernel import command
from services.ids import CardId, HoldingId
from services.wallet.domain.bylaw import Place, WalletBylaw


@command
class NoteCard:
    """Issuance says that the first card of a holding works."""

    holding_id: HoldingId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime


@command
class OpenPurse:
    """The holder opens the wallet at a counter."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    under: WalletBylaw | None


@command
class FreezePurse:
    """The loss desk has stopped a card."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    until: datetime | None
    kind: str
    under: WalletBylaw | None = None


@command
class ReleasePurse:
    """The loss desk says that the card stands as before."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    why: str


@command
class SucceedCard:
    """Issuance says that a new card works, and that the old one has ended in the same instant."""

    holding_id: HoldingId
    old_card_id: CardId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime


@command
class EndCard:
    """A card has ended for good."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str


Command = NoteCard | OpenPurse | FreezePurse | ReleasePurse | SucceedCard | EndCard
