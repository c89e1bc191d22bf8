"""What has become of a department's delivery."""

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from libs.kernel import Sealed, event, value


@value
class Aside:
    """A record that was put aside: its row, why, and the record itself, which nobody reads without the vault."""

    row: int
    code: str
    detail: str
    box: Sealed


@value
class Count:
    """Of all records of a delivery that have come: how many were faulty, and how many of those still wait.

    `highest` is the highest row that has come, where the department numbers them: those below it are to come as well.
    """

    received: int
    faulty: int
    waiting: int
    highest: int = 0


class Settled(StrEnum):
    """What became of a record that was put aside."""

    TAKEN = "taken"
    DISCARDED = "discarded"


@event
class RecordsTaken:
    """These rows (first and last included) have come; all but those put aside are facts now.

    Rows are `numbered` by the department itself, or else by their place on its topic.
    """

    delivery_id: str
    city: str
    department: str
    name: str
    first_row: int
    last_row: int
    aside: tuple[Aside, ...]
    so_far: Count
    at: datetime
    forgotten_at: datetime
    numbered: bool = False


@event
class RecordsAnnounced:
    """The department says how many records this delivery has."""

    delivery_id: str
    city: str
    department: str
    name: str
    count: int
    at: datetime


@event
class RecordSettled:
    """A record that had been put aside is a fact now, or was discarded by somebody who looked at it."""

    delivery_id: str
    city: str
    department: str
    row: int
    outcome: Settled
    reason: str
    so_far: Count
    at: datetime


Event: TypeAlias = RecordsTaken | RecordsAnnounced | RecordSettled
