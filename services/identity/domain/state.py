"""How a person can stand with the city, and what holds of them at an instant."""

from dataclasses import replace
from datetime import datetime
from typing import TypeAlias, assert_never

from libs.kernel import state
from services.identity.domain.documents import Kind
from services.identity.domain.events import (
    ContactGiven,
    EntitlementJudged,
    Event,
    FactStated,
    Particulars,
    PersonalDataRevealed,
    PersonErased,
    PersonRegistered,
    RollRow,
    Statement,
    Verdict,
)
from services.ids import PersonId


@state
class Unknown:
    """Nobody has been registered under this id."""


@state
class Known:
    """The person is known; `statements` and `verdicts` are the latest of each department and programme.

    `judged_at` is the latest moment for which a verdict was given: nothing is judged as of an earlier one any more.
    `row` is the latest row of a roll that brought a card.
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

    def statement(self, department: str, fact: str) -> Statement | None:
        """What this department says of this matter."""
        return next((said for said in self.statements if (said.department, said.fact) == (department, fact)), None)

    def verdict(self, programme: str) -> Verdict | None:
        """What the person is entitled to under this programme, as far as it was judged."""
        return next((verdict for verdict in self.verdicts if verdict.programme == programme), None)

    def holding(self, at: datetime) -> tuple[Statement, ...]:
        """The statements that hold at this instant."""
        return tuple(said for said in self.statements if said.holds(at))

    def turned_at(self, now: datetime) -> datetime:
        """Since when all that holds now holds: a late timer, or two in the wrong order, judge the same instant."""
        turns = [self.registered_at, *(turn for said in self.statements for turn in said.turns)]
        turns += [verdict.holds_until for verdict in self.verdicts if verdict.holds_until is not None]
        turns += [self.judged_at] if self.judged_at is not None else []
        return max(turn for turn in turns if turn <= now)


@state
class Erased:
    """Nobody can read any more who this was."""

    person_id: PersonId
    at: datetime


Person: TypeAlias = Unknown | Known | Erased


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
        case PersonalDataRevealed():
            return person
        case PersonErased():
            return Erased(person_id=fact.person_id, at=fact.at)
        case _:
            assert_never(fact)
