"""Two lists of the same money, ours and theirs, and a reason for each fen by which they differ.

A movement is known by its reference. What one side says of it in several lines is added up, so a line that was wrong is
taken back by another. Amounts bear the sign that they have in our books on the sender's account: above nothing is what
the city owes to the sender, below nothing what the sender owes to the city.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum

from libs.kernel import Calendar, value
from libs.kernel.calendar import morning_of, shanghai_day


class Source(StrEnum):
    """Who sends a file, and so which of our lines it confirms."""

    MERCHANT = "merchant-settlement"
    BANK = "bank"
    CHANNEL = "top-up-channel"
    TERMINALS = "terminal-totals"


class Class(StrEnum):
    """What a part of a difference is; a difference ends in as many of them as it needs, and they add up to it."""

    IN_TRANSIT = "in_transit"
    FILE_MISSING = "file_missing"
    PARKED = "parked"
    ONLY_OURS = "only_ours"
    ONLY_THEIRS = "only_theirs"
    OTHER_AMOUNT = "other_amount"
    DOUBLED = "doubled"
    WORKED_OFF = "worked_off"
    TURNED_ROUND = "turned_round"


UNEXPLAINED = frozenset({Class.ONLY_OURS, Class.ONLY_THEIRS, Class.OTHER_AMOUNT, Class.DOUBLED})
"""What nobody can explain any more: it goes into suspense."""
IN_SUSPENSE = UNEXPLAINED | {Class.TURNED_ROUND}
"""What lies there, until the other side comes or people work it off."""


@value
class Line:
    """One movement as one side has it: fen (signed), the day on which it happened, the day on which it was posted."""

    reference: str
    fen: int
    day: date
    posted: date


@value
class Item:
    """All that both sides have said of one movement until now; `since` is the first day that either of them names.

    `parked_fen` are taps that the terminal counts and that were put aside with a reason. `suspended_fen` is what lies
    in suspense because of it, `worked_off_fen` what people have taken out of there since.
    """

    reference: str
    since: date
    ours_fen: int = 0
    ours_lines: int = 0
    theirs_fen: int = 0
    theirs_lines: int = 0
    parked_fen: int = 0
    suspended_fen: int = 0
    worked_off_fen: int = 0

    @property
    def fen(self) -> int:
        """Ours less theirs."""
        return self.ours_fen - self.theirs_fen

    @property
    def open_fen(self) -> int:
        """What of it is not explained by taps that were put aside."""
        return self.fen + self.parked_fen

    @property
    def unconfirmed(self) -> bool:
        """We have booked it, and no file has said a word of it."""
        return self.ours_lines > 0 and self.theirs_lines == 0


@value
class Terms:
    """By which a day is judged: what is young still, what waits for a file that has not come, and what is stale.

    `covered` is the last day for which the sender has sent a file, or None; working days are the city's.
    """

    day: date
    transit_days: int
    stale_days: int
    calendar: Calendar
    covered: date | None = None

    def young(self, since: date) -> bool:
        """Whether this may still be on its way: a payment late at night stands in tomorrow's file."""
        return self.day <= _last_day(self.calendar, since, self.transit_days)

    @property
    def late(self) -> date:
        """The last day for which a file that has not come is late."""
        day = self.day
        while self.young(day):
            day -= timedelta(days=1)
        return day

    def stale(self, item: Item) -> bool:
        """Whether we have waited too long for anybody to confirm this (Chicago 2008: months posted at once)."""
        return item.unconfirmed and self.day > _last_day(self.calendar, item.since, self.stale_days)


def _last_day(calendar: Calendar, since: date, working_days: int) -> date:
    ends = replace(calendar, guess_unknown_years=True).end_of_working_day(working_days, morning_of(since))
    return shanghai_day(ends.at).fromordinal(shanghai_day(ends.at).toordinal() - 1)


def why(item: Item, terms: Terms) -> Class:
    """What the part of this difference is that no parked tap explains. `item.open_fen` is not nothing."""
    if item.ours_lines and item.theirs_lines:
        again = item.theirs_lines > item.ours_lines and item.ours_fen and item.theirs_fen % item.ours_fen == 0
        return Class.DOUBLED if again and item.theirs_fen else Class.OTHER_AMOUNT
    if terms.young(item.since):
        return Class.IN_TRANSIT
    if item.theirs_lines:
        return Class.ONLY_THEIRS
    if terms.covered is None or item.since > terms.covered:
        return Class.FILE_MISSING
    return Class.ONLY_OURS


