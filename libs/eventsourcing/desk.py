"""Where commands are handled: fold, ask, decide, append – and answer the same when asked the same again."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from libs.eventsourcing.codec import Codec, Upcast, members
from libs.eventsourcing.store import (
    Append,
    Appended,
    Conflict,
    Declined,
    NewDue,
    NewFact,
    NewMessage,
    Outcome,
    Recorded,
    Replayed,
    Store,
)
from libs.eventsourcing.wholesale import append_many, read_many
from libs.kernel.clocks import Clock, to_the_millisecond
from libs.kernel.decider import Decider
from libs.kernel.foureyes import NOBODY, Hand
from libs.kernel.ids import derived
from libs.kernel.outages import Outage, OutcomeUnknown
from libs.kernel.refusals import Refused, Unfit, refusal_code

S = TypeVar("S")

ATTEMPTS_MAX = 20
CACHE_MAX = 20_000

_META = ("actor", "channel", "reason", "city", "bylaws", "correlation", "causation", "trace")
_as_json = json.JSONEncoder(ensure_ascii=False).encode


class KeyReused(Unfit):
    """This Idempotency-Key was used before with another request; send a new request under a new key."""


class StaleView(Refused):
    """This has changed since you last looked (you saw version {seen}, it stands at {now}); look again, then decide."""

    status = 412


class Contract(Protocol):
    """A message as the rest of the city reads it."""

    @classmethod
    def type_name(cls) -> str: ...

    def model_dump_json(self) -> str: ...


class BorrowedHand(Exception):
    """A bug: somebody's act was about to be written down as another's; each acts under an order of their own."""


def _itself(key: str) -> str:
    return key


def _to_nobody(_state: Any) -> Mapping[str, str]:
    return {}


def _in_no_books(_facts: Sequence[Any], _after: Any) -> Any:
    return None


def _never(declined: Declined) -> Refused:
    raise AssertionError(f"who keeps no books is never declined: {declined}")


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """One kind of stream, and all the shell needs to know about it.

    `commands` and `facts` are the unions that the decider reads; `key` names the stream's own id in a command;
    `routing_key` turns that id into the key by which the log is sharded; `tell` says what is published of a fact;
    `belongs` says which `outlet`, `department` or `person` a record is of, for those who decide who may touch it;
    `book` says what these facts, and the state after them, mean in the service's books, and `refusal_of` how the city
    says no when the books do not bear it.
    """

    category: str
    decider: Decider[Any, S, Any]
    commands: Any
    facts: Any
    key: Callable[[Any], str]
    tell: Callable[[Any], Contract | None]
    routing_key: Callable[[str], str] = _itself
    belongs: Callable[[S], Mapping[str, str]] = _to_nobody
    upcasts: Mapping[str, Upcast] = field(default_factory=dict)
    book: Callable[[Sequence[Any], S], Any] = _in_no_books
    refusal_of: Callable[[Declined], Refused] = _never

    def stream(self, key: str) -> str:
        return f"{self.category}-{key}"


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks, through which channel, why, and under which command id; it is stored beside the facts (INV-13).

    `hand` is the person who acts, and nobody where a timer, a reaction or a feed does;
    `expected` is the version that the caller saw (If-Match); `guard` refuses callers who may not touch this state;
    `remember_refusal` keeps a refusal as the command's answer, as callers need who cannot be told.
    """

    command_id: UUID
    actor: str
    channel: str
    reason: str = ""
    city: str = ""
    bylaws: str = ""
    correlation: str = ""
    causation: str = ""
    trace: str = ""
    fingerprint: bytes = b""
    hand: Hand = NOBODY
    expected: int | None = None
    guard: Callable[[Any], None] | None = None
    remember_refusal: bool = False

    def meta(self) -> str:
        return _meta(
            self.actor,
            self.channel,
            self.reason,
            self.city,
            self.bylaws,
            self.correlation,
            self.causation,
            self.trace,
        )


@lru_cache(maxsize=100)  # All rows of a roll are ordered in the same words.
def _meta(*texts: str) -> str:
    return _as_json({name: text for name, text in zip(_META, texts, strict=True) if text})


@dataclass(frozen=True, slots=True)
class Standing(Generic[S]):
    """How a stream stands: its state, its version, and when its last fact took effect."""

    state: S
    version: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Receipt(Generic[S]):
    """What a command came to. The answer to the caller is made from `state` alone, so a replay answers the same.

    `state` and `version` are those right after the command; `refusal` is the code of a remembered refusal.
    """

    state: S
    version: int
    replayed: bool = False
    refusal: str = ""


