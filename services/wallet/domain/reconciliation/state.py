"""How one difference can stand, and one day."""

from dataclasses import replace
from typing import assert_never

from libs.kernel import state
from services.wallet.domain.reconciliation.events import (
    DayReconciled,
    DifferenceEvent,
    DifferenceExplained,
    DifferenceResolved,
    DifferenceSuspended,
)


@state
class Difference:
    """What lies in suspense because of it (`fen`), how often money has moved, and what somebody has explained of it."""

    noted: DifferenceSuspended | None = None
    fen: int = 0
    moves: int = 0
    explained: tuple[DifferenceExplained, ...] = ()

    @property
    def explained_fen(self) -> int:
        """What was explained of the difference as it stands; nothing, if it has changed since."""
        return self.fen if any(one.fen == self.fen for one in self.explained) else 0


def evolve_difference(difference: Difference, fact: DifferenceEvent) -> Difference:
    match fact:
        case DifferenceSuspended():
            return replace(difference, noted=fact, fen=fact.fen, moves=fact.nth)
        case DifferenceResolved():
            return replace(difference, fen=0, moves=fact.nth)
        case DifferenceExplained():
            return replace(difference, explained=(*difference.explained, fact))
        case _:
            assert_never(fact)


@state
class Reconciliation:
    """A day's outcome, once there is one."""

    done: DayReconciled | None = None


def evolve_reconciliation(_reconciliation: Reconciliation, fact: DayReconciled) -> Reconciliation:
    return Reconciliation(done=fact)