def unexplained_fen(item: Item, terms: Terms) -> int:
    """What of this difference belongs into suspense today; nothing once the other side has come after all."""
    return item.open_fen if item.open_fen and why(item, terms) in UNEXPLAINED else 0


def classes_of(item: Item, terms: Terms) -> Mapping[Class, int]:
    """The parts of a difference, which add up to it."""
    parts = {Class.PARKED: -item.parked_fen, Class.WORKED_OFF: item.worked_off_fen}
    rest = item.open_fen - item.worked_off_fen
    if item.open_fen and why(item, terms) in UNEXPLAINED:
        turned = abs(item.worked_off_fen) > abs(item.open_fen) or item.open_fen * item.worked_off_fen < 0
        parts[Class.TURNED_ROUND if turned else why(item, terms)] = rest
    elif item.open_fen:
        parts[why(item, terms)] = item.open_fen
        parts[Class.TURNED_ROUND] = -item.worked_off_fen
    else:
        parts[Class.TURNED_ROUND] = rest
    return {one: fen for one, fen in parts.items() if fen}


def folded(ours: Iterable[Line], theirs: Iterable[Line]) -> Mapping[str, Item]:
    """All lines of both sides by reference; in which order they come, and in which files, changes nothing."""
    items: dict[str, Item] = {}
    for mine, lines in ((True, ours), (False, theirs)):
        for line in lines:
            item = items.get(line.reference) or Item(reference=line.reference, since=line.day)
            said = {
                "since": min(item.since, line.day),
                "ours_fen": item.ours_fen + mine * line.fen,
                "ours_lines": item.ours_lines + mine,
                "theirs_fen": item.theirs_fen + (not mine) * line.fen,
                "theirs_lines": item.theirs_lines + (not mine),
            }
            items[line.reference] = replace(item, **said)  # type: ignore[arg-type]
    return items


@value
class Part:
    """How many differences have a part in this class, and what these parts come to."""

    kind: Class
    count: int
    fen: int


@value
class Tally:
    """How one party stands at the end of a day. The parts add up to `ours_fen` less `theirs_fen`, to the fen."""

    source: Source
    sender: str
    ours_fen: int
    theirs_fen: int
    parts: tuple[Part, ...] = ()
    stale: int = 0
    stale_fen: int = 0
    oldest: date | None = None
    """The day of the oldest difference that lies in suspense."""
    missing: int = 0
    """Days that are in our books and for which no file has come in time; of terminals, each day of each of them."""
    missing_since: date | None = None

    @property
    def adds_up(self) -> bool:
        return sum(part.fen for part in self.parts) == self.ours_fen - self.theirs_fen


def tally(
    source: Source, sender: str, ours_fen: int, theirs_fen: int, items: Iterable[Item], terms: Terms
) -> Tally:  # fmt: skip
    """Count the open differences of one party. In which order they come changes nothing."""
    counts: dict[Class, list[int]] = {}
    stale = stale_fen = 0
    oldest: date | None = None
    missing: set[date] = set()
    for item in items:
        parts = classes_of(item, terms)
        for one, fen in parts.items():
            count = counts.setdefault(one, [0, 0])
            count[0] += 1
            count[1] += fen
        if IN_SUSPENSE & parts.keys():
            oldest = min(oldest or item.since, item.since)
        if Class.FILE_MISSING in parts:
            missing.add(item.since)
        if terms.stale(item):
            stale, stale_fen = stale + 1, stale_fen + item.fen
    return Tally(
        source=source,
        sender=sender,
        ours_fen=ours_fen,
        theirs_fen=theirs_fen,
        parts=tuple(Part(kind=one, count=counts[one][0], fen=counts[one][1]) for one in sorted(counts)),
        stale=stale,
        stale_fen=stale_fen,
        oldest=oldest,
        missing=len(missing),
        missing_since=min(missing, default=None),
    )
