"""Two services, one holding, and a city in which everything is late, twice, or in the wrong order.

The loss desk, the holding and its batches are played against each other as the house runs them: each stream decides
alone; messages between the services keep their order but come late and more than once; timers are late and in any
order. An oracle that reads nothing but the facts says what must hold – after every single one of them, and at every
instant at which anything began or ended, just before it and just after it. Planted faults show that it would notice.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, get_type_hints

import pytest

from libs.eventsourcing.codec import members
from libs.eventsourcing.desk import Aggregate
from libs.kernel import Refused
from libs.kernel.ids import derived
from libs.messaging.contract import Contract
from libs.messaging.message import Message
from libs.messaging.readmodel import Cap, MemoryRows
from libs.runtime.citypack import load_packs
from libs.testing.twopeople import ONE, OTHER
from services.ids import CardId, application_id, batch_id, card_id, holding_id, ordinal_of, person_id
from services.issuance import projections
from services.issuance import reactions as issuance_reactions
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.domain.applying import Way
from services.issuance.domain.batch.commands import (
    DispatchBatch,
    OpenBatch,
    ReadReturn,
    ReceiveBatch,
    ReturnRow,
    SendBatch,
)
from services.issuance.domain.batch.state import Batch, Piece, Stage
from services.issuance.domain.bylaw import CatalogueEntry, Opens
from services.issuance.domain.collecting import By, Collecting
from services.issuance.domain.functions import Place as OpenedBy
from services.issuance.domain.holding import decider as holding_decider
from services.issuance.domain.holding import events as issuing
from services.issuance.domain.holding import state as holding_state
from services.issuance.domain.holding.commands import (
    Activate,
    ApproveIssue,
    ClaimCard,
    CloseCase,
    HandOver,
    MailCard,
    NoteArrival,
    NoteVerdict,
    OpenFunction,
    ProposeIssue,
    SendOn,
    WithdrawOrder,
)
from services.issuance.domain.holding.events import FunctionGrant, Kind
from services.issuance.domain.holding.state import Holding, NothingComing
from services.issuance.domain.series.decider import card_number
from services.issuance.domain.usability import Stop, usability
from services.issuance.wiring import BATCH, HOLDING
from services.loss import reactions as loss_reactions
from services.loss.adapters.bylaws import LossBylaws
from services.loss.contracts import ReissueOrdered
from services.loss.domain import decider as loss_decider
from services.loss.domain import events as losing
from services.loss.domain import state as loss_state
from services.loss.domain.bylaw import OnLapse
from services.loss.domain.commands import (
    ApproveProposal,
    CancelCard,
    DeclineProposal,
    EnterCard,
    LapseLoss,
    LiftLoss,
    OrderReissue,
    OrderReplacement,
    Place,
    PreReportLoss,
    ReportLoss,
    SucceedCard,
)
from services.loss.domain.state import Desk, Ended, InUse, Lost, Resting, Superseded, Unknown
from services.loss.wiring import LOSS

BEGINNING = datetime(2026, 8, 3, 1, 0, tzinfo=UTC)
A_MOMENT = timedelta(milliseconds=1)
PACKS = load_packs(Path(__file__).parents[2] / "deploy")
LOSSES, ISSUING = LossBylaws(PACKS), IssuanceBylaws(PACKS)
CITIES = {
    "330900": ("citizen-card", "zs-icbc-dinghai"),  # a card works when it is handed over
    "320200": ("social-security-card", "wx-boc-liangxi"),  # a card works when its holder activates it
}
REACTING: dict[str, tuple[Callable[[Any], Iterator[Any]], ...]] = {
    "issuance": issuance_reactions.REACTIONS,
    "loss": loss_reactions.REACTIONS,
}
REACTIONS: dict[str, list[tuple[type, Callable[[Any], Iterator[Any]]]]] = {
    reader: [(get_type_hints(reaction)["told"], reaction) for reaction in reactions]
    for reader, reactions in REACTING.items()
}
NO: tuple[type[DeclineProposal], dict[str, Any]] = DeclineProposal, {}
STEPS = 150
LIVES = 250

Span = tuple[datetime, datetime | None]
"""From this moment on, and until just before that one, if there is one."""


# --- the oracle: what the facts say, read by nothing that the services are made of ---


@dataclass
class Truth:
    """What must hold, from the facts alone."""

    facts: list[Any] = field(default_factory=list)

    def of(self, *kinds: type) -> Iterator[Any]:
        return (fact for fact in self.facts if isinstance(fact, kinds))

    def began(self) -> dict[CardId, tuple[datetime, datetime]]:
        """When each card began to work, and until when it is valid."""
        return {fact.card_id: (fact.at, fact.valid_to) for fact in self.of(issuing.CardActivated, issuing.CardReplaced)}

    def ended(self) -> dict[CardId, datetime]:
        """When each card ended."""
        ends = {fact.old_card_id: fact.at for fact in self.of(issuing.CardReplaced)}
        return ends | {fact.card_id: fact.at for fact in self.of(issuing.CardCancelled)}

    def active(self, card: CardId) -> Sequence[Span]:
        if card not in (began := self.began()):
            return []
        from_, to = began[card]
        return [(from_, min(to, self.ended().get(card, to)))]

    def stopped(self, card: CardId, function: str) -> Sequence[Span]:
        """The stretches in which reports had stopped a function, read forwards."""
        spans: list[Span] = []
        for fact in self.facts:
            match fact:
                case losing.LossPreReported(card_id=told) if told == card:
                    spans += [
                        (stop.from_, None if fact.ends_card else fact.lapses_at)
                        for stop in fact.stops
                        if stop.function == function
                    ]
                case losing.LossReported(card_id=told) if told == card:
                    spans += [(stop.from_, None) for stop in fact.stops if stop.function == function]
                case losing.LossLifted(card_id=told) if told == card:
                    spans = [(from_, min(until or fact.at, fact.at)) for from_, until in spans]
        return spans

    def granted(self, function: str) -> Sequence[Span]:
        said = [*self.of(issuing.VerdictNoted)]
        ends: list[datetime | None] = [*(fact.at for fact in said), None][1:]
        return [
            (fact.at, end)
            for fact, end in zip(said, ends, strict=True)
            if any(one.function == function and one.granted for one in fact.functions)
        ]

    def opened(self, entry: CatalogueEntry) -> Sequence[Span]:
        """From when a function is open on the card that counts, on which it was opened or which took over from it."""
        if entry.opens is Opens.WITH_THE_CARD:
            return [(BEGINNING, None)]
        spans: list[Span] = []
        for fact in self.facts:
            match fact:
                case issuing.FunctionOpened() if fact.function == entry.function:
                    spans.append((fact.at, None))
                case issuing.CardCancelled():
                    spans.clear()
                case issuing.CardReplaced() if entry.reopens:
                    spans.clear()
        return spans

    def reissue_is_open(self, card: CardId) -> bool:
        """Whether the production has been asked for a card in place of this lost one, and has not answered."""
        is_open = False
        for fact in self.facts:
            match fact:
                case issuing.CardOrdered(kind=Kind.REISSUE, old_card_id=old) | issuing.ReissueJoined(old_card_id=old):
                    is_open = old == card
                case issuing.CardDeclined(application_id=None) | issuing.CardReplaced() | issuing.CardCancelled():
                    is_open = False
        return is_open

    def edges(self) -> list[datetime]:
        """Every instant at which something began or ended, just before it and just after it."""
        marks = {value for fact in self.facts for value in _moments(fact)}
        return sorted({mark + step for mark in marks for step in (-A_MOMENT, timedelta(), A_MOMENT)})

    # --- after every fact ---

    def check(self) -> None:
        self.at_most_one_card_is_active()
        match self.facts[-1]:
            case issuing.CardActivated() | issuing.CardReplaced() as fact:
                self.a_card_begins_once(fact.card_id)
            case issuing.CardCancelled() | issuing.CardReplaced() as fact:
                self.a_card_ends_once()
            case losing.LossLifted() as fact:
                self.nothing_was_reissued(fact.card_id)
            case losing.LossReported() | losing.LossLapsed() as fact:
                self.exactly_one_wins(fact)

    def at_most_one_card_is_active(self) -> None:
        ended = self.ended()
        spans = sorted((from_, min(to, ended.get(card, to))) for card, (from_, to) in self.began().items())
        for (_, end), (start, _) in pairwise(spans):
            assert end <= start, "two cards of one holding are active"

    def a_card_begins_once(self, card: CardId) -> None:
        born = Counter(fact.card_id for fact in self.of(issuing.CardActivated, issuing.CardReplaced))
        assert born[card] == 1, "a closed card has returned (INV-9)"
        assert all(ordinal_of(other) <= ordinal_of(card) for other in born), "an older card took a younger one's place"

    def a_card_ends_once(self) -> None:
        ends = Counter(fact.old_card_id for fact in self.of(issuing.CardReplaced))
        ends += Counter(fact.card_id for fact in self.of(issuing.CardCancelled))
        assert max(ends.values()) == 1, "a card has ended twice"

    def nothing_was_reissued(self, card: CardId) -> None:
        about = [fact for fact in self.of(losing.ReissueOrdered, losing.NewCardDeclined) if fact.card_id == card]
        assert not about or isinstance(about[-1], losing.NewCardDeclined), "lifted after a reissue (INV-10)"
        assert not self.reissue_is_open(card), "lifted while a reissue is being made (INV-10)"

    def exactly_one_wins(self, fact: losing.LossReported | losing.LossLapsed) -> None:
        before = [
            one
            for one in self.of(losing.LossPreReported, losing.LossLapsed, losing.LossReported, losing.LossLifted)
            if one.card_id == fact.card_id
        ][:-1]
        call = before[-1] if before and isinstance(before[-1], losing.LossPreReported) else None
        if isinstance(fact, losing.LossLapsed):
            assert call is not None, "a report lapsed that was not running"
            assert fact.at == call.lapses_at, "a report lapsed at another hour than its own"
        elif call is not None:
            assert fact.at < call.lapses_at, "a signature came after the lapse and won nevertheless"


def within(spans: Sequence[Span], at: datetime) -> bool:
    return any(from_ <= at and (until is None or at < until) for from_, until in spans)


def _moments(fact: Any) -> Iterator[datetime]:
    yield fact.at
    for name in ("lapses_at", "valid_to"):
        if (moment := getattr(fact, name, None)) is not None:
            yield moment
    for stop in getattr(fact, "stops", ()):
        yield stop.from_


# --- the town: the services, and what lies between them ---


@dataclass
class Timer:
    id: int
    at: datetime
    command: Any


class Town:
    """One holding, its loss desk and its batches, under a driver who lets the world be as bad as it can be."""

    def __init__(self, seed: int, city: str, on_lapse: OnLapse) -> None:
        self.dice, self.now, self.truth, self.rows = Random(seed), BEGINNING, Truth(), MemoryRows()
        self.programme, self.bank = CITIES[city]
        self.person = person_id(city, derived("Li"))
        self.holding_id = holding_id(self.person, self.programme)
        self.city = city
        self.loss_bylaw = replace(
            LOSSES.at(city, self.programme, BEGINNING),
            on_lapse=on_lapse,
            pre_reports_max=20,
            documents=frozenset({"id"}),
        )
        self.bylaw = replace(
            ISSUING.at(city, self.programme, BEGINNING), kept_days=12, validity_years=1,
            collection_documents=frozenset({"id"}),
            collecting=Collecting(elsewhere=True, mail=True, remind_days=(4, 9), destroyed_after_days=5),
        )  # fmt: skip
        self.place = Place(outlet=self.bank, kind="bank")
        self.states: dict[str, Any] = {}
        self.last_at: dict[str, datetime] = {}
        self.versions: Counter[str] = Counter()
        self.told: dict[str, list[tuple[Contract, Message]]] = {"loss": [], "issuance": []}
        self.read: Counter[str] = Counter()
        self.timers: list[Timer] = []
        self.done: set[object] = set()
        self.given = 0
        self.applications = 0
        self.batches: list[Any] = []

    # deciding, as the house does it

    def decide(self, command: Any, command_id: object) -> None:
        """Each command once; each stream alone; no effect before the stream's last one; a refusal is an answer."""
        if command_id in self.done:
            return
        self.done.add(command_id)
        desk = next(one for one in (LOSS, HOLDING, BATCH) if isinstance(command, members(one.commands)))
        stream = desk.stream(desk.key(command))
        now = self.states.get(stream, desk.decider.initial)
        if isinstance(command, EnterCard | SucceedCard):
            command = replace(command, under=self.loss_bylaw)
        if isinstance(command, NoteArrival) and now.programme:
            command = replace(command, under=self.bylaw)
        try:
            facts = desk.decider.decide(command, now)
        except Refused:
            return
        for fact in facts:
            self.write(desk, stream, fact)
        if facts:
            self.last_at[stream] = max(self.now, self.last_at.get(stream, BEGINNING))

    def write(self, desk: Aggregate[Any], stream: str, fact: Any) -> None:
        now = self.states.get(stream, desk.decider.initial)
        self.states[stream] = now = desk.decider.evolve(now, fact)
        self.versions[stream] += 1
        self.timers += [Timer(self.next(), due.at, due.command) for due in desk.decider.due(fact)]
        service = "loss" if desk is LOSS else "issuance"
        contract = desk.tell(fact)
        if isinstance(contract, Contract):
            nth = len(self.told[service]) + 1
            message = Message(
                id=f"{service}/1/{nth}", source=f"/services/{service}", type=contract.type_name(), subject=stream,
                version=self.versions[stream], time=fact.at, key=self.holding_id, data=contract.model_dump_json(),
            )  # fmt: skip
            self.told[service].append((type(contract).model_validate_json(message.data), message))
        if desk is BATCH:
            assert now.ordered == now.good + now.count(Piece.SPOILED, Piece.IN_WORK)
            return
        self.truth.facts.append(fact)
        self.truth.check()
        if isinstance(fact, losing.LossLifted):
            unread = [told for told, _ in self.told["loss"][self.read["issuance"] :]]
            on_its_way = {told.card_id for told in unread if isinstance(told, ReissueOrdered)}
            assert fact.card_id not in on_its_way, "lifted while a reissue is on its way (INV-10)"

    def next(self) -> int:
        self.given += 1
        return self.given

    # what lies between

    def deliver(self, reader: str, nth: int | None = None) -> None:
        """The next message, or once more one that came before."""
        teller = "loss" if reader == "issuance" else "issuance"
        place = self.read[reader] if nth is None else nth
        if place >= len(self.told[teller]):
            return
        told, message = self.told[teller][place]
        for heard, reaction in REACTIONS[reader]:
            if heard is type(told):
                for n, command in enumerate(reaction(told)):
                    self.decide(command, (reaction.__name__, message.id, n))
        if nth is None:
            self.read[reader] += 1
            if reader == "issuance":
                self.rows.write(list(projections.project(told, message)))

    def deliver_again(self) -> None:
        reader = self.dice.choice(["loss", "issuance"])
        if self.read[reader]:
            self.deliver(reader, self.dice.randrange(self.read[reader]))

    def ring(self, again: bool = False) -> None:
        """One of the timers that are due, whichever; it is given again if nobody noted that it had rung."""
        due = [timer for timer in self.timers if timer.at <= self.now]
        if due:
            timer = self.dice.choice(due)
            self.decide(timer.command, timer.id)
            if not again:
                self.timers.remove(timer)

    def settle(self) -> None:
        """Everybody is back: all that was told is read, every timer that is due has rung."""
        while True:
            before = self.given, *self.read.values(), len(self.timers)
            for reader in ("loss", "issuance"):
                self.deliver(reader)
            self.ring()
            if (self.given, *self.read.values(), len(self.timers)) == before:
                return

    # who does what

    @property
    def desk(self) -> Desk:
        desk: Desk = self.states.get(LOSS.stream(self.holding_id), Desk())
        return desk

    @property
    def holding(self) -> Holding:
        holding: Holding = self.states.get(HOLDING.stream(self.holding_id), Holding())
        return holding

    def moment(self, desk: Aggregate[Any], key: str) -> datetime:
        return max(self.now, self.last_at.get(desk.stream(key), BEGINNING))

    def ask(self, desk: Aggregate[Any], make: Callable[..., Any], **words: Any) -> None:
        key = words.get("batch_id", self.holding_id)
        self.decide(make(at=self.moment(desk, key), **words), self.next())

    def some_card(self) -> CardId:
        """Mostly the card that counts, sometimes another one, sometimes one that nobody has heard of yet."""
        if self.holding.current and self.dice.random() < 0.8:
            return self.holding.current.card_id
        return card_id(self.holding_id, self.dice.randint(1, self.holding.numbered + 1))

    def at_the_loss_desk(self, make: Callable[..., Any], **words: Any) -> None:
        counter = {"verified_by": ""} if make is PreReportLoss else {"place": self.place, "document": "id"}
        if make in (LiftLoss, CancelCard):
            words |= {"by": ONE, "proposal_id": f"proposal {self.next()}", "card_shown": True}
        if make is CancelCard:
            del words["card_shown"]
        self.ask(
            LOSS, make, holding_id=self.holding_id, card_id=self.some_card(), under=self.loss_bylaw, **counter, **words
        )
        if make is LiftLoss and self.dice.random() < 0.6:
            self.look_twice()

    def look_twice(self) -> None:
        """Somebody approves what waits, mostly somebody else, or objects to it."""
        if waiting := self.desk.proposals.waiting:
            proposal = self.dice.choice(waiting)
            make, under = (ApproveProposal, {"under": self.loss_bylaw}) if self.dice.random() < 0.9 else NO
            self.ask(
                LOSS, make, holding_id=self.holding_id, card_id=proposal.card_id, proposal_id=proposal.proposal_id,
                by=self.dice.choice([OTHER, OTHER, ONE]), **under,
            )  # fmt: skip

    def judge(self, likely: float = 0.85) -> None:
        granted = self.dice.random() < likely
        functions = tuple(
            FunctionGrant(function=entry.function, granted=granted and self.dice.random() < 0.8, because="the table")
            for entry in self.bylaw.catalogue
        )
        self.ask(
            HOLDING, NoteVerdict, holding_id=self.holding_id, person_id=self.person, programme=self.programme,
            granted=granted, because=f"verdict {self.given}", functions=functions,
        )  # fmt: skip

    def apply(self, way: Way = Way.COUNTER) -> None:
        self.applications += 1
        application = application_id(self.holding_id, derived(self.applications))
        self.ask(
            HOLDING, ClaimCard, holding_id=self.holding_id, application_id=application, person_id=self.person,
            programme=self.programme, outlet=self.bank, way=way,
        )  # fmt: skip

    def in_spite_of_a_refusal(self) -> None:
        """A clerk wants the card made all the same, and mostly somebody else wants it too."""
        application = application_id(self.holding_id, derived(self.dice.randint(1, max(1, self.applications))))
        self.ask(
            HOLDING, ProposeIssue, holding_id=self.holding_id, application_id=application, outlet=self.bank, unit="",
            way=Way.COUNTER, reason="hardship", proposal_id=f"proposal {self.next()}", by=ONE,
        )  # fmt: skip
        if waiting := self.holding.proposals.waiting:
            self.ask(
                HOLDING, ApproveIssue, holding_id=self.holding_id, proposal_id=waiting[0].proposal_id,
                by=self.dice.choice([OTHER, OTHER, ONE]),
            )  # fmt: skip

    def refused_at_first(self) -> None:
        """Another beginning: somebody who may have no card, and asks."""
        self.judge(likely=0.2)
        self.apply()
        self.settle()
        self.in_spite_of_a_refusal()

    def withdraw(self) -> None:
        if self.applications:
            application = application_id(self.holding_id, derived(self.dice.randint(1, self.applications)))
            self.ask(HOLDING, WithdrawOrder, holding_id=self.holding_id, application_id=application, reason="no more")

    def draw(self) -> None:
        if isinstance(self.holding.coming, holding_state.Queued) or self.dice.random() < 0.05:
            batch = batch_id(self.city, derived(self.next()))
            self.batches.append(batch)
            seats = ((self.holding_id, card_number("330900-01", len(self.batches))),)
            self.ask(BATCH, OpenBatch, batch_id=batch, programme=self.programme, outlet=self.bank, seats=seats)

    def produce(self) -> None:
        if not self.batches:
            return
        batch = self.batches[-1] if self.dice.random() < 0.8 else self.dice.choice(self.batches)
        state: Batch = self.states[BATCH.stream(batch)]
        match state.stage:
            case Stage.FORMING:
                self.ask(BATCH, SendBatch, batch_id=batch)
            case Stage.PRODUCING if state.count(Piece.IN_WORK):
                spoiled = self.dice.random() < 0.2
                row = ReturnRow(
                    line=2, card_number=state.seats[0].card_number, ident="" if spoiled else f"{self.next():032X}",
                    atr="", box="", failed_step="chip" if spoiled else "", reason="dead" if spoiled else "",
                )  # fmt: skip
                self.ask(BATCH, ReadReturn, batch_id=batch, rows=(row,), declared=1)
            case Stage.PRODUCING:
                self.ask(BATCH, DispatchBatch, batch_id=batch)
            case _:
                good = state.count(Piece.GOOD)
                self.ask(BATCH, ReceiveBatch, batch_id=batch, outlet=self.bank, counted=good)

    def coming_card(self) -> CardId:
        plastic = getattr(self.holding.coming, "plastic", None)
        return plastic.card_id if plastic else self.some_card()

    @property
    def outlet(self) -> str:
        """Where the card lies that is to be collected."""
        return getattr(self.holding.coming, "outlet", self.bank)

    def hand_over(self, fingerprint: str = "match") -> None:
        taker = By.MAIL if getattr(self.holding.coming, "tracking", "") else By.HOLDER
        self.ask(
            HOLDING, HandOver, holding_id=self.holding_id, card_id=self.coming_card(), outlet=self.outlet,
            document="id", agent_document="", under=self.bylaw, taker=taker, fingerprint=fingerprint,
        )  # fmt: skip

    def away_from_the_counter(self, make: Callable[..., Any], **words: Any) -> None:
        """The card leaves its counter otherwise than in its holder's hand."""
        self.ask(
            HOLDING, make, holding_id=self.holding_id, card_id=self.coming_card(), outlet=self.outlet,
            under=self.bylaw, **words,
        )  # fmt: skip

    def close_case(self) -> None:
        self.ask(HOLDING, CloseCase, holding_id=self.holding_id, card_id=self.coming_card(), finding="a wet finger")

    def open_function(self) -> None:
        entry = self.dice.choice([one for one in self.bylaw.catalogue if one.opens is not Opens.WITH_THE_CARD])
        place = self.dice.choice([OpenedBy.OUTLET, OpenedBy.BANK])
        self.ask(
            HOLDING, OpenFunction, holding_id=self.holding_id, card_id=self.some_card(), function=entry.function,
            place=OpenedBy.WALLET if entry.opens is Opens.WITH_THE_WALLET else place, under=self.bylaw,
        )  # fmt: skip

    def wait_in_vain(self) -> None:
        """Nobody comes: the hour strikes until which the card is kept, and later the one at which it is destroyed."""
        if self.dice.random() < 0.3:
            hour = getattr(self.holding.coming, "kept_until", self.now) + self.dice.choice([timedelta(), A_MOMENT])
            self.now = max(self.now, hour)
            self.ring()

    def activate(self) -> None:
        self.ask(HOLDING, Activate, holding_id=self.holding_id, card_id=self.coming_card(), under=self.bylaw)

    def wait(self, longest: timedelta) -> None:
        """Time passes; the driver likes the hours at which something is due, to the millisecond."""
        if self.timers and self.dice.random() < 0.3:
            hour = self.dice.choice(self.timers).at + self.dice.choice([-A_MOMENT, timedelta(), A_MOMENT])
            if self.now < hour <= self.now + timedelta(days=30):
                self.now = hour
                return
        self.now += self.dice.randint(0, longest // A_MOMENT) * A_MOMENT

    def hurry(self) -> None:
        """The production works on, while letters between the services lie where they are."""
        for _ in range(self.dice.randint(1, 12)):
            self.draw()
            self.produce()
            self.ring()
            self.ring()

    def first_card(self) -> None:
        """The quiet beginning of a life: a card in its holder's hand."""
        by_mail = self.dice.random() < 0.2
        self.judge()
        self.apply(Way.MAIL if by_mail else Way.COUNTER)
        self.settle()
        while not isinstance(self.holding.coming, NothingComing | holding_state.AtOutlet):
            self.now += timedelta(hours=1)
            self.draw()
            self.produce()
            self.settle()
        if by_mail and self.dice.random() < 0.8:
            self.away_from_the_counter(MailCard, tracking="EM1")
        self.hand_over()
        self.activate()

    def grow_old(self) -> None:
        """The years pass until the card expires, to the millisecond."""
        if self.holding.current and self.dice.random() < 0.3:
            hour = self.holding.current.valid_to + self.dice.choice([-A_MOMENT, timedelta(), A_MOMENT])
            self.now = max(self.now, hour)

    def live(self) -> None:
        """A life of the holding."""
        loss = self.at_the_loss_desk
        acts: list[tuple[int, Callable[[], None]]] = [
            (12, partial(self.deliver, "loss")),
            (12, partial(self.deliver, "issuance")),
            (4, self.deliver_again),
            (12, self.ring),
            (3, partial(self.ring, again=True)),
            (5, partial(self.wait, timedelta(minutes=2))),
            (5, partial(self.wait, timedelta(days=2))),
            (1, partial(self.wait, timedelta(days=13))),
            (1, self.grow_old),
            (2, self.judge),
            (2, self.apply),
            (1, partial(self.apply, Way.MAIL)),
            (1, self.withdraw),
            (1, self.in_spite_of_a_refusal),
            (12, self.hurry),
            (7, self.hand_over),
            (1, partial(self.hand_over, "mismatch")),
            (2, self.close_case),
            (2, partial(self.away_from_the_counter, MailCard, tracking="EM2")),
            (1, partial(self.away_from_the_counter, SendOn, to=f"{self.bank}-next-door")),
            (2, self.open_function),
            (1, self.wait_in_vain),
            (7, self.activate),
            (4, partial(loss, PreReportLoss)),
            (7, partial(loss, ReportLoss)),
            (6, partial(loss, LiftLoss)),
            (7, partial(loss, OrderReissue)),
            (7, partial(loss, OrderReplacement, reason="stained")),
            (1, partial(loss, CancelCard, reason="moved_away", open_affairs=())),
            (8, self.look_twice),
            (2, self.settle),
        ]
        if self.dice.random() < 0.85:
            self.first_card()
        elif self.dice.random() < 0.7:
            self.refused_at_first()
        weights = [weight for weight, _ in acts]
        for _ in range(STEPS):
            [(_, act)] = self.dice.choices(acts, weights)
            act()
        self.settle()
        self.compare()

    # when everybody has heard everything

    def compare(self) -> None:
        """What the services say is what the facts say, at every instant at which anything began or ended."""
        self.the_services_agree()
        edges = self.truth.edges()
        granted = {entry.function: self.truth.granted(entry.function) for entry in self.bylaw.catalogue}
        counts = self.holding.current and self.holding.current.card_id
        for nth in range(1, self.holding.numbered + 2):
            card = card_id(self.holding_id, nth)
            active, heard = self.truth.active(card), self.stops_of(card)
            stopped = {function: self.truth.stopped(card, function) for function in granted}
            for at in edges:
                assert self.desk.stopped(card, "medical", at) == within(stopped["medical"], at)
                for entry, said in zip(
                    self.bylaw.catalogue,
                    usability(card, at, self.holding, heard, self.bylaw.catalogue),
                    strict=True,
                ):
                    rests = within(stopped[entry.function], at)
                    assert not (said.usable and rests), "a stopped function is usable (INV-8)"
                    if entry.opens is not Opens.WITH_THE_CARD and card != counts:
                        continue  # What was opened on a card that has ended is nobody's question any more.
                    opened = within(self.truth.opened(entry), at) and within(granted[entry.function], at)
                    assert said.usable == (within(active, at) and opened and not rests), (card, at, said)

    def stops_of(self, card: CardId) -> list[Stop]:
        rows = self.rows.tables.get("stop", {}).values()
        return [
            Stop(function=row["function"], from_=row["from_at"], until=row["until"])
            for row in rows
            if row["card_id"] == card
        ]

    def the_services_agree(self) -> None:
        """The card that counts is the card that can be lost; what awaits a new card has one coming."""
        current, there = self.holding.current, self.desk.card
        if current is None:
            assert isinstance(there, Unknown | Ended), "the loss desk knows of a card that has ended"
        else:
            assert isinstance(there, InUse | Resting | Lost | Superseded), "a card works that cannot be reported"
            assert there.card_id == current.card_id, "the two desks look at different cards"
        if isinstance(there, Superseded):
            assert not isinstance(self.holding.coming, NothingComing), "a new card is awaited that nobody makes"
            assert self.truth.reissue_is_open(there.card_id)
        entered = {fact.card_id: fact.at for fact in self.truth.of(losing.CardEntered, losing.CardSucceeded)}
        called = {fact.card_id for fact in self.truth.of(losing.LossPreReported)}
        ended = {fact.card_id for fact in self.truth.of(losing.CardCancelled)}
        heard = {
            fact.card_id
            for fact in self.truth.of(losing.CallKept)
            if fact.card_id in entered and self.loss_bylaw.pre_report_ends(fact.at).at > entered[fact.card_id]
        }
        assert heard <= called | ended, "a call was forgotten"


def live(seeds: range, city: str, on_lapse: OnLapse = OnLapse.WAKE) -> list[Town]:
    """That many lives."""
    towns = []
    for seed in seeds:
        town = Town(seed, city, on_lapse)
        try:
            town.live()
        except AssertionError as broken:
            story = "\n".join(f"{fact.at:%m-%d %H:%M:%S.%f}  {fact}" for fact in town.truth.facts)
            raise AssertionError(f"{broken}\nseed {seed}, city {city}, {on_lapse}:\n{story}") from broken
        towns.append(town)
    return towns


@pytest.mark.parametrize("on_lapse", OnLapse)
@pytest.mark.parametrize("city", CITIES)
def test_never_two_cards(city: str, on_lapse: OnLapse) -> None:
    towns = live(range(LIVES), city, on_lapse)
    seen = Counter(type(fact) for town in towns for fact in town.truth.facts)
    never = {losing.StopHastened} | ({losing.LossLapsed} if on_lapse is OnLapse.CANCEL else set())  # No purse here.
    merged = {issuing.HoldingPassedOn, issuing.HoldingJoined, issuing.HoldingLeft, issuing.HoldingEmptied}
    # Nobody here stands in the register twice, so nothing is merged.
    endorsed = {  # No card of these two programmes needs it.
        issuing.CardEndorsed, issuing.EndorsementReminded, issuing.EndorsementTakenBack, losing.EndorsementContradicted,
    }  # fmt: skip
    for kind in {*members(LOSS.facts), *members(HOLDING.facts)} - never - merged - endorsed:
        assert seen[kind] >= 5, f"lives too dull to prove anything: {kind.__name__} happened {seen[kind]} times"


# --- would the oracle notice? ---


def a_closed_card_stays_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holding_state, "_ended", lambda lives, *_: lives)


