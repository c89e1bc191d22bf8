"""What can be asked of the loss desk."""

from datetime import datetime

from libs.kernel import Hand, ProposalId, command, value
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
    """A call to the hotline; `functions` are those that the caller names, all of them if none."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    verified_by: str
    under: LossBylaw
    lost_at: datetime | None = None
    functions: tuple[str, ...] = ()


@command
class AnnounceLapse:
    """The hour has come to warn the holder."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lapses_at: datetime


@command
class LapseLoss:
    """The hour that was set when the report was made has struck; it strikes for each function that was given it."""

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
    functions: tuple[str, ...] = ()


@command
class NoteCapture:
    """A terminal has seen a card that was reported, and has kept what its function holds."""

    holding_id: HoldingId
    card_id: CardId
    function: str
    at: datetime


@command
class LiftLoss:
    """The holder has found the card. What was signed for is only proposed to be lifted, by `by` under `proposal_id`."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    under: LossBylaw
    by: Hand
    proposal_id: ProposalId
    card_shown: bool = False
    by_agent: bool = False
    functions: tuple[str, ...] = ()


@command
class ApproveProposal:
    """Another person has looked at what was proposed, and lets it happen."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    by: Hand
    proposal_id: ProposalId
    under: LossBylaw


@command
class DeclineProposal:
    """Another person has looked at what was proposed and says no, or whoever proposed it takes it back."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    by: Hand
    proposal_id: ProposalId


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
    change_reference: str = ""


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
    """The holder, or a close relative with proof, gives the card back for good; `by` proposes it."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    reason: str
    open_affairs: tuple[str, ...]
    under: LossBylaw
    by: Hand
    proposal_id: ProposalId
    relation: str = ""
    relation_proof: str = ""


@command
class NoteEndorsement:
    """Issuance says that the card was endorsed at `at`."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime


Command = (
    EnterCard
    | PreReportLoss
    | AnnounceLapse
    | LapseLoss
    | ReportLoss
    | NoteCapture
    | LiftLoss
    | ApproveProposal
    | DeclineProposal
    | OrderReissue
    | OrderReplacement
    | DeclineNewCard
    | SucceedCard
    | CancelCard
    | NoteEndorsement
)
