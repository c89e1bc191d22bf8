"""Those who live and work in a simulated city: citizens, clerks, the hotline, banks, the vendor, departments.

They call the endpoints of the services themselves, with the bodies and the callers that HTTP would have given them,
repeat under the same Idempotency-Key until they are answered, and write down what they were told.
"""

import asyncio
import base64
import hashlib
import hmac
import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from fastapi import Response

from libs.kernel import Outage, Refused
from libs.kernel.checkdigits import mod_11_2
from libs.kernel.ids import derived
from libs.testing.portraits import portrait
from libs.testing.simulation import Gone, Process
from libs.testing.town import return_file
from libs.vault.port import Erased
from libs.web.call import CHANNELS, CallContext, Doors
from libs.web.tokens import Caller
from services.simulation.oracle import Oracle
from services.simulation.payers import Payers

if TYPE_CHECKING:
    from services.simulation.city import City

ZHOUSHAN, WUXI = "330900", "320200"
PROGRAMMES = {ZHOUSHAN: "citizen-card", WUXI: "social-security-card"}
OUTLETS = {
    ZHOUSHAN: ("zs-hall", "zs-dinghai", "zs-icbc-dinghai", "zs-icbc-putuo"),
    WUXI: ("wx-hall", "wx-boc-liangxi", "wx-boc-binhu"),
}
BANKS = {ZHOUSHAN: ("zs-icbc-dinghai", "zs-icbc-putuo"), WUXI: ("wx-boc-liangxi", "wx-boc-binhu")}
PATIENCE_MAX = 60

Wishes = Iterator[tuple[float, Callable[[], Any]]]
"""What somebody may want to do now, and how much.

Of the loss desk: call, sign, lift, reissue, exchange, cancel, look twice."""

# Whose answer is made from the state right after the command alone, so that a repeat must be answered the same.
ANSWERED_THE_SAME = {
    "pre_report_loss_by_telephone", "report_loss_in_writing", "lift_a_report", "apply_for_a_new_card",
    "exchange_a_worn_card", "cancel_a_card", "approve_what_was_proposed", "object_to_what_was_proposed",
    "apply_for_a_card", "accept_an_application", "ask_for_what_is_missing",
    "bring_what_was_missing", "reject_an_application", "withdraw_an_application", "draw_a_batch", "order_a_batch",
    "read_a_return_file", "dispatch_a_batch", "count_a_batch_in", "register_a_person", "state_a_fact",
    "pay_money_in", "take_a_top_up_back", "fetch_what_is_left",
}  # fmt: skip


@dataclass
class Act:
    """One thing that somebody wants done, under one key, and what she was told."""

    service: str
    door: str
    who: Caller
    key: str
    said: dict[str, Any] | None
    path: dict[str, Any]
    answer: Any = None
    refusal: str = ""

    @property
    def scope(self) -> str:
        return f"POST {self.door} {sorted(self.path.items())}\n{self.who.role}:{self.who.id}\n"

    @property
    def command_id(self) -> UUID:
        return derived("http", self.scope, self.key)


@dataclass
class Somebody:
    """A person, and what she knows of herself."""

    city: str
    document: dict[str, str]
    person_id: str = ""
    applications: list[str] = field(default_factory=list)
    holding: str = ""


