"""What can be asked of a holding."""

from datetime import datetime

from libs.kernel import command
from libs.kernel.foureyes import Hand, ProposalId
from libs.kernel.why import FactUsed
from services.ids import ApplicationId, BatchId, CardId, HoldingId, PersonId
from services.issuance.domain.applying import Way
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.collecting import By
from services.issuance.domain.functions import Place
from services.issuance.domain.holding.events import FunctionGrant, Kind
from services.issuance.domain.papers import Shown


@command
class NoteVerdict:
    """Identity has judged, from these `facts`; `outlet` is where a card goes that is made without an application.

    `may_apply` is whether a first card may be ordered now; a card that is held can be replaced as long as `granted`.
    """

    holding_id: HoldingId
    person_id: PersonId
    programme: str
    granted: bool
    because: str
    functions: tuple[FunctionGrant, ...]
    at: datetime
    outlet: str = ""
    facts: tuple[str, ...] = ()
    under: IssuanceBylaw | None = None
    may_apply: bool = True
    ground: str = ""
    """The entry of the bylaws that decided, as `Ground.ref`; it stands in the `edition`."""
    edition: str = ""
    missing: tuple[str, ...] = ()
    used: tuple[FactUsed, ...] = ()
    """What departments had said, as far as it was looked at."""


@command
class ClaimCard:
    """An application was taken in."""

    holding_id: HoldingId
    application_id: ApplicationId
    person_id: PersonId
    programme: str
    outlet: str
    at: datetime
    unit: str = ""
    way: Way = Way.COUNTER


@command
class ProposeIssue:
    """A clerk wants this application's card made although the verdict says no; where it goes stands in the papers."""

    holding_id: HoldingId
    application_id: ApplicationId
    outlet: str
    unit: str
    way: Way
    reason: str
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class ApproveIssue:
    """Another person wants it too."""

    holding_id: HoldingId
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class OrderNewCard:
    """The loss desk wants a new card in place of this one."""

    holding_id: HoldingId
    old_card_id: CardId
    kind: Kind
    outlet: str
    at: datetime


@command
class WithdrawOrder:
    """The applicant no longer wants the card."""

    holding_id: HoldingId
    application_id: ApplicationId
    reason: str
    at: datetime


@command
class TakeSeat:
    """A batch offers a seat and a number.

    `under` and `age` are added where the end of the card's validity depends on who its holder is.
    """

    holding_id: HoldingId
    batch_id: BatchId
    seat: int
    card_number: str
    at: datetime
    under: IssuanceBylaw | None = None
    age: int | None = None


@command
class NoteProduced:
    """The return file says that the card is good."""

    holding_id: HoldingId
    batch_id: BatchId
    seat: int
    ident: str
    at: datetime


@command
class NoteSpoiled:
    """The return file says that the card is spoiled."""

    holding_id: HoldingId
    batch_id: BatchId
    seat: int
    reason: str
    at: datetime


@command
class NoteArrival:
    """The card was counted into its outlet."""

    holding_id: HoldingId
    batch_id: BatchId
    seat: int
    outlet: str
    at: datetime
    under: IssuanceBylaw | None = None


@command
class GiveUpWaiting:
    """The hour has passed until which the outlet keeps the card."""

    holding_id: HoldingId
    card_id: CardId
    kept_until: datetime


@command
class HandOver:
    """Somebody stands at the counter for the card."""

    holding_id: HoldingId
    card_id: CardId
    outlet: str
    document: str
    agent_document: str
    at: datetime
    under: IssuanceBylaw
    taker: By = By.HOLDER
    papers: tuple[Shown, ...] = ()
    unit: str = ""
    notice: bool = True
    receipt: str = ""
    """`right`, `wrong`, or empty if none was shown."""
    fingerprint: str = ""
    """The verdict of the police's service: `match`, `mismatch`, `unreadable`, or empty if none was asked."""


@command
class MailCard:
    """The card goes into the post."""

    holding_id: HoldingId
    card_id: CardId
    outlet: str
    tracking: str
    at: datetime
    under: IssuanceBylaw


@command
class SendOn:
    """The holder wants to collect the card at another outlet, `to`."""

    holding_id: HoldingId
    card_id: CardId
    outlet: str
    to: str
    at: datetime
    under: IssuanceBylaw


@command
class CloseCase:
    """Somebody has found out why the finger did not match."""

    holding_id: HoldingId
    card_id: CardId
    finding: str
    at: datetime


@command
class RemindHolder:
    """The day has come on which the holder is told again."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime


@command
class DestroyCard:
    """The further period is over for a card that nobody fetched."""

    holding_id: HoldingId
    card_id: CardId
    batch_id: BatchId
    seat: int
    at: datetime


@command
class OpenFunction:
    """A function is wanted on the card that counts, or was opened with the card's wallet (`place`)."""

    holding_id: HoldingId
    card_id: CardId
    function: str
    place: Place
    at: datetime
    under: IssuanceBylaw | None = None


@command
class Activate:
    """The holder activates the card that she has."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    under: IssuanceBylaw


@command
class EndCard:
    """The loss desk has cancelled the card."""

    holding_id: HoldingId
    card_id: CardId
    reason: str
    at: datetime


@command
class ExpireCard:
    """The last hour of the card's validity has struck."""

    holding_id: HoldingId
    card_id: CardId
    valid_to: datetime
    under: IssuanceBylaw | None = None


@command
class RemindToEndorse:
    """The day has come on which the holder is told that the card's year will soon be full."""

    holding_id: HoldingId
    card_id: CardId
    valid_to: datetime
    at: datetime


@command
class EndorseCard:
    """The card is to be valid for another year; `outlet` is where, `reported_lost` whether a report holds."""

    holding_id: HoldingId
    card_id: CardId
    outlet: str
    reported_lost: bool
    at: datetime
    under: IssuanceBylaw


@command
class TakeBackEndorsement:
    """The loss desk says that the card had been reported lost, at `reported_at`, when it was endorsed."""

    holding_id: HoldingId
    card_id: CardId
    endorsed_at: datetime
    reported_at: datetime
    at: datetime


@command
class PassHoldingOn:
    """The register knows this entry's person under another (`lead` is their holding), or again under its own (None)."""

    holding_id: HoldingId
    person_id: PersonId
    programme: str
    lead: HoldingId | None
    at: datetime


@command
class JoinHolding:
    """The same person has a card, or one on its way, in another holding."""

    holding_id: HoldingId
    other: HoldingId
    at: datetime


@command
class LeaveHolding:
    """The other holding has nothing any more, or is somebody else's again."""

    holding_id: HoldingId
    other: HoldingId
    at: datetime


@command
class GiveWay:
    """The person has another card in the holding that leads."""

    holding_id: HoldingId
    at: datetime


Command = (
    NoteVerdict
    | ClaimCard
    | ProposeIssue
    | ApproveIssue
    | OrderNewCard
    | WithdrawOrder
    | TakeSeat
    | NoteProduced
    | NoteSpoiled
    | NoteArrival
    | RemindHolder
    | GiveUpWaiting
    | DestroyCard
    | SendOn
    | MailCard
    | HandOver
    | CloseCase
    | OpenFunction
    | Activate
    | EndCard
    | ExpireCard
    | RemindToEndorse
    | EndorseCard
    | TakeBackEndorsement
    | PassHoldingOn
    | JoinHolding
    | LeaveHolding
    | GiveWay
)
