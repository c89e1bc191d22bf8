"""How the wallet shows what it knows."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from libs.kernel.why import Nameless, Why
from libs.ledger.entry import Balance, Line
from libs.web.why import WhyView
from services.ids import CardId
from services.wallet.domain import chart
from services.wallet.domain.adjustment.decider import AdjustmentUnknown
from services.wallet.domain.adjustment.state import Adjustment
from services.wallet.domain.bylaw import WalletBylaw
from services.wallet.domain.fares.fare import Fare
from services.wallet.domain.naming import LoadId
from services.wallet.domain.payment.state import Asked
from services.wallet.domain.purse.decider import CardOfYesterday, CardUnknown, LoadUnknown
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.topup.state import Paid


class PurseView(BaseModel):
    """The money of a card. Amounts are whole fen."""

    card_id: str
    status: Literal["not_opened", "open", "frozen", "expired", "ended"]
    opened_at: datetime | None = None
    balance_fen: int = 0
    """What the holder has at the host, holds included."""
    held_fen: int = 0
    """What of that is held for merchants."""
    available_fen: int = 0
    """What can be spent now."""
    purse_fen: int = 0
    """What the chip's own purse holds, as far as the host has heard."""
    account_cap_fen: int | None = None
    purse_cap_fen: int | None = None
    frozen_at: datetime | None = None
    frozen_until: datetime | None = None
    """When the money can be used again by itself."""


class TopUpView(BaseModel):
    """A top-up."""

    top_up_id: str
    card_id: str
    amount_fen: int
    origin: str
    channel: str
    status: Literal["confirmed", "reversed"]
    at: datetime


class PaymentView(BaseModel):
    """A payment."""

    payment_id: str
    card_id: str
    merchant: str
    reference: str
    status: Literal["held", "captured", "cancelled", "expired"]
    amount_fen: int
    held_fen: int
    captured_fen: int
    refunded_fen: int
    authorised_at: datetime
    expires_at: datetime


class LoadView(BaseModel):
    """A load of the chip's own purse."""

    load_id: str
    status: Literal["pending", "uncertain", "confirmed", "reversed"]
    amount_fen: int


class ContactView(BaseModel):
    """What is known after a contact with the chip."""

    card_id: str
    loads: list[LoadView]
    """The last loads, oldest first."""
    pending: bool
    """Whether one of them is still not known to be on the chip."""


class PaidOutView(BaseModel):
    """What was left on an account, and where it went."""

    card_id: str
    cash_fen: int
    """Handed over at the counter."""
    bank_fen: int
    """To be sent back to the bank account that it came from."""
    voucher_fen: int
    """Of vouchers, which nobody gets."""
    fee_fen: int


class AdjustmentView(BaseModel):
    """What is put right in the books, or shall be."""

    adjustment_id: str
    status: Literal["proposed", "booked"]
    account: str
    """The account that is put right; once booked, where the money went."""
    against: str
    amount_fen: int
    """What is added to `account` and taken from `against`; below nothing, the other way round."""
    reason: str
    evidence: str
    proposal_id: str
    until: datetime
    """When the proposal lapses, if nobody else approves it before."""


class StatementLine(BaseModel):
    """What one entry did to an account."""

    at: datetime
    kind: str
    reference: str
    amount_fen: int
    held_fen: int
    others: list[str]
    """The accounts on the other side; those of other people are not named."""


class StatementView(BaseModel):
    """A page of an account's statement, oldest first."""

    account: str
    balance_fen: int
    """What the account holds now, whichever page this is."""
    held_fen: int
    lines: list[StatementLine]
    next: str = ""
    """Where the next page begins; empty on the last one."""


class FareStepView(BaseModel):
    """One rule that made the trip cheaper."""

    rule: str
    off_fen: int


class FareView(BaseModel):
    """What a trip costs. Amounts are whole fen."""

    fen: int
    """To pay."""
    base_fen: int
    """Before any discount."""
    steps: list[FareStepView]
    counts_fen: int
    """What it adds to the month's running total."""
    transferred: bool
    """Whether the transfer discount is used up by it."""
    incomplete: bool
    """The end of the trip was not recorded; the rider may say where it was."""
    left_fen: int | None
    """What the rider has afterwards, if the balance was given."""
    why: WhyView


