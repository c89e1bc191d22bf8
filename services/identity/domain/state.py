"""How a person can stand with the city, and what holds of them at an instant."""

from dataclasses import replace
from datetime import datetime
from typing import TypeAlias, assert_never

from libs.kernel import state
from libs.kernel.foureyes import Proposals
from services.identity.domain.documents import Kind
from services.identity.domain.events import (
    ContactGiven,
    CorrectionRefused,
    CorrectionRequested,
    EntitlementJudged,
    Event,
    FactStated,
    MergeFailed,
    MergeProposed,
    NobodyTakenIn,
    Particulars,
    PartingProposed,
    PersonalDataRevealed,
    PersonCorrected,
    PersonErased,
    PersonMerged,
    PersonParted,
    PersonRegistered,
    PersonReleased,
    PersonTakenIn,
    ProposalDeclined,
    RollRow,
    Statement,
    TakenIn,
    Verdict,
)
from services.ids import PersonId


@state
class Unknown:
    """Nobody has been registered under this id."""


Proposal: TypeAlias = MergeProposed | PartingProposed


@state
class Known:
    """The person is known; `statements` and `verdicts` are the latest of each department and programme.

    `judged_at` is the latest moment for which a verdict was given: nothing is judged as of an earlier one any more.
    `row` is the latest row of a roll that brought a card. `taken_in` are the entries that were merged into this one.
    `corrections` wait for the centre, `decided` are those that it has answered.
    `amended_at` is since when the person stands otherwise for another reason than what departments say.
    """

    person_id: PersonId
    registered_at: datetime
    document: Kind
    particulars: Particulars
    language: str
    statements: tuple[Statement, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    judged_at: datetime | None = None
    row: RollRow | None = None
    taken_in: tuple[TakenIn, ...] = ()
    proposals: Proposals[Proposal] = Proposals[Proposal]()
    amended_at: datetime | None = None
    corrections: tuple[CorrectionRequested, ...] = ()
    decided: frozenset[str] = frozenset()

    @property
    def also(self) -> tuple[PersonId, ...]:
        """Every other entry for which this one stands."""
        return tuple(entry for one in self.taken_in for entry in one.entries)

    @property
    def said(self) -> tuple[Statement, ...]:
        """What departments say, under whichever entry: of the same department and fact the latest word."""
        if not self.taken_in:
            return self.statements
        latest: dict[tuple[str, str], Statement] = {}
        for one in (*(said for taken in self.taken_in for said in taken.statements), *self.statements):
            before = latest.get((one.department, one.fact))
            if before is None or one.stated_at >= before.stated_at:
                latest[one.department, one.fact] = one
        return tuple(latest.values())

    def statement(self, department: str, fact: str) -> Statement | None:
        """What this department says of this matter."""
        return next((said for said in self.statements if (said.department, said.fact) == (department, fact)), None)

    def verdict(self, programme: str) -> Verdict | None:
        """What the person is entitled to under this programme, as far as it was judged."""
        return next((verdict for verdict in self.verdicts if verdict.programme == programme), None)

    def holding(self, at: datetime) -> tuple[Statement, ...]:
        """The statements that hold at this instant."""
        return tuple(said for said in self.said if said.holds(at))

    def turned_at(self, now: datetime) -> datetime:
        """Since when all that holds now holds: a late timer, or two in the wrong order, judge the same instant."""
        turns = [self.registered_at, *(turn for said in self.said for turn in said.turns)]
        turns += [self.amended_at] if self.amended_at is not None else []
        turns += [verdict.holds_until for verdict in self.verdicts if verdict.holds_until is not None]
        turns += [self.judged_at] if self.judged_at is not None else []
        return max(turn for turn in turns if turn <= now)


@state
class Merged:
    """This entry and `into` were found to be one person, who stands under `into`; `was` is how this one stood."""

    person_id: PersonId
    into: PersonId
    was: Known
    at: datetime

    @property
    def proposals(self) -> Proposals[Proposal]:
        return self.was.proposals


@state
class Erased:
    """Nobody can read any more who this was."""

    person_id: PersonId
    at: datetime


Person: TypeAlias = Unknown | Known | Merged | Erased


def _without_correction(person: Known, correction_id: str) -> Known:
    return replace(
        person,
        corrections=tuple(one for one in person.corrections if one.correction_id != correction_id),
        decided=person.decided | {correction_id},
    )


def evolve(person: Person, fact: Event) -> Person:
    match fact:
        case PersonRegistered():
            return Known(
                person_id=fact.person_id,
                registered_at=fact.at,
                document=fact.document,
                particulars=fact.particulars,
                language=fact.language,
            )
        case ContactGiven():
            assert isinstance(person, Known)
            particulars = replace(person.particulars, mobile=fact.mobile)
            return replace(person, particulars=particulars, language=fact.language)
        case FactStated(statement=new):
            assert isinstance(person, Known)
            others = (s for s in person.statements if (s.department, s.fact) != (new.department, new.fact))
            return replace(person, statements=(*others, new))
        case EntitlementJudged(verdict=verdict):
            assert isinstance(person, Known)
            elsewhere = (v for v in person.verdicts if v.programme != verdict.programme)
            judged_at = fact.at if person.judged_at is None else max(fact.at, person.judged_at)
            return replace(person, verdicts=(*elsewhere, verdict), judged_at=judged_at, row=fact.row or person.row)
        case PersonalDataRevealed() | NobodyTakenIn():
            return person
        case PersonErased():
            return Erased(person_id=fact.person_id, at=fact.at)
        case MergeProposed():
            assert isinstance(person, Known)
            return replace(person, proposals=person.proposals.with_new(fact))
        case PersonMerged():
            assert isinstance(person, Known)
            was = replace(person, proposals=person.proposals.when_done(fact.proposal_id).when_changed())
            return Merged(person_id=fact.person_id, into=fact.into, was=was, at=fact.at)
        case PartingProposed():
            assert isinstance(person, Merged)
            return replace(person, was=replace(person.was, proposals=person.proposals.with_new(fact)))
        case PersonParted():
            assert isinstance(person, Merged)
            proposals = person.proposals.when_done(fact.proposal_id).when_changed()
            return replace(person.was, proposals=proposals, verdicts=(), amended_at=fact.at)
        case MergeFailed():
            assert isinstance(person, Merged)
            return replace(person.was, proposals=person.proposals.when_changed(), verdicts=(), amended_at=fact.at)
        case PersonTakenIn():
            assert isinstance(person, Known)
            return replace(
                person,
                taken_in=(*person.taken_in, fact.brings),
                proposals=person.proposals.when_changed(),
                amended_at=fact.at,
            )
        case PersonReleased():
            assert isinstance(person, Known)
            return replace(
                person,
                taken_in=tuple(one for one in person.taken_in if one.entries != fact.entries),
                proposals=person.proposals.when_changed(),
                amended_at=fact.at,
            )
        case CorrectionRequested():
            assert isinstance(person, Known)
            return replace(person, corrections=(*person.corrections, fact))
        case PersonCorrected():
            assert isinstance(person, Known)
            return replace(
                _without_correction(person, fact.correction_id),
                document=fact.document,
                particulars=fact.particulars,
                proposals=person.proposals.when_changed(),
                amended_at=fact.at,
            )
        case CorrectionRefused():
            assert isinstance(person, Known)
            return _without_correction(person, fact.correction_id)
        case ProposalDeclined():
            assert isinstance(person, Known | Merged)
            proposals = person.proposals.without(fact.proposal_id)
            if isinstance(person, Merged):
                return replace(person, was=replace(person.was, proposals=proposals))
            return replace(person, proposals=proposals)
        case _:
            assert_never(fact)
