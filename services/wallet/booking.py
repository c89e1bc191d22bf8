"""What each fact of the wallet means in the books; the only translator from facts to money.

Each guard stands here under a name of its own, and so does each movement: what is forbidden is forbidden in one place.
"""

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from libs.eventsourcing.store import Declined
from libs.kernel import Refused
from libs.kernel.ids import city_of
from libs.ledger import guards
from libs.ledger.entry import Booking, Entry, Guard, Posting, Standing
from services.ids import CardId, HoldingId
from services.wallet.domain import chart
from services.wallet.domain.adjustment import events as adjustment
from services.wallet.domain.adjustment.state import Adjustment
from services.wallet.domain.money import (
    AboveTheCap,
    AlreadyBooked,
    FundsShort,
    MoneyStopped,
    NotThePresentCard,
    PileMoved,
    WalletNotOpened,
)
from services.wallet.domain.payment import events as payment
from services.wallet.domain.payment.state import Payment
from services.wallet.domain.purse import events as purse
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.reconciliation import events as reconciliation
from services.wallet.domain.reconciliation.state import Difference
from services.wallet.domain.refund import events as refund
from services.wallet.domain.refund.state import Refunds
from services.wallet.domain.topup import events as topup
from services.wallet.domain.topup.state import TopUpState

# --- guards ---


def spendable(card: CardId) -> Guard:
    """The money is there beside all holds, the account is in use at this moment, and this is its present card."""
    return Guard(least_fen=0, in_use=True, bearer=card)


def payable_in(card: CardId, cap_fen: int | None) -> Guard:
    """The account is in use with this card, and what it holds then stays under the city's cap."""
    return Guard(least_fen=None, most_fen=cap_fen, in_use=True, bearer=card)


def takes_back(cap_fen: int | None) -> Guard:
    """A refund needs no card, but an account that can still be used, and room under the cap."""
    return Guard(least_fen=None, most_fen=cap_fen, in_use=True)


def settles_hold() -> Guard:
    """What was held before a report is captured or released after it all the same; the hold itself must be there."""
    return Guard(least_fen=None)


def emptied() -> Guard:
    """All of it goes: what is left afterwards is nothing, or somebody moved money since it was counted."""
    return Guard(least_fen=0, most_fen=0)


def still_there() -> Guard:
    """What was paid in by mistake can be taken back while it has not been spent."""
    return Guard(least_fen=0)


def towards_nothing(fen: int) -> Guard:
    """A pile of suspense gets smaller and never turns round, however many write it off at once."""
    return Guard(least_fen=None, most_fen=0, folded=True) if fen > 0 else Guard(least_fen=0, folded=True)


def waits_there() -> Guard:
    """What is paid out was waiting, and is not paid out twice."""
    return Guard(least_fen=0, folded=True)


# --- purses: no money moves, but accounts open, stop and change their card ---


def book_purse(facts: Sequence[purse.Event], after: Purse) -> Booking | None:
    entries = tuple(_purse_entries(facts))
    if after.opened_at is None or after.card is None or all(isinstance(fact, _MOVES_ONLY_MONEY) for fact in facts):
        return Booking(entries=entries) if entries else None
    holding = HoldingId(after.card.card_id.partition(".")[0])
    return Booking(entries=entries, standings=(standing_of(holding, after),))


_MOVES_ONLY_MONEY = (
    purse.LoadPaid, purse.LoadConfirmed, purse.LoadReversed, purse.LoadFoundLate, purse.LoadUncertain,
    purse.CoolingBegun, purse.CoolingExtended, purse.ChipSettled, purse.ChipForfeited, purse.AccountPaidOut,
)  # fmt: skip