def a_lift_overlooks_the_reissue(patch: pytest.MonkeyPatch) -> None:
    right: Any = loss_decider.lift

    def wrong(asked: LiftLoss, desk: Desk) -> Sequence[Any]:
        card = desk.card
        if isinstance(card, Superseded):
            desk = replace(desk, card=Lost(card_id=card.card_id, holds=card.holds))
        return [*right(asked, desk)]

    patch.setattr(loss_decider, "lift", wrong)


def a_replacement_is_two_facts(patch: pytest.MonkeyPatch) -> None:
    def torn(facts: Sequence[Any]) -> Iterator[Any]:
        for fact in facts:
            if isinstance(fact, issuing.CardReplaced):
                yield issuing.CardActivated(
                    holding_id=fact.holding_id, person_id=fact.person_id, card_id=fact.card_id,
                    programme=fact.programme, valid_to=fact.valid_to, at=fact.at,
                )  # fmt: skip
                yield issuing.CardCancelled(
                    holding_id=fact.holding_id, person_id=fact.person_id, card_id=fact.old_card_id,
                    reason="replaced", at=fact.at,
                )  # fmt: skip
            else:
                yield fact

    hand_over, activate = holding_decider.hand_over, holding_decider.activate
    patch.setattr(holding_decider, "hand_over", lambda asked, holding: [*torn(hand_over(asked, holding))])
    patch.setattr(holding_decider, "activate", lambda asked, holding: [*torn(activate(asked, holding))])


