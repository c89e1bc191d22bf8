"""A department's word is kept as it was given; what follows from it is judged anew, and told only when it differs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.kernel import Decider, Due, Forbidden, Missing, Unfit
from libs.kernel.foureyes import TwoPeople
from services.identity.domain import correcting
from services.identity.domain.commands import (
    AcceptCorrection,
    AdmitFromRoll,
    ApproveProposal,
    Command,
    DeclineProposal,
    DestroyKey,
    ErasePerson,
    JudgeEntitlements,
    ProposeMerge,
    ProposeParting,
    RefuseCorrection,
    RegisterPerson,
    Release,
    RequestCorrection,
    RevealPersonalData,
    StateFact,
    StayAsYouWere,
    TakeIn,
)
from services.identity.domain.events import (
    ContactGiven,
    EntitlementJudged,
    Event,
    FactStated,
    MergeFailed,
    NobodyTakenIn,
    PersonalDataRevealed,
    PersonCorrected,
    PersonErased,
    PersonMerged,
    PersonParted,
    PersonRegistered,
    PersonTakenIn,
    RollRow,
    Statement,
    Verdict,
)
from services.identity.domain.merging import (
    DataErased,
    MergedAway,
    PersonUnknown,
    approve,
    decline,
    known_here,
    propose_merge,
    propose_parting,
    release,
    stay_as_you_were,
    take_in,
)
from services.identity.domain.state import Erased, Known, Merged, Person, Unknown, evolve

__all__ = ["DataErased", "MergedAway", "PersonUnknown"]  # Said wherever a person is asked for.


class FactNotYours(Forbidden):
    """In this city `{department}` may not state `{fact}`; it may state: {facts}. The city keeps the register."""


class ValidityReversed(Unfit):
    """This fact would end before it begins; compare `valid_from` and `valid_to`, the last day on which it holds."""


class NotJudged(Missing):
    """Nothing has been judged here about `{what}`; what has been judged: {judged}. Right after registration, wait."""


def decide(command: Command, person: Person) -> Sequence[Event]:
    match command:
        case RegisterPerson():
            return register(command, person)
        case StateFact():
            return state_fact(command, person)
        case JudgeEntitlements():
            return judge(command, person)
        case AdmitFromRoll():
            return admit_from_roll(command, person)
        case RevealPersonalData():
            return reveal(command, person)
        case ErasePerson():
            return erase(command, person)
        case DestroyKey():
            return []  # Carried out in the vault; here it has been decided already.
        case ProposeMerge():
            return propose_merge(command, person)
        case ProposeParting():
            return propose_parting(command, person)
        case ApproveProposal():
            return approve(command, person)
        case DeclineProposal():
            return decline(command, person)
        case TakeIn():
            return take_in(command, person)
        case StayAsYouWere():
            return stay_as_you_were(command, person)
        case Release():
            return release(command, person)
        case RequestCorrection():
            return correcting.request(command, person)
        case AcceptCorrection():
            return correcting.accept(command, person)
        case RefuseCorrection():
            return correcting.refuse(command, person)
        case _:
            assert_never(command)


def register(asked: RegisterPerson, person: Person) -> Sequence[Event]:
    """The same document is the same person, however often it is shown."""
    match person:
        case Unknown():
            return [
                PersonRegistered(
                    person_id=asked.person_id,
                    at=asked.at,
                    document=asked.document,
                    particulars=asked.particulars,
                    language=asked.language,
                ),
                ContactGiven(
                    person_id=asked.person_id,
                    at=asked.at,
                    mobile=asked.particulars.mobile,
                    language=asked.language,
                ),
            ]
        case Known() | Merged():
            return []  # Who was merged into another stands there.
        case Erased():
            raise DataErased
        case _:
            assert_never(person)


def state_fact(asked: StateFact, person: Person) -> Sequence[Event]:
    """Each department speaks for itself, and only about what is its own to say."""
    known = known_here(person)
    if asked.fact not in asked.may_state:
        facts = ", ".join(sorted(asked.may_state)) or "nothing"
        raise FactNotYours(asked.under, department=asked.department, fact=asked.fact, facts=facts)
    if asked.valid_to is not None and asked.valid_to < asked.valid_from:
        raise ValidityReversed
    said = known.statement(asked.department, asked.fact)
    new = Statement(
        fact=asked.fact,
        department=asked.department,
        valid_from=asked.valid_from,
        valid_to=asked.valid_to,
        ended=asked.ended,
        reference=asked.reference,
        stated_at=asked.at,
    )
    if _says_the_same(new, said):
        return []
    return [FactStated(person_id=asked.person_id, at=asked.at, statement=new)]


def judge(asked: JudgeEntitlements, person: Person) -> Sequence[Event]:
    """Only a verdict that differs is news; of the unknown and the erased there is nothing to judge."""
    match person:
        case Known():
            return [
                EntitlementJudged(person_id=asked.person_id, at=asked.at, verdict=verdict, also=person.also)
                for verdict in asked.verdicts
                if not _same(verdict, person.verdict(verdict.programme))
            ]
        case Unknown() | Merged() | Erased():
            return []
        case _:
            assert_never(person)


def admit_from_roll(asked: AdmitFromRoll, person: Person) -> Sequence[Event]:
    """Somebody new is registered, and what her department says of her is judged in the same breath (R41)."""
    match person:
        case Unknown():
            if asked.document is None or asked.particulars is None:
                raise PersonUnknown
            entered = PersonRegistered(
                person_id=asked.person_id,
                at=asked.at,
                document=asked.document,
                particulars=asked.particulars,
                language=asked.language,
                judged=True,
            )
            contact = ContactGiven(
                person_id=asked.person_id, at=asked.at, mobile=asked.particulars.mobile, language=asked.language
            )
            before: Sequence[Event] = [entered, contact] if asked.reachable else [entered]
            known = evolve(person, entered)
            assert isinstance(known, Known)
        case Known():
            before, known = [], person
        case Merged(into=into):
            raise MergedAway(person_id=into)
        case Erased():
            raise DataErased
        case _:
            assert_never(person)
    row = RollRow(roll_id=asked.roll_id, part=asked.part, line=asked.line, outlet=asked.outlet)
    said = [
        FactStated(person_id=asked.person_id, at=asked.at, statement=new, judged=True)
        for new in asked.statements
        if not _says_the_same(new, known.statement(new.department, new.fact))
    ]
    judged = []
    for verdict in asked.verdicts:
        brings_a_card = verdict.programme == asked.programme and verdict.granted
        if brings_a_card and known.row != row:
            judged.append(
                EntitlementJudged(person_id=asked.person_id, at=asked.at, verdict=verdict, row=row, also=known.also)
            )
        elif not _same(verdict, known.verdict(verdict.programme)):
            judged.append(EntitlementJudged(person_id=asked.person_id, at=asked.at, verdict=verdict, also=known.also))
    return [*before, *said, *judged]


def reveal(asked: RevealPersonalData, person: Person) -> Sequence[Event]:
    """Whoever sees the data leaves a trace, each time."""
    known_here(person)
    return [PersonalDataRevealed(person_id=asked.person_id, at=asked.at, reason=asked.reason)]


def erase(asked: ErasePerson, person: Person) -> Sequence[Event]:
    """Final: there is no way back from here. Whoever was merged into this person goes along."""
    match person:
        case Unknown():
            raise PersonUnknown
        case Known(also=also):
            return [PersonErased(person_id=asked.person_id, at=asked.at, reason=asked.reason, also=also)]
        case Merged() if asked.with_ is not None:
            return [PersonErased(person_id=asked.person_id, at=asked.at, reason=asked.reason)]
        case Merged(into=into):
            raise MergedAway(person_id=into)
        case Erased():
            return []
        case _:
            assert_never(person)


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case PersonRegistered(judged=False):
            yield Due(fact.at, JudgeEntitlements(person_id=fact.person_id, at=fact.at))
        case FactStated():
            for hour in fact.statement.turns:
                if hour > fact.at or (hour == fact.at and not fact.judged):
                    yield Due(hour, JudgeEntitlements(person_id=fact.person_id, at=hour))
        case EntitlementJudged(verdict=Verdict(holds_until=datetime() as hour)):
            yield Due(hour, JudgeEntitlements(person_id=fact.person_id, at=hour))
        case PersonErased():
            yield Due(fact.at, DestroyKey(person_id=fact.person_id))
            for entry in fact.also:
                gone = ErasePerson(person_id=entry, at=fact.at, reason=fact.reason, with_=fact.person_id)
                yield Due(fact.at, gone)
        case PersonMerged():
            merged = TakeIn(person_id=fact.into, merged=fact.person_id, brings=fact.brings, eyes=fact.eyes, at=fact.at)
            yield Due(fact.at, merged)
        case PersonTakenIn():
            for hour in sorted({turn for said in fact.brings.statements for turn in said.turns if turn > fact.at}):
                yield Due(hour, JudgeEntitlements(person_id=fact.person_id, at=hour))
        case NobodyTakenIn():
            yield Due(fact.at, StayAsYouWere(person_id=fact.merged, into=fact.person_id, at=fact.at))
        case PersonParted():
            yield Due(fact.at, Release(person_id=fact.into, parted=fact.person_id, at=fact.at))
            yield Due(fact.at, JudgeEntitlements(person_id=fact.person_id, at=fact.at))
        case PersonCorrected() | MergeFailed():
            yield Due(fact.at, JudgeEntitlements(person_id=fact.person_id, at=fact.at))


person_desk: Decider[Command, Person, Event] = Decider(Unknown(), decide, evolve, due)

TWO_PEOPLE = (TwoPeople(act="merge two persons", decider=person_desk, facts=(PersonMerged, PersonParted)),)


def _same(verdict: Verdict, last: Verdict | None) -> bool:
    """A new edition of the bylaws that changes nothing for this person is no news, nor is a fact said once more."""
    return last is not None and replace(verdict, bylaws=last.bylaws, ground=last.ground, used=last.used) == last


def _says_the_same(new: Statement, said: Statement | None) -> bool:
    return said is not None and replace(new, stated_at=said.stated_at) == said
