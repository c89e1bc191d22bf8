"""How a residence permit goes on from year to year (residence permit regulation, Article 10; Jiangsu's 30 days)."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from libs.kernel import Clash, Forbidden, value
from libs.kernel.calendar import midnight_after, morning_of, years_after
from libs.kernel.why import Cited


class TooEarly(Clash):
    """This permit can be endorsed from {opens_on} on, within the month before its year is full; come back then."""


class NotEndorsed(Clash):
    """Cards of this programme are not endorsed; this one is valid as it is."""


class EndorsedElsewhere(Forbidden):
    """This permit is endorsed at: {places}; go there."""


class NoLongerEntitled(Forbidden):
    """The permit cannot be endorsed: {because}."""


class ReportedLost(Clash):
    """Card {card_id} is reported lost; lift the report or have a new card made, then endorse that."""


class Later(StrEnum):
    """What becomes of the years of residence when a permit is endorsed after the days of grace."""

    RESTART = "restart"
    CONTINUOUS = "continuous"


class Window(StrEnum):
    """How a day lies to the year of a permit."""

    TOO_EARLY = "too_early"
    OPEN = "open"
    IN_GRACE = "in_grace"
    LATE = "late"


@value
class Permit:
    """A residence permit: valid before `ends_on`, the day on which its year is full; residence counts from `since`."""

    since: date
    ends_on: date

    def suspended(self, on: date) -> bool:
        """Whether it rests because its year is full and nobody has endorsed it."""
        return on >= self.ends_on


@value
class Endorsing:
    """What a city decides about endorsement: the window in months, the days of grace, and what follows them.

    `remind_days` before the year is full its holder is reminded, at this hour of the day (Shanghai).
    """

    valid_years: int
    window_months: int
    late_days: int
    later: Later
    by: frozenset[str]
    """The organisations that may do it: it is their task, or they were entrusted with it."""
    remind_days: tuple[int, ...] = ()
    remind_hour: int = 9
    said_by: Cited | None = None
    """The entry in which the city says all this."""

    def __post_init__(self) -> None:
        if not (0 < self.valid_years <= 10 and 0 < self.window_months <= 12 and 0 <= self.late_days <= 366):
            raise ValueError("a permit holds 1 to 10 years, its window 1 to 12 months, its grace at most 366 days")
        if not all(0 < days <= 366 for days in self.remind_days) or not 0 <= self.remind_hour < 24:
            raise ValueError("a holder is reminded 1 to 366 days before the year is full, at an hour from 0 to 23")

    def opens_on(self, permit: Permit) -> date:
        """The first day of the window: so many months before the year is full, or that month's last day."""
        months = permit.ends_on.year * 12 + permit.ends_on.month - 1 - self.window_months
        year, month = divmod(months, 12)
        return date(year, month + 1, min(permit.ends_on.day, monthrange(year, month + 1)[1]))

    def window(self, permit: Permit, on: date) -> Window:
        """How this day lies to the year of a permit."""
        if on < self.opens_on(permit):
            return Window.TOO_EARLY
        if not permit.suspended(on):
            return Window.OPEN
        return Window.IN_GRACE if on <= permit.ends_on + timedelta(days=self.late_days) else Window.LATE

    def reminders(self, ends_on: date) -> tuple[datetime, ...]:
        """When the holder of a permit whose year is full on this day is reminded (UTC): once she can do something."""
        opens_on = self.opens_on(Permit(since=ends_on, ends_on=ends_on))
        days = {max(opens_on, ends_on - timedelta(days=days)) for days in self.remind_days}
        return tuple((morning_of(day) + timedelta(hours=self.remind_hour)).astimezone(UTC) for day in sorted(days))

    def grace_until(self, ends_on: date) -> datetime | None:
        """24:00 (UTC) of the last day on which a late endorsement keeps the years; None where any does."""
        if self.later is Later.CONTINUOUS:
            return None
        return midnight_after(ends_on + timedelta(days=self.late_days)).astimezone(UTC)

    def endorse(self, permit: Permit, on: date) -> Permit:
        """The permit as it stands after an endorsement on this day. Raises TooEarly.

        In the window, and in the days of grace, the years go on from the old anniversary; later they begin anew, or
        where the city says so go on (the national rule counts the years from before and after as one).
        """
        match self.window(permit, on):
            case Window.TOO_EARLY:
                raise TooEarly(self.said_by, opens_on=self.opens_on(permit))
            case Window.OPEN | Window.IN_GRACE:
                return Permit(since=permit.since, ends_on=years_after(permit.ends_on, self.valid_years))
            case Window.LATE:
                since = on if self.later is Later.RESTART else permit.since
                return Permit(since=since, ends_on=years_after(on, self.valid_years))
