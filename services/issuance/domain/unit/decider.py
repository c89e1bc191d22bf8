"""One list, many requests: each row is judged alone, and a bad one never fails the others."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import assert_never

from libs.kernel import Decider, Due
from libs.kernel.foureyes import TwoPeople, named
from services.issuance.domain.application.counter import ChannelClosed, ProgrammeNotOpen
from services.issuance.domain.applying import Channel
from services.issuance.domain.papers import check
from services.issuance.domain.unit.code import UnitCodeFails
from services.issuance.domain.unit.commands import AcceptUnitCode, ApplyForPeople, Command, ProposeUnitCode
from services.issuance.domain.unit.events import Event, UnitApplied, UnitCodeAccepted, UnitCodeProposed
from services.issuance.domain.unit.state import Unit, evolve

PROPOSALS_STAND_FOR = timedelta(days=30)


def decide(command: Command, unit: Unit) -> Sequence[Event]:
    match command:
        case ApplyForPeople():
            return apply(command, unit)
        case ProposeUnitCode():
            return propose(command, unit)
        case AcceptUnitCode():
            return accept(command, unit)
        case _:
            assert_never(command)


def apply(asked: ApplyForPeople, unit: Unit) -> Sequence[Event]:
    """The unit's papers are looked at once for all rows; what is missing is named in one list."""
    if unit.submission(asked.submission_id) is not None:
        return []
    applying = asked.under.applying
    if not applying.open_on(asked.at):
        raise ProgrammeNotOpen(asked.under.by("issuance.applying.opens_on"), opens_on=applying.opens_on)
    if applying.channels and Channel.UNIT not in applying.channels:
        raise ChannelClosed(asked.under.by("issuance.applying.channels"), channels=", ".join(sorted(applying.channels)))
    check(applying.papers_of_units, asked.papers, asked.under.by)
    if not asked.fits and not unit.accepted:
        raise UnitCodeFails
    return [
        UnitApplied(
            unit_id=asked.unit_id,
            submission_id=asked.submission_id,
            programme=asked.programme,
            outlet=asked.outlet,
            requests=asked.requests,
            refused=asked.refused,
            at=asked.at,
        )
    ]


def propose(asked: ProposeUnitCode, unit: Unit) -> Sequence[Event]:
    named(asked.by)
    if unit.accepted or unit.proposals.known(asked.proposal_id) or unit.proposals.open(UnitCodeProposed, asked.at):
        return []
    return [
        UnitCodeProposed(
            unit_id=asked.unit_id,
            reason=asked.reason,
            proposal_id=asked.proposal_id,
            by=asked.by,
            until=asked.at + PROPOSALS_STAND_FOR,
            at=asked.at,
        )
    ]


def accept(asked: AcceptUnitCode, unit: Unit) -> Sequence[Event]:
    approved = unit.proposals.approved(asked.proposal_id, asked.by, asked.at)
    if approved is None:
        return []
    proposal, eyes = approved
    return [UnitCodeAccepted(unit_id=asked.unit_id, proposal_id=proposal.proposal_id, eyes=eyes, at=asked.at)]


def due(fact: Event) -> Iterator[Due]:
    if isinstance(fact, UnitApplied):
        for _, request in fact.requests:
            yield Due(fact.at, request)


units: Decider[Command, Unit, Event] = Decider(Unit(), decide, evolve, due)

TWO_PEOPLE = (TwoPeople(act="let a unit's code count that fails its check", decider=units, facts=(UnitCodeAccepted,)),)
