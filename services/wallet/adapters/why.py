"""Why the wallet decided so – opened, stopped, held, waits, charged, ruled – by the rules as they were then."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from libs.eventsourcing.store import Recorded
from libs.kernel import Missing
from libs.kernel.why import Decision, Ground, Said, Why, by_the_clock, in_yuan
from libs.runtime.citypack import CityPack
from services.ids import CardId
from services.wallet.domain import chart
from services.wallet.domain.adjustment.events import AdjustmentDeclined, AdjustmentMade, AdjustmentProposed
from services.wallet.domain.naming import TapCaseId
from services.wallet.domain.payment.events import (
    PaymentAuthorised,
    PaymentCaptured,
    PaymentRefunded,
    PaymentReleased,
)
from services.wallet.domain.purse.events import (
    AccountPaidOut,
    CardEnded,
    CardNoted,
    CardSucceeded,
    ChipForfeited,
    ChipSettled,
    CoolingBegun,
    CoolingExtended,
    LoadConfirmed,
    LoadFoundLate,
    LoadPaid,
    LoadReversed,
    LoadUncertain,
    PurseFrozen,
    PurseOpened,
    PurseReleased,
    ValidityNoted,
)
from services.wallet.domain.reconciliation.events import (
    DayReconciled,
    DifferenceExplained,
    DifferenceResolved,
    DifferenceSuspended,
)
from services.wallet.domain.refund.events import RefundPaidOut
from services.wallet.domain.tapcase.events import RulingDeclined, RulingProposed, TapRuled
from services.wallet.domain.taps.tap import Ruling
from services.wallet.domain.topup.events import AccountToppedUp, TopUpReversed

Story = Sequence[tuple[Any, Recorded]]
About = Literal["opening", "block", "load", "cooling", "fee"]

PURSE = "/v1/cards/{card_id}/purse/why"
PAYMENT = "/v1/payments/{payment_id}/why"
ADJUSTMENT = "/v1/adjustments/{adjustment_id}/why"
TAP_CASE = "/v1/tap-cases/{case_id}/why"

EXPLAINED: Mapping[type, tuple[str, About | None]] = {
    PurseOpened: (PURSE, "opening"),
    PurseFrozen: (PURSE, "block"),
    PurseReleased: (PURSE, "block"),
    LoadPaid: (PURSE, "load"),
    LoadReversed: (PURSE, "load"),
    LoadFoundLate: (PURSE, "load"),
    CoolingBegun: (PURSE, "cooling"),
    CoolingExtended: (PURSE, "cooling"),
    ChipSettled: (PURSE, "cooling"),
    ChipForfeited: (PURSE, "cooling"),
    AccountPaidOut: (PURSE, "fee"),
    PaymentAuthorised: (PAYMENT, None),
    PaymentReleased: (PAYMENT, None),
    AdjustmentProposed: (ADJUSTMENT, None),
    AdjustmentMade: (ADJUSTMENT, None),
    AdjustmentDeclined: (ADJUSTMENT, None),
    RulingProposed: (TAP_CASE, None),
    TapRuled: (TAP_CASE, None),
    RulingDeclined: (TAP_CASE, None),
}
"""Each fact by which the city grants, refuses, sets a deadline or a price or stops money; where it is asked, and what.

