"""A desk whose service keeps books: the books have the last word, and a no leaves nothing behind."""

from dataclasses import dataclass
from uuid import UUID, uuid5

import pytest

from libs.eventsourcing.desk import Aggregate, Desk, Order
from libs.eventsourcing.store import Declined
from libs.kernel import Clash, Decider, command, event, refusal_code, state
from libs.ledger.entry import Balance, Booking, Standing
from libs.ledger.memory import MemoryLedger
from libs.testing.clocks import NOON, StandingClock
from libs.testing.ledger_contract import BUS, CARD, HERS, booked, paid, paid_in, post

_SPACE = UUID("6e2b6d0a-2f5c-4a3e-9d53-0f6d5d8b7c12")


@event(stored_as="test-books-bought")
class Bought:
    fen: int


@command(stored_as="test-books-buy")
class Buy:
    fen: int


@state
class Basket:
    fen: int = 0


class TooDear(Clash):
    """You have not so much."""


def book(facts: object, after: Basket) -> Booking:
    return Booking(entries=(paid(f"basket-{after.fen}", after.fen),))


def refuse(declined: Declined) -> TooDear:
    assert declined == Declined("funds-short", HERS)
    return TooDear()


BASKET = Aggregate[Basket](
    category="basket",
    decider=Decider(
        Basket(),
        lambda asked, _now: [Bought(fen=asked.fen)] if asked.fen else [],
        lambda now, fact: Basket(fen=fact.fen),
    ),
    commands=Buy,
    facts=Bought,
    key=lambda _: "hers",
    tell=lambda _: None,
    book=book,
    refusal_of=refuse,
)


@dataclass
class Shop:
    ledger: MemoryLedger
    desk: Desk[Basket]

    async def buy(self, fen: int, name: str, remember: bool = False) -> object:
        order = Order(uuid5(_SPACE, name), "clerk:1", "counter", remember_refusal=remember)
        return await self.desk.handle("hers", lambda _now, _at: Buy(fen=fen), order)


@pytest.fixture
async def shop() -> Shop:
    clock = StandingClock(NOON)
    ledger = MemoryLedger(clock)
    await ledger.append(booked("open", standings=[Standing(HERS, CARD)]))
    await ledger.post(post(paid_in("c", 100)))
    return Shop(ledger, Desk(BASKET, ledger, clock))


async def test_what_the_books_bear_is_done_and_booked(shop: Shop) -> None:
    await shop.buy(60, "a")
    assert await shop.ledger.balances([HERS, BUS]) == {HERS: Balance(40), BUS: Balance(60)}


async def test_what_they_do_not_bear_is_refused_and_can_be_asked_again(shop: Shop) -> None:
    with pytest.raises(TooDear):
        await shop.buy(101, "a")
    assert (await shop.desk.standing("hers")).version == 0
    await shop.ledger.post(post(paid_in("d", 1)))
    await shop.buy(101, "a")
    assert (await shop.ledger.balances([BUS]))[BUS] == Balance(101)


async def test_a_refusal_that_is_to_be_remembered_is_the_answer_for_ever(shop: Shop) -> None:
    first = await shop.buy(101, "a", remember=True)
    await shop.ledger.post(post(paid_in("d", 1)))
    again = await shop.buy(101, "a", remember=True)
    assert [getattr(one, "refusal", "") for one in (first, again)] == [refusal_code(TooDear)] * 2
    assert (await shop.ledger.balances([BUS]))[BUS] == Balance(0)


async def test_what_changes_nothing_books_nothing(shop: Shop) -> None:
    await shop.buy(0, "a")
    assert (await shop.ledger.balances([BUS]))[BUS] == Balance(0)
