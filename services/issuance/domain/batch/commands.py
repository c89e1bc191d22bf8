"""What can be asked of a production batch."""

from datetime import datetime

from libs.kernel import command, value
from services.ids import BatchId, HoldingId


@value
class ReturnRow:
    """One line of a return file, counted from 1 with the heading; `failed_step` is empty for a good card."""

    line: int
    card_number: str
    ident: str
    atr: str
    box: str
    failed_step: str
    reason: str


@command
class OpenBatch:
    """Cards for these holdings, with these numbers."""

    batch_id: BatchId
    programme: str
    outlet: str
    seats: tuple[tuple[HoldingId, str], ...]
    at: datetime


@command
class SeatTaken:
    """The holding takes its seat."""

    batch_id: BatchId
    seat: int
    at: datetime


@command
class SeatVoid:
    """The holding has nothing to make."""

    batch_id: BatchId
    seat: int
    at: datetime


@command
class SendBatch:
    """The order goes to the vendor."""

    batch_id: BatchId
    at: datetime


@command
class ReadReturn:
    """The vendor's return file; `declared` is the count that its last line states."""

    batch_id: BatchId
    rows: tuple[ReturnRow, ...]
    declared: int
    at: datetime


@command
class DispatchBatch:
    """The good cards leave for the outlet."""

    batch_id: BatchId
    at: datetime


@command
class ReceiveBatch:
    """The outlet has counted what came."""

    batch_id: BatchId
    outlet: str
    counted: int
    at: datetime


@command
class PlasticGone:
    """A card has left the drawer."""

    batch_id: BatchId
    seat: int
    how: str
    at: datetime


Command = OpenBatch | SeatTaken | SeatVoid | SendBatch | ReadReturn | DispatchBatch | ReceiveBatch | PlasticGone
