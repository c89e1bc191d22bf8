"""What the loss desk tells the city."""

from datetime import datetime

from pydantic import BaseModel

from libs.messaging.contract import Contract
from services.ids import CardId, HoldingId


class StoppedFunction(BaseModel):
    """A function that must refuse the card, and from when."""

    function: str
    from_at: datetime


class CardStopped(Contract, type="loss.CardStopped.v1"):
    """These functions of a card must refuse it."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    """When the report took effect, UTC, to the millisecond."""
    kind: str
    """`pre_report` by telephone, or `written_report`."""
    functions: list[StoppedFunction]
    until: datetime | None = None
    """When the card wakes by itself; a written report has no such hour."""


class CardWoken(Contract, type="loss.CardWoken.v1"):
    """Every function of a card stands again as it stood before the report."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    why: str
    """`lapsed`, or `lifted` because the card was found."""


class LapseApproaching(Contract, type="loss.LapseApproaching.v1"):
    """A report by telephone is about to lapse unless somebody signs."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    lapses_at: datetime


class CallKept(Contract, type="loss.CallKept.v1"):
    """A call came about a card that the loss desk has not heard of yet."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime


class ReissueOrdered(Contract, type="loss.ReissueOrdered.v1"):
    """A new card is wanted in place of a lost one."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str


class ReplacementOrdered(Contract, type="loss.ReplacementOrdered.v1"):
    """A new card is wanted in place of one that still works."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    reason: str


class CancellationOrdered(Contract, type="loss.CancellationOrdered.v1"):
    """A card has ended for good, without a successor."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str


TELLS = (
    CardStopped,
    CardWoken,
    LapseApproaching,
    CallKept,
    ReissueOrdered,
    ReplacementOrdered,
    CancellationOrdered,
)
