"""What can be asked of a delivery."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import command
from services.identity.domain.delivery.events import Aside, Settled


@command
class TakeRecords:
    """Write down what became of these rows; those that came before are not counted again.

    `numbered` says that the department has numbered them itself, from 1 and without a gap.
    """

    delivery_id: str
    city: str
    department: str
    name: str
    first_row: int
    last_row: int
    aside: tuple[Aside, ...]
    announced: int | None
    kept_days: int
    at: datetime
    numbered: bool = False


@command
class SettleRecord:
    """Say what became of a record that was put aside."""

    delivery_id: str
    row: int
    outcome: Settled
    reason: str
    at: datetime


@command
class ForgetRecords:
    """The records that were put aside have been kept long enough."""

    delivery_id: str


Command: TypeAlias = TakeRecords | SettleRecord | ForgetRecords
