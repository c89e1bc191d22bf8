"""What can be asked of a series of card numbers."""

from datetime import datetime

from libs.kernel import command
from services.ids import BatchId, HoldingId


@command
class TakeNumbers:
    """A batch for these holdings is to be made."""

    series: str
    batch_id: BatchId
    programme: str
    outlet: str
    holdings: tuple[HoldingId, ...]
    at: datetime


Command = TakeNumbers