def _purse_entries(facts: Sequence[purse.Event]) -> Iterator[Entry]:
    for fact in facts:
        city = city_of(fact.holding_id)
        on_its_way = chart.suspense(city, "loads")
        match fact:
            case purse.LoadPaid():
                yield _moved(f"{fact.load_id}/paid", "load-paid", chart.channel(city, fact.channel), on_its_way, fact)
            case purse.LoadConfirmed():
                yield _moved(fact.load_id, f"load/{fact.origin}", on_its_way, chart.purse(fact.card_id), fact)
            case purse.LoadReversed(how="expired"):
                yield _moved(fact.load_id, "load-expired", on_its_way, chart.refund(fact.holding_id), fact)
            case purse.LoadReversed():
                till = chart.channel(city, fact.channel)
                yield _moved(fact.load_id, "load-reversed", on_its_way, till, fact)
            case purse.LoadFoundLate():
                chip = chart.purse(fact.card_id)
                yield _moved(f"{fact.load_id}/late", "load-found-late", chart.issuer_loss(city), chip, fact)
            case purse.ChipSettled(amount_fen=fen) if fen:
                to = (
                    Posting(chart.online(fact.holding_id), fen, guard=settles_hold())
                    if fact.to == "account"
                    else Posting(chart.refund(fact.holding_id), fen)
                )
                yield Entry(f"{fact.card_id}/settled", "transfer", (Posting(chart.purse(fact.card_id), -fen), to))
            case purse.AccountPaidOut() if fact.total_fen:
                parts = (
                    Posting(chart.online(fact.holding_id), -fact.total_fen, guard=emptied()),
                    Posting(chart.channel(city, fact.outlet), fact.cash_fen),
                    Posting(chart.refund(fact.holding_id), fact.bank_fen),
                    Posting(chart.suspense(city, "unspent-vouchers"), fact.voucher_fen),
                    Posting(chart.fee(city), fact.fee_fen),
                )
                legs = tuple(leg for leg in parts if leg.amount_fen)
                yield Entry(f"{fact.card_id}/paid-out", "pay-out", legs)
            case _:
                pass  # Nothing moves.


def _moved(reference: str, kind: str, from_: str, to: str, fact: Any) -> Entry:
    return Entry(reference, kind, (Posting(from_, -fact.amount_fen), Posting(to, fact.amount_fen)))


def standing_of(holding: HoldingId, now: Purse) -> Standing:
    """With which card the account is used, until when, and when not."""
    assert now.card is not None
    stopped = now.freeze if now.freeze is not None and now.freeze.card_id == now.card.card_id else None
    open_until = now.card.valid_to if now.ended_at is None else min(now.ended_at, now.card.valid_to)
    return Standing(
        account=chart.online(holding),
        bearer=now.card.card_id,
        open_until=open_until,
        stopped_from=stopped.at if stopped else None,
        stopped_until=stopped.until if stopped else None,
    )


# --- payments ---


def book_payment(facts: Sequence[payment.Event], _after: Payment) -> Booking | None:
    return Booking(entries=tuple(_payment_entries(facts)))


def _payment_entries(facts: Sequence[payment.Event]) -> Iterator[Entry]:
    for fact in facts:
        account, city = chart.online(fact.holding_id), city_of(fact.holding_id)
        shop = chart.merchant(city, fact.merchant)
        match fact:
            case payment.PaymentAuthorised():
                hold = Posting(account, 0, held_by(fact.amount_fen), spendable(fact.card_id))
                yield Entry(f"{fact.payment_id}/hold", "hold", (hold,))
            case payment.PaymentCaptured():
                let_go = -held_by(fact.amount_fen + fact.released_fen)
                taken = Posting(account, -fact.amount_fen, let_go, settles_hold())
                earned = Posting(shop, fact.amount_fen)
                yield Entry(f"{fact.payment_id}/capture/{fact.nth}", "payment", (taken, earned))
            case payment.PaymentReleased():
                free = Posting(account, 0, -held_by(fact.released_fen), settles_hold())
                yield Entry(f"{fact.payment_id}/release", "release", (free,))
            case payment.PaymentRefunded():
                given = Posting(shop, -fact.amount_fen)
                back = (
                    Posting(account, fact.amount_fen, guard=takes_back(fact.cap_fen))
                    if fact.to == "account"
                    else Posting(chart.refund(fact.holding_id), fact.amount_fen)
                )
                yield Entry(f"{fact.payment_id}/refund/{fact.nth}", "refund", (given, back))
            case _:
                assert_never(fact)


def held_by(fen: int) -> int:
    """What a hold takes out of the available balance: all of it."""
    return fen


# --- top-ups ---


def book_top_up(facts: Sequence[topup.Event], _after: TopUpState) -> Booking | None:
    return Booking(entries=tuple(_top_up_entries(facts)))


