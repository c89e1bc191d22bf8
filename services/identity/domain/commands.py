"""What can be asked of identity."""

from datetime import date, datetime

from libs.kernel import command
from libs.kernel.foureyes import FourEyes, Hand, ProposalId
from libs.kernel.why import Cited
from services.identity.domain.documents import Kind
from services.identity.domain.events import Particulars, Statement, TakenIn, Verdict
from services.ids import PersonId, RollId


@command
class RegisterPerson:
    """Somebody shows a document at a counter."""

    person_id: PersonId
    at: datetime
    document: Kind
    particulars: Particulars
    language: str


@command
class StateFact:
    """A department says something of a person; `may_state` is what the city lets this department say, `under` where."""

    person_id: PersonId
    at: datetime
    fact: str
    department: str
    valid_from: date
    valid_to: date | None
    ended: bool
    reference: str
    may_state: frozenset[str]
    under: Cited | None = None


@command
class JudgeEntitlements:
    """An hour has come at which verdicts may change; what the city's tables say is added when it is handled."""

    person_id: PersonId
    at: datetime
    verdicts: tuple[Verdict, ...] = ()


@command
class AdmitFromRoll:
    """A row of a roll: `particulars` are those of somebody new; verdicts are added when it is handled.

    `reachable` says that the row brought a telephone number.
    """

    person_id: PersonId
    at: datetime
    statements: tuple[Statement, ...]
    roll_id: RollId
    part: int
    line: int
    programme: str
    outlet: str
    document: Kind | None = None
    particulars: Particulars | None = None
    language: str = "zh"
    reachable: bool = False
    verdicts: tuple[Verdict, ...] = ()


@command
class RevealPersonalData:
    """The card centre needs to see a person's data in clear."""

    person_id: PersonId
    at: datetime
    reason: str


@command
class ErasePerson:
    """Nobody shall be able to read who this person was; `with_` is the one into whom this entry was merged."""

    person_id: PersonId
    at: datetime
    reason: str
    with_: PersonId | None = None


@command
class DestroyKey:
    """The vault is to forget a person who was erased."""

    person_id: PersonId


@command
class ProposeMerge:
    """Somebody has found that two entries are one person, of whom `into` shall remain.

    `into_stands` (whether that one can take somebody in) and `clash` (two cards of one product that they would then
    have) are added when it is handled, with `one_each`, which is where the city says that nobody has two.
    """

    person_id: PersonId
    into: PersonId
    reason: str
    reference: str
    proposal_id: ProposalId
    by: Hand
    at: datetime
    into_stands: bool = False
    clash: tuple[str, ...] = ()
    one_each: Cited | None = None


@command
class ProposeParting:
    """Somebody has found that a merge was a mistake; `into_stands` is added when it is handled."""

    person_id: PersonId
    reason: str
    reference: str
    proposal_id: ProposalId
    by: Hand
    at: datetime
    into_stands: bool = False


@command
class ApproveProposal:
    """Another person has looked too; `into_stands`, `clash` and `one_each` are added when it is handled."""

    person_id: PersonId
    proposal_id: ProposalId
    by: Hand
    at: datetime
    into_stands: bool = False
    clash: tuple[str, ...] = ()
    one_each: Cited | None = None


@command
class DeclineProposal:
    """Somebody says no to what was proposed, or takes it back."""

    person_id: PersonId
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class TakeIn:
    """Another entry was merged into this one, by these two people; verdicts are added when it is handled."""

    person_id: PersonId
    merged: PersonId
    brings: TakenIn
    eyes: FourEyes
    at: datetime
    verdicts: tuple[Verdict, ...] = ()


@command
class StayAsYouWere:
    """The one into whom this entry was merged is not there any more."""

    person_id: PersonId
    into: PersonId
    at: datetime


@command
class Release:
    """A merge into this entry was taken back; verdicts are added when it is handled."""

    person_id: PersonId
    parted: PersonId
    at: datetime
    verdicts: tuple[Verdict, ...] = ()


@command
class RequestCorrection:
    """An outlet shows by a document that base data are wrong; `particulars` are all data as they should be."""

    person_id: PersonId
    correction_id: str
    document: Kind
    particulars: Particulars
    changes: tuple[str, ...]
    proof: str
    reference: str
    outlet: str
    by: Hand
    at: datetime


@command
class AcceptCorrection:
    """The centre finds that the document shows it."""

    person_id: PersonId
    correction_id: str
    by: Hand
    at: datetime


@command
class RefuseCorrection:
    """The centre finds that it does not."""

    person_id: PersonId
    correction_id: str
    reason: str
    by: Hand
    at: datetime


Command = (
    RegisterPerson
    | StateFact
    | JudgeEntitlements
    | AdmitFromRoll
    | RevealPersonalData
    | ErasePerson
    | DestroyKey
    | ProposeMerge
    | ProposeParting
    | ApproveProposal
    | DeclineProposal
    | TakeIn
    | StayAsYouWere
    | Release
    | RequestCorrection
    | AcceptCorrection
    | RefuseCorrection
)
