"""How the cases of one purchase counter can stand."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import assert_never

from libs.kernel import state
from libs.kernel.foureyes import Proposals
from services.wallet.domain.naming import TapCaseId
from services.wallet.domain.tapcase.events import Event, RulingDeclined, RulingProposed, TapRuled
from services.wallet.domain.taps.tap import Ruling


@state
class Cases:
    """What was ruled on which record of this counter, and what waits for another person."""

    ruled: Mapping[TapCaseId, TapRuled] = field(default_factory=dict)
    proposals: Proposals[RulingProposed] = Proposals()

    @property
    def charged(self) -> TapCaseId | None:
        """The record for which people have let the holder be charged, if there is one."""
        return next((name for name, fact in self.ruled.items() if fact.ruling is Ruling.BOOK), None)


def evolve(cases: Cases, fact: Event) -> Cases:
    match fact:
        case RulingProposed():
            return replace(cases, proposals=cases.proposals.with_new(fact))
        case TapRuled():
            ruled = {**cases.ruled, fact.case_id: fact}
            return replace(cases, ruled=ruled, proposals=cases.proposals.when_done(fact.proposal_id).when_changed())
        case RulingDeclined():
            return replace(cases, proposals=cases.proposals.without(fact.proposal_id))
        case _:
            assert_never(fact)
