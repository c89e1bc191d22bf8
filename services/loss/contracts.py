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
    """These functions of a card must refuse it, each from its own instant; all others go on.

    Each message is the clock of its own functions. One call may bring several of them, and a later one about the same
    function replaces what was said of it before. Whoever refuses cards by this must therefore keep, for each function,
    from when and until when – and must let the function work again at `until` by their own clock, for the `CardWoken`
    that follows may come late. Money that is frozen or moved follows `from_at` of its own function and no other.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    """When the report took effect, UTC, to the millisecond."""
    kind: str
    """`pre_report` by telephone, or `written_report`."""
    functions: list[StoppedFunction]
    until: datetime | None = None
    """When these functions wake by themselves; none, where they do not, or where the card ends instead."""
    ends_card_at: datetime | None = None
    """When the whole card ends for good, unless somebody acts before; most cities set no such hour."""
    captured: list[str] = []
    """Functions that stop sooner than they were to, because a terminal has captured the card."""
    electronic_form: str = ""
    """Of a card with an electronic form: it `stops` and wakes with the card, or it `stays` valid (R140)."""


class WokenFunction(BaseModel):
    """A function that may be used again, and from when."""

    function: str
    from_at: datetime


class CardWoken(Contract, type="loss.CardWoken.v1"):
    """Functions of a card stand again as they stood before the report.

    Without `functions`, all of them do. With it, those that it names and no other: the rest stay stopped by clocks of
    their own. A function that is also in `cooling` works again only from the instant given there, although its report
    is over; a wallet keeps its purse closed until then.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    why: str
    """`lapsed`, or `lifted` because the card was found."""
    functions: list[str] = []
    """The functions that wake; all, if none is named."""
    cooling: list[WokenFunction] = []
    """Functions that wake later than `at`."""


class LapseApproaching(Contract, type="loss.LapseApproaching.v1"):
    """A report is about to run out: the card wakes unless somebody signs, or ends, as the city has it."""

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
    warned: bool = False
    """Whether this was one new card too many within 30 days, and is to be put on record."""
    fee_fen: int = 0
    fee_approval: str = ""
    """The price department's approval; without one there is no fee (R80)."""


class ReplacementOrdered(Contract, type="loss.ReplacementOrdered.v1"):
    """A new card is wanted in place of one that still works."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    reason: str
    fee_fen: int = 0
    fee_approval: str = ""


class CancellationOrdered(Contract, type="loss.CancellationOrdered.v1"):
    """A card has ended for good, without a successor."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str


class EndorsementContradicted(Contract, type="loss.EndorsementContradicted.v1"):
    """A card was endorsed at `at` that had been reported lost before; the report and the counter crossed."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reported_at: datetime


TELLS = (
    CardStopped,
    CardWoken,
    LapseApproaching,
    CallKept,
    ReissueOrdered,
    ReplacementOrdered,
    CancellationOrdered,
    EndorsementContradicted,
)