class People:
    """Everybody outside, and the book of what they were told."""

    ACTS = 200

    def __init__(self, city: "City", oracle: Oracle) -> None:
        self._city, self._oracle = city, oracle
        self.dice = Random(f"people {city.seed}")
        self.acknowledged = self.refused = 0
        self._acts = 0
        self._book: list[Act] = []
        self._seats: dict[str, Any] = {}
        self._busy: set[asyncio.Task[Any]] = set()
        self.books, self._payers = oracle.books, Payers(self)
        self._population = [
            Somebody(where, _id_card(nth))
            for nth, where in enumerate((ZHOUSHAN, ZHOUSHAN, WUXI, ZHOUSHAN)[: self.dice.randint(1, 4)])
        ]

    # --- how anything is asked ---

    async def act(self, service: str, door: str, who: Caller, said: dict[str, Any] | None = None, **path: Any) -> Any:
        """Have something done, and repeat it until there is an answer; None for a no, or when patience ends."""
        self._acts += 1
        act = Act(service, door, who, f"act-{self._acts}", said, path)
        if not await self._until_answered(act) or act.refusal:
            return None
        self._book.append(act)
        if self.dice.random() < 0.08:
            self._later(self._repeat(act))
        return act.answer

    async def _until_answered(self, act: Act) -> bool:
        for attempt in range(PATIENCE_MAX):
            known = self._city.stores[act.service].knows(act.command_id)
            try:
                answer = await self._ask(act, known)
            except Gone:
                self._city.count("no answer")
            except Outage:
                pass
            else:
                act.answer = answer
                return True
            await asyncio.sleep(min(0.02 * 2**attempt, 1.0) * self.dice.uniform(0.5, 1.5))
        return False

    async def _ask(self, act: Act, known: bool) -> Any:
        process = self._process(act.service)
        if process is None:
            raise Gone
        try:
            answer = await process.ask(lambda: _walk_in(process, act), self._city.swarm.patience_s)
        except (Refused, Erased) as no:
            self.refused += 1
            act.refusal = type(no).__name__
            self._city.note("people", f"{act.door} {act.key}: {act.refusal}")
            self._oracle.must(
                not known, "nothing is lost", f"{act.door} ({act.key}) was done, and its repeat is refused: {no}"
            )
            return None
        self.acknowledged += 1
        self._city.note("people", f"{act.door} {act.key}: acknowledged")
        self._oracle.acknowledged(act.service, act.command_id, f"{act.door} ({act.key})")
        return answer

    async def _repeat(self, act: Act) -> None:
        """Much later the same request comes again; it must change nothing and be answered as before."""
        await asyncio.sleep(self.dice.uniform(0, 8))
        again = Act(act.service, act.door, act.who, act.key, act.said, act.path)
        if not await self._until_answered(again):
            return
        what = f"{act.door} ({act.key}) was repeated and answered"
        self._oracle.must(not again.refusal, "nothing happens twice", f"{what} with {again.refusal}")
        if act.door in ANSWERED_THE_SAME and not again.refusal:
            same = again.answer == act.answer
            self._oracle.must(same, "nothing happens twice", f"{what} {again.answer}, before {act.answer}")

    def _process(self, service: str) -> Process | None:
        there = [one for one in self._city.processes if one.alive and service in one.services]
        return self.dice.choice(there) if there else None

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._busy.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._city.loop.fail(error)

    # --- a life ---

    async def live(self) -> None:
        """Everybody does what they do, some of it at once."""
        dice = self.dice
        cities = sorted({one.city for one in self._population})
        left = self.ACTS
        while left > 0:
            for _ in range(dice.choice((1, 1, 1, 2, 3))):
                left -= 1
                if dice.random() < (0.4 if self._wanted() else 0.05):
                    self._later(self._produce(dice.choice(cities)))
                else:
                    self._later(self._something(dice.choice(self._population)))
            await asyncio.sleep(dice.expovariate(1 / 0.2))

    async def come_home(self) -> None:
        """Everybody waits for the answers that are still out."""
        while self._busy:
            await asyncio.wait(list(self._busy))

    async def show_their_chips(self) -> None:
        """At the end every card that still works is read once more; by then nobody is unsure of any load."""
        for one in self._population:
            if one.holding and (card := self._oracle.cards[one.holding].live):
                await self._payers.meet(one, card)
                self._payers.judge(card)

    async def _something(self, one: Somebody) -> None:
        """Whatever makes sense for this person now, and sometimes what does not."""
        dice, twice = self.dice, self.dice.random() < 0.15
        if not one.person_id:
            await self._register(one)
            return
        acts: list[tuple[float, Callable[[], Any]]] = [
            (0.15, partial(self._register, one)),
            (0.3 if one.holding else 2.0, partial(self._state_fact, one)),
            (0.15 if one.holding else 2.0, partial(self._apply, one)),
        ]
        for application in one.applications[-3:]:
            acts += self._on_paper(one, application)
        if one.holding:
            acts += self._with_cards(one)
        weights = [weight for weight, _ in acts]
        chosen = dice.choices(acts, weights)[0][1]
        if twice:
            await asyncio.gather(chosen(), chosen())  # Two clerks reach for the same thing.
        else:
            await chosen()

    def _on_paper(self, one: Somebody, application: str) -> Wishes:
        stands = self._oracle.papers.get(application, "")
        decided = stands in ("application-accepted", "application-rejected", "application-withdrawn")
        yield 0.1 if decided else 3.0, partial(self._decide, one, application, "accept_an_application")
        for door in ("ask_for_what_is_missing", "reject_an_application", "withdraw_an_application"):
            yield 0.02 if decided else 0.25, partial(self._decide, one, application, door)
        if stands == "supplement-asked":
            yield 3.0, partial(self._decide, one, application, "bring_what_was_missing")

    def _with_cards(self, one: Somebody) -> Wishes:
        book, lost = self._oracle.cards[one.holding], self._oracle.loss.get(one.holding)
        if book.coming and book.stage == "outlet":
            yield 6.0, partial(self._hand_over, one, book.coming, book.outlet)
        if book.coming and book.stage == "hand":
            yield 6.0, partial(self._activate, one, book.coming)
        cards = [card for card in (book.live, book.live, book.coming, *sorted(book.ended)[-1:]) if card]
        if not cards:
            return
        card = self.dice.choice(cards)
        yield 0.5, partial(self._look, one, card)
        yield from self._payers.wishes(one, card)
        for weight, loss in zip(_WISHES[lost.standing if lost else "none"], _LOSSES, strict=True):
            yield weight, partial(loss, self, one, card)

    async def _register(self, one: Somebody) -> None:
        said = {"document": one.document, "name": "林小舟", "mobile": "13800005678", "language": "zh"}
        found = await self.act("identity", "register_a_person", self._clerk(one.city), said)
        if found is not None:
            self._oracle.must(one.person_id in ("", found.person_id), "INV-7", f"one document, two persons: {found}")
            one.person_id = found.person_id

    async def _state_fact(self, one: Somebody) -> None:
        said: dict[str, Any] = {
            "document": one.document, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1",
        }  # fmt: skip
        if self.dice.random() < 0.1:
            said |= {"ended": True}
        hrss = Caller("hrss-1", "department", one.city, department="hrss")
        await self.act("identity", "state_a_fact", hrss, said)

    async def _apply(self, one: Somebody) -> None:
        said = {
            "person_id": one.person_id, "programme": PROGRAMMES[one.city], "documents": ["id_card"],
            "portrait": face(),
        }  # fmt: skip
        made = await self.act("issuance", "apply_for_a_card", self._clerk(one.city), said)
        if made is not None:
            one.applications.append(made.application_id)
            one.holding = made.application_id.partition(".")[0]

    async def _decide(self, one: Somebody, application: str, door: str) -> None:
        said: dict[str, Any] = {}
        if door == "bring_what_was_missing":
            said = {"documents": ["household_book"]}
        elif door != "accept_an_application":
            said = {"reason": "as they say"}
        await self.act("issuance", door, self._clerk(one.city), said, application_id=application)

    async def _hand_over(self, one: Somebody, card: str, outlet: str) -> None:
        where = outlet if self.dice.random() < 0.9 else self.dice.choice(OUTLETS[one.city])
        clerk = Caller(f"clerk-{self.dice.randint(1, 2)}", "clerk", one.city, outlet=where)
        await self.act("issuance", "hand_a_card_over", clerk, {"document": "id_card"}, card_id=card)

    async def _activate(self, one: Somebody, card: str) -> None:
        await self.act("issuance", "activate_a_card", self._clerk(one.city), {}, card_id=card)

    async def _call(self, one: Somebody, card: str) -> None:
        hotline = Caller("hotline-1", "hotline", one.city)
        await self.act("loss", "pre_report_loss_by_telephone", hotline, {"verified_by": "knowledge"}, card_id=card)

    async def _sign(self, one: Somebody, card: str) -> None:
        await self.act("loss", "report_loss_in_writing", self._bank(one.city), {"document": "id_card"}, card_id=card)

    async def _lift(self, one: Somebody, card: str) -> None:
        said = {"document": "id_card", "card_shown": True}
        await self.act("loss", "lift_a_report", self._bank(one.city), said, card_id=card)

    async def _reissue(self, one: Somebody, card: str) -> None:
        await self.act("loss", "apply_for_a_new_card", self._bank(one.city), {"document": "id_card"}, card_id=card)

    async def _exchange(self, one: Somebody, card: str) -> None:
        said = {"document": "id_card", "reason": "stained"}
        await self.act("loss", "exchange_a_worn_card", self._bank(one.city), said, card_id=card)

    async def _cancel(self, one: Somebody, card: str) -> None:
        said = {"document": "id_card", "reason": "own_request"}
        await self.act("loss", "cancel_a_card", self._bank(one.city), said, card_id=card)

    async def _look_twice(self, one: Somebody, card: str) -> None:
        """Somebody looks at what was proposed; sometimes it is whoever proposed it."""
        if waiting := self._oracle.loss[one.holding].waiting:
            proposal = self.dice.choice(sorted(waiting))
            door = "approve_what_was_proposed" if self.dice.random() < 0.85 else "object_to_what_was_proposed"
            who = self._bank(one.city) if self.dice.random() < 0.3 else self._clerk(one.city)
            await self.act("loss", door, who, {"proposal_id": proposal}, card_id=waiting[proposal])

    async def _look(self, one: Somebody, card: str) -> None:
        """Somebody puts a card into a terminal, or asks who bears a loss."""
        process = self._process("loss")
        if process is not None:
            act = Act(
                "loss", "who_bears_a_loss", self._clerk(one.city), "", None, {"card_id": card, "function": "medical"}
            )
            try:
                await process.ask(lambda: _walk_in(process, act), self._city.swarm.patience_s)
            except (Gone, Outage, Refused):
                return

    async def _produce(self, city: str) -> None:
        """One batch from its drawing to its outlet; several may be on their way."""
        dice = self.dice
        outlet = dice.choice(OUTLETS[city])
        queued = [
            book.order["outlet"] for book in self._oracle.cards.values() if book.order and book.stage == "waiting"
        ]
        if queued and dice.random() < 0.9:
            outlet = dice.choice(queued)
        if not outlet.startswith("zs" if city == ZHOUSHAN else "wx"):
            city = WUXI if city == ZHOUSHAN else ZHOUSHAN
        centre, vendor = Caller("centre-1", "centre", city), Caller("vendor-1", "vendor", city)
        drawn = await self.act("issuance", "draw_a_batch", centre, {"programme": PROGRAMMES[city], "outlet": outlet})
        if drawn is None:
            return
        path = {"batch_id": drawn.batch_id}
        ordered = None
        for _ in range(20):
            await asyncio.sleep(dice.uniform(0, 0.5))
            ordered = await self.act("issuance", "order_a_batch", centre, {}, **path)
            if ordered is not None:
                break
        if ordered is None:
            return
        seats = [{"card_number": seat.card_number} for seat in ordered.seats if seat.piece == "in_work"]
        spoil = dice.random()
        file = return_file(seats, lambda nth: "ink" if spoil < 0.25 and nth % 2 == 0 else "")
        await asyncio.sleep(dice.uniform(0, 1))
        back = await self.act("issuance", "read_a_return_file", vendor, {"file": file}, **path)
        if back is None:
            return
        await self.act("issuance", "dispatch_a_batch", centre, {}, **path)
        clerk = Caller("clerk-3", "clerk", city, outlet=outlet)
        await self.act("issuance", "count_a_batch_in", clerk, {"counted": back.good}, **path)

    def _wanted(self) -> list[str]:
        """The outlets at which somebody waits for a card that is not being made yet."""
        books = self._oracle.cards.values()
        return [book.order["outlet"] for book in books if book.order and book.stage == "waiting"]

    def _clerk(self, city: str) -> Caller:
        return Caller(f"clerk-{self.dice.randint(1, 2)}", "clerk", city, outlet=self.dice.choice(OUTLETS[city]))

    def _bank(self, city: str) -> Caller:
        return Caller("teller-1", "bank", city, outlet=self.dice.choice(BANKS[city]))

    def judge(self) -> None:
        """The ack book against the stores: what was acknowledged is there."""
        for act in self._book:
            self._oracle.acknowledged(act.service, act.command_id, f"{act.door} ({act.key})")