def a_card_returns(patch: pytest.MonkeyPatch) -> None:
    right: Any = holding_decider.take_seat

    def wrong(asked: Any, holding: Holding) -> Sequence[Any]:
        return [*right(asked, replace(holding, numbered=max(0, holding.numbered - 1)))]

    patch.setattr(holding_decider, "take_seat", wrong)


def a_lapse_overlooks_the_signature(patch: pytest.MonkeyPatch) -> None:
    right: Any = loss_decider.lapse

    def wrong(asked: LapseLoss, desk: Desk) -> Sequence[Any]:
        if isinstance(desk.card, Lost) and desk.card.card_id == asked.card_id:
            return [losing.LossLapsed(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.lapses_at)]
        return [*right(asked, desk)]

    patch.setattr(loss_decider, "lapse", wrong)


def only_the_timer_knows_the_hour(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loss_decider, "struck_by", lambda _at, _desk: [])


def a_lapse_is_dated_by_the_timer(patch: pytest.MonkeyPatch) -> None:
    right: Any = loss_decider.lapse
    patch.setattr(
        loss_decider,
        "lapse",
        lambda asked, desk: [replace(fact, at=fact.at + timedelta(seconds=1)) for fact in right(asked, desk)],
    )


def any_answer_unlocks_the_lift(patch: pytest.MonkeyPatch) -> None:
    right = loss_decider.decline_new_card
    patch.setattr(
        loss_decider,
        "decline_new_card",
        lambda asked, desk: right(
            replace(asked, kind="reissue" if isinstance(desk.card, Superseded) else asked.kind), desk
        ),
    )


