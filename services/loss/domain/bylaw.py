"""What a city may decide for itself about losses."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from libs.kernel import Calendar, Deadline, value
from libs.kernel.calendar import end_of_calendar_day


class Unit(StrEnum):
    WORKING_DAYS = "working_days"
    DAYS = "days"
    HOURS = "hours"


class OnLapse(StrEnum):
    """What an unconfirmed pre-report comes to at its hour (domain facts 2.8: cities differ)."""

    WAKE = "wake"
    CANCEL = "cancel"


class LiftAt(StrEnum):
    """Where a written report may be lifted."""

    ANY_OUTLET = "any_outlet"
    ACCEPTING_OUTLET = "accepting_outlet"
    NOWHERE = "nowhere"


@value
class Window:
    """How long something lasts. Days end at 24:00 of their last day; hours are counted exactly."""

    count: int
    unit: Unit

    def __post_init__(self) -> None:
        if not 0 < self.count <= 400:
            raise ValueError("a window lasts between 1 and 400 of its units")

    def ends(self, start: datetime, calendar: Calendar) -> Deadline:
        match self.unit:
            case Unit.WORKING_DAYS:
                return calendar.end_of_working_day(self.count, start)
            case Unit.DAYS:
                return end_of_calendar_day(self.count, start)
            case Unit.HOURS:
                return Deadline(at=start + timedelta(hours=self.count))


@value
class Covered:
    """A function that a report stops, and how many hours after the report."""

    function: str
    after_hours: int = 0


@value
class LossBylaw:
    """One city's rules on loss for one programme, as they hold at one moment."""

    window: Window
    calendar: Calendar
    on_lapse: OnLapse
    warn_hours_before: int
    pre_reports_max: int
    pre_report_covers: tuple[Covered, ...]
    written_report_covers: tuple[Covered, ...]
    written_report_at: frozenset[str]
    lift_at: LiftAt
    lift_kinds: frozenset[str]
    reissue_at: frozenset[str]
    cancel_at: frozenset[str]
    documents: frozenset[str]

    def pre_report_ends(self, at: datetime) -> Deadline:
        """The hour (UTC) at which a telephone report made now lapses unless it is signed for."""
        ends = self.window.ends(at, self.calendar)
        return Deadline(at=ends.at.astimezone(UTC), provisional=ends.provisional)
