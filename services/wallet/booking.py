"""What each fact of the wallet means in the books; the only translator from facts to money.

Each guard stands here under a name of its own, and so does each movement: what is forbidden is forbidden in one place.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from libs.eventsourcing.store import Declined
from libs.kernel import Refused
from libs.kernel.ids import city_of
from libs.ledger import guards
from libs.ledger.entry import Booking, Entry, Guard, Posting, Standing
from services.ids import CardId, HoldingId
from services.wallet.domain import chart
from services.wallet.domain.money import (
    AboveTheCap,
    AlreadyBooked,
    FundsShort,
    MoneyStopped,
    NotThePresentCard,
    WalletNotOpened,
)
from services.wallet.domain.payment import events as payment
from services.wallet.domain.payment.state import Payment
from services.wallet.domain.purse import events as purse_events
from services.wallet.domain.purse.state import Purse
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


def still_there() -> Guard:
    """What was paid in by mistake can be taken back while it has not been spent."""
    return Guard(least_fen=0)


# --- purses: no money moves, but accounts open, stop and change their card ---


def book_purse(facts: Sequence[purse_events.Event], after: Purse) -> Booking | None:
    if after.opened_at is None or after.card is None:
        return None
    holding = HoldingId(after.card.card_id.partition(".")[0])
    return Booking(standings=(standing_of(holding, after),)) if facts else None


def standing_of(holding: HoldingId, purse: Purse) -> Standing:
    """With which card the account is used, until when, and when not."""
    assert purse.card is not None
    stopped = purse.freeze if purse.freeze is not None and purse.freeze.card_id == purse.card.card_id else None
    open_until = purse.card.valid_to if purse.ended_at is None else min(purse.ended_at, purse.card.valid_to)
    return Standing(
        account=chart.online(holding),
        bearer=purse.card.card_id,
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


# --- how the city says no when the books do not bear it ---

SAYS: Mapping[str, type[Refused]] = {
    guards.REFERENCE_REUSED: AlreadyBooked,
    guards.ACCOUNT_UNKNOWN: WalletNotOpened,
    guards.ACCOUNT_STOPPED: MoneyStopped,
    guards.OTHER_BEARER: NotThePresentCard,
    guards.FUNDS_SHORT: FundsShort,
    guards.ABOVE_CAP: AboveTheCap,
}


def refusal_of(declined: Declined) -> Refused:
    """The refusal that a holder understands. A hold that is too small is a bug of ours: the payment knew its own."""
    return SAYS[declined.why]()
