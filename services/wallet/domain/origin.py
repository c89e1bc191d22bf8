"""Where what is left on an account once came from, so that it can go back there (domain facts 3.3).

Money is spent in the order voucher, bank account, cash: what cannot be given back goes first, and what is handed back
over the counter goes last. A refund of a payment brings back what that payment had spent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from libs.kernel import value
from services.wallet.domain.bylaw import Origin

SPENT_FIRST = (Origin.VOUCHER, Origin.BANK_ACCOUNT, Origin.CASH)


@value
class Movement:
    """What one entry did to an account. `kind` is the entry's, `about` names the payment or the top-up."""

    kind: str
    about: str
    amount_fen: int


@dataclass
class _Parts:
    left: dict[Origin, int] = field(default_factory=lambda: dict.fromkeys(Origin, 0))
    spent: dict[str, dict[Origin, int]] = field(default_factory=dict)

    def take(self, fen: int, about: str) -> None:
        parts = self.spent.setdefault(about, dict.fromkeys(Origin, 0))
        for origin in SPENT_FIRST:
            taken = min(fen, self.left[origin])
            self.left[origin] -= taken
            parts[origin] += taken
            fen -= taken
        self.left[Origin.CASH] -= fen  # Below nothing only where a bylaw lets an account be so.
        parts[Origin.CASH] += fen

    def bring_back(self, fen: int, about: str) -> None:
        parts = self.spent.get(about, {})
        for origin in reversed(SPENT_FIRST):
            back = min(fen, parts.get(origin, 0))
            self.left[origin] += back
            if back:
                parts[origin] -= back
            fen -= back
        self.left[Origin.CASH] += fen


def parts_of(movements: Iterable[Movement]) -> dict[Origin, int]:
    """How much of what is left came from where, from all movements of an account in the order of time."""
    parts = _Parts()
    for moved in movements:
        kind, _, origin = moved.kind.partition("/")
        match kind:
            case "top-up":
                parts.left[Origin(origin)] += moved.amount_fen
            case "top-up-reversal":
                gone = min(-moved.amount_fen, parts.left[Origin(origin)])
                parts.left[Origin(origin)] -= gone
                parts.take(-moved.amount_fen - gone, moved.about)
            case _ if moved.amount_fen < 0:
                parts.take(-moved.amount_fen, moved.about)
            case _:
                parts.bring_back(moved.amount_fen, moved.about)
    return parts.left
