"""Two lists of the same money, ours and theirs, line by line.

A line is known by its reference. What stands on one side alone, or with another amount, is a difference. A difference
is *in transit* while it is young, for a payment late at night stands in tomorrow's file; after that it is *unexplained*
and belongs into suspense. A line that was posted long after it happened is *stale* (Chicago 2008: months of rides
posted at once), even if both sides agree.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum

from libs.kernel import value


class Why(StrEnum):
    """What is wrong with a line."""

    ONLY_OURS = "only_ours"
    ONLY_THEIRS = "only_theirs"
    OTHER_AMOUNT = "other_amount"


class Standing(StrEnum):
    """What a difference is on a given day."""

    IN_TRANSIT = "in_transit"
    UNEXPLAINED = "unexplained"


@value
class Line:
    """One movement as one side has it: fen (signed), the day on which it happened, the day on which it was posted."""

    reference: str
    fen: int
    day: date
    posted: date


@value
class Difference:
    """What one side has and the other does not; `fen` is ours less theirs, `since` the day from which it ages."""

    reference: str
    why: Why
    fen: int
    since: date

    def age_days(self, today: date) -> int:
        return (today - self.since).days

    def standing(self, today: date, transit_days: int) -> Standing:
        old = self.age_days(today) > transit_days or self.why is Why.OTHER_AMOUNT
        return Standing.UNEXPLAINED if old else Standing.IN_TRANSIT


@value
class Reconciliation:
    """The outcome of a day. `ours_fen` less `theirs_fen` is the sum of all differences, to the fen."""

    ours_fen: int
    theirs_fen: int
    matched: int
    differences: tuple[Difference, ...]
    stale: tuple[str, ...]

    @property
    def difference_fen(self) -> int:
        return sum(one.fen for one in self.differences)

    def suspense(self, today: date, transit_days: int) -> tuple[Difference, ...]:
        """What nobody can explain any more, the oldest first."""
        old = [one for one in self.differences if one.standing(today, transit_days) is Standing.UNEXPLAINED]
        return tuple(sorted(old, key=lambda one: (one.since, one.reference)))


class LineTwice(ValueError):
    """One side names the same reference twice: it is not known which of the two is meant."""


def reconcile(ours: Sequence[Line], theirs: Sequence[Line], stale_days: int) -> Reconciliation:
    """Hold our lines against theirs. Both bring along what was open from the days before. Raises LineTwice."""
    here, there = _by_reference(ours), _by_reference(theirs)
    differences = []
    for reference in sorted(here.keys() | there.keys()):
        mine, yours = here.get(reference), there.get(reference)
        if mine is not None and yours is not None:
            if mine.fen != yours.fen:
                since = min(mine.day, yours.day)
                differences.append(
                    Difference(reference=reference, why=Why.OTHER_AMOUNT, fen=mine.fen - yours.fen, since=since)
                )
        elif mine is not None:
            differences.append(Difference(reference=reference, why=Why.ONLY_OURS, fen=mine.fen, since=mine.day))
        elif yours is not None:
            differences.append(Difference(reference=reference, why=Why.ONLY_THEIRS, fen=-yours.fen, since=yours.day))
    return Reconciliation(
        ours_fen=sum(line.fen for line in ours),
        theirs_fen=sum(line.fen for line in theirs),
        matched=sum(1 for reference in here.keys() & there.keys() if here[reference].fen == there[reference].fen),
        differences=tuple(differences),
        stale=tuple(
            sorted({line.reference for line in (*ours, *theirs) if (line.posted - line.day).days > stale_days})
        ),
    )


def _by_reference(lines: Sequence[Line]) -> Mapping[str, Line]:
    found: dict[str, Line] = {}
    for line in lines:
        if line.reference in found:
            raise LineTwice(line.reference)
        found[line.reference] = line
    return found
