"""What must never be (domain facts 7), read from the raw facts by rules of its own, after every fact that is stored."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from libs.eventsourcing.store import Append, Appended, Outcome, Recorded
from libs.kernel.ids import derived
from libs.messaging.message import Message
from libs.messaging.notebook import Memory
from libs.testing.simulation import Witness, World, moment_of
from services.simulation.money import Books

A_MILLISECOND = timedelta(milliseconds=1)

Said = dict[str, Any]

Told = tuple[str, str, datetime, datetime | None]
"""A card, a function that was stopped, from when and until when."""


@dataclass
class Stretch:
    """One report, from its first word to its end: which functions it stops, from when, and until when."""

    card: str
    stops: dict[str, datetime]
    lapses_at: datetime | None
    until: datetime | None = None


@dataclass
class LossBook:
    """One holding at the loss desk."""

    card: str = ""
    standing: str = "none"
    """none, called, signed, superseded, ended"""
    replacing: bool = False
    stretches: list[Stretch] = field(default_factory=list)
    ended: dict[str, datetime] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)
    waiting: dict[str, str] = field(default_factory=dict)
    """What somebody has proposed and nobody has decided, with its card."""
    proposed_by: dict[str, str] = field(default_factory=dict)

    def stopped(self, card: str, function: str, at: datetime) -> bool:
        """Whether a report had taken effect for this function at this instant."""
        return any(
            one.card == card and one.stops.get(function, at + A_MILLISECOND) <= at and (not one.until or at < one.until)
            for one in self.stretches
        )


@dataclass
class CardBook:
    """One holding at issuance."""

    live: str = ""
    order: Said | None = None
    stage: str = ""
    """waiting, work, good, outlet, hand"""
    coming: str = ""
    outlet: str = ""
    ended: set[str] = field(default_factory=set)
    handed: set[str] = field(default_factory=set)
    reserved: list[str] = field(default_factory=list)


class Oracle(Witness):
    """Sees every append, every mark and every page; what it remembers, it has read from the JSON of the facts."""

    def __init__(self) -> None:
        self.world: World
        self.loss: dict[str, LossBook] = defaultdict(LossBook)
        self.cards: dict[str, CardBook] = defaultdict(CardBook)
        self.papers: dict[str, str] = {}
        self.books = Books(self.must)
        self.facts = self.commands = self.checks = 0
        self.look_at_desk: Callable[[str, Sequence[Recorded]], Any] | None = None
        self.reactions: Mapping[str, Callable[[Message], Iterable[UUID]]] = {}
        self._promised: dict[str, str] = {}
        self._numbers: set[str] = set()
        self._versions: Counter[tuple[str, str]] = Counter()
        self._last: dict[tuple[str, str], datetime] = {}
        self._positions: Counter[tuple[str, int]] = Counter()
        self._done: set[tuple[str, UUID]] = set()
        self.rung: Counter[str] = Counter()

    def must(self, truth: object, invariant: str, what: str) -> None:
        self.checks += 1
        if not truth:
            self.world.violated(f"{invariant}: {what}")

    # --- every store ---

    def appended(self, service: str, wanted: Append, outcome: Outcome, facts: Sequence[Recorded]) -> None:
        if not isinstance(outcome, Appended):
            return
        self.commands += 1
        done = (service, wanted.command_id)
        self.must(done not in self._done, "INV-13", f"command {wanted.command_id} on {wanted.stream} was done twice")
        self._done.add(done)
        said = json.loads(wanted.meta)
        for fact in facts:
            self.facts += 1
            self._recorded(service, fact, said)
            data = json.loads(fact.data)
            self.world.note(service, f"{fact.stream} {fact.version} {fact.name} by {said.get('actor')}")
            match service, fact.stream.partition("-")[0]:
                case "loss", _:
                    self._at_the_loss_desk(fact, data)
                case "issuance", "holding":
                    self._at_the_holding(fact, data)
                case "issuance", "application":
                    self._on_paper(fact.name, data)
                case "wallet", _:
                    self.books.told(fact, data)
        if service == "wallet":
            self.books.booked(wanted)
        if service == "loss" and facts:
            self._compare_desk(wanted.stream, facts)

    def _recorded(self, service: str, fact: Recorded, said: Said) -> None:
        where, at = (service, fact.stream), f"{fact.stream} {fact.version} {fact.name}"
        self.must(said.get("actor") and said.get("channel"), "INV-13", f"{at} has no actor or no channel")
        self.must(fact.effective_at.tzinfo and fact.recorded_at.tzinfo, "INV-13", f"{at} has no time")
        self.must(fact.version == self._versions[where] + 1, "INV-13", f"{at} follows {self._versions[where]}")
        self._versions[where] = fact.version
        earliest = self._last.get(where, fact.effective_at)
        self.must(fact.effective_at >= earliest, "INV-13", f"{at} takes effect before its stream's last fact")
        self._last[where] = fact.effective_at
        place = (service, fact.shard)
        self.must(fact.position == self._positions[place] + 1, "INV-13", f"{at} leaves a gap in the log")
        self._positions[place] = fact.position

    def _on_paper(self, name: str, said: Said) -> None:
        application = said["application_id"]
        if name == "application-accepted":
            known = self._promised.setdefault(application, said["promised_by"])
            self.must(known == said["promised_by"], "INV-11", f"{application} was promised a second time")
        decided = self.papers.get(application) in ("application-accepted", "application-rejected")
        self.must(not decided, "INV-13", f"{application}: {name} after {self.papers.get(application)}")
        self.papers[application] = name

    # --- the loss desk ---

    def _at_the_loss_desk(self, fact: Recorded, said: Said) -> None:
        book, now = self.loss[said["holding_id"]], fact.effective_at
        card = said["card_id"]
        self.must(card not in book.ended, "INV-9", f"{fact.name} about {card}, which has ended")
        stretch = book.stretches[-1] if book.standing in ("called", "signed", "superseded") else None
        name = fact.name
        if name not in ("card-entered", "call-kept", "card-succeeded"):
            self.must(card == book.card, "INV-7", f"{name} about {card}, while {book.card} is in hand")
        in_time = stretch is None or stretch.lapses_at is None or now < stretch.lapses_at
        match name:
            case "card-entered":
                self.must(card not in book.entered, "INV-9", f"{card} was entered twice")
                self.must(
                    book.standing in ("none", "ended") and not self._open(book), "INV-7", f"{card} is a second card"
                )
                book.card, book.standing, book.replacing = card, "none", False
                book.entered.add(card)
            case "loss-pre-reported":
                self.must(book.standing == "none", "INV-10", f"{card} was reported while it was {book.standing}")
                self.must(
                    moment_of(said["lapses_at"]) > moment_of(said["at"]),
                    "INV-11",
                    f"the report on {card} lapses before it begins",
                )
                lapses_at = moment_of(said["lapses_at"])
                until = None if said["ends_card"] else lapses_at
                book.stretches.append(Stretch(card, self._stops(said), lapses_at, until))
                book.standing = "called"
            case "lapse-announced":
                self.must(
                    stretch and stretch.lapses_at == moment_of(said["lapses_at"]), "INV-11", f"{card}: another hour"
                )
            case "loss-lapsed":
                self.must(book.standing == "called", "INV-10", f"{card} lapsed while it was {book.standing}")
                hour = stretch.lapses_at if stretch else None
                self.must(
                    moment_of(said["at"]) == hour, "INV-11", f"{card} lapsed at {said['at']}, its hour was {hour}"
                )
                self.must(hour and now >= hour, "INV-11", f"{card} lapsed at {now}, before its hour {hour}")
                book.standing = "none"
            case "loss-reported":
                self.must(book.standing in ("none", "called"), "INV-10", f"{card} signed while {book.standing}")
                self.must(in_time, "INV-10", f"{card} was signed for after its report had lapsed")
                stops = self._stops(said)
                for function, from_ in stretch.stops.items() if stretch else ():
                    kept = function in stops and stops[function] <= from_
                    self.must(kept, "INV-8", f"{card}: the written report lets {function} work again")
                if stretch is None:
                    book.stretches.append(Stretch(card, stops, None))
                else:
                    stretch.stops, stretch.lapses_at, stretch.until = stops, None, None
                book.standing = "signed"
            case "lift-proposed" | "cancellation-proposed":
                self.must(book.standing in ("none", "called", "signed", "superseded"), "INV-10", f"{card}: {name}")
                book.waiting[said["proposal_id"]] = card
                book.proposed_by[said["proposal_id"]] = said["by"]
                return
            case "proposal-declined":
                self.must(said["proposal_id"] in book.waiting, "INV-13", f"{card}: nothing to object to")
                book.waiting.pop(said["proposal_id"], None)
                return
            case "loss-lifted":
                self._seen_by_two(book, said, needed=book.standing == "signed")
                self.must(book.standing in ("called", "signed"), "INV-10", f"{card} was lifted while {book.standing}")
                self.must(in_time, "INV-10", f"{card} was lifted after its report had lapsed")
                if stretch:
                    stretch.until = moment_of(said["at"])
                book.standing = "none"
            case "reissue-ordered":
                self.must(book.standing == "signed", "INV-10", f"{card} is to be reissued while {book.standing}")
                book.standing = "superseded"
            case "replacement-ordered":
                self.must(book.standing == "none", "INV-10", f"{card} is to be replaced while {book.standing}")
                book.replacing = True
            case "new-card-declined":
                self.must(book.standing == "superseded" or book.replacing, "INV-10", f"{card}: nothing was ordered")
                book.standing = "signed" if book.standing == "superseded" else book.standing
                book.replacing = False
            case "card-succeeded":
                old = said["old_card_id"]
                self.must(
                    old == book.card and card not in book.entered, "INV-9", f"{card} succeeds {old}, not {book.card}"
                )
                book.ended[old] = moment_of(said["at"])
                book.card, book.standing, book.replacing = card, "none", False
                book.entered.add(card)
            case "card-cancelled":
                alone = said["reason"] in ("report lapsed unsigned", "written report ran out") or said["with_card_id"]
                self._seen_by_two(book, said, needed=not alone)
                book.ended[card] = moment_of(said["at"])
                book.standing = "ended"
            case "call-kept":
                self.must(card not in book.entered, "INV-8", f"a call about {card} was kept, which is in hand")
            case other:
                raise AssertionError(other)
        if name in ("loss-reported", "loss-lapsed", "loss-lifted"):
            book.replacing = False
        if name not in ("loss-pre-reported", "lapse-announced", "call-kept"):
            book.waiting.clear()  # Things stand otherwise than when it was proposed.

    def _seen_by_two(self, book: LossBook, said: Said, *, needed: bool) -> None:
        """R169: what one person proposed has happened by another's approval, and was still to be decided."""
        eyes, card = said["eyes"], said["card_id"]
        self.must(bool(eyes) == needed, "R169", f"{card}: two people were needed: {needed}, seen by {eyes}")
        if eyes:
            proposal = said["proposal_id"]
            self.must(book.waiting.get(proposal) == card, "R169", f"{card}: {proposal} was not waiting")
            self.must(book.proposed_by.get(proposal) == eyes["proposed_by"], "R169", f"{card}: another proposed it")
            self.must(eyes["proposed_by"] != eyes["approved_by"], "R169", f"{card}: one person alone")

    @staticmethod
    def _open(book: LossBook) -> bool:
        return bool(book.card) and book.card not in book.ended

    @staticmethod
    def _stops(said: Said) -> dict[str, datetime]:
        return {stop["function"]: moment_of(stop["from_"]) for stop in said["stops"]}

    def _compare_desk(self, stream: str, facts: Sequence[Recorded]) -> None:
        """INV-8: what the loss desk itself would answer, at every instant that matters, against the raw facts."""
        if self.look_at_desk is None:
            return
        holding = stream.partition("-")[2]
        book, desk = self.loss[holding], self.look_at_desk(stream, self.world.stores["loss"].stream(stream))
        instants = {facts[-1].effective_at}
        for one in book.stretches[-2:]:
            for hour in (*one.stops.values(), one.lapses_at, one.until):
                instants |= {hour, hour - A_MILLISECOND} if hour else set()
        for one in book.stretches[-2:]:
            for function in one.stops:
                for at in sorted(instants):
                    truth = book.stopped(one.card, function, at)
                    answer = desk.stopped(one.card, function, at)
                    self.must(
                        answer == truth, "INV-8", f"{one.card} {function} at {at}: stopped {truth}, told {answer}"
                    )

    # --- issuance ---

    def _at_the_holding(self, fact: Recorded, said: Said) -> None:
        holding = fact.stream.partition("-")[2]
        book, card = self.cards[holding], said.get("card_id", "")
        self.must(card not in book.ended, "INV-9", f"{fact.name} about {card}, which has ended")
        match fact.name:
            case "card-ordered":
                self.must(book.order is None, "INV-7", f"{holding}: a second card is on its way")
                old = said["old_card_id"] or ""
                self.must(
                    old == book.live, "INV-7", f"{holding}: {said['kind']} in place of {old or 'none'}, not {book.live}"
                )
                book.order, book.stage, book.coming = said, "waiting", ""
            case "card-declined":
                if book.order and book.stage == "waiting" and book.order["application_id"] == said["application_id"]:
                    book.order, book.stage = None, ""
            case "card-reserved":
                self.must(book.stage == "waiting", "INV-7", f"{card} was reserved while an order was {book.stage}")
                self.must(card not in book.reserved, "INV-9", f"{card} was reserved twice")
                self.must(
                    said["card_number"] not in self._numbers, "INV-9", f"{said['card_number']} was given out twice"
                )
                self._numbers.add(said["card_number"])
                book.reserved.append(card)
                book.coming, book.stage = card, "work"
            case "card-produced":
                self.must((card, "work") == (book.coming, book.stage), "INV-16", f"{card} was produced twice")
                book.stage = "good"
            case "card-spoiled":
                self.must(
                    (card, "work") == (book.coming, book.stage), "INV-16", f"{card} was spoiled while {book.stage}"
                )
                book.stage = "waiting"
            case "card-arrived":
                self.must((card, "good") == (book.coming, book.stage), "INV-16", f"{card} arrived while {book.stage}")
                book.stage, book.outlet = "outlet", said["outlet"]
            case "card-unclaimed":
                self.must(
                    (card, "outlet") == (book.coming, book.stage), "INV-16", f"{card} unclaimed while {book.stage}"
                )
                book.order, book.stage = None, ""
            case "card-handed-over":
                self.must(card not in book.handed, "INV-9", f"{card} was handed over twice")
                self.must(
                    (card, "outlet") == (book.coming, book.stage), "INV-9", f"{card} handed over while {book.stage}"
                )
                book.handed.add(card)
                book.stage = "hand"
            case "card-activated":
                self.must(not book.live, "INV-7", f"{card} works beside {book.live}")
                self.must((card, "hand") == (book.coming, book.stage), "INV-9", f"{card} works while {book.stage}")
                book.live, book.order, book.stage = card, None, ""
            case "card-replaced":
                self.must(
                    book.live == said["old_card_id"], "INV-9", f"{card} replaces {said['old_card_id']}, not {book.live}"
                )
                self.must((card, "hand") == (book.coming, book.stage), "INV-9", f"{card} works while {book.stage}")
                book.ended.add(said["old_card_id"])
                book.live, book.order, book.stage = card, None, ""
            case "card-cancelled":
                self.must(card == book.live, "INV-7", f"{card} was cancelled, while {book.live} counts")
                book.ended.add(card)
                book.live, book.order, book.stage = "", None, ""
            case "card-expired":
                self.must(card == book.live, "INV-9", f"{card} expired, while {book.live} counts")

    # --- the way between services ---

    def marked(self, service: str, moved: Mapping[int, tuple[int, int]]) -> None:
        for shard, (old, new) in moved.items():
            for sequence in range(old + 1, new + 1):
                sent = f"{service}/{shard}/{sequence}" in self.world.post.taken
                self.must(sent, "nothing is lost", f"{service}/{shard}/{sequence} is marked as sent and was not")

    def read(self, service: str, reader: str, before: Memory, after: Memory) -> None:
        """A page was written: whatever it counts as handled must have been done, in order and once."""
        for parked in after.parked - before.parked:
            self.must(False, "nothing is lost", f"{service} has parked {parked}: nothing here is poison")
        if reader != "city":
            return
        for (origin, shard), sequence in after.seen.items():
            first = before.seen.get((origin, shard), 0)
            for row in self.world.stores[origin].outbox_of(shard)[first:sequence]:
                message = Message.of(origin, row)
                for command_id in self.reactions[service](message):
                    known = self.world.stores[service].knows(command_id)
                    self.must(known, "nothing is lost", f"{service} has read {message.id} ({row.type}) and not reacted")
            if service == "issuance" and origin == "loss" and sequence > first:
                self._compare_stops(shard, first, sequence)

    @staticmethod
    def _ended(stretches: list[Told], of: str, functions: Sequence[str], at: datetime) -> list[Told]:
        """What was told of these functions of a card, or of all if none is named, holds until now at the latest."""
        return [
            (card, function, from_, min(until or at, at))
            if card == of and (not functions or function in functions)
            else (card, function, from_, until)
            for card, function, from_, until in stretches
        ]

    def _compare_stops(self, shard: int, first: int, sequence: int) -> None:
        """INV-8: what issuance knows of stops against all that the loss desk has told it."""
        rows = self.world.stores["loss"].outbox_of(shard)[:sequence]
        changed = {row.key for row in rows[first:] if row.type in ("loss.CardStopped.v1", "loss.CardWoken.v1")}
        for holding in sorted(changed):
            told = [(row, json.loads(row.data)) for row in rows if row.key == holding]
            stretches: list[Told] = []
            for row, said in told:
                if row.type == "loss.CardStopped.v1":
                    until, at = moment_of(said["until"]) if said["until"] else None, moment_of(said["at"])
                    functions = [one["function"] for one in said["functions"]]
                    stretches = self._ended(stretches, said["card_id"], functions, at)
                    stretches += [
                        (said["card_id"], one["function"], moment_of(one["from_at"]), until)
                        for one in said["functions"]
                    ]
                elif row.type == "loss.CardWoken.v1":
                    at = moment_of(said["at"])
                    stretches = self._ended(stretches, said["card_id"], said["functions"], at)
                    stretches += [
                        (said["card_id"], one["function"], at, moment_of(one["from_at"])) for one in said["cooling"]
                    ]
            known = [
                (row["card_id"], row["function"], row["from_at"], row["until"])
                for row in self.world.rows["issuance"].tables.get("stop", {}).values()
                if row["card_id"].startswith(holding)
            ]
            same = sorted(known, key=str) == sorted(stretches, key=str)
            self.must(same, "INV-8", f"issuance refuses {holding} by {known}, the loss desk has told {stretches}")

    # --- the world outside ---

    def telephone_rang(self, notice_id: str) -> None:
        self.rung[notice_id] += 1
        self.must(self.rung[notice_id] == 1, "INV-13", f"{notice_id} has rung {self.rung[notice_id]} times")

    def acknowledged(self, service: str, command_id: UUID, act: str) -> None:
        """Somebody was told that it is done: it is in the store, now and for ever."""
        known = self.world.stores[service].knows(command_id)
        self.must(known, "nothing is lost", f"{act} ({command_id}) was acknowledged, and {service} does not know it")


def reactions_of(service: Any) -> Callable[[Message], Iterable[UUID]]:
    """The ids of the commands that a service must have given once it has read a message."""
    contracts = {contract.type_name(): contract for contract in service.hears}
    heard: dict[type, list[Any]] = defaultdict(list)
    for reaction in service.reactions:
        told = next(iter(reaction.__annotations__.values()))
        heard[told].append(reaction)

    def ids(message: Message) -> Iterable[UUID]:
        contract = contracts.get(message.type)
        if contract is None or contract not in heard:
            return
        told = contract.model_validate_json(message.data)
        for reaction in heard[contract]:
            for nth, _command in enumerate(reaction(told)):
                yield derived(reaction.__name__, message.id, nth)

    return ids
