"""Merchants and counters who write down what they were told, and people whose cards are lost and found."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from random import Random
from types import MappingProxyType
from typing import Any
from uuid import UUID

import httpx

from libs.eventsourcing.store import shard_of
from libs.kernel.ids import written
from libs.kernel.outages import Outage
from libs.messaging.bus import topic_of
from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.postgres import PostgresBus
from libs.runtime.citytime import MachineClock
from libs.runtime.settings import Settings
from libs.testing.faults import AckBook, Act
from libs.testing.lines import Line, line
from libs.testing.lines import written as as_sent
from libs.testing.town import Visitors
from libs.web.tokens import Caller
from services.ids import BatchId, CardId, HoldingId, PersonId
from services.issuance.contracts import CardActivated, CardReserved
from services.loss.contracts import CardStopped, CardWoken
from services.wallet.domain import chart

CITY, PROGRAMME = "330900", "citizen-card"
HALL = Caller("clerk-2", "clerk", CITY, outlet="zs-hall")
BANK = Caller("teller-1", "bank", CITY, outlet="zs-icbc-dinghai")
SHOP = Caller("till-2", "merchant", CITY, outlet="zs-shop")
BUS = Caller("till-1", "merchant", CITY, outlet="zs-bus")
OPERATOR = Caller("operator-1", "operator")
CAP_FEN, TOP_UP_LEAST_FEN = 500_000, 100
FIRST_NUMBER = 3_309_000_100_000_000_000
HEARD_WITHIN_S = 60.0  # So long may a report need to reach the wallet while everything is killed around it.

Legs = tuple[tuple[str, int, int], ...]


class Told:
    """An answer, with as much of httpx's manner as a caller needs."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status_code, self._body = status, body

    def json(self) -> Any:
        return json.loads(self._body)


class Crossing(Visitors):
    """Everybody at one of several doors: each try goes to the next one, so that a repetition meets another process."""

    def __init__(self, ports: list[int], settings: Settings, dice: Random) -> None:
        super().__init__(httpx.AsyncClient(), settings, MachineClock())
        self.ports, self._dice = ports, dice
        self._free: dict[int, list[Line]] = defaultdict(list)

    async def call(self, who: Caller, method: str, path: str, *, key: str = "", **sent: Any) -> Any:
        self.acts += 1
        port = self._dice.choice(self.ports)
        body = sent.get("content") or json.dumps(sent.get("json", {})).encode()
        request = as_sent(method, path, self.token(who), key or f"act-{self.acts}", body)
        try:
            mine = await self.line(port)
        except OSError as away:
            raise httpx.ConnectError(str(away)) from away
        try:
            async with asyncio.timeout(sent.get("timeout", 20)):
                told = Told(*await mine.ask(request))
        except (OSError, TimeoutError) as broken:
            mine.close()
            raise httpx.ReadError(str(broken)) from broken
        self.keep(port, mine)
        return told

    def keep(self, port: int, mine: Line) -> None:
        """A line that is free again."""
        self._free[port].append(mine)

    async def line(self, port: int) -> Line:
        """A free line to this door, or a new one. Raises OSError."""
        free = self._free[port]
        while free:
            if (mine := free.pop()).open:
                return mine
        return await line(port)

    def close(self) -> None:
        for free in self._free.values():
            for each in free:
                each.close()


class Neighbours:
    """Issuance and loss, as far as a wallet hears of them: they write to the log until it is there."""

    def __init__(self, bus: PostgresBus) -> None:
        self._bus = bus
        self._ends: Counter[tuple[str, int]] = Counter()
        self._turns: dict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def tell(self, holding: str, told: Contract, at: datetime) -> Message:
        """Publish a fact of another service, in the order of its shard; the letter that was posted."""
        service = type(told).type_name().partition(".")[0]
        place = (service, shard_of(holding))
        async with self._turns[place]:
            self._ends[place] += 1
            message = Message(
                id=f"{service}/{place[1]}/{self._ends[place]}",
                source=f"/services/{service}",
                type=type(told).type_name(),
                subject=f"{service}-{holding}",
                version=self._ends[place],
                time=at,
                key=holding,
                data=told.model_dump_json(),
            )
            await self.post(message)
            return message

    async def post(self, message: Message) -> None:
        """Put a letter on the log, for the first time or once more."""
        while True:
            try:
                return await self._bus.publish(topic_of(message.id.partition("/")[0]), [message])
            except Outage:
                await asyncio.sleep(0.2)


