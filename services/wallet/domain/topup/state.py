"""How one top-up can stand."""

from dataclasses import replace
from typing import TypeAlias, assert_never

from libs.kernel import state
from services.wallet.domain.topup.events import AccountToppedUp, Event, TopUpReversed


@state
class NotPaid:
    """Nobody has paid this in."""


@state
class Paid:
    """It is on the account, or was taken back."""

    fact: AccountToppedUp
    reversed: bool = False


TopUpState: TypeAlias = NotPaid | Paid


def evolve(top_up: TopUpState, fact: Event) -> TopUpState:
    match fact:
        case AccountToppedUp():
            return Paid(fact=fact)
        case TopUpReversed():
            assert isinstance(top_up, Paid)
            return replace(top_up, reversed=True)
        case _:
            assert_never(fact)
