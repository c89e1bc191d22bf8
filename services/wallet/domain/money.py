"""Amounts as callers send them: whole fen, more than nothing, and less than a mistake."""

from libs.kernel import Clash, Unfit

AMOUNT_MAX_FEN = 100_000_000
"""A million yuan: no single act at a counter or a till moves more."""


class AmountUnfit(Unfit):
    """An amount is a whole number of fen between 1 and 100000000; send 1234 for 12.34 yuan."""


def amount(fen: int) -> int:
    """The same amount, if it can be one. Raises AmountUnfit."""
    if isinstance(fen, bool) or not isinstance(fen, int) or not 0 < fen <= AMOUNT_MAX_FEN:
        raise AmountUnfit
    return fen


class FundsShort(Clash):
    """The account does not hold so much beside what is held for others; pay less, or top up first."""


class WalletNotOpened(Clash):
    """No wallet was opened with this card; open one at a service hall or a partner bank."""


class MoneyStopped(Clash):
    """The money on this card is stopped: the card is reported lost, has expired or has ended; ask at a service hall."""


class NotThePresentCard(Clash):
    """This is not the holder's present card; use the one that took its place."""


class AboveTheCap(Clash):
    """With this the account would hold more than the city allows; pay in less."""


class PileMoved(Clash):
    """Somebody else has just taken from this pile of suspense, and so much does not lie there any more; look at it
    again."""


class AlreadyBooked(Clash):
    """The books know this movement already under another request; look at the statement."""


class ReferenceReused(Unfit):
    """The reference {reference} was used before for something else; every act needs a reference of its own."""
