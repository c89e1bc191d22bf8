"""What has happened to the plastic of one production batch. Seats are counted from 1."""

from datetime import datetime

from libs.kernel import event, value
from services.ids import BatchId, HoldingId


@value
class Made:
    """A card that came back good: its chip's identification code, its reset code, and where it lies in the box."""

    seat: int
    holding_id: HoldingId
    ident: str
    atr: str
    box: str


@value
class Failed:
    """A card that came back spoiled."""

    seat: int
    holding_id: HoldingId
    step: str
    reason: str


@event
class BatchOpened:
    """Cards go into production together; each seat is a holding and the number that it is offered."""

    batch_id: BatchId
    programme: str
    outlet: str
    seats: tuple[tuple[HoldingId, str], ...]
    at: datetime


@event
class SeatFilled:
    """The holding has taken the seat: this card is ordered."""

    batch_id: BatchId
    seat: int
    at: datetime


@event
class SeatVoided:
    """There was nothing to make for this seat; its number is retired."""

    batch_id: BatchId
    seat: int
    at: datetime


@event
class BatchSent:
    """The order went to the card vendor."""

    batch_id: BatchId
    at: datetime


@event
class ReturnRead:
    """A return file was read whole."""

    batch_id: BatchId
    made: tuple[Made, ...]
    failed: tuple[Failed, ...]
    at: datetime


@event
class BatchDispatched:
    """The good cards left the vendor for the outlet."""

    batch_id: BatchId
    at: datetime


@event
class BatchReceived:
    """The good cards were counted into the outlet."""

    batch_id: BatchId
    outlet: str
    seats: tuple[tuple[int, HoldingId], ...]
    at: datetime


@event
class PlasticLeft:
    """A card was `handed_over` to its holder, or `recalled`: it is to be destroyed as soon as it is at hand."""

    batch_id: BatchId
    seat: int
    how: str
    at: datetime


Event = BatchOpened | SeatFilled | SeatVoided | BatchSent | ReturnRead | BatchDispatched | BatchReceived | PlasticLeft
