"""Until when a card is valid: so many years, by the holder's age where the law says so, and no longer than a fact."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from libs.kernel import value
from libs.kernel.calendar import midnight_after, shanghai_day, years_after
from libs.kernel.why import FactUsed

LONG_TERM = date(2999, 12, 30)
"""The last day of a card that is valid for the holder's life."""


@value
class AgeBand:
    """How many years a card is valid of somebody younger than `under` (of everybody else, if None); 0 is for life."""

    under: int | None
    years: int

    def __post_init__(self) -> None:
        if not 0 <= self.years <= 100 or (self.under is not None and not 0 < self.under <= 150):
            raise ValueError("a card is valid for up to 100 years, or for life (0), by an age from 1 to 150")


@value
class Validity:
    """How the end of a card's validity is found; `ends_with` is a fact with whose last day it ends at the latest."""

    years: int
    by_age: tuple[AgeBand, ...] = ()
    ends_with: str = ""

    @property
    def personal(self) -> bool:
        """Whether it depends on who the holder is; then it is settled when the card is made, and printed on it."""
        return bool(self.by_age or self.ends_with)

    def valid_to(self, at: datetime, age: int | None = None, used: Sequence[FactUsed] = ()) -> tuple[datetime, str]:
        """24:00 (UTC) of the last day, and by which rule: `years`, `age`, or the fact with which it ends.

        Of somebody whose age is not known, the years that hold for everybody count.
        """
        band = next((one for one in self.by_age if age is not None and (one.under is None or age < one.under)), None)
        years, rule = (band.years, "age") if band else (self.years, "years")
        last = years_after(shanghai_day(at), years) if years else LONG_TERM
        for said in used:
            if said.fact == self.ends_with and said.valid_to is not None and said.valid_to < last:
                last, rule = said.valid_to, said.fact
        return midnight_after(last).astimezone(UTC), rule
