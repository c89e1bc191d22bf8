"""How taps are cleared: the rule, written so that it can be read. `adapters/clearing.sql` does the same for millions.

Two questions are kept apart. *What would this tap be, alone?* is answered from the record and from what the city knows
of card, terminal and tariff. *Does it contradict another tap?* is a property of the set of all taps, whatever their
order. Both together make the books a function of the set of taps: any order, any doubling, any cutting into chunks
comes out the same. A tap that was booked and is contradicted later is taken back by an entry of its own.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from libs.kernel import state, value
from libs.kernel.calendar import shanghai_day
from services.wallet.domain import chart
from services.wallet.domain.taps.bylaw import Bearer, TapBylaw
from services.wallet.domain.taps.tap import Class, Tap


@value
class Record:
    """A line of an upload, and whether the card's cryptogram fits it."""

    tap: Tap
    genuine: bool


@value
class Card:
    """A card whose purse is open: its account, and from when a report of its loss that covers the purse holds.

    A report that was lifted or has lapsed leaves its taps with the holder, who had the card.
    """

    account: str
    stopped_from: datetime | None = None


@value
class Receipt:
    """From `received_at` on, a terminal had the hotlist as it stood at `as_of`."""

    as_of: datetime
    received_at: datetime


@value
class Terminal:
    """A terminal that takes money for a merchant by the tariff of one service."""

    merchant: str
    service: str
    retired_at: datetime | None = None
    receipts: tuple[Receipt, ...] = ()


@value
class World:
    """What the city knows while it clears. `ceilings` are (from day, fen) by service, oldest first."""

    city: str
    now: datetime
    cards: Mapping[int, Card]
    terminals: Mapping[int, Terminal]
    ceilings: Mapping[str, tuple[tuple[date, int], ...]]
    under: TapBylaw


@state
class Register:
    """Every distinct genuine tap, and what it would be if no other contradicted it."""

    plain: Mapping[Tap, Class]

    @property
    def taps(self) -> Collection[Tap]:
        return self.plain.keys()


EMPTY = Register(plain={})


def clear(register: Register, chunk: Sequence[Record], world: World) -> tuple[Register, tuple[Class, ...]]:
    """Take a chunk of an upload into the register; answers the class of each of its records, in their order."""
    plain = dict(register.plain)
    first: list[bool] = []
    for record in chunk:
        first.append(record.genuine and record.tap not in plain)
        if first[-1]:
            plain[record.tap] = alone(record.tap, world)
    after = Register(plain=plain)
    standing = standings(after, world.under)
    return after, tuple(
        standing[record.tap] if fresh else Class.DUPLICATE if record.genuine else Class.BAD_CRYPTOGRAM
        for record, fresh in zip(chunk, first, strict=True)
    )


def alone(tap: Tap, world: World) -> Class:
    """What a tap is when no other contradicts it."""
    terminal, card = world.terminals.get(tap.terminal), world.cards.get(tap.card)
    if tap.at > world.now + timedelta(seconds=world.under.ahead_max_s):
        return Class.FROM_THE_FUTURE
    if terminal is None:
        return Class.TERMINAL_UNKNOWN
    if terminal.retired_at is not None and tap.at >= terminal.retired_at:
        return Class.TERMINAL_RETIRED
    if card is None:
        return Class.CARD_UNKNOWN
    if tap.at < world.now - timedelta(days=world.under.stale_days):
        return Class.STALE
    ceiling = [fen for from_, fen in world.ceilings.get(terminal.service, ()) if from_ <= shanghai_day(tap.at)]
    if not ceiling or tap.fen > ceiling[-1]:
        return Class.OVER_CEILING
    if card.stopped_from is not None and tap.at >= card.stopped_from:
        knew = any(one.as_of >= card.stopped_from and one.received_at <= tap.at for one in terminal.receipts)
        return Class.AFTER_HOTLIST if knew else Class.AFTER_REPORT
    return Class.BOOKED


def standings(register: Register, under: TapBylaw) -> Mapping[Tap, Class]:
    """How every tap stands among all the others."""
    contradicted = frozenset(contradictions(register, under))
    counters = {(tap.card, tap.counter) for tap in register.taps}
    return {
        tap: Class.CONFLICT
        if tap in contradicted
        else Class.GAP_OPENED
        if plain is Class.BOOKED and tap.counter > 1 and (tap.card, tap.counter - 1) not in counters
        else plain
        for tap, plain in register.plain.items()
    }


def contradictions(register: Register, under: TapBylaw) -> Iterator[Tap]:
    """Taps that cannot all be true: the same counter of a card, or the same sequence of a terminal, with different
    contents; and a tap that is later than one with a higher counter, for a counter only rises.

    The clock of a tap from the future proves nothing about its neighbours.
    """
    for key in (_by_card, _by_terminal):
        same = defaultdict(list)
        for tap in register.taps:
            same[key(tap)].append(tap)
        for taps in same.values():
            if len(taps) > 1:
                yield from taps
    tolerance = timedelta(seconds=under.clock_tolerance_s)
    of_card = defaultdict(list)
    for tap, plain in register.plain.items():
        if plain is not Class.FROM_THE_FUTURE:
            of_card[tap.card].append(tap)
    for taps in of_card.values():
        for tap in taps:
            if any(other.counter > tap.counter and other.at + tolerance < tap.at for other in taps):
                yield tap


def gaps(register: Register) -> Iterator[tuple[int, int, int]]:
    """The counters that have not come yet: (card, first missing, last missing). A gap closes when they come."""
    of_card = defaultdict(set)
    for tap in register.taps:
        of_card[tap.card].add(tap.counter)
    for card, counters in of_card.items():
        for before, after in pairwise([0, *sorted(counters)]):
            if after - before > 1:
                yield card, before + 1, after - 1


def over_ceiling(city: str) -> str:
    """Where money waits that was more than the tariff's dearest trip."""
    return chart.suspense(city, "over-ceiling")


def legs(tap: Tap, standing: Class, world: World) -> tuple[tuple[str, int], ...]:
    """What a tap that stands so means in the books: (account, fen), summing to zero."""
    match standing:
        case Class.BOOKED | Class.GAP_OPENED:
            bearer = Bearer.HOLDER
        case Class.AFTER_REPORT:
            bearer = world.under.before_receipt
        case Class.AFTER_HOTLIST:
            bearer = world.under.after_receipt
        case Class.OVER_CEILING:
            return (world.cards[tap.card].account, -tap.fen), (over_ceiling(world.city), tap.fen)
        case _:
            return ()
    merchant = chart.merchant(world.city, world.terminals[tap.terminal].merchant)
    match bearer:
        case Bearer.HOLDER:
            return (world.cards[tap.card].account, -tap.fen), (merchant, tap.fen)
        case Bearer.ISSUER:
            return (chart.issuer_loss(world.city), -tap.fen), (merchant, tap.fen)
        case Bearer.MERCHANT:
            return ()


def books(register: Register, world: World) -> Mapping[str, int]:
    """All balances that follow from these taps, in fen; accounts at zero are left out."""
    balances: dict[str, int] = defaultdict(int)
    for tap, standing in standings(register, world.under).items():
        for account, fen in legs(tap, standing, world):
            balances[account] += fen
    return {account: fen for account, fen in balances.items() if fen}


def _by_card(tap: Tap) -> tuple[str, int, int]:
    return "card", tap.card, tap.counter


def _by_terminal(tap: Tap) -> tuple[str, int, int]:
    return "terminal", tap.terminal, tap.sequence
