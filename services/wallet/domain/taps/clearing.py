"""How taps are cleared: the rule, to be read; `adapters/clearing_functions.sql` does the same for millions.

Two questions are kept apart. *What would this tap be, alone?* is answered from the record and from what the city knows
of card, terminal and tariff. *Does it contradict another tap?* is a property of the set of all taps, whatever their
order. Both together make the books a function of the set of taps: any order, any doubling, any cutting into chunks
comes out the same. A tap that was booked and is contradicted later is taken back by an entry of its own.

What people rule on a record is a third thing, and stands whatever comes later. So the books are a function of the set
of taps and of the set of rulings, and it does not matter between which taps a ruling fell (decision 0041).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from libs.kernel import state, value
from libs.kernel.calendar import shanghai_day
from services.wallet.domain import chart
from services.wallet.domain.taps.bylaw import Bearer, TapBylaw
from services.wallet.domain.taps.tap import Class, Ruling, Tap


@value
class Record:
    """A line of an upload, and whether the card's cryptogram fits it."""

    tap: Tap
    genuine: bool


@value
class Card:
    """A card whose purse is open: its account, from when a report of its loss that covers the purse holds, and in
    which version of the hotlist it was listed.

    A report that was lifted or has lapsed leaves its taps with the holder, who had the card.
    """

    account: str
    stopped_from: datetime | None = None
    listed_in: int | None = None


@value
class Receipt:
    """From `received_at` on, a terminal had this version of the hotlist."""

    version: int
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


Printed = tuple[int, int, int, int, int, datetime]


@state
class Register:
    """Every distinct genuine tap, what it would be if no other contradicted it, and what people have ruled.

    A record that the card did not sign is known by what it says of the ride (`printed`), and never compared.
    """

    plain: Mapping[Tap, Class]
    ruled: Mapping[Tap, Ruling] = field(default_factory=dict)
    ruled_forged: Mapping[Printed, tuple[Tap, Ruling]] = field(default_factory=dict)

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
    after = replace(register, plain=plain)
    standing = standings(after, world.under)
    return after, tuple(
        standing[record.tap] if fresh else Class.DUPLICATE if record.genuine else Class.BAD_CRYPTOGRAM
        for record, fresh in zip(chunk, first, strict=True)
    )


def rule(register: Register, record: Record, ruling: Ruling) -> Register:
    """Write down what people have ruled on a record; the first ruling stands."""
    if record.genuine:
        return replace(register, ruled={record.tap: ruling} | dict(register.ruled))
    known = {printed(record.tap): (record.tap, ruling)}
    return replace(register, ruled_forged=known | dict(register.ruled_forged))


def printed(tap: Tap) -> Printed:
    """What a record says of the ride."""
    return tap.card, tap.counter, tap.terminal, tap.sequence, tap.fen, tap.at


def judge_again(register: Register, world: World) -> Register:
    """Taps of which the city may know more than when they came, judged by what it knows now."""
    again = {
        tap: alone(tap, world, in_time=plain in REPORTED)
        for tap, plain in register.plain.items()
        if plain in JUDGED_AGAIN and tap not in register.ruled
    }
    return replace(register, plain={**register.plain, **again})


REPORTED = frozenset({Class.AFTER_REPORT, Class.AFTER_HOTLIST})
JUDGED_AGAIN = frozenset({Class.TERMINAL_UNKNOWN, Class.TERMINAL_RETIRED, Class.CARD_UNKNOWN}) | REPORTED


def alone(tap: Tap, world: World, in_time: bool = False) -> Class:
    """What a tap is when no other contradicts it; `in_time` says that it was booked before it could go stale."""
    terminal, card = world.terminals.get(tap.terminal), world.cards.get(tap.card)
    if tap.at > world.now + timedelta(seconds=world.under.ahead_max_s):
        return Class.FROM_THE_FUTURE
    if terminal is None:
        return Class.TERMINAL_UNKNOWN
    if terminal.retired_at is not None and tap.at >= terminal.retired_at:
        return Class.TERMINAL_RETIRED
    if card is None:
        return Class.CARD_UNKNOWN
    if not in_time and tap.at < world.now - timedelta(days=world.under.stale_days):
        return Class.STALE
    ceiling = [fen for from_, fen in world.ceilings.get(terminal.service, ()) if from_ <= shanghai_day(tap.at)]
    if not ceiling or tap.fen > ceiling[-1]:
        return Class.OVER_CEILING
    if card.stopped_from is not None and tap.at >= card.stopped_from:
        listed = card.listed_in
        knew = listed is not None and any(
            one.version >= listed and one.received_at <= tap.at for one in terminal.receipts
        )
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

    The clock of a tap from the future proves nothing about its neighbours; a record that was thrown out contradicts
    nobody.
    """
    left = {tap: plain for tap, plain in register.plain.items() if register.ruled.get(tap) is not Ruling.REJECT}
    for key in (_by_card, _by_terminal):
        same = defaultdict(list)
        for tap in left:
            same[key(tap)].append(tap)
        for taps in same.values():
            if len(taps) > 1:
                yield from taps
    tolerance = timedelta(seconds=under.clock_tolerance_s)
    of_card = defaultdict(list)
    for tap, plain in left.items():
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


def legs(tap: Tap, standing: Class, world: World, ruling: Ruling | None = None) -> tuple[tuple[str, int], ...]:
    """What a tap that stands so, or was ruled on so, means in the books: (account, fen), summing to zero."""
    if ruling is not None:
        return _legs(tap, world, _BEARERS[ruling])
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
    return _legs(tap, world, bearer)


_BEARERS = {Ruling.BOOK: Bearer.HOLDER, Ruling.REJECT: Bearer.MERCHANT, Ruling.ISSUER: Bearer.ISSUER}


def _legs(tap: Tap, world: World, bearer: Bearer) -> tuple[tuple[str, int], ...]:
    if bearer is Bearer.MERCHANT:
        return ()
    merchant = chart.merchant(world.city, world.terminals[tap.terminal].merchant)
    match bearer:
        case Bearer.HOLDER:
            return (world.cards[tap.card].account, -tap.fen), (merchant, tap.fen)
        case Bearer.ISSUER:
            return (chart.issuer_loss(world.city), -tap.fen), (merchant, tap.fen)


def books(register: Register, world: World) -> Mapping[str, int]:
    """All balances that follow from these taps and rulings, in fen; accounts at zero are left out."""
    balances: dict[str, int] = defaultdict(int)
    moved = [
        legs(tap, standing, world, register.ruled.get(tap))
        for tap, standing in standings(register, world.under).items()
    ]
    moved += [legs(tap, Class.BAD_CRYPTOGRAM, world, ruling) for tap, ruling in register.ruled_forged.values()]
    for account, fen in (leg for legs_ in moved for leg in legs_):
        balances[account] += fen
    return {account: fen for account, fen in balances.items() if fen}


def _by_card(tap: Tap) -> tuple[str, int, int]:
    return "card", tap.card, tap.counter


def _by_terminal(tap: Tap) -> tuple[str, int, int]:
    return "terminal", tap.terminal, tap.sequence