def no_answer_unlocks_the_lift(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loss_decider, "decline_new_card", lambda _asked, _desk: [])


def a_reissue_does_not_join_the_exchange_under_way(patch: pytest.MonkeyPatch) -> None:
    right = holding_decider.order_new_card
    patch.setattr(
        holding_decider,
        "order_new_card",
        lambda asked, holding: [fact for fact in right(asked, holding) if not isinstance(fact, issuing.ReissueJoined)],
    )


def whoever_cancelled_once_cannot_report_the_next_card(patch: pytest.MonkeyPatch) -> None:
    right = loss_decider.enter
    patch.setattr(
        loss_decider, "enter", lambda asked, desk: right(asked, desk) if isinstance(desk.card, Unknown) else []
    )


def a_cancellation_misses_the_card_that_was_handed_over(patch: pytest.MonkeyPatch) -> None:
    right = loss_decider.succeed
    patch.setattr(
        loss_decider, "succeed", lambda asked, desk: [] if isinstance(desk.card, Ended) else right(asked, desk)
    )


def a_call_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loss_decider, "kept_call", lambda _asked, _desk: [])


def a_stop_is_not_remembered(patch: pytest.MonkeyPatch) -> None:
    right = projections.project

    def wrong(told: Contract, message: Message) -> Iterator[Any]:
        return (one for one in right(told, message) if one.table is not projections.stop or type(one) is Cap)

    patch.setattr(projections, "project", wrong)


