"""A tap as the terminal wrote it down, and the one class in which it ends."""

from datetime import datetime
from enum import StrEnum

from libs.kernel import value

FEN_MAX = 2**31 - 1
COUNTER_MAX = 65_535
"""The chip's purchase counter has two bytes; it rises by one with every purchase and never turns over."""


class Class(StrEnum):
    """Where a record ends. Each ends in exactly one, so that the classes add up to the records."""

    BOOKED = "booked"
    GAP_OPENED = "gap_opened"
    """Booked; but the tap before it on this card has not come yet."""
    DUPLICATE = "duplicate"
    """The same tap is known already; nothing is booked a second time (INV-1)."""
    CONFLICT = "conflict"
    """A counter or a terminal's sequence came again with another content, or a counter fell (INV-2): a case."""
    OVER_CEILING = "over_ceiling"
    """More than the tariff's dearest trip (INV-5): the money waits in suspense."""
    AFTER_REPORT = "after_report"
    """After the loss report took effect, before the terminal had the hotlist."""
    AFTER_HOTLIST = "after_hotlist"
    """After the terminal had the hotlist with this card on it."""
    BAD_CRYPTOGRAM = "bad_cryptogram"
    """The card did not sign this."""
    FROM_THE_FUTURE = "from_the_future"
    STALE = "stale"
    """So old that a clerk looks before anybody pays."""
    TERMINAL_UNKNOWN = "terminal_unknown"
    TERMINAL_RETIRED = "terminal_retired"
    """The terminal had been taken out of service when this was tapped."""
    CARD_UNKNOWN = "card_unknown"
    """No purse is open for this card."""


PARKED = frozenset(
    {Class.FROM_THE_FUTURE, Class.STALE, Class.TERMINAL_UNKNOWN, Class.TERMINAL_RETIRED, Class.CARD_UNKNOWN}
)
"""Kept with their reason, not booked, and judged again when somebody says so."""


BOOKED_BY_RULE = frozenset({Class.BOOKED, Class.GAP_OPENED, Class.AFTER_REPORT, Class.AFTER_HOTLIST})
"""Who pays for these is settled; a tap of any other class is a case, until it closes itself or people rule on it."""


class Ruling(StrEnum):
    """What people have decided about one record."""

    BOOK = "book"
    """The ride was taken as it says: the holder pays."""
    REJECT = "reject"
    """Nobody pays; the others are judged as if it had never come."""
    ISSUER = "issuer"
    """The merchant is paid, and the issuer bears it."""


@value
class Tap:
    """One purchase from the offline purse.

    Natural keys: (`card`, `counter`) and (`terminal`, `sequence`). `card` is the 19-digit number on the chip,
    `terminal` has up to 12 digits, `balance_fen` is what the chip says was left, `kind` the chip's transaction
    type (6 purchase, 9 compound purchase), `tac` the chip's signature over all of it.
    """

    card: int
    counter: int
    terminal: int
    sequence: int
    fen: int
    balance_fen: int
    kind: int
    at: datetime
    tac: bytes
