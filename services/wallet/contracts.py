"""What the wallet tells the city: each movement of money, without a word about whose it is but the holding's number."""

from datetime import date, datetime

from pydantic import BaseModel

from libs.messaging.contract import Contract
from services.ids import CardId, HoldingId


class PurseOpened(Contract, type="wallet.PurseOpened.v1"):
    """A card can hold money now."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    named: bool


class PurseFrozen(Contract, type="wallet.PurseFrozen.v1"):
    """The money of a card is stopped."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    until: datetime | None = None
    """When it can be used again by itself; None if only a lift or a new card helps."""


class PurseReleased(Contract, type="wallet.PurseReleased.v1"):
    """The money of a card can be used again."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    why: str
    """`lapsed`, or `lifted` because the card was found."""
    from_at: datetime | None = None
    """From when, if the card cools first; at once, if there is none."""


class AccountMoved(Contract, type="wallet.AccountMoved.v1"):
    """The account is used with a new card from now on; what was on it is still there."""

    holding_id: HoldingId
    old_card_id: CardId
    card_id: CardId
    at: datetime


class AccountToppedUp(Contract, type="wallet.AccountToppedUp.v1"):
    """Money was paid in at a counter."""

    holding_id: HoldingId
    card_id: CardId
    top_up_id: str
    channel: str
    origin: str
    """`cash`, `bank_account` or `voucher`."""
    amount_fen: int
    at: datetime


class TopUpReversed(Contract, type="wallet.TopUpReversed.v1"):
    """A counter has taken a top-up back."""

    holding_id: HoldingId
    card_id: CardId
    top_up_id: str
    channel: str
    amount_fen: int
    at: datetime


class PaymentAuthorised(Contract, type="wallet.PaymentAuthorised.v1"):
    """Money is held for a merchant."""

    holding_id: HoldingId
    card_id: CardId
    payment_id: str
    merchant: str
    amount_fen: int
    expires_at: datetime
    at: datetime


class PaymentCaptured(Contract, type="wallet.PaymentCaptured.v1"):
    """A merchant has taken money that was held; what it let go is free again."""

    holding_id: HoldingId
    card_id: CardId
    payment_id: str
    merchant: str
    amount_fen: int
    released_fen: int
    at: datetime


class PaymentReleased(Contract, type="wallet.PaymentReleased.v1"):
    """Money that was held is free again."""

    holding_id: HoldingId
    card_id: CardId
    payment_id: str
    merchant: str
    released_fen: int
    why: str
    """`cancelled` by the merchant, or `expired`."""
    at: datetime


class PaymentRefunded(Contract, type="wallet.PaymentRefunded.v1"):
    """A merchant gave money back."""

    holding_id: HoldingId
    card_id: CardId
    payment_id: str
    merchant: str
    amount_fen: int
    to: str
    """`account`, or `payable` where it waits to be paid out."""
    at: datetime


class LoadPaid(Contract, type="wallet.LoadPaid.v1"):
    """Money was paid in for the chip's own purse, and is on its way there."""

    holding_id: HoldingId
    card_id: CardId
    load_id: str
    channel: str
    amount_fen: int
    at: datetime


class LoadEnded(Contract, type="wallet.LoadEnded.v1"):
    """It is known what became of a load."""

    holding_id: HoldingId
    card_id: CardId
    load_id: str
    outcome: str
    """`confirmed`, `reversed`, or `uncertain` until the chip is met again."""
    how: str
    """Who knows: the `terminal`, the chip's `counter`, or nobody until it `expired`."""
    at: datetime


class ChipSettled(Contract, type="wallet.ChipSettled.v1"):
    """What an old chip held has moved, once."""

    holding_id: HoldingId
    card_id: CardId
    amount_fen: int
    to: str
    """`account`, `payable` at a counter, or `nobody` for an anonymous chip that was lost."""
    at: datetime


class AccountPaidOut(Contract, type="wallet.AccountPaidOut.v1"):
    """An account was emptied: each part went back to where it came from."""

    holding_id: HoldingId
    card_id: CardId
    cash_fen: int
    bank_fen: int
    voucher_fen: int
    fee_fen: int
    at: datetime


class RefundPaidOut(Contract, type="wallet.RefundPaidOut.v1"):
    """What waited for a holder was paid out, by the way on which it once came."""

    holding_id: HoldingId
    pay_out_id: str
    way: str
    """`counter` in cash, or `bank_transfer`."""
    channel: str
    amount_fen: int
    voucher_fen: int
    """Of vouchers, which nobody gets."""
    at: datetime


class AdjustmentMade(Contract, type="wallet.AdjustmentMade.v1"):
    """Two people have put the books right; why, and on which evidence, stays with the city."""

    adjustment_id: str
    account: str
    against: str
    amount_fen: int
    """What was added to `account` and taken from `against`; below nothing, the other way round."""
    at: datetime


class TapRuled(Contract, type="wallet.TapRuled.v1"):
    """People have decided what becomes of an offline tap that nobody books silently; whose it is, is not said."""

    case_id: str
    """Of which record: city, sender, number of the file and line."""
    standing: str
    """Why it was a case, for example `conflict` or `stale`."""
    ruling: str
    """`book`, `reject`, or `issuer` who bears it."""
    amount_fen: int
    at: datetime


class DifferenceSuspended(Contract, type="wallet.DifferenceSuspended.v1"):
    """Our books and somebody's file differ, and nobody can explain it any more: the money lies in suspense."""

    difference_id: str
    source: str
    """The kind of the file, for example `bank`."""
    sender: str
    amount_fen: int
    """Ours less theirs, all of it."""
    moved_fen: int
    """What of it was moved into suspense just now."""
    why: str
    since: date
    at: datetime


class DifferenceResolved(Contract, type="wallet.DifferenceResolved.v1"):
    """The other side has come after all: nothing lies in suspense because of this difference."""

    difference_id: str
    moved_fen: int
    at: datetime


class PartReconciled(BaseModel):
    """A class of differences, how many there are, and what they come to."""

    kind: str
    count: int
    fen: int


class PartyReconciled(BaseModel):
    """How one party stands: the parts add up to `ours_fen` less `theirs_fen`."""

    source: str
    sender: str
    ours_fen: int
    theirs_fen: int
    parts: list[PartReconciled]
    stale: int
    """Movements that no file has confirmed for too long."""
    stale_fen: int
    missing: int = 0
    """Days in our books for which no file has come in time."""


class DayReconciled(Contract, type="wallet.DayReconciled.v1"):
    """The books of a city were held against all files that have come, up to the end of a day."""

    city: str
    day: date
    parties: list[PartyReconciled]
    at: datetime


TELLS = (
    PurseOpened, PurseFrozen, PurseReleased, AccountMoved, AccountToppedUp, TopUpReversed, PaymentAuthorised,
    PaymentCaptured, PaymentReleased, PaymentRefunded, LoadPaid, LoadEnded, ChipSettled, AccountPaidOut,
    RefundPaidOut, AdjustmentMade, TapRuled, DifferenceSuspended, DifferenceResolved, DayReconciled,
)  # fmt: skip
