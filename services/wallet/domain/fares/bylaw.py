"""What a city may decide for itself about fares. All money is integer fen, all distances are metres."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, time, timedelta
from enum import StrEnum

from libs.kernel import Calendar, value
from libs.kernel.calendar import SHANGHAI, shanghai_day
from libs.kernel.why import Cited

FARE_MAX_FEN = 100_000
"""No single trip costs a thousand yuan; a tariff that says so was mistyped."""


class Concession(StrEnum):
    """Who rides for less because of who they are; such a card is named (domain facts 3.5, 5)."""

    NONE = "none"
    OVER_70 = "over_70"
    OVER_60 = "over_60"
    PUPIL = "pupil"


@value
class Band:
    """One more yuan, or whatever `add_fen` says, for each begun `every_m` up to `until_m`; the last has no end."""

    every_m: int
    add_fen: int
    until_m: int | None = None

    def __post_init__(self) -> None:
        if self.every_m < 1 or self.add_fen < 0 or (self.until_m is not None and self.until_m < 1):
            raise ValueError("a band adds nothing less than zero, for each begun stretch of at least a metre")


@value
class Tariff:
    """What one service charges before any discount: a flat fare, and bands of distance if there are any.

    `ceiling_fen` is the most that a single trip can cost (INV-5); a charge above it is never booked as a fare.
    `incomplete_fen` is what a trip costs whose end nobody recorded, until the rider claims otherwise.
    """

    base_fen: int
    ceiling_fen: int
    base_m: int = 0
    bands: tuple[Band, ...] = ()
    incomplete_fen: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.base_fen <= self.ceiling_fen <= FARE_MAX_FEN:
            raise ValueError(f"a fare lies between 0 and its ceiling, and the ceiling at most at {FARE_MAX_FEN} fen")
        if not 0 <= self.incomplete_fen <= self.ceiling_fen:
            raise ValueError("an incomplete trip costs no more than the dearest complete one")
        ends = [self.base_m, *(band.until_m for band in self.bands if band.until_m is not None)]
        if ends != sorted(set(ends)) or any(band.until_m is None for band in self.bands[:-1]):
            raise ValueError("bands follow one another, and only the last has no end")
        if self.bands and self.bands[-1].until_m is not None:
            raise ValueError("the last band has no end, or a long trip would have no price")

    @property
    def by_distance(self) -> bool:
        return bool(self.bands)


@value
class Ladder:
    """The more one has ridden this month, the less the next trip costs (Hangzhou 2023).

    `steps` are (running total from which it holds, percent to pay), by the total before the trip. Trips on excluded
    lines are neither discounted nor counted. Only who first topped up by at least `first_top_up_min_fen` climbs.
    """

    steps: tuple[tuple[int, int], ...]
    excluded_lines: frozenset[str] = frozenset()
    first_top_up_min_fen: int = 0

    def __post_init__(self) -> None:
        totals = [total for total, _ in self.steps]
        if not totals or totals[0] != 0 or totals != sorted(set(totals)):
            raise ValueError("a ladder begins at 0 and rises")
        if any(not 0 <= percent <= 100 for _, percent in self.steps):
            raise ValueError("a step of the ladder pays between 0 and 100 percent")

    def percent(self, month_total_fen: int) -> int:
        return [percent for total, percent in self.steps if total <= month_total_fen][-1]


@value
class Product:
    """How a trip is paid: from the purse, by code, from the monthly area; each has its own discount.

    `lines` limits a product to listed lines. `passback_min` is how many minutes must pass before the same credential
    is taken again on the same vehicle; 0 lets one card pay for several people.
    """

    percent: int = 100
    ladder: Ladder | None = None
    lines: frozenset[str] | None = None
    passback_min: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100 or not 0 <= self.passback_min <= 60:
            raise ValueError("a product pays 0 to 100 percent, and shuts a vehicle for at most an hour")


@value
class Transfer:
    """The second vehicle within a window costs less, once; trips by `never_between` modes alone get nothing."""

    from_min: int
    to_min: int
    off_max_fen: int
    never_between: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0 <= self.from_min <= self.to_min <= 24 * 60 or self.off_max_fen < 0:
            raise ValueError("a transfer window lies within a day, and its discount is no surcharge")

    def holds(self, gap: timedelta) -> bool:
        return timedelta(minutes=self.from_min) <= gap <= timedelta(minutes=self.to_min)


@value
class Peak:
    """The hours of working days in which everybody travels; judged by the time of entry."""

    windows: tuple[tuple[time, time], ...]
    calendar: Calendar

    def holds(self, at: datetime) -> bool:
        if not self.calendar.is_worked(shanghai_day(at)):
            return False
        clock = at.astimezone(SHANGHAI).time()
        return any(start <= clock < end for start, end in self.windows)


@value
class Relief:
    """What a concession pays, in percent of the fare, off peak and in peak."""

    off_peak_percent: int
    peak_percent: int

    def __post_init__(self) -> None:
        if not (0 <= self.off_peak_percent <= 100 and 0 <= self.peak_percent <= 100):
            raise ValueError("a concession pays between 0 and 100 percent")


@value
class FareBylaw:
    """One city's fares as they hold at one moment.

    `credit_max_fen` is how far below zero one ride may take a purse (0: not at all), the one thing that ever may; the
    debt is cleared before the next ride, and first of all by the next top-up (Hangzhou electronic monthly ticket).
    `articles` are the entries behind its values (`Ground.ref`), by their names in the programme's `fares.yaml`.
    """

    tariffs: Mapping[str, Tariff]
    products: Mapping[str, Product]
    reliefs: Mapping[Concession, Relief]
    peak: Peak
    transfer: Transfer | None = None
    credit_max_fen: int = 0
    claim_days: int = 30
    city: str = ""
    edition: str = ""
    articles: Mapping[str, str] = field(default_factory=dict)

    def by(self, rule: str, row: str = "") -> Cited:
        """What a refusal by this rule cites, for example by the row `bus` of `tariffs`."""
        path, _, days = self.articles[rule].rpartition("@")
        article = f"{path}#{row}@{days}" if row else f"{path}@{days}"
        return Cited(city=self.city, edition=self.edition, articles=(article,))

    def __post_init__(self) -> None:
        if not 0 <= self.credit_max_fen <= FARE_MAX_FEN:
            raise ValueError("one ride on credit is bounded by the dearest fare there can be")
