"""How the wallet shows what it knows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from libs.kernel.why import Nameless, Said, Why
from libs.ledger.entry import Balance, Line
from libs.web.why import SaidView, WhyView
from services.ids import CardId
from services.wallet.adapters.tap_cases import TapCase
from services.wallet.domain import chart
from services.wallet.domain.adjustment.decider import AdjustmentUnknown
from services.wallet.domain.adjustment.state import Adjustment
from services.wallet.domain.bylaw import WalletBylaw
from services.wallet.domain.fares.fare import Fare
from services.wallet.domain.naming import LoadId, TapCaseId
from services.wallet.domain.payment.state import Asked
from services.wallet.domain.purse.decider import CardOfYesterday, CardUnknown, LoadUnknown
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.tapcase.events import RulingProposed
from services.wallet.domain.tapcase.state import Cases
from services.wallet.domain.taps.tap import Class, Ruling
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
    status: Literal["proposed", "declined", "booked"]
    """`declined`: somebody said no, and nobody has proposed it anew."""
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
        status="booked" if made is not None else "declined" if adjustment.declined else "proposed",
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


class RivalView(BaseModel):
    """Another record that cannot be true together with this one."""

    case_id: str
    standing: Class
    ruling: Ruling | None
    fen: int
    at: datetime


class RulingView(BaseModel):
    """What is proposed for a record, or ruled on it."""

    ruling: Ruling
    reason: str
    evidence: str
    proposal_id: str
    until: datetime | None
    """When the proposal lapses; null once it is ruled."""


class TapCaseView(BaseModel):
    """A tap that nobody books silently. Amounts are whole fen."""

    case_id: str
    """City, sender, number of the file, line."""
    status: Literal["open", "proposed", "ruled", "closed"]
    """`closed` without a ruling: what stood against it is gone, or the city knows more by now."""
    standing: Class
    reason: SaidView
    """Why it is a case, and what to look at."""
    card: str
    """The number on the chip."""
    card_id: str | None
    counter: int
    terminal: int
    sequence: int
    merchant: str | None
    fen: int
    at: datetime
    opened_at: datetime
    ruling: RulingView | None = None
    against: list[RivalView] = []
    """At most twenty; only in the answer about one case."""


class TapCasesView(BaseModel):
    """A page of open cases."""

    cases: list[TapCaseView]
    next: str = ""
    """Where the next page begins; empty on the last one."""


class GapView(BaseModel):
    """Purchases of a card of which nobody has heard; a terminal still has them, or has lost them."""

    card: str
    from_counter: int
    to_counter: int
    seen_at: datetime
    """When the purchase behind the gap was made: the age of the gap."""


class GapsView(BaseModel):
    """A page of gaps."""

    gaps: list[GapView]
    next: str = ""


class JudgedView(BaseModel):
    """How many taps stood so, and stand so now, if no other contradicts them."""

    was: Class
    now: Class
    records: int
    fen: int


class JudgementView(BaseModel):
    """What came of judging taps again."""

    judged: list[JudgedView]


REASONS: dict[Class, Said] = {
    Class.CONFLICT: Said(
        zh="同一卡计数器或同一终端流水号出现了不同内容，或计数器倒退；请与终端原始记录核对后，退回不实的一条",
        en="the same purchase counter or terminal sequence came with another content, or the counter fell; compare the "
        "terminals' own records, and reject what is not true",
    ),
    Class.OVER_CEILING: Said(
        zh="金额高于当日票价上限，款项暂挂；请核对票价与终端设置",
        en="more than the dearest trip of that day, so the money waits in suspense; look at the tariff in the terminal",
    ),
    Class.BAD_CRYPTOGRAM: Said(
        zh="交易验证码不符，该卡未签署此记录；请查终端与密钥版本",
        en="the card's signature does not fit the record; look at the terminal and at its key version",
    ),
    Class.FROM_THE_FUTURE: Said(
        zh="交易时间晚于收到时间，终端时钟有误；请核实实际乘车时间",
        en="dated later than it came, so the terminal's clock is wrong; find out when the ride was",
    ),
    Class.STALE: Said(
        zh="交易时间过久，入账前须人工核实；请查终端为何迟传",
        en="so old that somebody must look before the holder pays; find out why the terminal was late",
    ),
    Class.TERMINAL_UNKNOWN: Said(
        zh="终端未登记；请先登记终端，再重新判定",
        en="the terminal is not written down; write it down, then have the taps judged again",
    ),
    Class.TERMINAL_RETIRED: Said(
        zh="终端在交易时已停用；请查其去向，或更正停用时间后重新判定",
        en="the terminal had been retired; find out where it is, or correct the date and have the taps judged again",
    ),
    Class.CARD_UNKNOWN: Said(
        zh="该卡未开通电子钱包或卡号不存在；请核对卡号，开通后重新判定",
        en="no purse is open for this card; check its number, and have the taps judged again once it is open",
    ),
}
BOOKED_NOW = Said(zh="已按规则入账，无需处理", en="booked by the rules; nothing is to be done")


def tap_case_view(
    case: TapCase,
    now: Cases | None = None,
    against: Sequence[tuple[TapCaseId, Class, Ruling | None, int, datetime]] = (),
) -> TapCaseView:
    """How a case stands; without `now`, as the list shows it."""
    ruling = None if now is None else _ruling_view(case, now)
    status: Literal["open", "proposed", "ruled", "closed"] = "open" if case.closed_at is None else "closed"
    if case.ruling is not None or (ruling is not None and ruling.until is None):
        status = "ruled"
    elif ruling is not None and case.closed_at is None:
        status = "proposed"
    return TapCaseView(
        case_id=case.case_id,
        status=status,
        standing=case.standing,
        reason=SaidView.of(REASONS.get(case.standing, BOOKED_NOW)),
        card=str(case.card),
        card_id=case.card_id,
        counter=case.counter,
        terminal=case.terminal,
        sequence=case.sequence,
        merchant=case.merchant,
        fen=case.fen,
        at=case.at,
        opened_at=case.opened_at,
        ruling=ruling,
        against=[
            RivalView(case_id=name, standing=standing, ruling=ruled, fen=fen, at=at)
            for name, standing, ruled, fen, at in against
        ],
    )


def _ruling_view(case: TapCase, now: Cases) -> RulingView | None:
    waiting = next((one for one in now.proposals.waiting if one.case_id == case.case_id), None)
    found = now.ruled.get(case.case_id) or waiting
    if found is None:
        return None
    return RulingView(
        ruling=found.ruling,
        reason=found.reason,
        evidence=found.evidence,
        proposal_id=found.proposal_id,
        until=found.until if isinstance(found, RulingProposed) else None,
    )


def tap_cases_view(cases: Sequence[TapCase], last: tuple[int, int] | None) -> TapCasesView:
    return TapCasesView(
        cases=[tap_case_view(case) for case in cases], next="" if last is None else f"{last[0]}-{last[1]}"
    )
