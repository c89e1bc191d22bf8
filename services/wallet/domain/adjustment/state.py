"""How one adjustment can stand."""

from dataclasses import replace
from typing import assert_never

from libs.kernel import state
from libs.kernel.foureyes import Proposals
from services.wallet.domain import chart
from services.wallet.domain.adjustment.events import AdjustmentDeclined, AdjustmentMade, AdjustmentProposed, Event


@state
class Adjustment:
    """What is wanted, who else must look at it, and whether it is booked."""

    asked: AdjustmentProposed | None = None
    made: AdjustmentMade | None = None
    proposals: Proposals[AdjustmentProposed] = Proposals()

    @property
    def declined(self) -> bool:
        """Whether somebody has said no to what is wanted, and nobody has proposed it anew."""
        return self.asked is not None and self.asked.proposal_id in self.proposals.overtaken

    @property
    def pile(self) -> str | None:
        """The pile of suspense that is written off or pays, if there is one."""
        sides = () if self.asked is None else (self.asked.account, self.asked.against)
        return next((side for side in sides if chart.kind_of(side) is chart.Kind.SUSPENSE), None)


def evolve(adjustment: Adjustment, fact: Event) -> Adjustment:
    match fact:
        case AdjustmentProposed():
            return replace(adjustment, asked=fact, proposals=adjustment.proposals.with_new(fact))
        case AdjustmentMade():
            return replace(adjustment, made=fact, proposals=adjustment.proposals.when_done(fact.proposal_id))
        case AdjustmentDeclined():
            return replace(adjustment, proposals=adjustment.proposals.without(fact.proposal_id))
        case _:
            assert_never(fact)
