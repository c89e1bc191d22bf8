"""What can be asked of the loss desk."""

from datetime import datetime

from libs.kernel import command, value
from services.ids import CardId, HoldingId
from services.loss.domain.bylaw import LossBylaw


@value
class Place:
    """An outlet and its kind, for example `hall` or `bank`; the hotline is a place of kind `hotline`."""

    outlet: str
    kind: str


@command
class EnterCard:
    """A card has come into its holder's hand; `under` is for a call that came before it."""

    holding_id: HoldingId
    card_id: CardId
    programme: str
    at: datetime
    under: LossBylaw | None = None


@command
class PreReportLoss:
    """A call to the hotline."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    under: LossBylaw
    lost_at: datetime | None = None


@command
class AnnounceLapse:
    """The hour has come to warn the holder."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lapses_at: datetime


@command
class LapseLoss:
    """The hour that was set when the call came has struck."""

    holding_id: HoldingId
    card_id: CardId
    lapses_at: datetime


@command
class ReportLoss:
    """The holder signs at a counter."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    under: LossBylaw
    lost_at: datetime | None = None


@command
class LiftLoss:
    """The holder has found the card."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    under: LossBylaw


@command
class OrderReissue:
    """The holder applies for a new card in place of the lost one."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    under: LossBylaw


@command
class OrderReplacement:
    """The holder applies for a new card in place of one that is worn or out of date."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    reason: str
    under: LossBylaw


@command
class DeclineNewCard:
    """No new card will be made; `kind` says on which order, a `reissue` or a `replacement`."""

    holding_id: HoldingId
    card_id: CardId
    kind: str
    at: datetime
    reason: str


@command
class SucceedCard:
    """A new card works; `under` is for a call that came before it."""

    holding_id: HoldingId
    old_card_id: CardId
    card_id: CardId
    programme: str
    at: datetime
    under: LossBylaw | None = None


@command
class CancelCard:
    """The holder, or a close relative, gives the card back for good."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    reason: str
    open_affairs: tuple[str, ...]
    under: LossBylaw


Command = (
    EnterCard
    | PreReportLoss
    | AnnounceLapse
    | LapseLoss
    | ReportLoss
    | LiftLoss
    | OrderReissue
    | OrderReplacement
    | DeclineNewCard
    | SucceedCard
    | CancelCard
)
