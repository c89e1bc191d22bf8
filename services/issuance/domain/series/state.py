"""How a series of card numbers stands."""

from libs.kernel import state
from services.issuance.domain.series.events import Event


@state
class Series:
    """The next number to give out, and the batches that have theirs."""

    next: int = 1
    batches: int = 0


def evolve(series: Series, fact: Event) -> Series:
    return Series(next=fact.first + len(fact.holdings), batches=series.batches + 1)