def a_card_that_woke_sleeps_on(patch: pytest.MonkeyPatch) -> None:
    right = projections.project
    patch.setattr(projections, "project", lambda told, message: (c for c in right(told, message) if type(c) is not Cap))


def a_new_report_wakes_the_predecessor(patch: pytest.MonkeyPatch) -> None:
    def wrong(history: Sequence[Any], fact: Any, functions: frozenset[str], _cool: Any = None) -> tuple[Any, ...]:
        return tuple(
            replace(one, until=fact.at if one.until is None else min(one.until, fact.at))
            if one.function in functions
            else one
            for one in history
        )

    patch.setattr(loss_state, "_closed", wrong)


@pytest.mark.parametrize(
    "plant",
    [
        a_closed_card_stays_open,
        a_lift_overlooks_the_reissue,
        a_replacement_is_two_facts,
        a_card_returns,
        a_lapse_overlooks_the_signature,
        only_the_timer_knows_the_hour,
        a_lapse_is_dated_by_the_timer,
        any_answer_unlocks_the_lift,
        no_answer_unlocks_the_lift,
        a_reissue_does_not_join_the_exchange_under_way,
        whoever_cancelled_once_cannot_report_the_next_card,
        a_cancellation_misses_the_card_that_was_handed_over,
        a_call_is_forgotten,
        a_stop_is_not_remembered,
        a_card_that_woke_sleeps_on,
        a_new_report_wakes_the_predecessor,
    ],
)
def test_a_planted_fault_is_caught(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError, match="seed"):
        [live(range(LIVES), city) for city in CITIES]
