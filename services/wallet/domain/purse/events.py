"""What has happened to the wallet of a holding."""

from datetime import datetime

from libs.kernel import event
from services.ids import CardId, HoldingId


@event
class CardNoted:
    """A card works; a wallet can be opened with it."""

    holding_id: HoldingId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime


@event
class PurseOpened:
    """Opened with formalities at a counter; until then there was no money on this card."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    document: str
    named: bool


@event
class PurseFrozen:
    """A report of loss stops the money too, from its own moment until its own hour (for ever, if it has none)."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    until: datetime | None
    kind: str


@event
class PurseReleased:
    """The report has lapsed, or was lifted: the money can be used again from that moment."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    why: str


@event
class CardSucceeded:
    """A new card has taken the old one's place, and the account goes with it."""

    holding_id: HoldingId
    old_card_id: CardId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime


@event
class CardEnded:
    """The card has ended without a successor; what is left is paid out."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str


Event = CardNoted | PurseOpened | PurseFrozen | PurseReleased | CardSucceeded | CardEnded
