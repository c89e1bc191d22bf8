"""What has happened to the card numbers of one programme."""

from datetime import datetime

from libs.kernel import event
from services.ids import BatchId, HoldingId


@event
class NumbersTaken:
    """A batch has `len(holdings)` numbers from `first` on."""

    series: str
    batch_id: BatchId
    programme: str
    outlet: str
    first: int
    holdings: tuple[HoldingId, ...]
    at: datetime


Event = NumbersTaken
