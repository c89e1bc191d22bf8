"""Taps for tests: a small town of cards and terminals, and hypothesis' idea of what can go wrong with them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from services.wallet.domain.taps.bylaw import Bearer, TapBylaw
from services.wallet.domain.taps.clearing import Card, Receipt, Record, Terminal, World
from services.wallet.domain.taps.tap import Ruling, Tap

NOW = datetime(2026, 9, 28, 2, 0, tzinfo=UTC)
MORNING = datetime(2026, 9, 27, 22, 0, tzinfo=UTC)
LIN, WANG, LOST, STRANGER = 3309000100000000011, 3309000100000000029, 3309000100000000037, 3309000100000000045
BUS, METRO, OLD, NOBODYS = 330900000001, 330900000002, 330900000003, 330900000009

UNDER = TapBylaw(clock_tolerance_s=600, ahead_max_s=600, stale_days=30)
CEILINGS = {"bus": ((date(2020, 1, 1), 1_000),), "metro": ((date(2020, 1, 1), 2_000), (date(2026, 9, 28), 900))}

WORLD = World(
    city="330900",
    now=NOW,
    cards={
        LIN: Card(account="purse:lin"),
        WANG: Card(account="purse:wang"),
        LOST: Card(account="purse:lost", stopped_from=MORNING + timedelta(minutes=30), listed_in=1),
    },
    terminals={
        BUS: Terminal(merchant="bus-one", service="bus"),
        METRO: Terminal(
            merchant="metro",
            service="metro",
            receipts=(
                Receipt(version=0, received_at=MORNING + timedelta(minutes=40)),
                Receipt(version=1, received_at=MORNING + timedelta(minutes=50)),
            ),
        ),
        OLD: Terminal(merchant="bus-one", service="bus", retired_at=MORNING),
    },
    ceilings=CEILINGS,
    under=UNDER,
)

tap = Tap(
    card=LIN, counter=1, terminal=BUS, sequence=1, fen=182, balance_fen=4_818, kind=6, at=MORNING, tac=b"\0\0\0\1"
)


def later(minutes: float) -> datetime:
    return MORNING + timedelta(minutes=minutes)


def next_tap(after: Tap, **changes: object) -> Tap:
    """The next purchase of the same card on the same terminal, five minutes later."""
    following = replace(
        after, counter=after.counter + 1, sequence=after.sequence + 1, at=after.at + timedelta(minutes=5)
    )
    return replace(following, **changes)  # type: ignore[arg-type]


def good(*taps: Tap) -> list[Record]:
    return [Record(tap=one, genuine=True) for one in taps]


@st.composite
def journeys(draw: st.DrawFn) -> list[Tap]:
    """One card's purchases in the order of its counter, now and then with one left out or a clock that is wrong."""
    card = draw(st.sampled_from([LIN, WANG, LOST, STRANGER]))
    moment, taps = later(0), []
    for counter in range(1, draw(st.integers(1, 6)) + 1):
        moment += timedelta(minutes=draw(st.integers(0, 25)))
        slip = draw(st.sampled_from([0, 0, 0, 0, 0, -5, 7, -25, 40, 60 * 24 * 400, -60 * 24 * 60]))
        terminal = draw(st.sampled_from([BUS, BUS, METRO, METRO, OLD, NOBODYS]))
        taps.append(
            Tap(
                card=card, counter=counter, terminal=terminal, sequence=draw(st.integers(1, 400)),
                fen=draw(st.sampled_from([182, 200, 364, 1_500])), kind=draw(st.sampled_from([6, 9])),
                balance_fen=1_000,
                at=moment + timedelta(minutes=slip), tac=draw(st.sampled_from([b"\0\0\0\1", b"\xff\0\0\1"])),
            )
        )  # fmt: skip
    left_out = draw(st.sets(st.integers(0, 5), max_size=2))
    return [one for nth, one in enumerate(taps) if nth not in left_out]


SLIPS: list[dict[str, Any]] = [
    {"fen": 99}, {"sequence": 399}, {"counter": 7}, {"card": WANG}, {"tac": b"\0\0\0\2"}, {"kind": 5},
]  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """What arrives: journeys, some of their taps copied with a change (clones, restored cards), some forged."""
    taps = [one for journey in draw(st.lists(journeys(), min_size=1, max_size=5)) for one in journey]
    copies = draw(st.lists(st.tuples(st.sampled_from(taps), st.sampled_from(SLIPS)), max_size=3)) if taps else []
    taps += [replace(original, **slip) for original, slip in copies]
    return [Record(tap=one, genuine=draw(st.sampled_from([True] * 9 + [False]))) for one in taps]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Record], list[list[Record]]]:
    """The same records once in their order and once as they really come: doubled, out of order, in chunks."""
    sent = draw(records())
    again = draw(st.lists(st.sampled_from(sent), max_size=8)) if sent else []
    come = draw(st.permutations([*sent, *again]))
    return sent, chunked(come, draw(st.integers(1, 6)))


def chunked(come: Sequence[Record], size: int) -> list[list[Record]]:
    return [list(come[start : start + size]) for start in range(0, len(come), size)]


bylaws = st.builds(
    TapBylaw,
    clock_tolerance_s=st.sampled_from([0, 300, 600]),
    stale_days=st.sampled_from([1, 30]),
    before_receipt=st.sampled_from(Bearer),
    after_receipt=st.sampled_from(Bearer),
)


def rulings_on(sent: Sequence[Record]) -> st.SearchStrategy[list[tuple[Record, Ruling]]]:
    """What people rule on some of these records; no counter charges its card twice, for the desk refuses that."""
    if not sent:
        return st.just([])
    drawn = st.lists(st.tuples(st.sampled_from(sent), st.sampled_from(Ruling)), max_size=4)
    return drawn.map(_that_the_desk_allows)


def _that_the_desk_allows(drawn: list[tuple[Record, Ruling]]) -> list[tuple[Record, Ruling]]:
    allowed: list[tuple[Record, Ruling]] = []
    charged: set[tuple[int, int]] = set()
    for record, ruling in drawn:
        key = record.tap.card, record.tap.counter
        if any(record == other for other, _ in allowed):
            continue
        if ruling is not Ruling.REJECT and record.tap.terminal == NOBODYS:
            continue  # Nobody is there who could be paid.
        if ruling is Ruling.BOOK and (not record.genuine or record.tap.card == STRANGER or key in charged):
            continue
        charged |= {key} if ruling is Ruling.BOOK else set()
        allowed.append((record, ruling))
    return allowed
