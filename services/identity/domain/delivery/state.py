"""How far a delivery has come."""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import assert_never

from libs.kernel import state
from services.identity.domain.delivery.events import Aside, Count, Event, RecordsAnnounced, RecordSettled, RecordsTaken

Span = tuple[int, int]
"""Rows from the first to the last, both included."""


@state
class Delivery:
    """A department's delivery, or one of which nothing has come yet.

    `spans` are the rows that came, in order; `numbered` says that the department has numbered them itself.
    """

    delivery_id: str = ""
    city: str = ""
    department: str = ""
    name: str = ""
    spans: tuple[Span, ...] = ()
    announced: int | None = None
    aside: Mapping[int, Aside] = field(default_factory=dict)
    settled: frozenset[int] = frozenset()
    numbered: bool = False

    @property
    def received(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    @property
    def count(self) -> Count:
        return Count(
            received=self.received,
            faulty=len(self.aside) + len(self.settled),
            waiting=len(self.aside),
            highest=self.highest,
        )

    @property
    def highest(self) -> int:
        """The highest row that has come, if the department numbers them; 0 otherwise."""
        return self.spans[-1][1] if self.spans and self.numbered else 0

    @property
    def missing(self) -> int:
        """How many records have not come of those that were announced, or that lie before one that came."""
        return max(0, max(self.announced or 0, self.highest) - self.received)

    def fresh(self, first: int, last: int) -> Iterator[Span]:
        """Those of these rows that have not come yet."""
        for begins, ends in self.spans:
            if ends < first or begins > last:
                continue
            if first < begins:
                yield first, begins - 1
            first = ends + 1
        if first <= last:
            yield first, last


def evolve(delivery: Delivery, fact: Event) -> Delivery:
    match fact:
        case RecordsTaken():
            return replace(
                delivery,
                delivery_id=fact.delivery_id,
                city=fact.city,
                department=fact.department,
                name=fact.name,
                spans=_joined(sorted([*delivery.spans, (fact.first_row, fact.last_row)])),
                aside={**delivery.aside, **{one.row: one for one in fact.aside}},
                numbered=delivery.numbered or fact.numbered,
            )
        case RecordsAnnounced():
            return replace(
                delivery,
                delivery_id=fact.delivery_id,
                city=fact.city,
                department=fact.department,
                name=fact.name,
                announced=fact.count,
            )
        case RecordSettled():
            waiting = {row: one for row, one in delivery.aside.items() if row != fact.row}
            return replace(delivery, aside=waiting, settled=delivery.settled | {fact.row})
        case _:
            assert_never(fact)


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for first, last in spans:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(joined)
