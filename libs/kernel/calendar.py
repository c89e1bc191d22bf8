"""Working days of mainland China: holidays and the weekends that are worked in exchange are data, not arithmetic."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from libs.kernel.refusals import Clash
from libs.kernel.shapes import value

SHANGHAI = ZoneInfo("Asia/Shanghai")
_ONE_DAY = timedelta(days=1)


class CalendarUnknown(Clash):
    """The working days of {year} are not published yet, and this city does not count on a guess; ask when they are."""


@value
class Deadline:
    """An hour that the city counted; `provisional` when a day of it lies in a year whose calendar is not published."""

    at: datetime
    provisional: bool = False


@value
class Year:
    """What the State Council's notice changes in one year: days off, and weekends that are worked instead."""

    days_off: frozenset[date]
    days_worked: frozenset[date]


@value
class Calendar:
    """Answers which days are worked.

    Each day stands under its own year, also where the notice for the next year moved it (30 December for 2 January).
    `guess_unknown_years` says what the city wants when a year is not published: count Monday to Friday and mark the
    answer provisional, or refuse with `CalendarUnknown`.
    """

    years: Mapping[int, Year]
    guess_unknown_years: bool = True

    def __post_init__(self) -> None:
        for number, year in self.years.items():
            if astray := sorted(day for day in year.days_off | year.days_worked if day.year != number):
                raise ValueError(f"the calendar of {number} lists {astray[0]}, which would never be looked up there")
            if torn := sorted(year.days_off & year.days_worked):
                raise ValueError(f"the calendar of {number} lists {torn[0]} both as a day off and as a day worked")

    def knows(self, day: date) -> bool:
        """Whether the working days of its year are published."""
        return day.year in self.years

    def is_worked(self, day: date) -> bool:
        """Whether offices work on this day. Raises CalendarUnknown if the city does not guess."""
        year = self.years.get(day.year)
        if year is None:
            if not self.guess_unknown_years:
                raise CalendarUnknown(year=day.year)
            return day.weekday() < 5
        if day in year.days_worked:
            return True
        return day.weekday() < 5 and day not in year.days_off

    def end_of_working_day(self, count: int, after: datetime) -> Deadline:
        """24:00 (Shanghai) of the `count`-th working day after the day of `after`, which is day 0.

        Raises CalendarUnknown if the city does not guess.
        """
        if count < 0:
            raise ValueError("working days are counted forwards")
        day, certain = shanghai_day(after), True
        while count:
            day += _ONE_DAY
            certain = certain and self.knows(day)
            count -= self.is_worked(day)
        return Deadline(at=midnight_after(day), provisional=not certain)

    def first_worked_from(self, day: date) -> date:
        """This day, or the next one that is worked; as certain as `knows` is of the answer. Raises CalendarUnknown."""
        while not self.is_worked(day):
            day += _ONE_DAY
        return day


def shanghai_day(moment: datetime) -> date:
    """The day that it is in Shanghai at this moment; a moment without a zone is a bug, not a guess."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone before it can fall on a day")
    return moment.astimezone(SHANGHAI).date()


def midnight_after(day: date) -> datetime:
    """24:00 in Shanghai at the end of this day."""
    return datetime.combine(day + _ONE_DAY, time(), SHANGHAI)


def morning_of(day: date) -> datetime:
    """0:00 in Shanghai at the beginning of this day."""
    return datetime.combine(day, time(), SHANGHAI)


def end_of_calendar_day(count: int, after: datetime) -> Deadline:
    """24:00 (Shanghai) of the `count`-th day after the day of `after`."""
    return Deadline(at=midnight_after(shanghai_day(after) + count * _ONE_DAY))


def one_month_after(day: date) -> date:
    """The same day next month, or that month's last."""
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def years_after(day: date, count: int) -> date:
    """The same day `count` years later; 28 February for a 29th that does not exist."""
    year = day.year + count
    return date(year, day.month, min(day.day, monthrange(year, day.month)[1]))


def full_years(born: date, on: date) -> int:
    """Full years lived on this day; who was born on 29 February is a year older on 28 February of a common year."""
    years = on.year - born.year
    return years - (years_after(born, years) > on)
