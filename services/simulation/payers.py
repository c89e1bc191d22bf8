"""Who moves money in a simulated city: holders at counters and tills, merchants, and the chips on the cards."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from libs.web.tokens import Caller

if TYPE_CHECKING:
    from services.simulation.people import People, Somebody

MERCHANTS = {"330900": ("zs-bus", "zs-shop"), "320200": ("wx-metro", "wx-bus")}
MONEY_PLACES = {"330900": ("zs-hall", "zs-icbc-dinghai"), "320200": ("wx-hall", "wx-boc-liangxi")}
SIGNED = {"document": "id_card"}

Wishes = Iterator[tuple[float, Callable[[], Any]]]


@dataclass
class Chip:
    """The purse on a card as the card itself knows it: nobody else knows what it holds."""

    counter: int = 0
    balance_fen: int = 0
    in_a_reader: bool = False


class Payers:
    """What people do with money. A receipt's number, like a sale's, is new each time: repeats are `People`'s affair."""

    def __init__(self, people: "People") -> None:
        self._people, self.dice = people, people.dice
        self.chips: dict[str, Chip] = defaultdict(Chip)
        self._sales: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._numbers = 0

    def wishes(self, one: "Somebody", card: str) -> Wishes:
        """What somebody may want to do with the money of this card now, and how much."""
        book = self._people.books.purses[one.holding]
        yield 0.2 if book.opened else 3.0, partial(self._open, one, card)
        if book.opened:
            yield 1.5, partial(self._pay_in, one, card)
            yield 2.0, partial(self._pay, one, card)
            yield 1.5, partial(self._load, one, card)
            yield 0.5, partial(self.meet, one, card)
        if self._sales[one.holding]:
            yield 1.2, partial(self._go_on_with_a_sale, one)
        if book.ended_at is not None:
            yield 0.8, partial(self._fetch_what_is_left, one, card)

    async def _open(self, one: "Somebody", card: str) -> None:
        await self._at("open_a_wallet", self._counter(one.city), SIGNED, card_id=card)

    async def _pay_in(self, one: "Somebody", card: str) -> None:
        said = {"amount_fen": self._amount(20_000), "origin": self._origin(), "reference": self._number("r")}
        counter = self._counter(one.city)
        paid = await self._at("pay_money_in", counter, said, card_id=card)
        if paid is not None and self.dice.random() < 0.1:
            await self._at("take_a_top_up_back", counter, {"reason": "typed wrong"}, top_up_id=paid.top_up_id)

    async def _pay(self, one: "Somebody", card: str) -> None:
        merchant = self.dice.choice(MERCHANTS[one.city])
        said = {
            "card_id": card, "amount_fen": self._amount(6_000), "reference": self._number("s"),
            "capture": self.dice.random() < 0.5,
        }  # fmt: skip
        sale = await self._at("ask_for_money", self._merchant(one.city, merchant), said)
        if sale is not None:
            self._sales[one.holding].append((sale.payment_id, merchant))

    async def _go_on_with_a_sale(self, one: "Somebody") -> None:
        """A merchant takes, lets go or gives back; often more than there is, and often long after the hold's end."""
        name, merchant = self.dice.choice(self._sales[one.holding][-4:])
        door = self.dice.choice(("take_what_was_held", "let_go_of_what_is_held", "give_money_back", "give_money_back"))
        said: dict[str, Any] = {}
        if door == "take_what_was_held":
            said = {"amount_fen": self._amount(3_000), "final": self.dice.random() < 0.5}
        elif door == "give_money_back":
            said = {"amount_fen": self._amount(3_000), "reference": self._number("g")}
        await self._at(door, self._merchant(one.city, merchant), said, payment_id=name)

    async def _load(self, one: "Somebody", card: str) -> None:
        """Pay, load, confirm; the chip may take it or not, the terminal may know or not, and may say nothing at all."""
        chip, dice = self.chips[card], self.dice
        if chip.in_a_reader:
            return
        chip.in_a_reader = True
        try:
            said = {
                "amount_fen": self._amount(15_000), "origin": self._origin(), "reference": self._number("l"),
                "counter": chip.counter, "balance_fen": chip.balance_fen,
            }  # fmt: skip
            counter = self._counter(one.city)
            load = await self._at("pay_for_a_load", counter, said, card_id=card)
            if load is None or load.status != "pending":
                return
            await asyncio.sleep(dice.uniform(0, 0.2))
            if taken := dice.random() < 0.6:
                chip.counter, chip.balance_fen = chip.counter + 1, chip.balance_fen + load.amount_fen
            if dice.random() < 0.4:
                return  # The holder has pulled the card out and gone.
            outcome = "unknown" if dice.random() < 0.4 else "loaded" if taken else "not_loaded"
            await self._at("tell_what_became_of_a_load", counter, {"outcome": outcome}, load_id=load.load_id)
        finally:
            chip.in_a_reader = False

    async def meet(self, one: "Somebody", card: str) -> None:
        """Any terminal reads the chip's counter."""
        chip = self.chips[card]
        if not chip.in_a_reader:
            chip.in_a_reader = True
            try:
                await self._at("meet_a_chip", self._counter(one.city), {"counter": chip.counter}, card_id=card)
            finally:
                chip.in_a_reader = False

    def judge(self, card: str) -> None:
        """INV-6: the shadow in the books is what the chip holds, after a contact with it."""
        shadow, chip = self._people.books.balances[f"purse:{card}"], self.chips[card]
        self._people.books.must(shadow == chip.balance_fen, "INV-6", f"{card} holds {chip}, the books say {shadow}")

    async def _fetch_what_is_left(self, one: "Somebody", card: str) -> None:
        await self._at("fetch_what_is_left", self._counter(one.city), SIGNED, card_id=card)

    async def _at(self, door: str, who: Caller, said: dict[str, Any], **path: Any) -> Any:
        return await self._people.act("wallet", door, who, said, **path)

    def _counter(self, city: str) -> Caller:
        return Caller("clerk-4", "clerk", city, outlet=self.dice.choice(MONEY_PLACES[city]))

    @staticmethod
    def _merchant(city: str, name: str) -> Caller:
        return Caller(f"till-{name}", "merchant", city, outlet=name)

    def _amount(self, most: int) -> int:
        return self.dice.randint(100, most)

    def _origin(self) -> str:
        return self.dice.choice(("cash", "bank_account", "voucher"))

    def _number(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}-{self._numbers}"
