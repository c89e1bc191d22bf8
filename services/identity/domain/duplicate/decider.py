"""A clerk rules once; of one and the same person the row is carried out after all."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Missing
from services.identity.domain.commands import AdmitFromRoll
from services.identity.domain.duplicate.commands import Command, ReportDuplicate, ReportPair, SettleDuplicate
from services.identity.domain.duplicate.events import DuplicateFound, DuplicateSettled, Event, Ruling
from services.identity.domain.duplicate.state import Duplicate, NoCase, Open, Settled, evolve
from services.ids import RollId

NO_ROLL = RollId("")


class CaseUnknown(Missing):
    """There is no such case; check its number."""


class CaseSettled(Clash):
    """This case was settled before, the other way: {ruling}. Who was treated wrongly applies at a counter."""


def decide(command: Command, case: Duplicate) -> Sequence[Event]:
    match command:
        case ReportDuplicate():
            return report(command, case)
        case ReportPair():
            return report_pair(command, case)
        case SettleDuplicate():
            return settle(command, case)
        case _:
            assert_never(command)


def report(asked: ReportDuplicate, case: Duplicate) -> Sequence[Event]:
    if not isinstance(case, NoCase):
        return []
    return [
        DuplicateFound(
            case_id=asked.case_id,
            person_id=asked.person_id,
            roll_id=asked.roll_id,
            part=asked.part,
            line=asked.line,
            why=asked.why,
            said=asked.said,
            statements=asked.statements,
            programme=asked.programme,
            outlet=asked.outlet,
            at=asked.at,
        )
    ]


def report_pair(asked: ReportPair, case: Duplicate) -> Sequence[Event]:
    """No roll has shown it, so there is no row to carry out; what follows is a merge, which takes two people."""
    if not isinstance(case, NoCase):
        return []
    return [
        DuplicateFound(
            case_id=asked.case_id,
            person_id=asked.person_id,
            roll_id=NO_ROLL,
            part=0,
            line=0,
            why=asked.why,
            said=None,
            statements=(),
            programme="",
            outlet="",
            at=asked.at,
            other_person_id=asked.other_person_id,
        )
    ]


def settle(asked: SettleDuplicate, case: Duplicate) -> Sequence[Event]:
    match case:
        case NoCase():
            raise CaseUnknown
        case Open(found=found):
            return [
                DuplicateSettled(
                    case_id=asked.case_id,
                    person_id=found.person_id,
                    roll_id=found.roll_id,
                    part=found.part,
                    line=found.line,
                    ruling=asked.ruling,
                    statements=found.statements,
                    programme=found.programme,
                    outlet=found.outlet,
                    at=asked.at,
                    other_person_id=found.other_person_id,
                )
            ]
        case Settled(ruling=ruling):
            if ruling is not asked.ruling:
                raise CaseSettled(ruling=ruling.value.replace("_", " "))
            return []
        case _:
            assert_never(case)


def due(fact: Event) -> Iterator[Due]:
    """The row of one and the same person is carried out as if it had fitted from the beginning."""
    match fact:
        case DuplicateSettled(ruling=Ruling.SAME_PERSON, other_person_id=None):
            yield Due(
                fact.at,
                AdmitFromRoll(
                    person_id=fact.person_id,
                    at=fact.at,
                    statements=fact.statements,
                    roll_id=fact.roll_id,
                    part=fact.part,
                    line=fact.line,
                    programme=fact.programme,
                    outlet=fact.outlet,
                ),
            )


duplicates: Decider[Command, Duplicate, Event] = Decider(NoCase(), decide, evolve, due)
