"""What identity tells the city: who is entitled to what, and why; never who somebody is."""

from datetime import date, datetime

from pydantic import BaseModel

from libs.messaging.contract import Contract
from services.ids import CaseId, HoldingId, PersonId, RollId


class PersonRegistered(Contract, type="identity.PersonRegistered.v1"):
    """A person is known to the city."""

    person_id: PersonId
    at: datetime
    birth: str = ""
    """Sealed envelope (the person's own key, field `birth`): the `box` of a day as `1985-12-31`; age limits need it."""


class FunctionVerdict(BaseModel):
    """Whether a holder meets the conditions of a function."""

    function: str
    granted: bool
    because: str


class FactUsed(BaseModel):
    """What a department had said when it was judged."""

    fact: str
    department: str
    valid_from: date
    valid_to: date | None = None
    """The last day on which it holds, if that was said."""
    stated_at: datetime


class EntitlementJudged(Contract, type="identity.EntitlementJudged.v1"):
    """What a person is entitled to under a programme, and which rule says so."""

    person_id: PersonId
    holding_id: HoldingId
    programme: str
    granted: bool
    rule: str
    """The row of the city's eligibility table that decided, for example `hukou`."""
    article: str
    """The legal text behind that row."""
    facts_used: list[str]
    missing: list[str]
    """For a refusal: the facts of which any one would change the verdict."""
    functions: list[FunctionVerdict]
    bylaws: str
    """The edition of the city's bylaws that was applied."""
    outlet: str = ""
    """Where a card is to be handed out that is made without an application, because the person stands on a roll."""
    roll_id: RollId | None = None
    """That roll."""
    at: datetime
    may_apply: bool | None = None
    """Whether a first card may be applied for now; if nobody says, as `granted`. A card that is held stays."""
    basis: str = ""
    """The rule in one sentence."""
    text: str = ""
    """Which of the city's eligibility texts was applied, for example `eligibility`."""
    ground: str = ""
    """The dated entry of the bylaws that put that text in force, with the row."""
    holds_until: datetime | None = None
    """When time alone will change this, if nobody says anything new."""
    used: list[FactUsed] = []
    """All statements that were looked at, each with its source; `facts_used` are those that decided."""
    also: list[HoldingId] = []
    """Holdings of entries that were merged into this one: what is held there stands by this verdict too."""


class ContactGiven(Contract, type="identity.ContactGiven.v1"):
    """A person has said how she wants to be told things; a later one replaces an earlier one."""

    person_id: PersonId
    mobile: str
    """Sealed envelope (the person's own key, field `mobile`): the `box` of a number as `+8613800005678`.

    Nobody reads it without the vault, and nobody at all once the key is destroyed.
    """
    language: str
    """For example `zh` or `en`."""
    at: datetime


class PersonErased(Contract, type="identity.PersonErased.v1"):
    """A person's data can no longer be read by anybody."""

    person_id: PersonId
    at: datetime


class PersonCorrected(Contract, type="identity.PersonCorrected.v1"):
    """The centre has corrected a person's data; what follows from it is judged and told by itself."""

    person_id: PersonId
    changes: list[str]
    """Which data: `name`, `number`, `document`, `issuer`, `birth`."""
    birth: str
    """Sealed envelope (the person's own key, field `birth`): the `box` of a day, as it is now."""
    at: datetime


class PersonsMerged(Contract, type="identity.PersonsMerged.v1"):
    """Two people have found that several entries of the register are one person, who stands under `person_id`."""

    person_id: PersonId
    merged: list[PersonId]
    """The entry that was merged, and after it those that had been merged into that one before."""
    programmes: list[str]
    """Under which something may be held; with an entry each makes a holding."""
    at: datetime


class PersonsParted(Contract, type="identity.PersonsParted.v1"):
    """Two people have taken a merge back: the first of `parted` stands for itself again, and for the others in it."""

    person_id: PersonId
    """The person into whom it had been merged."""
    parted: list[PersonId]
    programmes: list[str]
    at: datetime


class RollOpened(Contract, type="identity.RollOpened.v1"):
    """A department's list of persons is about to come who get a card without asking for it."""

    roll_id: RollId
    programme: str
    department: str
    name: str
    at: datetime


class RollPageCarriedOut(Contract, type="identity.RollPageCarriedOut.v1"):
    """Some rows of a roll were judged."""

    roll_id: RollId
    part: int
    last_line: int
    ordered: int
    """Somebody new was registered, and a card is ordered."""
    noted: int
    """The register knew the person; a card is ordered unless there is one, or one on its way."""
    left_out: int
    rejected: int
    cases: int
    at: datetime


class DuplicateFound(Contract, type="identity.DuplicateFound.v1"):
    """A row of a roll, or another entry, may be a person whom the register knows otherwise; a clerk has to compare."""

    case_id: CaseId
    person_id: PersonId
    """The person whom the register knows."""
    other_person_id: PersonId | None = None
    """The second person, where both are registered and one will have to be merged into the other."""
    roll_id: RollId
    """Empty where no roll has shown it; then `part` and `line` are 0."""
    part: int
    line: int
    why: str
    """`old_and_new_form` of one document, `other_name` under one document, or `name_and_birth` of two."""
    at: datetime


class DuplicateSettled(Contract, type="identity.DuplicateSettled.v1"):
    """A clerk has said whether the two are one."""

    case_id: CaseId
    person_id: PersonId
    other_person_id: PersonId | None = None
    ruling: str
    """`same_person` or `another_person`."""
    at: datetime


class RecordsTaken(Contract, type="identity.RecordsTaken.v1"):
    """Records that a department had delivered were taken in, or put aside because something is wrong with them."""

    delivery_id: str
    city: str
    department: str
    name: str
    """What the department calls the delivery."""
    received: int
    """How many of its records have come so far."""
    faulty: int
    """How many of these were put aside."""
    waiting: int
    """How many of those nobody has settled yet."""
    at: datetime
    highest: int = 0
    """The highest row that has come, where the department numbers them; what lies below it is to come as well."""


class RecordsAnnounced(Contract, type="identity.RecordsAnnounced.v1"):
    """A department has said how many records a delivery of its own has."""

    delivery_id: str
    city: str
    department: str
    name: str
    announced: int
    at: datetime


class RecordSettled(Contract, type="identity.RecordSettled.v1"):
    """A record that had been put aside was taken in after all, or discarded."""

    delivery_id: str
    city: str
    department: str
    row: int
    outcome: str
    """`taken` or `discarded`."""
    waiting: int
    """How many records of the delivery nobody has settled yet."""
    at: datetime


TELLS = (
    PersonRegistered, EntitlementJudged, ContactGiven, PersonErased, RollOpened, RollPageCarriedOut, DuplicateFound,
    DuplicateSettled, RecordsTaken, RecordsAnnounced, RecordSettled, PersonsMerged, PersonsParted, PersonCorrected,
)  # fmt: skip
