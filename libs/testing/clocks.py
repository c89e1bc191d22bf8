"""Clocks that stand until they are moved."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 10, 8, 4, 0, tzinfo=UTC)


class StandingClock:
    """A clock that stands at `moment`."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def move(self, by: timedelta) -> None:
        self.moment += by
