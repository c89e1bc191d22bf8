"""Which editions of a city's bylaws were enacted, and what waits for a second person."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.kernel import state, value
from libs.kernel.foureyes import Proposals
from services.office.domain.statute.events import EditionEnacted, EditionFounded, EditionProposed, Event


@value
class Enacted:
    """An edition, and since when processes may serve by it."""

    edition: str
    at: datetime


@state
class Statute:
    """The bylaws of one city. The last of `enacted` is in force."""

    enacted: tuple[Enacted, ...] = ()
    proposals: Proposals[EditionProposed] = Proposals()

    @property
    def in_force(self) -> Enacted | None:
        return self.enacted[-1] if self.enacted else None

    def allows(self, edition: str) -> bool:
        """Whether a process may serve by this edition."""
        return self.in_force is not None and self.in_force.edition == edition


def evolve(statute: Statute, fact: Event) -> Statute:
    match fact:
        case EditionFounded():
            return replace(statute, enacted=(Enacted(edition=fact.edition, at=fact.at),))
        case EditionProposed():
            return replace(statute, proposals=statute.proposals.with_new(fact))
        case EditionEnacted():
            return replace(
                statute,
                enacted=(*statute.enacted, Enacted(edition=fact.edition, at=fact.at)),
                proposals=statute.proposals.when_done(fact.proposal_id),
            )
        case _:
            assert_never(fact)