def fare_view(fare: Fare, left_fen: int | None, why: Why) -> FareView:
    return FareView(
        fen=fare.fen,
        base_fen=fare.base_fen,
        steps=[FareStepView(rule=step.rule, off_fen=step.off_fen) for step in fare.steps],
        counts_fen=fare.counts_fen,
        transferred=fare.transferred,
        incomplete=fare.incomplete,
        left_fen=left_fen,
        why=WhyView.of(why, Nameless()),
    )


def statement_line(line: Line, account: str) -> StatementLine:
    return StatementLine(
        at=line.at,
        kind=line.kind,
        reference=line.reference,
        amount_fen=line.amount_fen,
        held_fen=line.held_fen,
        others=[other for other in line.others if chart.may_be_named(other, account)],
    )


def adjustment_view(adjustment_id: str, adjustment: Adjustment) -> AdjustmentView:
    """How an adjustment stands. Raises AdjustmentUnknown."""
    asked, made = adjustment.asked, adjustment.made
    if asked is None:
        raise AdjustmentUnknown(adjustment_id=adjustment_id)
    return AdjustmentView(
        adjustment_id=adjustment_id,
        status="proposed" if made is None else "booked",
        account=asked.account if made is None else made.account,
        against=asked.against,
        amount_fen=asked.amount_fen,
        reason=asked.reason,
        evidence=asked.evidence,
        proposal_id=asked.proposal_id,
        until=asked.until,
    )


def load_view(load_id: str, purse: Purse) -> LoadView:
    """How a load stands. Raises LoadUnknown for one that is long past."""
    outcome, fen = purse.outcome_of(LoadId(load_id)), purse.amount_of(LoadId(load_id))
    if outcome is None or fen is None:
        raise LoadUnknown(load_id=load_id)
    return LoadView.model_validate({"load_id": load_id, "status": outcome, "amount_fen": fen})


def purse_view(
    card_id: CardId, purse: Purse, at: datetime, account: Balance, chip: Balance, rules: WalletBylaw | None
) -> PurseView:
    """How the money of this card stands. Raises CardUnknown, or CardOfYesterday for a predecessor."""
    if purse.card is None or not purse.heard_of(card_id):
        raise CardUnknown(card_id=card_id)
    if purse.card.card_id != card_id:
        raise CardOfYesterday(card_id=card_id)
    frozen = purse.freeze if purse.frozen(at) else None
    return PurseView(
        card_id=card_id,
        status=_status(purse, at),
        opened_at=purse.opened_at,
        balance_fen=account.balance_fen,
        held_fen=account.held_fen,
        available_fen=account.available_fen,
        purse_fen=chip.balance_fen,
        account_cap_fen=rules.account_cap_fen if rules else None,
        purse_cap_fen=rules.purse_cap_fen if rules else None,
        frozen_at=frozen.at if frozen else None,
        frozen_until=frozen.until if frozen else None,
    )


def _status(purse: Purse, at: datetime) -> Literal["not_opened", "open", "frozen", "expired", "ended"]:
    assert purse.card is not None
    if purse.ended_at is not None and at >= purse.ended_at:
        return "ended"
    if at >= purse.card.valid_to:
        return "expired"
    if purse.frozen(at):
        return "frozen"
    return "not_opened" if purse.opened_at is None else "open"


def top_up_view(top_up: Paid) -> TopUpView:
    fact = top_up.fact
    return TopUpView(
        top_up_id=fact.top_up_id,
        card_id=fact.card_id,
        amount_fen=fact.amount_fen,
        origin=fact.origin,
        channel=fact.channel,
        status="reversed" if top_up.reversed else "confirmed",
        at=fact.at,
    )


def payment_view(payment: Asked, at: datetime) -> PaymentView:
    """How a payment stands at this moment; a hold whose hour has struck holds nothing, whether or not a timer ran."""
    expired = not payment.closed and at >= payment.expires_at
    closed = "expired" if expired else payment.closed
    status: Literal["held", "captured", "cancelled", "expired"]
    if payment.captured_fen:
        status = "captured"
    elif closed == "cancelled":
        status = "cancelled"
    elif closed == "expired":
        status = "expired"
    else:
        status = "held"
    return PaymentView(
        payment_id=payment.payment_id,
        card_id=payment.card_id,
        merchant=payment.merchant,
        reference=payment.reference,
        status=status,
        amount_fen=payment.amount_fen,
        held_fen=0 if expired else payment.held_fen,
        captured_fen=payment.captured_fen,
        refunded_fen=payment.refunded_fen,
        authorised_at=payment.authorised_at,
        expires_at=payment.expires_at,
    )
