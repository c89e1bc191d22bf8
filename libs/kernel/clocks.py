"""Two clocks: city time decides deadlines and effects, machine time serves tokens, leases and latency."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The moment it is, aware and in UTC."""


def to_the_millisecond(moment: datetime) -> datetime:
    """A moment in UTC as precise as the city records it."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
