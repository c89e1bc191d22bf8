"""Numbers are given out in rows, so that none is ever used twice; one that a batch does not need is retired."""

from collections.abc import Iterator, Sequence

from libs.kernel import Clash, Decider, Due
from libs.kernel.checkdigits import luhn
from services.issuance.domain.batch.commands import OpenBatch
from services.issuance.domain.series.commands import Command, TakeNumbers
from services.issuance.domain.series.events import Event, NumbersTaken
from services.issuance.domain.series.state import Series, evolve

NUMBERS_MAX = 10**10 - 1
BATCH_MAX = 500


class NothingToProduce(Clash):
    """No approved card of this programme waits for production at this outlet; approve applications first."""


class NumbersExhausted(Clash):
    """The ten digits of this series are used up; give the programme a new number."""


class BatchTooLarge(Clash):
    """A batch takes at most {most} cards; draw several."""


def decide(command: Command, series: Series) -> Sequence[Event]:
    return take(command, series)


def take(asked: TakeNumbers, series: Series) -> Sequence[Event]:
    if asked.batch_id == series.latest:
        return []
    if not asked.holdings:
        raise NothingToProduce
    if len(asked.holdings) > BATCH_MAX:
        raise BatchTooLarge(most=BATCH_MAX)
    if series.next + len(asked.holdings) - 1 > NUMBERS_MAX:
        raise NumbersExhausted
    return [
        NumbersTaken(
            series=asked.series,
            batch_id=asked.batch_id,
            programme=asked.programme,
            outlet=asked.outlet,
            first=series.next,
            holdings=asked.holdings,
            at=asked.at,
        )
    ]


def due(fact: Event) -> Iterator[Due]:
    numbers = tuple(card_number(fact.series, fact.first + n) for n in range(len(fact.holdings)))
    yield Due(
        fact.at,
        OpenBatch(
            batch_id=fact.batch_id,
            programme=fact.programme,
            outlet=fact.outlet,
            seats=tuple(zip(fact.holdings, numbers, strict=True)),
            at=fact.at,
        ),
    )


def card_number(series: str, nth: int) -> str:
    """The 19 digits on the card: area, programme, sequence and a Luhn digit; nothing in it comes from the person."""
    digits = series.replace("-", "") + f"{nth:010d}"
    return digits + luhn(digits)


series: Decider[Command, Series, Event] = Decider(Series(), decide, evolve, due)
