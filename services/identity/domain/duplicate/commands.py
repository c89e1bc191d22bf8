"""What can be asked of a case."""

from datetime import datetime

from libs.kernel import Sealed, command
from services.identity.domain.duplicate.events import Ruling, Why
from services.identity.domain.events import Statement
from services.ids import CaseId, PersonId, RollId


@command
class ReportDuplicate:
    """A row does not fit the person whom the register knows by its document."""

    case_id: CaseId
    person_id: PersonId
    roll_id: RollId
    part: int
    line: int
    why: Why
    said: Sealed
    statements: tuple[Statement, ...]
    programme: str
    outlet: str
    at: datetime


@command
class ReportPair:
    """Somebody who is registered may stand in the register already, under another entry."""

    case_id: CaseId
    person_id: PersonId
    other_person_id: PersonId
    why: Why
    at: datetime


@command
class SettleDuplicate:
    """A clerk says whether the two are one."""

    case_id: CaseId
    ruling: Ruling
    at: datetime


Command = ReportDuplicate | ReportPair | SettleDuplicate
