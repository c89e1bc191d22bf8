"""What has happened to cards that were lost, damaged or given back."""

from datetime import datetime

from libs.kernel import event, value
from services.ids import CardId, HoldingId


@value
class Stop:
    """A function that a report stops, and from when."""

    function: str
    from_: datetime


@event
class CardEntered:
    """A card is in somebody's hand; from now on it can be lost."""

    holding_id: HoldingId
    card_id: CardId
    programme: str
    at: datetime


@event
class CallKept:
    """Somebody telephoned about a card that we have not heard of yet; the call acts when the card comes."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lost_at: datetime | None


@event
class LossPreReported:
    """Somebody telephoned: the card rests, and wakes by itself unless the loss is signed for."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lapses_at: datetime
    provisional: bool
    warns_at: datetime
    ends_card: bool
    stops: tuple[Stop, ...]
    lost_at: datetime | None


@event
class LapseAnnounced:
    """The holder is to be told that the report is about to lapse."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lapses_at: datetime


@event
class LossLapsed:
    """Nobody signed in time; `at` is the hour that was set when the call came."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime


@event
class LossReported:
    """The loss was signed for: the card rests until the report is lifted or a new card works."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    document: str
    stops: tuple[Stop, ...]
    lost_at: datetime | None


@event
class LossLifted:
    """The card was found: every function stands as it stood before the report."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str


@event
class ReissueOrdered:
    """A new card was applied for in place of the lost one; from now on the report cannot be lifted."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str


@event
class ReplacementOrdered:
    """A new card was applied for in place of one that still works: stained, unreadable, or with data that changed."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    reason: str


@event
class NewCardDeclined:
    """No new card will be made; a written report can be lifted again."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str


@event
class CardSucceeded:
    """A new card works, and the old one has ended in the same instant."""

    holding_id: HoldingId
    old_card_id: CardId
    card_id: CardId
    at: datetime


@event
class CardCancelled:
    """The card has ended for good, without a successor."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str


Event = (
    CardEntered
    | CallKept
    | LossPreReported
    | LapseAnnounced
    | LossLapsed
    | LossReported
    | LossLifted
    | ReissueOrdered
    | ReplacementOrdered
    | NewCardDeclined
    | CardSucceeded
    | CardCancelled
)