@dataclass
class Card:
    """A card, and how often its loss was reported and lifted; one caller at a time loses it."""

    card_id: CardId
    number: int
    """The 19 digits on the chip."""
    stops: int = 0
    wakes: int = 0
    losing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def holding(self) -> HoldingId:
        return HoldingId(self.card_id.partition(".")[0])

    @property
    def account(self) -> str:
        return chart.online(self.holding)


Stories = Mapping[Callable[[Card], Awaitable[None]], int]
"""What callers do with a card, and how often beside each other."""


@dataclass
class Town:
    """All callers, their books, and what must stand in the journal if nobody was told anything untrue."""

    people: Crossing
    neighbours: Neighbours
    dice: Random
    book: AckBook
    cards: list[Card] = field(default_factory=list)
    promised: dict[str, Legs] = field(default_factory=dict)
    """What each acknowledgement means: the entry's reference, and its legs."""
    untrue: list[str] = field(default_factory=list)
    """Answers that nobody should have been given."""
    refused: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    _names: Any = field(default_factory=lambda: count(1))
    _closed: bool = False

    async def settle(self, many: int) -> None:
        """So many people have a card, an open wallet and a little money, before anything is killed.

        Money is short on purpose: where nobody is ever refused, nobody notices a guard that is gone.
        """
        now, far = _now(), datetime(2046, 1, 1, tzinfo=UTC)
        for nth in range(many):
            holding = HoldingId(written(CITY, UUID(int=self.dice.getrandbits(128))))
            card = Card(CardId(f"{holding}.1"), FIRST_NUMBER + nth)
            made = CardReserved(
                holding_id=holding,
                card_id=card.card_id,
                card_number=str(card.number),
                batch_id=BatchId("drift"),
                at=now,
            )
            told = CardActivated(
                holding_id=holding, person_id=PersonId(f"p-{nth}"), card_id=card.card_id, programme=PROGRAMME,
                valid_to=far, at=now,
            )  # fmt: skip
            await self.neighbours.tell(holding, made, now)
            await self.neighbours.tell(holding, told, now)
            self.cards.append(card)
        await in_crowds(16, [self._open(card) for card in self.cards])

    async def _open(self, card: Card) -> None:
        async with asyncio.timeout(HEARD_WITHIN_S):
            while (await self.act(HALL, f"/v1/cards/{card.card_id}/purses", {"document": "id_card"})).status != 201:
                await asyncio.sleep(0.2)  # Its card is still on the way to the wallet.
        await self.pay_in(card, 3_000)

    # --- the day ---

    async def throng(self, callers: int, more: Stories = MappingProxyType({})) -> None:
        """So many callers, without a pause, until the doors close; `more` is what they do beside the usual."""
        await asyncio.gather(*(self._caller(more) for _ in range(callers)))

    def close_the_doors(self) -> None:
        """Everybody finishes what she is about, and goes home knowing what came of it."""
        self._closed = True

    async def _caller(self, more: Stories) -> None:
        stories: dict[Callable[[Card], Awaitable[None]], int] = {
            self.ride: 8, self.shop: 5, self.pay_in_and_take_back: 3, self.change_of_mind: 2, self.too_much: 1,
            self.two_at_once: 2, self.the_same_sale_twice: 2, self.fill_up: 1, self.lose_and_find: 1, **more,
        }  # fmt: skip
        while not self._closed:
            (story,) = self.dice.choices(list(stories), list(stories.values()))
            await story(self.dice.choice(self.cards))

    async def ride(self, card: Card) -> None:
        """A small sum, taken at once, nearly always by the one bus company."""
        await self.sale(card, BUS, self.dice.randint(100, 600), capture=True)

    async def shop(self, card: Card) -> None:
        """Held, taken in parts, and some of it given back."""
        fen = self.dice.randint(500, 8_000)
        if not (sale := await self.sale(card, SHOP, fen)):
            return
        first = fen // 3
        await self.capture(sale, first, 1, final=False)
        await self.capture(sale, first, 2, final=True, released=fen - 2 * first)
        if self.dice.random() < 0.6:
            await self.refund(sale, first, "r-1", 1)
        if self.dice.random() < 0.3:
            await self.refuse("a refund above what was taken", self.refund(sale, 2 * first + 1, "r-9", 9))

    async def change_of_mind(self, card: Card) -> None:
        """Held, and let go; then nothing more can be taken."""
        if sale := await self.sale(card, SHOP, self.dice.randint(500, 5_000)):
            await self.cancel(sale)
            await self.refuse("a capture of what was let go", self.capture(sale, 1, 1, final=True))

    async def too_much(self, card: Card) -> None:
        """More than was held is taken by nobody, and a reference means one sale."""
        fen = self.dice.randint(500, 3_000)
        if sale := await self.sale(card, SHOP, fen):
            await self.refuse("a capture above the hold", self.capture(sale, fen + 1, 1, final=True))
            body = {"card_id": card.card_id, "amount_fen": fen + 1, "reference": sale.reference}
            await self.refuse("a reference with another sum", self.act(SHOP, "/v1/payments", body))
            await self.capture(sale, fen, 1, final=True)

    async def two_at_once(self, card: Card) -> None:
        """Two tills of one merchant want the same hold in the same moment; it is enough for one."""
        fen = self.dice.randint(600, 3_000)
        if not (sale := await self.sale(card, SHOP, fen)):
            return
        acts = await asyncio.gather(*(self._capture(sale, fen, final=True) for _ in range(2)))
        self.expect("one hold was taken twice, or by nobody", sum(act.acknowledged for act in acts) == 1)
        self._promise_capture(sale, fen, 1, 0)

    async def the_same_sale_twice(self, card: Card) -> None:
        """Two tills say the same reference in the same moment, under keys of their own: it is one sale."""
        name, fen = self.name(), self.dice.randint(100, 2_000)
        sales = await asyncio.gather(*(self.sale(card, SHOP, fen, capture=True, name=name) for _ in range(2)))
        told = {sale.payment_id for sale in sales if sale}
        self.expect("one reference was two sales", len(told) < 2)
        if sale := sales[0] or sales[1]:
            acts = await asyncio.gather(*(self.refund(sale, fen, "all", 1) for _ in range(2)))
            self.expect("a refund said twice was refused", all(act.acknowledged for act in acts))

    async def pay_in_and_take_back(self, card: Card) -> None:
        """Money over the counter; now and then the wrong amount, which goes back while it is there."""
        act = await self.pay_in(card, self.dice.randint(TOP_UP_LEAST_FEN, 4_000))
        if act.acknowledged and self.dice.random() < 0.2:
            top_up, fen = str(act.answer["top_up_id"]), int(act.answer["amount_fen"])
            path = f"/v1/top-ups/{top_up}/reversals"
            back = await self.act(HALL, path, {"reason": "counted wrongly"})
            if back.acknowledged:
                self.promise(f"{top_up}/reversal", (card.account, -fen, 0), (till(HALL), fen, 0))

    async def fill_up(self, card: Card) -> None:
        """As much as the cap may bear, and sometimes more."""
        await self.pay_in(card, self.dice.randint(CAP_FEN // 3, CAP_FEN))

    async def lose_and_find(self, card: Card) -> None:
        """A report stops the money as soon as the wallet has heard of it; a lift lets it go again."""
        if card.losing.locked():
            return
        async with card.losing:
            now = _now()
            stop = CardStopped(
                holding_id=card.holding, card_id=card.card_id, at=now, kind="written_report", functions=[]
            )
            letter = await self.neighbours.tell(card.holding, stop, now)
            card.stops += 1
            await self._until(card, stopped=True)
            for _ in range(3):
                sale = await self.sale(card, BUS, 1, capture=True)
                self.expect("a stopped card paid", sale is None)
            now = _now()
            wake = CardWoken(holding_id=card.holding, card_id=card.card_id, at=now, why="lifted")
            await self.neighbours.tell(card.holding, wake, now)
            card.wakes += 1
            if self.dice.random() < 0.3:
                await self.neighbours.post(letter)  # It comes again, when it is no longer true.
            await self._until(card, stopped=False)

    async def _until(self, card: Card, *, stopped: bool) -> None:
        try:
            async with asyncio.timeout(HEARD_WITHIN_S):
                while True:
                    name = self.name()
                    body = {"card_id": card.card_id, "amount_fen": 1, "reference": name, "capture": True}
                    act = await self.act(BUS, "/v1/payments", body)
                    if act.acknowledged:
                        self._promise_sale(Sale(str(act.answer["payment_id"]), card, BUS, name), 1, capture=True)
                    if stopped == (act.answer.get("code") == "money-stopped"):
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            self.untrue.append(f"{card.card_id}: {'a stop' if stopped else 'a lift'} was not heard")

    # --- acts, and what each acknowledgement promises ---

    async def act(self, who: Caller, path: str, body: Mapping[str, Any] | None = None, **sent: Any) -> Act:
        """Do something until it is known what came of it; now and then say it again, and be told the same."""
        act = await self.book.act(who, path, body, **sent)
        if not act.acknowledged:
            self.refused[act.answer.get("code", str(act.status))] += 1
        elif self.dice.random() < 0.02:
            self.repeated += 1
            await self._again(act, body, **sent)
        return act

    async def _again(self, act: Act, body: Mapping[str, Any] | None, content: bytes = b"", **_sent: Any) -> None:
        try:
            told = await self.people.call(act.who, act.method, act.path, key=act.key, json=body or {}, content=content)
        except httpx.TransportError:
            return
        self.expect(f"{act.path}: a repetition was answered {told.status_code}", told.status_code in (act.status, 503))

    async def sale(self, card: Card, who: Caller, fen: int, *, capture: bool = False, name: str = "") -> "Sale | None":
        name = name or self.name()
        body = {"card_id": card.card_id, "amount_fen": fen, "reference": name, "capture": capture}
        act = await self.act(who, "/v1/payments", body)
        if not act.acknowledged:
            return None
        sale = Sale(str(act.answer["payment_id"]), card, who, name)
        self._promise_sale(sale, fen, capture=capture)
        return sale

    async def capture(self, sale: "Sale", fen: int, nth: int, *, final: bool, released: int = 0) -> Act:
        act = await self._capture(sale, fen, final=final)
        if act.acknowledged:
            self._promise_capture(sale, fen, nth, released)
        return act

    async def _capture(self, sale: "Sale", fen: int, *, final: bool) -> Act:
        return await self.act(sale.who, f"{sale.path}/captures", {"amount_fen": fen, "final": final})

    async def cancel(self, sale: "Sale") -> Act:
        act = await self.act(sale.who, f"{sale.path}/cancellations", {})
        if act.acknowledged:
            held = next(held for _, _, held in self.promised[f"{sale.payment_id}/hold"])
            self.promise(f"{sale.payment_id}/release", (sale.card.account, 0, -held))
        return act

    async def refund(self, sale: "Sale", fen: int, name: str, nth: int) -> Act:
        """To the account, or, where that can take nothing, to what waits to be paid out; the books say which."""
        act = await self.act(sale.who, f"{sale.path}/refunds", {"amount_fen": fen, "reference": name})
        if act.acknowledged:
            self.promise(f"{sale.payment_id}/refund/{nth}", (sale.shop, -fen, 0), (EITHER + sale.card.holding, fen, 0))
        return act

    async def pay_in(self, card: Card, fen: int) -> Act:
        body = {"amount_fen": fen, "origin": "cash", "reference": self.name()}
        act = await self.act(HALL, f"/v1/cards/{card.card_id}/top-ups", body)
        if act.acknowledged:
            self.promise(str(act.answer["top_up_id"]), (till(HALL), -fen, 0), (card.account, fen, 0))
        return act

    async def refuse(self, what: str, asked: Awaitable[Act]) -> None:
        """The city has to say no to this."""
        act = await asked
        self.expect(f"{what} was answered {act.status}", 400 <= act.status < 500)

    # --- the books of those who were told ---

    def promise(self, reference: str, *legs: tuple[str, int, int]) -> None:
        self.promised[reference] = legs

    def _promise_sale(self, sale: "Sale", fen: int, *, capture: bool) -> None:
        self.promise(f"{sale.payment_id}/hold", (sale.card.account, 0, fen))
        if capture:
            self._promise_capture(sale, fen, 1, 0)

    def _promise_capture(self, sale: "Sale", fen: int, nth: int, released: int) -> None:
        taken = (sale.card.account, -fen, -(fen + released))
        self.promise(f"{sale.payment_id}/capture/{nth}", taken, (sale.shop, fen, 0))

    def expect(self, what: str, true: bool) -> None:
        if not true:
            self.untrue.append(what)

    def name(self) -> str:
        return f"{self.book.name}-{next(self._names)}"


EITHER = "online-or-refund:"
"""The leg of a refund: the caller is not told which of the two accounts of a holder took it."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A payment as its merchant knows it."""

    payment_id: str
    card: Card
    who: Caller
    reference: str

    @property
    def path(self) -> str:
        return f"/v1/payments/{self.payment_id}"

    @property
    def shop(self) -> str:
        return chart.merchant(CITY, self.who.outlet)


def till(who: Caller) -> str:
    return chart.channel(CITY, who.outlet)


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


async def in_crowds(many: int, waiting: list[Any]) -> None:
    """All of them, so many at a time."""
    gate = asyncio.Semaphore(many)

    async def let_in(one: Any) -> None:
        async with gate:
            await one

    await asyncio.gather(*map(let_in, waiting))
