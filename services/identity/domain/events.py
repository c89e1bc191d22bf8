"""What has been said of persons, and what follows from it; who they are stands in sealed envelopes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from libs.kernel import Sealed, event, value
from libs.kernel.calendar import midnight_after, morning_of
from libs.kernel.foureyes import FourEyes, Hand, ProposalId
from libs.kernel.why import FactUsed
from services.identity.domain.documents import Kind
from services.ids import PersonId, RollId


@value
class Particulars:
    """Who a person is, each line in its envelope; the domain passes them on and never opens them."""

    name: Sealed
    number: Sealed
    issuer: Sealed
    birth: Sealed
    mobile: Sealed


@value
class Statement:
    """What a department says of a person. `valid_to` is the last day on which it holds, if that is known.

    `ended` says that it holds no more: since the end of `valid_to`, or else from the moment at which it was said.
    """

    fact: str
    department: str
    valid_from: date
    valid_to: date | None
    ended: bool
    reference: str
    stated_at: datetime

    @property
    def begins_at(self) -> datetime:
        return morning_of(self.valid_from).astimezone(UTC)

    @property
    def ends_at(self) -> datetime | None:
        ends = [midnight_after(self.valid_to).astimezone(UTC)] if self.valid_to else []
        return min(ends + [self.stated_at] * self.ended, default=None)

    @property
    def turns(self) -> Sequence[datetime]:
        """The moments at which this statement can change a verdict, earliest first."""
        return sorted({self.stated_at, self.begins_at, self.ends_at or self.stated_at})

    def holds(self, at: datetime) -> bool:
        return self.begins_at <= at and (self.ends_at is None or at < self.ends_at)


@value
class RollRow:
    """A row of a roll, and the outlet at which a card that it brings is handed out."""

    roll_id: RollId
    part: int
    line: int
    outlet: str


@value
class FunctionVerdict:
    """Whether a person meets the conditions of a function, and what says so; `rule` is the row of the city's table."""

    function: str
    granted: bool
    because: str
    article: str
    rule: str = ""


@value
class Verdict:
    """What a person is entitled to under a programme: the row of the city's table that decided, and why.

    `granted` is whether a card may be held, `may_apply` whether a first one may be applied for now. `text` is which of
    the city's eligibility texts was applied, `ground` the dated entry that put it in force; `used` are all statements
    that were looked at. `holds_until` is when time alone will change this, if nobody says anything new.
    """

    programme: str
    granted: bool
    rule: str
    article: str
    basis: str
    facts_used: tuple[str, ...]
    missing: tuple[str, ...]
    functions: tuple[FunctionVerdict, ...]
    bylaws: str
    may_apply: bool = True
    text: str = ""
    ground: str = ""
    used: tuple[FactUsed, ...] = ()
    holds_until: datetime | None = None


@event
class PersonRegistered:
    """Somebody has shown a document, or stands on a roll, and is known to the city from now on.

    `judged` says that what follows from it was judged in the same breath.
    """

    person_id: PersonId
    at: datetime
    document: Kind
    particulars: Particulars
    language: str
    judged: bool = False


@event
class ContactGiven:
    """A person has said where and in which language messages reach them."""

    person_id: PersonId
    at: datetime
    mobile: Sealed
    language: str


@event
class FactStated:
    """A department has said something of a person; it takes the place of what it said of the same kind before.

    `judged` says that what follows from it now was judged in the same breath.
    """

    person_id: PersonId
    at: datetime
    statement: Statement
    judged: bool = False


@event
class EntitlementJudged:
    """What a person is entitled to under one programme has become another; `at` is when its facts turned.

    `row` is the row of a roll that gives the person a card without an application, if one does; then it need not be
    another verdict than before.
    """

    person_id: PersonId
    at: datetime
    verdict: Verdict
    row: RollRow | None = None
    also: tuple[PersonId, ...] = ()
    """Entries that were merged into this one: what is held under them stands by this verdict too."""


@event
class PersonalDataRevealed:
    """Somebody of the card centre was shown a person's data in clear."""

    person_id: PersonId
    at: datetime
    reason: str


@event
class PersonErased:
    """From now on nobody can read who this person was, nor anybody who was merged into them (`also`)."""

    person_id: PersonId
    at: datetime
    reason: str
    also: tuple[PersonId, ...] = ()


@value
class TakenIn:
    """An entry that was merged into another: all its entries (its own first) and what was said of them."""

    entries: tuple[PersonId, ...]
    statements: tuple[Statement, ...]


@event
class MergeProposed:
    """Somebody has found that this entry and `into` are one person; `reference` is the record that shows it."""

    person_id: PersonId
    into: PersonId
    reason: str
    reference: str
    proposal_id: ProposalId
    by: Hand
    until: datetime
    at: datetime


@event
class PersonMerged:
    """Two people have found that this entry and `into` are one person: from now on `into` stands for both."""

    person_id: PersonId
    into: PersonId
    brings: TakenIn
    proposal_id: ProposalId
    eyes: FourEyes
    at: datetime


@event
class PersonTakenIn:
    """What was said of another entry counts for this person from now on; `programmes` are those they may hold."""

    person_id: PersonId
    brings: TakenIn
    programmes: tuple[str, ...]
    eyes: FourEyes
    at: datetime


@event
class NobodyTakenIn:
    """This entry was to take another in and is not there any more; the other stays as it was."""

    person_id: PersonId
    merged: PersonId
    at: datetime


@event
class MergeFailed:
    """The entry that was to stand for this one is not there any more: this one stays as it was."""

    person_id: PersonId
    into: PersonId
    at: datetime


@event
class PartingProposed:
    """Somebody has found that a merge was a mistake."""

    person_id: PersonId
    reason: str
    reference: str
    proposal_id: ProposalId
    by: Hand
    until: datetime
    at: datetime


@event
class PersonParted:
    """Two people have found that the merge was a mistake: this entry stands for itself again, as it stood."""

    person_id: PersonId
    into: PersonId
    proposal_id: ProposalId
    eyes: FourEyes
    at: datetime


@event
class PersonReleased:
    """What another entry had brought counts for this person no more."""

    person_id: PersonId
    entries: tuple[PersonId, ...]
    programmes: tuple[str, ...]
    at: datetime


@event
class ProposalDeclined:
    """Whoever looked said no, or it was taken back."""

    person_id: PersonId
    proposal_id: ProposalId
    by: Hand
    at: datetime


@event
class CorrectionRequested:
    """An outlet has seen that base data are wrong, by a document (`proof`); the centre decides.

    `particulars` are all data as they should be; `changes` names those that differ.
    """

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


@event
class PersonCorrected:
    """The centre has seen to it: from now on these are the person's data."""

    person_id: PersonId
    correction_id: str
    document: Kind
    particulars: Particulars
    changes: tuple[str, ...]
    at: datetime


@event
class CorrectionRefused:
    """The centre has looked and left the data as they were."""

    person_id: PersonId
    correction_id: str
    reason: str
    at: datetime


Event = (
    PersonRegistered
    | ContactGiven
    | FactStated
    | EntitlementJudged
    | PersonalDataRevealed
    | PersonErased
    | MergeProposed
    | PersonMerged
    | PersonTakenIn
    | NobodyTakenIn
    | MergeFailed
    | PartingProposed
    | PersonParted
    | PersonReleased
    | ProposalDeclined
    | CorrectionRequested
    | PersonCorrected
    | CorrectionRefused
)
