"""Where what is left on an account once came from, so that it can go back there (domain facts 3.3).

Money is spent in the order voucher, bank account, cash: what cannot be given back goes first, and what is handed back
over the counter goes last. A refund of a payment brings back what that payment had spent.
"""

from collections.abc import Iterable, Mapping
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
        for origin, back in self.give_back(fen, about).items():
            self.left[origin] += back

    def give_back(self, fen: int, about: str) -> dict[Origin, int]:
        """What of a payment comes back, by where it once came from; cash first."""
        parts, given = self.spent.get(about, {}), dict.fromkeys(Origin, 0)
        for origin in reversed(SPENT_FIRST):
            back = min(fen, parts.get(origin, 0))
            given[origin] += back
            if back:
                parts[origin] -= back
            fen -= back
        given[Origin.CASH] += fen
        return given


def parts_of(movements: Iterable[Movement]) -> dict[Origin, int]:
    """How much of what is left came from where, from all movements of an account in the order of time."""
    parts = _Parts()
    for moved in movements:
        _moved(parts, moved)
    return parts.left


def _moved(parts: _Parts, moved: Movement) -> None:
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


@value
class Waited:
    """A movement on what waits for a holder (`waits`), or on her online account."""

    movement: Movement
    waits: bool


def waiting_parts(
    movements: Iterable[Waited],
    chips: Mapping[str, Iterable[Movement]],
    loads: Mapping[str, Origin],
) -> dict[Origin, int]:
    """How much of what waits for a holder came from where.

    From all movements of her account and of what waits, in the order of time; `chips` are the movements of each chip
    whose money waits, `loads` says where loads were paid from. What two people put right counts as cash.
    """
    account, waiting = _Parts(), dict.fromkeys(Origin, 0)
    for one in movements:
        moved = one.movement
        kind, _, way = moved.kind.partition("/")
        if not one.waits:
            _moved(account, moved)
            continue
        match kind:
            case "pay-out":
                waiting[Origin.BANK_ACCOUNT] += moved.amount_fen
            case "load-expired":
                waiting[loads.get(moved.about, Origin.CASH)] += moved.amount_fen
            case "transfer":
                left = parts_of(_as_an_account(chips.get(moved.about, ())))
                _add(waiting, _shared(moved.amount_fen, left, SPENT_FIRST[1:]))
            case "refund":
                _add(waiting, account.give_back(moved.amount_fen, moved.about))
            case "refund-paid":
                paid = Origin.CASH if way == "counter" else Origin.BANK_ACCOUNT
                waiting[paid] += moved.amount_fen + waiting[Origin.VOUCHER]
                waiting[Origin.VOUCHER] = 0
            case _:
                waiting[Origin.CASH] += moved.amount_fen
    return waiting


def _as_an_account(movements: Iterable[Movement]) -> Iterable[Movement]:
    """A chip's loads are to it what top-ups are to an account; that its money went away is not of interest."""
    for moved in movements:
        kind, _, origin = moved.kind.partition("/")
        if kind == "load":
            yield Movement(kind=f"top-up/{origin}", about=moved.about, amount_fen=moved.amount_fen)
        elif kind != "transfer":
            yield moved


def _shared(fen: int, parts: Mapping[Origin, int], order: Iterable[Origin]) -> dict[Origin, int]:
    """So much, from these parts: vouchers whole, the others in this order, and cash what no part explains."""
    shared = dict.fromkeys(Origin, 0)
    for origin in (Origin.VOUCHER, *order):
        taken = min(fen, max(0, parts.get(origin, 0)))
        shared[origin] += taken
        fen -= taken
    shared[Origin.CASH] += fen
    return shared


def _add(to: dict[Origin, int], parts: Mapping[Origin, int]) -> None:
    for origin, fen in parts.items():
        to[origin] += fen
