"""Whose duties have ended: what the doors of a process hold against tokens that were issued before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.kernel import Refused
from libs.kernel.clocks import Clock
from libs.kernel.ids import derived, written

LIFE_MAX_S = 86_400
"""No token holds longer than a day, so what ended before yesterday need not be remembered."""
SKEW_S = 60
"""By so much may the clocks of issuers and of this machine differ."""


class DutyEnded(Refused):
    """The duty for which this token was issued was withdrawn or has ended, at {at}. Sign in again for the duties that
    you still have, or ask whoever appoints there; a token for this duty must be issued after {after}."""

    status = 401


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Somebody has a duty no more; `at` is machine time, by which issuers date tokens.

    Where `duty` or `organisation` is empty, any of theirs is meant.
    """

    staff_id: str
    duty: str
    organisation: str
    at: datetime


def staff_of(city: str, login: str) -> str:
    """The id under which a city keeps the duties of whoever signs in as `login`, the `sub` of their tokens."""
    return written(city, derived("staff", city, login))


class Withdrawn:
    """The withdrawals of the last day, in memory: heard twice or in any order, they come to the same."""

    def __init__(self, machine: Clock) -> None:
        self._machine, self._tidied_at = machine, machine.now()
        self._ended: dict[str, dict[tuple[str, str], datetime]] = {}

    @property
    def remembered(self) -> int:
        """How many there are."""
        return sum(map(len, self._ended.values()))

    def note(self, heard: Withdrawal) -> None:
        """Remember this one, and now and then forget those that no token can be older than."""
        now = self._machine.now()
        since = now - timedelta(seconds=LIFE_MAX_S + 2 * SKEW_S)
        if heard.at > since:
            duties = self._ended.setdefault(heard.staff_id, {})
            what = heard.duty, heard.organisation
            duties[what] = max(heard.at, duties.get(what, heard.at))
        if now <= self._tidied_at + timedelta(seconds=SKEW_S):
            return
        self._tidied_at = now
        self._ended = {
            who: kept
            for who, duties in self._ended.items()
            if (kept := {what: at for what, at in duties.items() if at > since})
        }

    def check(self, staff: Iterable[str], role: str, outlet: str, issued_at: float) -> None:
        """Refuse a token that was issued for this role at this outlet before it was withdrawn. Raises DutyEnded.

        `staff` is whom it speaks for, in each city where it may; a token that names no outlet may be for any.
        """
        for who in staff:
            for (duty, organisation), at in self._ended.get(who, {}).items():
                after = at + timedelta(seconds=SKEW_S)
                meant = duty in ("", role) and (not outlet or organisation in ("", outlet))
                if meant and issued_at <= after.timestamp():
                    raise DutyEnded(at=at.isoformat(timespec="seconds"), after=after.isoformat(timespec="seconds"))
