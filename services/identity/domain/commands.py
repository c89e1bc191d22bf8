"""What can be asked of identity."""

from datetime import date, datetime

from libs.kernel import command
from services.identity.domain.documents import Kind
from services.identity.domain.events import Particulars, Statement, Verdict
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
    """A department says something of a person; `may_state` is what the city lets this department say."""

    person_id: PersonId
    at: datetime
    fact: str
    department: str
    valid_from: date
    valid_to: date | None
    ended: bool
    reference: str
    may_state: frozenset[str]


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
    """Nobody shall be able to read who this person was."""

    person_id: PersonId
    at: datetime
    reason: str


@command
class DestroyKey:
    """The vault is to forget a person who was erased."""

    person_id: PersonId


Command = RegisterPerson | StateFact | JudgeEntitlements | AdmitFromRoll | RevealPersonalData | ErasePerson | DestroyKey
