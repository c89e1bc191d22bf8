"""A roll is carried out page by page, each page once; a part that has begun is never exchanged for another."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Missing
from services.identity.domain.bylaw import MassIssue
from services.identity.domain.roll.commands import CarryOutPage, Command, ForgetPart, NotePage, OpenRoll, ReceivePart
from services.identity.domain.roll.events import Event, PageCarriedOut, PartReceived, RollOpened
from services.identity.domain.roll.state import Roll, evolve


class RollUnknown(Missing):
    """There is no such roll; check its number, or open it first."""


class RollIsAnother(Clash):
    """A roll of this name is for programme {programme} and from department {department}; give yours another name."""


class PartChanged(Clash):
    """Part {part} of this roll has come before with other content; send that file again, or open another roll."""


class PartsOutOfOrder(Clash):
    """Part {part} comes before its turn; the next one is part {due}."""


def left_out(facts: frozenset[str], accurate: bool, second_generation: bool, under: MassIssue) -> tuple[str, str]:
    """Which condition of issue without application is not met: field and code, or two empty words (R41, R42)."""
    if not facts & under.insured_by_one_of:
        return "facts", "not-insured"
    if under.accurate_record and not accurate:
        return "accurate", "record-not-accurate"
    if under.second_generation_id and not second_generation:
        return "number", "no-second-generation-id"
    return "", ""


def decide(command: Command, roll: Roll) -> Sequence[Event]:
    match command:
        case OpenRoll():
            return open_(command, roll)
        case ReceivePart():
            return receive(command, roll)
        case NotePage():
            return note_page(command, roll)
        case CarryOutPage() | ForgetPart():
            return []  # Carried out by the city's hands; what comes of it is noted page by page.
        case _:
            assert_never(command)


def open_(asked: OpenRoll, roll: Roll) -> Sequence[Event]:
    """The same name is the same roll."""
    if roll.opened:
        if (roll.programme, roll.department) != (asked.programme, asked.department):
            raise RollIsAnother(programme=roll.programme, department=roll.department)
        return []
    return [
        RollOpened(
            roll_id=asked.roll_id,
            programme=asked.programme,
            department=asked.department,
            name=asked.name,
            at=asked.at,
        )
    ]


def receive(asked: ReceivePart, roll: Roll) -> Sequence[Event]:
    """The same file again changes nothing; another one under the same number would leave half of each done."""
    if not roll.opened:
        raise RollUnknown
    if (known := roll.parts.get(asked.part)) is not None:
        if known.digest != asked.digest:
            raise PartChanged(part=asked.part)
        return []
    if asked.part != len(roll.parts) + 1:
        raise PartsOutOfOrder(part=asked.part, due=len(roll.parts) + 1)
    return [
        PartReceived(
            roll_id=asked.roll_id,
            part=asked.part,
            digest=asked.digest,
            size_bytes=asked.size_bytes,
            last_line=asked.last_line,
            reference=asked.reference,
            at=asked.at,
        )
    ]


def note_page(asked: NotePage, roll: Roll) -> Sequence[Event]:
    """Two who carry out the same part do the same; the first one's word stands."""
    if asked.part not in roll.parts:
        raise RollUnknown
    part = roll.parts[asked.part]
    if asked.page <= len(part.pages):
        return []
    return [
        PageCarriedOut(
            roll_id=asked.roll_id,
            part=asked.part,
            page=asked.page,
            first_line=asked.first_line,
            last_line=asked.last_line,
            digest=asked.digest,
            ordered=asked.ordered,
            verdicts=asked.verdicts,
            is_last=asked.last_line >= part.last_line,
            kept=bool(part.reference),
            at=asked.at,
        )
    ]


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case PartReceived() if fact.reference:
            yield Due(fact.at, CarryOutPage(roll_id=fact.roll_id, part=fact.part, page=1))
        case PageCarriedOut(kept=True, is_last=True):
            yield Due(fact.at, ForgetPart(roll_id=fact.roll_id, part=fact.part))
        case PageCarriedOut(kept=True):
            yield Due(fact.at, CarryOutPage(roll_id=fact.roll_id, part=fact.part, page=fact.page + 1))


rolls: Decider[Command, Roll, Event] = Decider(Roll(), decide, evolve, due)
