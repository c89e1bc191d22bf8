"""How a unit stands with the city."""

from dataclasses import replace
from typing import assert_never

from libs.kernel import state
from libs.kernel.foureyes import Proposals
from services.issuance.domain.unit.events import Event, UnitApplied, UnitCodeAccepted, UnitCodeProposed


@state
class Unit:
    """What it has brought, the latest last; `accepted` if two people let its code count in spite of its check."""

    accepted: bool = False
    proposals: Proposals[UnitCodeProposed] = Proposals[UnitCodeProposed]()
    brought: tuple[UnitApplied, ...] = ()

    def submission(self, submission_id: str) -> UnitApplied | None:
        return next((one for one in self.brought if one.submission_id == submission_id), None)


def evolve(unit: Unit, fact: Event) -> Unit:
    match fact:
        case UnitApplied():
            return replace(unit, brought=(*unit.brought, fact))
        case UnitCodeProposed():
            return replace(unit, proposals=unit.proposals.with_new(fact))
        case UnitCodeAccepted():
            return replace(unit, accepted=True, proposals=unit.proposals.when_done(fact.proposal_id))
        case _:
            assert_never(fact)
