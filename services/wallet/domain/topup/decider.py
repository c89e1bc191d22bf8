"""What was paid in is on the account once, however often the counter says it."""

from collections.abc import Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Forbidden, Missing, Unfit
from services.wallet.domain.money import ReferenceReused, amount
from services.wallet.domain.purse.decider import NoWalletHere, check_till
from services.wallet.domain.topup.commands import Command, ReverseTopUp, TopUp
from services.wallet.domain.topup.events import AccountToppedUp, Event, TopUpReversed
from services.wallet.domain.topup.state import NotPaid, Paid, TopUpState, evolve


class TopUpUnknown(Missing):
    """There is no top-up {top_up_id}; check the number."""


class TopUpOutOfBounds(Unfit):
    """In this city a top-up is between {least_fen} and {most_fen} fen; pay in an amount between these."""


class NotYourTopUp(Forbidden):
    """This was paid in at outlet {outlet}; only there can it be taken back."""


class AlreadyReversed(Clash):
    """This top-up was taken back; pay in anew under a new reference."""


def decide(command: Command, top_up: TopUpState) -> Sequence[Event]:
    match command:
        case TopUp():
            return pay_in(command, top_up)
        case ReverseTopUp():
            return reverse(command, top_up)
        case _:
            assert_never(command)


def pay_in(asked: TopUp, top_up: TopUpState) -> Sequence[Event]:
    """At service halls and bank outlets (R95); the books refuse a stopped card and a sum above the cap (R96)."""
    amount(asked.amount_fen)
    if isinstance(top_up, Paid):
        if not same_request(asked, top_up.fact):
            raise ReferenceReused(reference=asked.reference)
        if top_up.reversed:
            raise AlreadyReversed
        return []
    if asked.under is None:
        raise NoWalletHere
    check_till(asked.place, asked.under)
    least_fen, most_fen = asked.under.top_up_least_fen, asked.under.top_up_most_fen
    if not least_fen <= asked.amount_fen <= most_fen:
        raise TopUpOutOfBounds(asked.under.by("top_up"), least_fen=least_fen, most_fen=most_fen)
    return [
        AccountToppedUp(
            top_up_id=asked.top_up_id,
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            channel=asked.place.outlet,
            reference=asked.reference,
            origin=asked.origin,
            amount_fen=asked.amount_fen,
            cap_fen=asked.under.account_cap_fen,
            at=asked.at,
        )
    ]


def same_request(asked: TopUp, done: AccountToppedUp) -> bool:
    """Whether this reference names what was asked for before."""
    return (asked.card_id, asked.amount_fen, asked.origin) == (done.card_id, done.amount_fen, done.origin)


def reverse(asked: ReverseTopUp, top_up: TopUpState) -> Sequence[Event]:
    """By the counter that took the money, while it is still on the account."""
    match top_up:
        case NotPaid():
            raise TopUpUnknown(top_up_id=asked.top_up_id)
        case Paid(reversed=True):
            return []
        case Paid(fact=paid):
            if asked.place.outlet != paid.channel:
                raise NotYourTopUp(outlet=paid.channel)
            return [
                TopUpReversed(
                    top_up_id=paid.top_up_id,
                    holding_id=paid.holding_id,
                    card_id=paid.card_id,
                    channel=paid.channel,
                    origin=paid.origin,
                    amount_fen=paid.amount_fen,
                    reason=asked.reason,
                    at=asked.at,
                )
            ]
        case _:
            assert_never(top_up)


top_ups: Decider[Command, TopUpState, Event] = Decider(NotPaid(), decide, evolve)