Ask = Callable[[S, datetime], Any]


class Desk(Generic[S]):
    """Handles the commands of one aggregate.

    A cached state may only say yes, for the append checks its version; a no is never said, and nothing is called done
    already, without a fresh look.
    """

    def __init__(self, aggregate: Aggregate[S], store: Store, city: Clock, codec: Codec | None = None) -> None:
        self.aggregate = aggregate
        self._store, self._city = store, city
        self._codec = codec or codec_of([aggregate])
        self._cache: OrderedDict[str, Standing[S]] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def standing(self, key: str) -> Standing[S]:
        """How this stream stands now, everywhere."""
        stream = self.aggregate.stream(key)
        known = self._cache.get(stream) or Standing(self.aggregate.decider.initial, 0, None)
        return self._keep(stream, await self._caught_up(stream, known))

    async def standings(self, keys: Sequence[str]) -> Sequence[Standing[S]]:
        """How many streams stand now, asked together."""
        return [self._folded(rows) for rows in await read_many(self._store, [self.aggregate.stream(k) for k in keys])]

    async def story(self, key: str) -> Sequence[tuple[Any, Recorded]]:
        """Every fact of this stream in order, with what was written down beside it."""
        rows = await self._store.read(self.aggregate.stream(key))
        return [(self._codec.read(row.name, row.data), row) for row in rows]

    async def handle(self, key: str, ask: Ask[S], order: Order) -> Receipt[S]:
        """Decide and store what `ask(state, at)` wants; `ask` may be asynchronous and is asked anew after a conflict.

        Raises Refused (nothing has happened), OutcomeUnknown (repeat under the same command id) or Outage (repeat).
        """
        stream = self.aggregate.stream(key)
        async with self._turn(stream):
            fresh = False
            for _ in range(ATTEMPTS_MAX):
                standing = None if fresh else self._cache.get(stream)
                fresh = standing is None
                standing = standing or await self.standing(key)
                try:
                    wanted, after = await self._decide(stream, key, standing, ask, order)
                except Refused as refused:
                    if not fresh:
                        fresh = True
                        continue
                    if done := await self._store.find(order.command_id):
                        return await self._replay(stream, done, order)
                    if not order.remember_refusal:
                        raise
                    remembered = refusal_code(type(refused))
                    at = self._moment(standing)
                    wanted, after = self._left(stream, key, standing, order, at, refusal=remembered), standing
                if not wanted.facts and not fresh:
                    fresh = True
                    continue
                outcome = await self._append(wanted)
                if isinstance(outcome, Declined):
                    no = self.aggregate.refusal_of(outcome)
                    if not order.remember_refusal:
                        raise no
                    remembered, at = refusal_code(type(no)), wanted.effective_at
                    wanted, after = self._left(stream, key, standing, order, at, refusal=remembered), standing
                    outcome = await self._append(wanted)
                match outcome:
                    case Appended():
                        self._keep(stream, after)
                        return Receipt(after.state, after.version, refusal=wanted.refusal)
                    case Replayed():
                        return await self._replay(stream, outcome, order)
                    case Conflict():
                        fresh = True
                    case Declined():
                        raise AssertionError(f"nothing was to be booked: {outcome}")
        raise Outage("too many others are changing the same record at this moment")

    async def handle_many(self, wishes: Sequence[tuple[str, Ask[S], Order]]) -> Sequence[bool]:
        """Decide and store many at once, each judged alone; says of each whether it is done.

        Whatever is not plain sailing – a refusal, a conflict, a stream that comes twice – is left undone, and is to be
        handled alone. Raises OutcomeUnknown or Outage (repeat).
        """
        first = {self.aggregate.stream(key): nth for nth, (key, _, _) in reversed(list(enumerate(wishes)))}
        read = dict(zip(first, await read_many(self._store, list(first)), strict=True))
        batch: dict[int, Append] = {}
        for stream, nth in first.items():
            key, ask, order = wishes[nth]
            try:
                batch[nth], _ = await self._decide(stream, key, self._folded(read[stream]), ask, order, together=True)
            except Refused:
                continue
        done = [False] * len(wishes)
        for nth, outcome in zip(batch, await append_many(self._store, list(batch.values())), strict=True):
            done[nth] = isinstance(outcome, Appended)
            self._cache.pop(batch[nth].stream, None)
        return done

    def _folded(self, rows: Sequence[Recorded]) -> Standing[S]:
        known = Standing(self.aggregate.decider.initial, 0, None)
        if not rows:
            return known
        state = self.aggregate.decider.fold(self._codec.read(row.name, row.data) for row in rows)
        return Standing(state, rows[-1].version, rows[-1].effective_at)

    async def _append(self, wanted: Append) -> Outcome:
        """Ask until the outcome is known; while it is not, no outage may tell the caller that nothing was done."""
        lost: OutcomeUnknown | None = None
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await self._store.append(wanted)
            except OutcomeUnknown as unknown:
                lost = unknown
                await asyncio.sleep(min(0.05 * 2**attempt, 1.0))
            except Outage as away:
                if lost is None:
                    raise
                raise lost from away
        raise lost or AssertionError("unreachable")

    async def _decide(
        self, stream: str, key: str, standing: Standing[S], ask: Ask[S], order: Order, together: bool = False
    ) -> tuple[Append, Standing[S]]:
        decider = self.aggregate.decider
        if order.guard is not None:
            order.guard(standing.state)
        if order.expected is not None and order.expected != standing.version:
            raise StaleView(seen=order.expected, now=standing.version)
        at = self._moment(standing)
        command = ask(standing.state, at)
        if hasattr(command, "__await__"):
            command = await command
        if (by := getattr(command, "by", order.hand)) != order.hand:
            raise BorrowedHand(f"{type(command).__name__} by {by!r} came under an order of {order.hand!r}")
        facts = decider.decide(command, standing.state)
        told = [(nth, message) for nth, fact in enumerate(facts) if (message := self.aggregate.tell(fact))]
        dues = [due for fact in facts for due in decider.due(fact)]
        if together and self.aggregate.book is _in_no_books:
            after = standing  # Nobody asks how it stands afterwards.
        else:
            after = Standing(
                decider.fold(facts, standing.state), standing.version + len(facts), at if facts else standing.last_at
            )
        wanted = self._left(
            stream,
            key,
            standing,
            order,
            at,
            facts=[NewFact(*self._codec.write(fact)) for fact in facts],
            messages=[NewMessage(nth, message.type_name(), message.model_dump_json()) for nth, message in told],
            dues=[
                NewDue(derived(order.command_id, nth), due.at, *self._codec.write(due.command))
                for nth, due in enumerate(dues)
            ],
            booking=self.aggregate.book(facts, after.state) if facts else None,
        )
        return wanted, after

    def _left(self, stream: str, key: str, standing: Standing[S], order: Order, at: datetime, **left: Any) -> Append:
        """What this command leaves behind."""
        return Append(
            command_id=order.command_id,
            stream=stream,
            routing_key=self.aggregate.routing_key(key),
            expected=standing.version,
            effective_at=at,
            meta=order.meta(),
            trace=order.trace,
            fingerprint=order.fingerprint,
            **left,
        )

    def _moment(self, standing: Standing[S]) -> datetime:
        """Now, in city time; never before the stream's last fact."""
        now = to_the_millisecond(self._city.now())
        return now if standing.last_at is None else max(now, standing.last_at)

    async def _replay(self, stream: str, done: Replayed, order: Order) -> Receipt[S]:
        """The same answer as the first time: the state as it was right after the command."""
        if done.fingerprint != order.fingerprint or done.stream != stream:
            raise KeyReused
        facts = [row for row in await self._store.read(stream) if row.version <= done.version]
        state = self.aggregate.decider.fold(self._codec.read(row.name, row.data) for row in facts)
        return Receipt(state, done.version, replayed=True, refusal=done.refusal)

    async def _caught_up(self, stream: str, known: Standing[S]) -> Standing[S]:
        rows = await self._store.read(stream, after=known.version)
        if not rows:
            return known
        state = self.aggregate.decider.fold((self._codec.read(row.name, row.data) for row in rows), known.state)
        return Standing(state, rows[-1].version, rows[-1].effective_at)

    def _keep(self, stream: str, standing: Standing[S]) -> Standing[S]:
        if standing.version:
            self._cache[stream] = standing
            self._cache.move_to_end(stream)
            if len(self._cache) > CACHE_MAX:
                self._cache.popitem(last=False)
        return standing

    def _turn(self, stream: str) -> asyncio.Lock:
        """One at a time per stream in this process, for waiting is cheaper than a conflict."""
        turn = self._turns.get(stream)
        if turn is None:
            turn = self._turns[stream] = asyncio.Lock()
        return turn


def codec_of(aggregates: Sequence[Aggregate[Any]]) -> Codec:
    """Reads and writes every fact and command of these aggregates."""
    classes = [cls for a in aggregates for union in (a.facts, a.commands) for cls in members(union)]
    upcasts = {name: upcast for a in aggregates for name, upcast in a.upcasts.items()}
    return Codec(classes, upcasts)
