"""What must never be of money (domain facts 7), folded from the entries and the raw facts by rules of its own."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.eventsourcing.store import Append, Recorded
from libs.ledger.entry import Booking
from libs.testing.simulation import moment_of

ACCOUNT_CAP_FEN, PURSE_CAP_FEN = 500_000, 100_000  # Zhoushan and Wuxi, domain facts 3.1.

Said = dict[str, Any]
Must = Callable[[object, str, str], None]


@dataclass
class Sale:
    """One payment by its facts, in fen."""

    held: int = 0
    captured: int = 0
    refunded: int = 0


@dataclass
class PurseBook:
    """Whose account it is now: the present card, from when to when it is stopped, and since when it has ended."""

    card: str = ""
    opened: bool = False
    stops: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)
    """The last report about each card: from when, and until when."""
    ended_at: datetime | None = None
    paid_out: bool = False

    def usable(self, card: str, at: datetime) -> bool:
        begins, until = self.stops.get(card, (None, None))
        stopped = begins is not None and begins <= at and (until is None or at < until)
        return self.opened and card == self.card and not stopped and (self.ended_at is None or at < self.ended_at)


class Books:
    """Balances, references, sales and purses, as a stranger reads them from what the wallet has stored."""

    def __init__(self, must: Must) -> None:
        self.must = must
        self.balances: dict[str, int] = defaultdict(int)
        self.held: dict[str, int] = defaultdict(int)
        self.references: set[str] = set()
        self.sales: dict[str, Sale] = defaultdict(Sale)
        self.purses: dict[str, PurseBook] = defaultdict(PurseBook)

    def booked(self, wanted: Append) -> None:
        """INV-4 and INV-6: every entry sums to zero and happens once; nothing is overdrawn or above its cap."""
        booking: Booking | None = wanted.booking
        for entry in booking.entries if booking is not None else ():
            self.must(not sum(one.amount_fen for one in entry.postings), "INV-6", f"{entry.reference} makes money")
            self.must(
                entry.reference not in self.references, "nothing happens twice", f"{entry.reference} is booked again"
            )
            self.references.add(entry.reference)
            for one in entry.postings:
                self.balances[one.account] += one.amount_fen
                self.held[one.account] += one.held_fen
                self._look_at(one.account, entry.reference)

    def _look_at(self, account: str, why: str) -> None:
        balance, held = self.balances[account], self.held[account]
        what = f"{account} holds {balance} fen, {held} of it for others, after {why}"
        kind = account.partition(":")[0]
        if kind == "online":
            self.must(0 <= held <= balance <= ACCOUNT_CAP_FEN, "INV-4", what)
        elif kind == "purse":
            self.must(0 <= balance <= PURSE_CAP_FEN, "INV-4", what)
        elif kind == "refund" or account.endswith("/loads"):
            self.must(balance >= 0, "INV-3", what)

    def told(self, fact: Recorded, said: Said) -> None:
        """What one fact of the wallet says, and whether it may."""
        purse, card = self.purses[said["holding_id"]], said.get("card_id", "")
        match fact.name:
            case "card-noted" | "card-succeeded":
                purse.card, purse.ended_at = card, None
                purse.opened, purse.paid_out = purse.opened and not purse.paid_out, False
            case "account-paid-out":
                purse.paid_out = True
            case "purse-opened":
                purse.opened = True
                self._use(purse, fact, card)
            case "purse-frozen":
                purse.stops[card] = moment_of(said["at"]), moment_of(said["until"]) if said["until"] else None
            case "purse-released":
                begins, _ = purse.stops[card]
                purse.stops[card] = begins, max(begins, moment_of(said["from_at"] or said["at"]))
            case "card-ended":
                purse.ended_at = moment_of(said["at"])
            case "account-topped-up" | "load-paid":
                self._use(purse, fact, card)
            case name if name.startswith("payment-"):
                self._in_a_sale(purse, fact, said)

    def _use(self, purse: PurseBook, fact: Recorded, card: str) -> None:
        usable = purse.usable(card, fact.effective_at)
        self.must(usable, "INV-8", f"{fact.name} with {card} at {fact.effective_at}: {purse}")

    def _in_a_sale(self, purse: PurseBook, fact: Recorded, said: Said) -> None:
        sale, name = self.sales[said["payment_id"]], said["payment_id"]
        match fact.name:
            case "payment-authorised":
                self.must(sale == Sale(), "nothing happens twice", f"{name} was asked for again")
                self._use(purse, fact, said["card_id"])
                sale.held = said["amount_fen"]
            case "payment-captured":
                taken = said["amount_fen"] + said["released_fen"]
                self.must(taken <= sale.held, "holds", f"{taken} fen of {name} are taken, {sale.held} are held")
                sale.held -= taken
                sale.captured += said["amount_fen"]
            case "payment-released":
                self.must(said["released_fen"] == sale.held, "holds", f"{name} lets go of more or less than it holds")
                sale.held = 0
            case "payment-refunded":
                sale.refunded += said["amount_fen"]
                self.must(sale.refunded <= sale.captured, "holds", f"{name} was refunded beyond {sale.captured} fen")
