"""What has happened to a case; what the row says stands in a sealed envelope."""

from datetime import datetime
from enum import StrEnum

from libs.kernel import Sealed, event
from services.identity.domain.events import Statement
from services.ids import CaseId, PersonId, RollId


class Why(StrEnum):
    """What makes a row doubtful."""

    OLD_AND_NEW_FORM = "old_and_new_form"  # The same document, once in its old form and once in its new one.
    OTHER_NAME = "other_name"  # The same document, and another name.
    NAME_AND_BIRTH = "name_and_birth"  # Two entries of one name and birthday, under documents whose numbers change.


class Ruling(StrEnum):
    """What a clerk finds."""

    SAME_PERSON = "same_person"
    ANOTHER_PERSON = "another_person"


@event
class DuplicateFound:
    """A row bears a document by which the register knows somebody, and does not fit them in every way.

    Or `other_person_id` is in the register too, and may be the same; then no roll is named, and no row.
    `said` holds the row's number and name, sealed with the key of the person whom the register knows.
    """

    case_id: CaseId
    person_id: PersonId
    roll_id: RollId
    part: int
    line: int
    why: Why
    said: Sealed | None
    statements: tuple[Statement, ...]
    programme: str
    outlet: str
    at: datetime
    other_person_id: PersonId | None = None


@event
class DuplicateSettled:
    """A clerk has compared the two."""

    case_id: CaseId
    person_id: PersonId
    roll_id: RollId
    part: int
    line: int
    ruling: Ruling
    statements: tuple[Statement, ...]
    programme: str
    outlet: str
    at: datetime
    other_person_id: PersonId | None = None


Event = DuplicateFound | DuplicateSettled