_WISHES = {
    "none": (2.0, 0.7, 0.3, 0.1, 0.7, 0.12, 0.5),
    "called": (0.7, 1.5, 1.2, 0.3, 0.1, 0.1, 0.5),
    "signed": (0.3, 0.3, 1.2, 1.6, 0.1, 0.1, 2.0),
    "superseded": (0.2, 0.2, 1.0, 0.3, 0.1, 0.1, 0.5),
    "ended": (0.2, 0.2, 0.2, 0.2, 0.2, 0.1, 0.2),
}
_LOSSES: tuple[Callable[[People, Somebody, str], Any], ...] = (
    People._call, People._sign, People._lift, People._reissue, People._exchange, People._cancel, People._look_twice,
)  # fmt: skip


async def _walk_in(process: Process, act: Act) -> Any:
    """What HTTP does with a request before its endpoint runs, and then the endpoint."""
    assert process.crew is not None
    (service,) = (one for one in process.crew.services if one.name == act.service)
    router: Any = service.router
    endpoint, action = router.endpoints[act.door]
    call = CallContext(
        caller=act.who,
        action=action,
        command_id=act.command_id,
        fingerprint=hmac.new(b"k" * 32, f"{act.scope}{act.said}".encode(), hashlib.sha256).digest(),
        seen=None,
        doors=_doors(),
        channel=CHANNELS.get(act.who.role, "counter"),
    )
    given: dict[str, Any] = {"call": call, **act.path}
    if act.said is not None:
        name, body = _body_of(endpoint)
        given[name] = body.model_validate_json(json.dumps(act.said))
    elif "at" in inspect.signature(endpoint).parameters:
        given["at"] = None
    if "response" in inspect.signature(endpoint).parameters:
        given["response"] = Response()
    return await endpoint(**given)


def _body_of(endpoint: Any) -> tuple[str, Any]:
    for name, annotation in inspect.get_annotations(endpoint).items():
        if name in ("said", "_said"):
            return name, annotation
    raise LookupError(endpoint.__name__)


@cache
def _doors() -> Doors:
    from services.simulation.city import access, packs

    return Doors(tokens=None, access=access(), fingerprint_key=b"k" * 32, bylaws=packs().hash_of)  # type: ignore[arg-type]


@cache
def face() -> str:
    return base64.b64encode(portrait()).decode()


def _id_card(nth: int) -> dict[str, str]:
    digits = f"33090219851231{nth + 1:03d}"
    return {"kind": "id_card", "number": digits + mod_11_2(digits)}
