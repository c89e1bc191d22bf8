"""What has happened to cards that were lost, damaged or given back."""

from datetime import datetime

from libs.kernel import FourEyes, Hand, ProposalId, event, value
from services.ids import CardId, HoldingId
from services.loss.domain.bylaw import ElectronicForm, Grounds


@value
class Stop:
    """A function that a report stops, and from when."""

    function: str
    from_: datetime
    or_captured: bool = False


@value
class Cooling:
    """A function that stays stopped until an hour, though its report was lifted."""

    function: str
    until: datetime


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
    """Somebody telephoned: these functions rest, and wake by themselves unless the loss is signed for.

    One call leaves one such fact for each clock that it sets.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lapses_at: datetime
    provisional: bool
    warns_at: datetime
    ends_card: bool
    stops: tuple[Stop, ...]
    lost_at: datetime | None
    grounds: Grounds = Grounds()
    electronic_form: ElectronicForm = ElectronicForm.NONE


@event
class LapseAnnounced:
    """The holder is to be told that the report is about to lapse."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lapses_at: datetime


@event
class LossLapsed:
    """A report ran out; `at` is the hour that was set when it was made. No `functions` are named when all wake."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    functions: tuple[str, ...] = ()


@event
class LossReported:
    """The loss was signed for: the card rests until the report is lifted or a new card works.

    Where a city lets a written report run out, `lapses_at` is its hour.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    document: str
    stops: tuple[Stop, ...]
    lost_at: datetime | None
    lapses_at: datetime | None = None
    provisional: bool = False
    warns_at: datetime | None = None
    ends_card: bool = False
    fee_fen: int = 0
    fee_approval: str = ""
    grounds: Grounds = Grounds()
    electronic_form: ElectronicForm = ElectronicForm.NONE


@event
class StopHastened:
    """A terminal has captured the card: the function has stopped from now on, not from a later hour."""

    holding_id: HoldingId
    card_id: CardId
    function: str
    at: datetime
    signed: bool
    until: datetime | None = None


@event
class LiftProposed:
    """The holder came with the card that was found; another person must look before the report is lifted."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    proposal_id: ProposalId
    by: Hand
    until: datetime
    outlet: str
    functions: tuple[str, ...] = ()
    grounds: Grounds = Grounds()


@event
class LossLifted:
    """The card was found: every function stands as it stood before the report, once it has cooled.

    No `functions` are named when all were lifted. What was signed for is lifted under `eyes` alone.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    functions: tuple[str, ...] = ()
    cooling: tuple[Cooling, ...] = ()
    proposal_id: ProposalId | None = None
    eyes: FourEyes | None = None
    grounds: Grounds = Grounds()


@event
class ReissueOrdered:
    """A new card was applied for in place of the lost one; from now on the report cannot be lifted.

    `warned` says that it was one too many within 30 days, and is on record.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    warned: bool = False
    fee_fen: int = 0
    fee_approval: str = ""
    grounds: Grounds = Grounds()


@event
class ReplacementOrdered:
    """A new card was applied for in place of one that still works: stained, unreadable, or with data that changed."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    reason: str
    change_reference: str = ""
    fee_fen: int = 0
    fee_approval: str = ""
    grounds: Grounds = Grounds()


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
class CancellationProposed:
    """The card was given back; another person must look before it ends for good."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    proposal_id: ProposalId
    by: Hand
    until: datetime
    outlet: str
    reason: str
    relation: str = ""
    relation_proof: str = ""
    grounds: Grounds = Grounds()


@event
class CardCancelled:
    """The card has ended for good, without a successor.

    Under `eyes`, where people decided it; without, where a report ran out, or where it ended together with its
    predecessor `with_card_id`.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str
    relation: str = ""
    relation_proof: str = ""
    with_card_id: CardId | None = None
    proposal_id: ProposalId | None = None
    eyes: FourEyes | None = None
    grounds: Grounds = Grounds()


@event
class ProposalDeclined:
    """Whoever looked said no, or it was taken back."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    proposal_id: ProposalId
    by: Hand


@event
class EndorsementContradicted:
    """The card was endorsed at `at`, and a report of `reported_at` had taken effect before and still held."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reported_at: datetime


Event = (
    CardEntered
    | CallKept
    | LossPreReported
    | LapseAnnounced
    | LossLapsed
    | LossReported
    | StopHastened
    | LiftProposed
    | LossLifted
    | ReissueOrdered
    | ReplacementOrdered
    | NewCardDeclined
    | CardSucceeded
    | CancellationProposed
    | CardCancelled
    | ProposalDeclined
    | EndorsementContradicted
)
