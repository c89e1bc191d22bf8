"""What a city decides for itself holds when two people have looked at it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from libs.kernel import Clash, Decider
from libs.kernel.foureyes import TwoPeople, named
from services.office.domain.statute.commands import ApproveEdition, Command, FoundEdition, ProposeEdition
from services.office.domain.statute.events import EditionEnacted, EditionFounded, EditionProposed, Event
from services.office.domain.statute.state import Statute, evolve

PROPOSALS_STAND_FOR = timedelta(days=30)


class AnotherProposed(Clash):
    """Edition {edition} waits for approval already; approve it, or wait until its proposal lapses at {until}."""


def decide(command: Command, statute: Statute) -> Sequence[Event]:
    match command:
        case FoundEdition():
            return found(command, statute)
        case ProposeEdition():
            return propose(command, statute)
        case ApproveEdition():
            return approve(command, statute)
        case _:
            assert_never(command)


def found(asked: FoundEdition, statute: Statute) -> Sequence[Event]:
    """Only a city that has no bylaws here yet begins by itself."""
    if statute.in_force is not None:
        return []
    return [EditionFounded(city=asked.city, edition=asked.edition, at=asked.at)]


def propose(asked: ProposeEdition, statute: Statute) -> Sequence[Event]:
    named(asked.by)
    if statute.allows(asked.edition) or statute.proposals.known(asked.proposal_id):
        return []
    waiting = statute.proposals.open(EditionProposed, asked.at)
    if waiting is not None and waiting.edition != asked.edition:
        raise AnotherProposed(edition=waiting.edition, until=waiting.until.isoformat(timespec="seconds"))
    if waiting is not None:
        return []
    return [
        EditionProposed(
            city=asked.city,
            edition=asked.edition,
            at=asked.at,
            proposal_id=asked.proposal_id,
            by=asked.by,
            until=asked.at + PROPOSALS_STAND_FOR,
        )
    ]


def approve(asked: ApproveEdition, statute: Statute) -> Sequence[Event]:
    approved = statute.proposals.approved(asked.proposal_id, asked.by, asked.at)
    if approved is None:
        return []
    proposal, eyes = approved
    return [
        EditionEnacted(
            city=asked.city, edition=proposal.edition, at=asked.at, proposal_id=proposal.proposal_id, eyes=eyes
        )
    ]


statute_desk: Decider[Command, Statute, Event] = Decider(Statute(), decide, evolve)

TWO_PEOPLE = (TwoPeople(act="enact a bylaw", decider=statute_desk, facts=(EditionEnacted,)),)
