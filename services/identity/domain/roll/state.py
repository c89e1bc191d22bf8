"""How a roll stands: which parts have come, and how far each has been carried out."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import assert_never

from libs.kernel import state
from services.identity.domain.roll.events import Event, Outcome, PageCarriedOut, PartReceived, RollOpened, RowVerdict


@state
class Part:
    """A file of the roll; its first line is the heading, so that `carried_to` begins at 1."""

    digest: str
    size_bytes: int
    last_line: int
    reference: str
    pages: tuple[PageCarriedOut, ...] = ()

    @property
    def carried_to(self) -> int:
        """The last line that was judged."""
        return self.pages[-1].last_line if self.pages else 1

    @property
    def finished(self) -> bool:
        return self.carried_to >= self.last_line

    @property
    def verdicts(self) -> tuple[RowVerdict, ...]:
        """The rows for whom no new card was ordered."""
        return tuple(verdict for page in self.pages for verdict in page.verdicts)


@state
class Roll:
    """A department's list; nothing is known of it before it is opened."""

    programme: str = ""
    department: str = ""
    name: str = ""
    parts: Mapping[int, Part] = field(default_factory=dict)

    @property
    def opened(self) -> bool:
        return bool(self.programme)

    @property
    def finished(self) -> bool:
        return bool(self.parts) and all(part.finished for part in self.parts.values())

    def count(self, outcome: Outcome) -> int:
        """How many rows came to this."""
        if outcome is Outcome.ORDERED:
            return sum(page.ordered for part in self.parts.values() for page in part.pages)
        return sum(verdict.outcome is outcome for part in self.parts.values() for verdict in part.verdicts)


def evolve(roll: Roll, fact: Event) -> Roll:
    match fact:
        case RollOpened():
            return replace(roll, programme=fact.programme, department=fact.department, name=fact.name)
        case PartReceived():
            new = Part(
                digest=fact.digest, size_bytes=fact.size_bytes, last_line=fact.last_line, reference=fact.reference
            )
            return replace(roll, parts={**roll.parts, fact.part: new})
        case PageCarriedOut():
            part = roll.parts[fact.part]
            return replace(roll, parts={**roll.parts, fact.part: replace(part, pages=(*part.pages, fact))})
        case _:
            assert_never(fact)
