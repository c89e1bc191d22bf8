"""Amounts as callers send them: whole fen, more than nothing, and less than a mistake."""

from libs.kernel import Unfit

AMOUNT_MAX_FEN = 100_000_000
"""A million yuan: no single act at a counter or a till moves more."""


class AmountUnfit(Unfit):
    """An amount is a whole number of fen between 1 and 100000000; send 1234 for 12.34 yuan."""


def amount(fen: int) -> int:
    """The same amount, if it can be one. Raises AmountUnfit."""
    if isinstance(fen, bool) or not isinstance(fen, int) or not 0 < fen <= AMOUNT_MAX_FEN:
        raise AmountUnfit
    return fen