A fact of the wallet stands here, or in one of the two lists below, or the tests fail. Fares are no facts here: they are
explained where they are asked, `/v1/fares/{programme}`.
"""

EXPLAINED_ELSEWHERE: Mapping[type, str] = {
    ValidityNoted: "issuance has endorsed the card: /v1/cards/{card_id}/issue/why?about=validity",
    CardSucceeded: "issuance made a new card work: /v1/applications/{application_id}/why",
    CardEnded: "whoever ended the card has decided: /v1/cards/{card_id}/why",
    DifferenceSuspended: "/v1/differences/{difference_id} says of which class it is and since when it waits",
    DifferenceResolved: "follows from DifferenceSuspended",
}
"""Decisions that others took, or whose explanation stands with the one from which they follow."""

NOTHING_DECIDED: frozenset[type] = frozenset(
    {
        CardNoted, LoadConfirmed, LoadUncertain, AccountToppedUp, TopUpReversed, PaymentCaptured, PaymentRefunded,
        RefundPaidOut, DifferenceExplained, DayReconciled,
    }
)  # fmt: skip
"""What somebody paid, took, gave back, fetched, found or counted: no grant, refusal, deadline, fee or block."""


class NoDecisionOnMoney(Missing):
    """Nothing was decided here about the {about} of this; look at the statement for what was moved."""


def why_of_purse(about: About, card_id: CardId, story: Story, pack: CityPack) -> Why:
    """What was decided last about the money of this card, or of the account that goes with it.

    Raises NoDecisionOnMoney.
    """
    programme, answer = "", None
    for fact, row in story:
        if isinstance(fact, CardNoted | CardSucceeded):
            programme = fact.programme
        if type(fact) not in _OF_PURSE:
            continue
        what, tell, leaves = _OF_PURSE[type(fact)]
        if what == about and (about in _OF_THE_ACCOUNT or fact.card_id == card_id):
            decision, said = tell(fact, pack)
            grounds = _grounds(pack, fact, row, *(f"{programme}/wallet.{leaf}" for leaf in leaves))
            answer = Why(city=pack.code, decision=decision, said=said, grounds=grounds, at=fact.at)
    if answer is None:
        raise NoDecisionOnMoney(about=about)
    return answer


def why_of_payment(story: Story, programme: str, pack: CityPack) -> Why:
    """Until when money is held for a merchant, or why it is free again. Raises NoDecisionOnMoney."""
    answer: Why | None = None
    for fact, row in story:
        match fact:
            case PaymentAuthorised():
                until, fen = by_the_clock(fact.expires_at), in_yuan(fact.amount_fen)
                decision, said = Decision.DEADLINE, Said(
                    zh=f"为商户{fact.merchant}预留{fen}元，至{until}未扣款的自动解除",
                    en=f"{fen} yuan are held for {fact.merchant}; what is not taken by {until} is free again",
                )  # fmt: skip
            case PaymentReleased(why="expired"):
                fen = in_yuan(fact.released_fen)
                decision, said = Decision.GRANT, Said(
                    zh=f"预留期满，{fen}元已解除", en=f"the hour of the hold has struck: {fen} yuan are free again"
                )  # fmt: skip
            case _:
                continue
        grounds = _grounds(pack, fact, row, f"{programme}/wallet.hold_hours")
        answer = Why(city=pack.code, decision=decision, said=said, grounds=grounds, at=fact.at)
    if answer is None:
        raise NoDecisionOnMoney(about="hold")
    return answer


def why_of_adjustment(story: Story, programme: str, pack: CityPack) -> Why:
    """Why the books are put right, or not: by two people, and at most by what the city lets an account hold.

    Raises NoDecisionOnMoney.
    """
    asked: AdjustmentProposed | None = None
    answer: Why | None = None
    for fact, row in story:
        match fact:
            case AdjustmentProposed():
                asked, until = fact, by_the_clock(fact.until)
                decision, said = Decision.DEADLINE, Said(
                    zh=f"提议调账{in_yuan(fact.amount_fen)}元（{fact.reason}，凭证{fact.evidence}），须由另一人于{until}前核准",
                    en=f"{in_yuan(fact.amount_fen)} yuan are to be put right ({fact.reason}, record {fact.evidence}); "
                    f"another person must approve it by {until}",
                )  # fmt: skip
            case AdjustmentMade():
                because = "" if asked is None else asked.reason
                decision, said = Decision.GRANT, Said(
                    zh=f"经两人核准，调账{in_yuan(fact.amount_fen)}元：{because}",
                    en=f"two people have put {in_yuan(fact.amount_fen)} yuan right: {because}",
                )  # fmt: skip
            case AdjustmentDeclined():
                decision, said = Decision.REFUSAL, Said(
                    zh=f"调账未获核准或已撤回：{fact.reason}", en=f"not put right, or taken back: {fact.reason}"
                )  # fmt: skip
            case _:
                continue
        of_holder = asked is not None and chart.kind_of(asked.account) is chart.Kind.ONLINE
        grounds = _grounds(pack, fact, row, f"{programme}/wallet.caps") if of_holder else ()
        answer = Why(city=pack.code, decision=decision, said=said, grounds=grounds, at=fact.at)
    if answer is None:
        raise NoDecisionOnMoney(about="adjustment")
    return answer


def why_of_tap_case(case_id: TapCaseId, story: Story, pack: CityPack) -> Why:
    """What was ruled on a record, or is proposed, and by which rule of clearing it became a case.

    Raises NoDecisionOnMoney.
    """
    ruling: Ruling | None = None
    answer: Why | None = None
    for fact, row in story:
        if fact.case_id != case_id:
            continue
        match fact:
            case RulingProposed():
                ruling, until, what = fact.ruling, by_the_clock(fact.until), _RULINGS[fact.ruling]
                decision, said = Decision.DEADLINE, Said(
                    zh=f"提议{what.zh}（{fact.reason}，凭证{fact.evidence}），须由另一人于{until}前核准",
                    en=f"proposed: {what.en} ({fact.reason}, record {fact.evidence}); "
                    f"another person must approve it by {until}",
                )  # fmt: skip
            case TapRuled():
                what = _RULINGS[fact.ruling]
                decision = Decision.REFUSAL if fact.ruling is Ruling.REJECT else Decision.GRANT
                said = Said(
                    zh=f"裁定{what.zh}：{fact.reason}（凭证{fact.evidence}）",
                    en=f"ruled: {what.en}, for {fact.reason} (record {fact.evidence})",
                )
            case RulingDeclined():
                what = Said(zh="裁定", en="what was proposed") if ruling is None else _RULINGS[ruling]
                decision, said = Decision.REFUSAL, Said(
                    zh=f"未获核准或已撤回：{what.zh}（{fact.reason}）",
                    en=f"not approved, or taken back: {what.en} ({fact.reason})",
                )  # fmt: skip
        grounds = _grounds(pack, fact, row, "taps.clearing")
        answer = Why(city=pack.code, decision=decision, said=said, grounds=grounds, at=fact.at)
    if answer is None:
        raise NoDecisionOnMoney(about="ruling")
    return answer


_RULINGS: Mapping[Ruling, Said] = {
    Ruling.BOOK: Said(zh="由持卡人承担，照常入账", en="the holder pays"),
    Ruling.REJECT: Said(zh="退回，不予入账", en="nothing is booked, and the merchant gets nothing"),
    Ruling.ISSUER: Said(zh="由发卡方承担", en="the issuer pays"),
}

Told = tuple[Decision, Said]


def _opened(fact: PurseOpened, pack: CityPack) -> Told:
    shown = pack.named("document", fact.document)
    return Decision.GRANT, Said(
        zh=f"已在网点{fact.outlet}凭{shown.zh}开通电子钱包", en=f"opened at {fact.outlet}, by the {shown.en}"
    )


def _frozen(fact: PurseFrozen, _pack: CityPack) -> Told:
    how = ("书面", "in writing") if fact.kind == "written_report" else ("电话", "by telephone")
    zh = f"持卡人已{how[0]}挂失，卡内资金自{by_the_clock(fact.at)}起停用"
    en = f"reported lost {how[1]}: the money is stopped from {by_the_clock(fact.at)}"
    if fact.until is None:
        return Decision.BLOCK, Said(zh=f"{zh}，至解挂或换发新卡为止", en=f"{en} until it is lifted or a new card works")
    return Decision.BLOCK, Said(zh=f"{zh}，至{by_the_clock(fact.until)}", en=f"{en} until {by_the_clock(fact.until)}")


def _released(fact: PurseReleased, _pack: CityPack) -> Told:
    since = by_the_clock(fact.from_at or fact.at)
    return Decision.GRANT, Said(
        zh=f"挂失已失效或已解除，卡内资金自{since}起可用",
        en=f"the report has lapsed or was lifted: the money can be used from {since}",
    )


def _load_paid(fact: LoadPaid, _pack: CityPack) -> Told:
    fen, until = in_yuan(fact.amount_fen), by_the_clock(fact.expires_at)
    return Decision.DEADLINE, Said(
        zh=f"充值{fen}元待写入卡片，至{until}仍不明的转待退款",
        en=f"{fen} yuan wait to be written to the chip; unless it is known by {until}, they wait to be paid out",
    )


def _load_reversed(fact: LoadReversed, _pack: CityPack) -> Told:
    fen = in_yuan(fact.amount_fen)
    if fact.how == "expired":
        zh, en = f"期满仍不明，充值{fen}元已转待退款", f"nobody knew in time: {fen} yuan wait to be paid out"
    else:
        zh, en = f"卡片未写入，充值{fen}元已退回网点", f"the chip has not taken it: {fen} yuan are back at the counter"
    return Decision.GRANT, Said(zh=zh, en=en)


def _load_late(fact: LoadFoundLate, _pack: CityPack) -> Told:
    fen = in_yuan(fact.amount_fen)
    return Decision.GRANT, Said(
        zh=f"期满退款后发现卡片已写入{fen}元，由发卡方承担",
        en=f"the chip shows {fen} yuan that were given back after the last hour; the issuer bears them",
    )


def _cooling(fact: CoolingBegun, _pack: CityPack) -> Told:
    ends, latest = by_the_clock(fact.ends_at), by_the_clock(fact.latest_at)
    return Decision.DEADLINE, Said(
        zh=f"等待卡片停用前的脱机交易至{ends}，最迟{latest}，之后结清卡内余额",
        en=f"what the chip paid before may come in until {ends}, {latest} at the latest; then its money moves",
    )


def _cooling_on(fact: CoolingExtended, _pack: CityPack) -> Told:
    return Decision.DEADLINE, Said(
        zh=f"尚有终端未上传，继续等待至{by_the_clock(fact.ends_at)}",
        en=f"a terminal has not uploaded yet: it is waited for until {by_the_clock(fact.ends_at)}",
    )


def _settled(fact: ChipSettled, _pack: CityPack) -> Told:
    fen = in_yuan(fact.amount_fen)
    if fact.to == "account":
        return Decision.GRANT, Said(zh=f"卡内余额{fen}元已转入账户", en=f"{fen} yuan of the chip are on the account")
    return Decision.GRANT, Said(
        zh=f"卡内余额{fen}元可到窗口领取", en=f"{fen} yuan of the chip can be fetched at a counter"
    )


def _forfeited(_fact: ChipForfeited, _pack: CityPack) -> Told:
    return Decision.REFUSAL, Said(
        zh="不记名卡遗失，卡内余额视同现金，不予退还",
        en="the chip bore no name and was lost like cash: nothing is paid out",
    )


def _paid_out(fact: AccountPaidOut, _pack: CityPack) -> Told:
    if not fact.fee_fen:
        return Decision.FEE, Said(zh="退还余额不收手续费", en="paying out what was left is free of charge")
    fen = in_yuan(fact.fee_fen)
    return Decision.FEE, Said(zh=f"退还余额收手续费{fen}元", en=f"paying out what was left costs {fen} yuan")


_OF_PURSE: Mapping[type, tuple[About, Callable[[Any, CityPack], Told], tuple[str, ...]]] = {
    PurseOpened: ("opening", _opened, ("open_at", "documents", "named")),
    PurseFrozen: ("block", _frozen, ("loss",)),
    PurseReleased: ("block", _released, ("loss",)),
    LoadPaid: ("load", _load_paid, ("load_hours",)),
    LoadReversed: ("load", _load_reversed, ("load_hours",)),
    LoadFoundLate: ("load", _load_late, ("load_hours",)),
    CoolingBegun: ("cooling", _cooling, ("loss",)),
    CoolingExtended: ("cooling", _cooling_on, ("loss",)),
    ChipSettled: ("cooling", _settled, ("loss",)),
    ChipForfeited: ("cooling", _forfeited, ("loss", "named")),
    AccountPaidOut: ("fee", _paid_out, ("refund_fee_per_mille",)),
}
"""Of each fact of a purse: what it is about, how it is said, and by which values of `wallet.yaml` it was decided."""


_OF_THE_ACCOUNT: tuple[About, ...] = ("opening", "fee")
"""What goes with the account from card to card."""


def _grounds(pack: CityPack, fact: Any, row: Recorded, *paths: str) -> tuple[Ground, ...]:
    found = (pack.ground(path, fact.at, row.edition) for path in paths)
    return tuple(ground for ground in found if ground is not None)