def _top_up_entries(facts: Sequence[topup.Event]) -> Iterator[Entry]:
    for fact in facts:
        account = chart.online(fact.holding_id)
        till = chart.channel(city_of(fact.holding_id), fact.channel)
        match fact:
            case topup.AccountToppedUp():
                paid = Posting(till, -fact.amount_fen)
                got = Posting(account, fact.amount_fen, guard=payable_in(fact.card_id, fact.cap_fen))
                yield Entry(fact.top_up_id, f"top-up/{fact.origin}", (paid, got))
            case topup.TopUpReversed():
                back = Posting(till, fact.amount_fen)
                gone = Posting(account, -fact.amount_fen, guard=still_there())
                yield Entry(f"{fact.top_up_id}/reversal", f"top-up-reversal/{fact.origin}", (gone, back))
            case _:
                assert_never(fact)


# --- adjustments ---


def book_adjustment(facts: Sequence[adjustment.Event], _after: Adjustment) -> Booking | None:
    return Booking(entries=tuple(_adjustment_entries(facts)))


def _adjustment_entries(facts: Sequence[adjustment.Event]) -> Iterator[Entry]:
    for fact in facts:
        match fact:
            case adjustment.AdjustmentMade():
                guard, kind = None, "adjustment"
                if chart.kind_of(fact.account) is chart.Kind.ONLINE:
                    guard = takes_back(fact.cap_fen) if fact.amount_fen > 0 else still_there()
                elif chart.kind_of(fact.account) is chart.Kind.SUSPENSE:
                    guard, kind = towards_nothing(fact.amount_fen), "write-off"
                right = Posting(fact.account, fact.amount_fen, guard=guard)
                pays = fact.amount_fen > 0 and chart.kind_of(fact.against) is chart.Kind.SUSPENSE
                other = Posting(fact.against, -fact.amount_fen, guard=waits_there() if pays else None)
                yield Entry(fact.adjustment_id, kind, (right, other))
            case adjustment.AdjustmentProposed() | adjustment.AdjustmentDeclined():
                pass  # Nothing moves on one person's word.
            case _:
                assert_never(fact)


# --- pay-outs of what waits ---


def book_refund(facts: Sequence[refund.Event], _after: Refunds) -> Booking | None:
    return Booking(entries=tuple(_refund_entries(facts)))


def _refund_entries(facts: Sequence[refund.Event]) -> Iterator[Entry]:
    """The counter or the bank that pays is owed it; it must be there, however many fetch it at once."""
    for fact in facts:
        city = city_of(fact.holding_id)
        parts = (
            Posting(chart.refund(fact.holding_id), -fact.amount_fen - fact.voucher_fen, guard=waits_there()),
            Posting(chart.channel(city, fact.channel), fact.amount_fen),
            Posting(chart.suspense(city, "unspent-vouchers"), fact.voucher_fen),
        )
        legs = tuple(leg for leg in parts if leg.amount_fen)
        yield Entry(fact.pay_out_id, f"refund-paid/{fact.way}", legs)


# --- differences ---


def book_difference(facts: Sequence[reconciliation.DifferenceEvent], _after: Difference) -> Booking | None:
    return Booking(entries=tuple(_difference_entries(facts)))


def _difference_entries(facts: Sequence[reconciliation.DifferenceEvent]) -> Iterator[Entry]:
    """The sender's account stands as the sender says, and what speaks against it lies in a pile of its own."""
    for fact in facts:
        match fact:
            case reconciliation.DifferenceSuspended() | reconciliation.DifferenceResolved():
                if fact.account:
                    legs = (Posting(fact.account, -fact.moved_fen), Posting(fact.pile, fact.moved_fen))
                    yield Entry(f"{fact.difference_id}/{fact.nth}", "suspense", legs)
            case reconciliation.DifferenceExplained():
                pass  # A word moves nothing.
            case _:
                assert_never(fact)


# --- how the city says no when the books do not bear it ---


def refusal_of(declined: Declined) -> Refused:
    """The refusal that a holder understands. A hold that is too small is a bug of ours: the payment knew its own."""
    match declined.why:
        case guards.REFERENCE_REUSED:
            return AlreadyBooked()
        case guards.FUNDS_SHORT | guards.ABOVE_CAP if declined.what.startswith(f"{chart.Kind.SUSPENSE}:"):
            return PileMoved()
        case guards.ACCOUNT_UNKNOWN:
            return WalletNotOpened()
        case guards.ACCOUNT_STOPPED:
            return MoneyStopped()
        case guards.OTHER_BEARER:
            return NotThePresentCard()
        case guards.FUNDS_SHORT:
            return FundsShort()
        case guards.ABOVE_CAP:
            return AboveTheCap()
        case unforeseen:
            raise LookupError(unforeseen)
