"""Each fen of difference is explained, or lies in suspense until somebody explains it; a day is reconciled once."""

from collections.abc import Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Missing
from libs.kernel.foureyes import named
from libs.kernel.ids import city_of
from services.wallet.domain import chart
from services.wallet.domain.naming import pile_of
from services.wallet.domain.reconciliation.commands import (
    DifferenceCommand,
    ExplainDifference,
    JudgeDifference,
    ReconciliationCommand,
)
from services.wallet.domain.reconciliation.events import (
    DayReconciled,
    DifferenceEvent,
    DifferenceExplained,
    DifferenceResolved,
    DifferenceSuspended,
)
from services.wallet.domain.reconciliation.state import (
    Difference,
    Reconciliation,
    evolve_difference,
    evolve_reconciliation,
)


class DifferenceUnknown(Missing):
    """Nothing lies in suspense under {difference_id}; look at the register of this city's differences."""


class MoneyLiesThere(Clash):
    """{fen} fen lie in the pile {pile}: a word does not move them. Let one person propose a write-off of this
    difference, and another approve it."""


class NothingToExplain(Clash):
    """Nothing of this difference is open any more; look at it again."""


class DoesNotAddUp(ValueError):
    """The classes of a party do not add up to its difference: a bug of ours, and no day to write down."""


def decide_difference(command: DifferenceCommand, difference: Difference) -> Sequence[DifferenceEvent]:
    match command:
        case JudgeDifference():
            return judge(command, difference)
        case ExplainDifference():
            return explain(command, difference)
        case _:
            assert_never(command)


def judge(asked: JudgeDifference, difference: Difference) -> Sequence[DifferenceEvent]:
    """What lies in suspense follows what is unexplained; only what has changed since the last day moves."""
    moved = asked.fen - difference.fen
    if not moved:
        return []
    pile = chart.suspense(city_of(asked.difference_id), pile_of(asked.difference_id))
    if not asked.fen:
        return [
            DifferenceResolved(
                difference_id=asked.difference_id,
                account=asked.account,
                pile=pile,
                moved_fen=moved,
                nth=difference.moves + 1,
                day=asked.day,
                at=asked.at,
            )
        ]
    assert asked.why is not None, "whatever is suspended is suspended for a reason"
    return [
        DifferenceSuspended(
            difference_id=asked.difference_id,
            source=asked.source,
            sender=asked.sender,
            account=asked.account,
            pile=pile,
            fen=asked.fen,
            moved_fen=moved,
            nth=difference.moves + 1,
            why=asked.why,
            since=asked.since,
            day=asked.day,
            at=asked.at,
        )
    ]


def explain(asked: ExplainDifference, difference: Difference) -> Sequence[DifferenceEvent]:
    """A word is enough where no money lies; where some does, two people put it right (0036)."""
    named(asked.by)
    if difference.noted is None:
        raise DifferenceUnknown(difference_id=asked.difference_id)
    if difference.noted.account:
        raise MoneyLiesThere(fen=difference.fen, pile=pile_of(asked.difference_id))
    if not difference.fen:
        raise NothingToExplain
    if difference.explained_fen:
        return []
    return [
        DifferenceExplained(
            difference_id=asked.difference_id,
            fen=difference.fen,
            reason=asked.reason,
            evidence=asked.evidence,
            by=asked.by,
            at=asked.at,
        )
    ]


differences: Decider[DifferenceCommand, Difference, DifferenceEvent] = Decider(
    Difference(), decide_difference, evolve_difference
)


def record(asked: ReconciliationCommand, reconciliation: Reconciliation) -> Sequence[DayReconciled]:
    """Once for each day, and only what adds up to the fen. Raises DoesNotAddUp."""
    if reconciliation.done is not None:
        return []
    if wrong := [one.sender for one in asked.tallies if not one.adds_up]:
        raise DoesNotAddUp(f"{asked.city}, {asked.day}: {wrong[0]}")
    return [
        DayReconciled(
            reconciliation_id=asked.reconciliation_id,
            city=asked.city,
            day=asked.day,
            tallies=asked.tallies,
            at=asked.at,
        )
    ]


reconciliations: Decider[ReconciliationCommand, Reconciliation, DayReconciled] = Decider(
    Reconciliation(), record, evolve_reconciliation
)
