"""The chart of accounts: how the accounts of the books are called, and which kinds there must be.

A balance above nothing is what the issuer owes, below nothing what is owed to it. Titles and numbers of each kind are a
city's own data; the kinds themselves are what the rules here speak of.
"""

import re
from enum import StrEnum

from libs.kernel import value
from services.ids import CardId, HoldingId


class Kind(StrEnum):
    """The kinds of account that every city's chart must list."""

    ONLINE = "online"
    PURSE = "purse"
    MERCHANT = "merchant"
    CHANNEL = "channel"
    FEE = "fee"
    SUSPENSE = "suspense"
    REFUND = "refund"
    DEPOSIT = "deposit"
    ISSUER_LOSS = "issuer-loss"


@value
class Heading:
    """One kind of account in a city's chart: its number in the city's general ledger, and its titles."""

    kind: Kind
    number: str
    title: dict[str, str]


def online(holding: HoldingId) -> str:
    """What the host holds for a holder (联机账户); it goes from card to card."""
    return f"{Kind.ONLINE}:{holding}"


def purse(card: CardId) -> str:
    """The shadow of the chip's own purse (电子钱包): the truth is on the chip, and this follows it."""
    return f"{Kind.PURSE}:{card}"


def merchant(city: str, name: str) -> str:
    """What a merchant has earned and was not paid yet."""
    return f"{Kind.MERCHANT}:{city}/{name}"


def channel(city: str, name: str) -> str:
    """What a counter or a bank has taken in and has not handed over yet, so it stands below nothing."""
    return f"{Kind.CHANNEL}:{city}/{name}"


def fee(city: str) -> str:
    return f"{Kind.FEE}:{city}"


def suspense(city: str, why: str) -> str:
    """Money that nobody can explain yet; `why` tells the piles apart."""
    return f"{Kind.SUSPENSE}:{city}/{why}"


def refund(holding: HoldingId) -> str:
    """What waits to be paid out to a holder."""
    return f"{Kind.REFUND}:{holding}"


def deposit(holding: HoldingId) -> str:
    return f"{Kind.DEPOSIT}:{holding}"


def issuer_loss(city: str) -> str:
    """What the issuer bears: taps between a report and the terminals' hearing of it, write-offs."""
    return f"{Kind.ISSUER_LOSS}:{city}"


def kind_of(account: str) -> Kind:
    """The kind of an account. Raises ValueError for one that no chart lists."""
    return Kind(account.partition(":")[0])


PERSONAL = frozenset({Kind.ONLINE, Kind.PURSE, Kind.REFUND, Kind.DEPOSIT})
"""Accounts of one holder each."""


def may_be_named(account: str, beside: str) -> bool:
    """Whether a statement of the account `beside` may name this one: nobody reads there who else paid, or when."""
    return kind_of(account) not in PERSONAL or _holding_in(account) == _holding_in(beside)


def _holding_in(account: str) -> str:
    return account.partition(":")[2].partition(".")[0]


def can_name(text: str) -> bool:
    """Whether this can name a merchant, a channel or a pile of suspense."""
    return bool(re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,39}", text))
