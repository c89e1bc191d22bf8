"""What has happened to a roll; who stands on it is told by nobody here."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from libs.kernel import event, value
from services.ids import RollId


class Outcome(StrEnum):
    """What became of a row."""

    ORDERED = "ordered"  # Somebody new was registered, and a card is ordered.
    NOTED = "noted"  # The register knows this person; a card is ordered unless there is one, or one on its way.
    LEFT_OUT = "left_out"  # A condition of issue without application is not met (R42).
    REJECTED = "rejected"  # The row cannot be right.
    CASE = "case"  # It may be somebody whom the register knows otherwise; a clerk decides.


@value
class RowVerdict:
    """What became of a row, counted from 1 with the heading; `field` and `code` say why it was not plain sailing."""

    line: int
    outcome: Outcome
    field: str = ""
    code: str = ""


@event
class RollOpened:
    """A department's list for a programme is about to come."""

    roll_id: RollId
    programme: str
    department: str
    name: str
    at: datetime


@event
class PartReceived:
    """A file of the roll was looked through and found sound.

    `reference` is where the vault keeps it, if the city is to carry it out by itself.
    """

    roll_id: RollId
    part: int
    digest: str
    size_bytes: int
    last_line: int
    reference: str
    at: datetime


@event
class PageCarriedOut:
    """Some rows of a part were judged; `verdicts` are of those for whom no new card was ordered, in order.

    `is_last` says that no row of the part is left; `kept` that the city carries it out by itself.
    """

    roll_id: RollId
    part: int
    page: int
    first_line: int
    last_line: int
    digest: str
    ordered: int
    verdicts: tuple[RowVerdict, ...]
    is_last: bool
    kept: bool
    at: datetime

    @property
    def of_each_row(self) -> Sequence[RowVerdict]:
        """What became of each row of the page, in order; whoever is not listed was ordered a card."""
        listed = {verdict.line: verdict for verdict in self.verdicts}
        return [
            listed.get(line) or RowVerdict(line=line, outcome=Outcome.ORDERED)
            for line in range(self.first_line, self.last_line + 1)
        ]


Event = RollOpened | PartReceived | PageCarriedOut
