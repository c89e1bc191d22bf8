"""How a series of card numbers stands."""

from libs.kernel import state
from services.ids import BatchId
from services.issuance.domain.series.events import Event


@state
class Series:
    """The next number to give out, the batch that has the last ones, and how many those are."""

    next: int = 1
    latest: BatchId | None = None
    taken: int = 0


def evolve(_series: Series, fact: Event) -> Series:
    return Series(next=fact.first + len(fact.holdings), latest=fact.batch_id, taken=len(fact.holdings))
