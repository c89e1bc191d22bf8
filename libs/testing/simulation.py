"""A world that misbehaves by seed: processes that die, lines that break, letters that come twice, late or too early.

Nothing here knows what the services are about. `World` owns what survives – stores, read models, notebooks, the log –
and `Process` is what does not: a house whose every way to the outside is one of the lines below.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Table

from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import (
    Append,
    Declined,
    Doorbell,
    DueCommand,
    Outcome,
    Outgoing,
    Recorded,
    Replayed,
    Store,
)
from libs.kernel import Outage, OutcomeUnknown, Sealed
from libs.kernel.clocks import Clock
from libs.ledger import entry as books
from libs.ledger.entry import Audit, Balance, Booked, Ledger, Posted, Standing
from libs.ledger.memory import MemoryLedger
from libs.messaging.bus import Bus, Feed, Letter, Slot, partition_of
from libs.messaging.inlet import Inlet
from libs.messaging.memory import MemoryBus
from libs.messaging.message import Message
from libs.messaging.notebook import Memory, MemoryNotebook, Notebook, Page, Parked
from libs.messaging.readmodel import MemoryRows, Row, Rows
from libs.runtime.citytime import CityTime
from libs.runtime.house import IDLE_S, TIMER_LOOK_S, Household
from libs.runtime.platform import Platform
from libs.runtime.service import Service
from libs.runtime.worker import Worker
from libs.testing.loop import OWNER, Mortal, SeededLoop
from libs.vault.port import Vault

T = TypeVar("T")


class Violation(AssertionError):
    """Something was seen that must never be; the text says what."""


class Gone(Exception):
    """The process died, or answered too late, and whoever had asked cannot know what was done."""


@dataclass(frozen=True)
class Swarm:
    """How bad the world is: every seed draws its own figures, so that each kind of fault is often alone or absent.

    Times are seconds of machine time; `…_every_s` is a mean, and 0 means never. Rates are chances per act.
    """

    processes: int
    """How many processes there are."""
    twins: bool
    """Whether every process runs every service, so that each service has two of everything at once."""
    latency_s: float
    """The longest that a line takes; 0 lets others in without time passing."""
    crash_every_s: float
    dead_for_s: float
    cut_every_s: float
    cut_for_s: float
    blink_rate: float
    """A line fails once, before anything is done."""
    unknown_rate: float
    """A write is answered by nobody, done or not."""
    double_rate: float
    late_rate: float
    late_for_s: float
    lateness_s: float
    """The longest that a timer strikes late."""
    patience_s: float
    """How long a client waits for an answer before she asks again."""
    leap_every_s: float
    forgetful_provider: bool
    """Whether the outside world does not know a request by its id when it comes twice."""
    stumble_rate: float
    """A page is undone by an error that is no outage, such as a deadlock that the database resolves."""

    @classmethod
    def drawn(cls, dice: Random) -> "Swarm":
        def rate(*choices: float) -> float:
            return dice.choice((0.0, *choices)) * dice.uniform(0.5, 1.5)

        twins, forgetful = dice.random() < 0.5, dice.random() < 0.4
        return cls(
            processes=dice.choice((2, 2, 3)) if twins else dice.choice((1, 2, 4)),
            twins=twins,
            latency_s=rate(0.002, 0.02, 0.1),
            crash_every_s=rate(1.0, 3.0, 8.0),
            dead_for_s=rate(0.05, 0.5, 3.0),
            cut_every_s=rate(1.0, 4.0),
            cut_for_s=rate(0.3, 2.0),
            blink_rate=rate(0.003, 0.02, 0.08),
            unknown_rate=rate(0.01, 0.05, 0.2),
            double_rate=rate(0.02, 0.2, 0.5),
            late_rate=rate(0.02, 0.1, 0.3),
            late_for_s=dice.uniform(0.1, 3.0),
            lateness_s=rate(0.01, 0.3),
            patience_s=dice.choice((0.2, 1.0, 5.0)),
            leap_every_s=dice.choice((0.5, 1.0, 2.0)),
            forgetful_provider=forgetful,
            stumble_rate=rate(0.02, 0.2),
        )

    def __str__(self) -> str:
        told = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(
            f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}" for name, value in told
        )


class MachineTime:
    """The machine's clock of a simulated world: the loop's."""

    def __init__(self, begins: datetime) -> None:
        self._begins = begins

    def now(self) -> datetime:
        return self._begins + timedelta(seconds=asyncio.get_running_loop().time())


class Witness:
    """Whoever must see everything as it happens; nobody can run between the act and the look."""

    def appended(self, service: str, wanted: Append, outcome: Outcome, facts: Sequence[Recorded]) -> None:
        """A store has answered an append; `facts` are those that it has just written."""

    def marked(self, service: str, moved: Mapping[int, tuple[int, int]]) -> None:
        """A relay's marks have moved."""

    def read(self, service: str, reader: str, before: Memory, after: Memory) -> None:
        """A reader has written a page: what it remembered before and what it remembers now."""


class WatchedStore(MemoryStore):
    """A store that shows every append to the witness in the instant in which it is done."""

    def __init__(self, service: str, machine: Clock, witness: Witness) -> None:
        super().__init__(machine)
        self.service, self._witness = service, witness

    async def append(self, wanted: Append) -> Outcome:
        before = len(self._streams.get(wanted.stream, ()))
        outcome = await super().append(wanted)
        facts = self._streams.get(wanted.stream, [])
        # While this append waited for its turn others may have written; what is new of its own are its last facts.
        new = facts[len(facts) - len(wanted.facts) :] if wanted.facts and len(facts) > before else []
        self._witness.appended(self.service, wanted, outcome, new if type(outcome).__name__ == "Appended" else [])
        return outcome

    async def mark(self, moved: Mapping[int, tuple[int, int]]) -> bool:
        done = await super().mark(moved)
        if done:
            self._witness.marked(self.service, moved)
        return done

    # What the oracle may look at without being let in as a client.

    def knows(self, command_id: UUID) -> bool:
        return command_id in self._commands

    def stream(self, stream: str) -> Sequence[Recorded]:
        return self._streams.get(stream, [])

    def streams(self) -> Sequence[str]:
        return list(self._streams)

    def outbox_of(self, shard: int) -> Sequence[Outgoing]:
        return self._outbox[shard]

    def pending(self) -> Sequence[DueCommand]:
        return list(self._dues.values())


class WatchedLedger(WatchedStore, MemoryLedger):
    """The same for a store that keeps books: what was booked is seen with the facts that it was booked with."""


class WatchedNotebook(MemoryNotebook):
    """A notebook that shows every page to the witness in the instant in which it is written."""

    def __init__(self, service: str, rows: MemoryRows, witness: Witness) -> None:
        super().__init__(rows)
        self._service, self._witness = service, witness

    @asynccontextmanager
    async def page(self, reader: str) -> AsyncIterator[Any]:
        before = await self.load(reader)
        async with super().page(reader) as page:
            yield page
        self._witness.read(self._service, reader, before, await self.load(reader))


class Post:
    """The log's own people: they deliver everything, but some of it twice, late, or in the wrong order."""

    def __init__(self, world: "World") -> None:
        self.bus, self._world = MemoryBus(), world
        self.taken: set[str] = set()
        self.under_way = 0

    def take(self, topic: str, message: Message) -> None:
        """From here on this message will arrive, whoever dies."""
        swarm, dice = self._world.swarm, self._world.dice
        self.taken.add(message.id)
        copies = 1 + (dice.random() < swarm.double_rate if self._world.stormy else 0)
        for _ in range(copies):
            if self._world.stormy and dice.random() < swarm.late_rate:
                self._world.count("late letter")
                self.under_way += 1
                delay_s = dice.uniform(0, swarm.late_for_s)
                self._world.loop.call_later(delay_s, self._deliver_late, topic, message, context=self._world.context)
            else:
                self._deliver(topic, message)
        if copies > 1:
            self._world.count("double letter")

    def _deliver_late(self, topic: str, message: Message) -> None:
        self.under_way -= 1
        self._deliver(topic, message)
        self.bus.bell.ring()

    def _deliver(self, topic: str, message: Message) -> None:
        slot = (topic, partition_of(message))
        self.bus.slots[slot].append(Letter(slot, len(self.bus.slots[slot]), message))


class Line:
    """The way from one process to one thing outside it; it takes its time, and it breaks."""

    def __init__(self, process: "Process", to: str) -> None:
        self._process, self._to, self._world = process, to, process.world

    async def way(self) -> None:
        """Let others in, and perhaps never arrive. Raises Outage: nothing was done."""
        world = self._world
        if world.stormy and world.swarm.latency_s:
            await asyncio.sleep(world.dice.random() ** 3 * world.swarm.latency_s)
        else:
            await asyncio.sleep(0)
        if world.is_cut(self._process, self._to):
            raise Outage(f"{self._to} is away")
        if world.stormy and world.dice.random() < world.swarm.blink_rate:
            world.count("outage")
            raise Outage(f"{self._to} did not answer")

    def lost(self) -> bool:
        """Whether nobody will hear the answer."""
        if self._world.stormy and self._world.dice.random() < self._world.swarm.unknown_rate:
            self._world.count("answer lost")
            return True
        return False

    def happens_all_the_same(self) -> bool:
        return self._world.dice.random() < 0.5

    async def write(self, act: Callable[[], Awaitable[T]], unknown: type[Outage] = Outage) -> T:
        """Do something whose answer may be lost, with the thing done or not."""
        await self.way()
        if not self.lost():
            return await act()
        if self.happens_all_the_same():
            await act()
        raise unknown(f"{self._to} was lost on the way")


class StoreLine(Line):
    """`Store` at the other end of a line; its bell rings for this process's own appends only."""

    def __init__(self, process: "Process", store: Store, to: str) -> None:
        super().__init__(process, to)
        self._store, self._bell = store, Doorbell()

    async def append(self, wanted: Append) -> Outcome:
        outcome = await self.write(lambda: self._store.append(wanted), OutcomeUnknown)
        self._bell.ring()
        return outcome

    async def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        await self.way()
        return await self._store.read(stream, after)

    async def find(self, command_id: UUID) -> Replayed | None:
        await self.way()
        return await self._store.find(command_id)

    async def log(self, shard: int, after: int, limit: int) -> Sequence[Recorded]:
        await self.way()
        return await self._store.log(shard, after, limit)

    async def outbox(
        self, after: Mapping[int, int], limit: int, types: Collection[str] | None = None
    ) -> Sequence[Outgoing]:
        await self.way()
        return await self._store.outbox(after, limit, types)

    async def ends(self) -> Mapping[int, int]:
        await self.way()
        return await self._store.ends()

    async def heads(self, after: Mapping[int, int]) -> Mapping[int, datetime]:
        await self.way()
        return await self._store.heads(after)

    async def due(self, now: datetime, limit: int) -> Sequence[DueCommand]:
        await self.way()
        return await self._store.due(now, limit)

    async def next_due(self) -> datetime | None:
        await self.way()
        return await self._store.next_due()

    async def settle(self, due_id: UUID) -> None:
        await self.write(lambda: self._store.settle(due_id))

    async def postpone(self, due_id: UUID, error: str, park: bool) -> None:
        self._world.note(self._process.name, f"postpones: {error}")
        await self.write(lambda: self._store.postpone(due_id, error, park))

    async def redrive(self) -> int:
        return await self.write(self._store.redrive)

    async def parked(self) -> Sequence[DueCommand]:
        await self.way()
        return await self._store.parked()

    async def marks(self) -> Mapping[int, int]:
        await self.way()
        return await self._store.marks()

    async def mark(self, moved: Mapping[int, tuple[int, int]]) -> bool:
        return await self.write(lambda: self._store.mark(moved))

    def on_append(self, wake: Callable[[], None]) -> None:
        self._bell.add(wake)


class LedgerLine(StoreLine):
    """`Ledger` at the other end of a line."""

    def __init__(self, process: "Process", ledger: Ledger, to: str) -> None:
        super().__init__(process, ledger, to)
        self._ledger = ledger

    async def post(self, wanted: books.Post) -> Posted | Declined:
        return await self.write(lambda: self._ledger.post(wanted), OutcomeUnknown)

    async def balances(self, accounts: Sequence[str]) -> Mapping[str, Balance]:
        await self.way()
        return await self._ledger.balances(accounts)

    async def standing(self, account: str) -> Standing | None:
        await self.way()
        return await self._ledger.standing(account)

    async def statement(self, account: str, after: tuple[int, int] = (-1, 0), limit: int = 100) -> Sequence[books.Line]:
        await self.way()
        return await self._ledger.statement(account, after, limit)

    async def journal(self, shard: int, after: int, limit: int) -> Sequence[Booked]:
        await self.way()
        return await self._ledger.journal(shard, after, limit)

    async def fold(self, limit: int) -> int:
        return await self.write(lambda: self._ledger.fold(limit))

    async def audit(self) -> Audit:
        await self.way()
        return await self._ledger.audit()

    async def audit_after(self, marks: Mapping[int, int], suspects: Sequence[str], limit: int) -> Audit:
        await self.way()
        return await self._ledger.audit_after(marks, suspects, limit)


class BusLine(Line):
    """`Bus` at the other end of a line."""

    def __init__(self, process: "Process", post: Post) -> None:
        super().__init__(process, "the log")
        self._post = post

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """As the real one: an Outage may come when some have been taken already."""
        await self.way()
        lost = self.lost()
        count = self._world.dice.randint(0, len(messages)) if lost else len(messages)
        for message in messages[:count]:
            self._post.take(topic, message)
        self._post.bus.bell.ring()
        if lost:
            raise Outage("the log broke off")

    def feed(self, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None) -> Feed:
        return FeedLine(self._process, self._post.bus.feed(group, topics, heeds))

    def inlet(self, group: str, inlet: Inlet) -> None:
        return None

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        await self.way()
        return await self._post.bus.ends(topics)

    async def forget(self, topic: str) -> None:
        await self._post.bus.forget(topic)

    async def close(self) -> None:
        return


class FeedLine(Line):
    """`Feed` at the other end of a line; it hands out letters in an order that no hash decides."""

    leaves_out = False

    def __init__(self, process: "Process", feed: Feed) -> None:
        super().__init__(process, "the log")
        self._feed = feed

    async def slots(self) -> frozenset[Slot]:
        return await self._feed.slots()

    async def fetch(self, positions: Mapping[Slot, int], limit: int) -> Sequence[Letter]:
        await self.way()
        world = self._world
        few = world.dice.randint(1, 20) if world.stormy and world.dice.random() < 0.3 else limit
        return await self._feed.fetch(dict(sorted(positions.items())), min(limit, few))

    async def wait(self, timeout_s: float) -> None:
        await self._feed.wait(timeout_s)

    async def ends(self) -> Mapping[Slot, int]:
        await self.way()
        return await self._feed.ends()

    async def close(self) -> None:
        await self._feed.close()


class RowsLine(Line):
    """`Rows` at the other end of a line."""

    def __init__(self, process: "Process", rows: Rows, to: str) -> None:
        super().__init__(process, to)
        self._rows = rows

    async def one(self, table: Table, **where: object) -> Row | None:
        await self.way()
        return await self._rows.one(table, **where)

    async def many(
        self, table: Table, order_by: str, limit: int = 100, descending: bool = False, **where: object
    ) -> Sequence[Row]:
        await self.way()
        return await self._rows.many(table, order_by, limit, descending, **where)

    async def among(self, table: Table, column: str, values: Sequence[object]) -> Sequence[Row]:
        await self.way()
        return await self._rows.among(table, column, values)


class NotebookLine(Line):
    """`Notebook` at the other end of a line; a page whose answer is lost was written whole or not at all."""

    def __init__(self, process: "Process", notebook: Notebook, to: str) -> None:
        super().__init__(process, to)
        self._notebook = notebook

    async def load(self, reader: str) -> Memory:
        await self.way()
        return await self._notebook.load(reader)

    async def parked(self, reader: str) -> Sequence[Parked]:
        await self.way()
        return await self._notebook.parked(reader)

    @asynccontextmanager
    async def page(self, reader: str) -> AsyncIterator[Page]:
        await self.way()
        lost = self.lost()
        async with self._notebook.page(reader) as page:
            yield page
            if lost and not self.happens_all_the_same():
                raise Outage("the page was lost before it was written")
            if self._world.stormy and self._world.dice.random() < self._world.swarm.stumble_rate:
                self._world.count("page undone")
                raise RuntimeError("deadlock detected")
        if lost:
            raise Outage("the page was written, but nobody said so")


class VaultLine(Line):
    """`Vault` at the other end of a line."""

    def __init__(self, process: "Process", vault: Vault) -> None:
        super().__init__(process, "the vault")
        self._vault = vault

    async def seal(self, person: str, field: str, text: str) -> Sealed:
        await self.way()
        return await self._vault.seal(person, field, text)

    async def open(self, person: str, field: str, sealed: Sealed) -> str:
        await self.way()
        return await self._vault.open(person, field, sealed)

    async def claim(self, kind: str, text: str, person: str) -> str:
        return await self.write(lambda: self._vault.claim(kind, text, person))

    async def find(self, kind: str, text: str) -> str | None:
        await self.way()
        return await self._vault.find(kind, text)

    async def keep(self, person: str, name: str, content: bytes) -> str:
        return await self.write(lambda: self._vault.keep(person, name, content))

    async def fetch(self, person: str, reference: str) -> bytes:
        await self.way()
        return await self._vault.fetch(person, reference)

    async def erase(self, person: str) -> None:
        await self.write(lambda: self._vault.erase(person))


class Crew:
    """Those who work for the services of one process, as `House` employs them; nobody here keeps figures."""

    def __init__(self, platform: Platform, services: Sequence[Service]) -> None:
        self.services = list(services)
        self._homes = [Household(platform, service) for service in services]
        self.workers: list[Worker] = []

    def start(self) -> None:
        for home in self._homes:
            name = home.service.name
            wait = partial(home.wait_for_work, TIMER_LOOK_S)
            self.workers += [
                Worker(f"{name} relay", home.relay.step, home.relay.wait),
                Worker(f"{name} timer", home.timer.step, wait),
                *(Worker(f"{name} {one.name}", one.step, partial(one.wait, IDLE_S)) for one in home.readers),
            ]


class Process(Mortal):
    """A house at work that may be killed at any await, and is then built anew from what the stores know."""

    def __init__(self, world: "World", name: str, services: Sequence[str]) -> None:
        super().__init__(name)
        self.world, self.services = world, list(services)
        self.city = CityTime(world.machine, world.city.ahead)
        self.crew: Crew | None = None
        self._asked: list[asyncio.Future[Any]] = []
        self.context = world.context.copy()
        self.context.run(OWNER.set, self)

    def start(self, crew: Crew) -> None:
        self.crew = crew
        self.context.run(crew.start)

    def kill(self) -> None:
        """Nothing that it was about to do is done, and nobody who waits for it gets an answer."""
        self.alive = False
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(Gone())

    async def ask(self, work: Callable[[], Coroutine[Any, Any, T]], patience_s: float) -> T:
        """Have this process do something for a caller from outside. Raises Gone, or what the work raises."""
        answer: asyncio.Future[T] = self.world.loop.create_future()
        self._asked = [asked for asked in self._asked if not asked.done()]
        self._asked.append(answer)

        async def do() -> None:
            try:
                done = await work()
            except Exception as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(done)

        self.world.loop.create_task(do(), name=f"{self.name} at the counter", context=self.context.copy())
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            raise Gone from None
        finally:
            if not answer.done():
                answer.cancel()


class World:
    """What survives every crash, and the weather in which everybody works. `stormy` ends when faults stop."""

    def __init__(self, seed: int, begins: datetime, witness: Witness) -> None:
        self.seed, self.witness = seed, witness
        self.swarm = Swarm.drawn(Random(f"swarm {seed}"))
        self.dice = Random(f"weather {seed}")
        self.loop = SeededLoop(seed, self._lateness)
        self.machine = MachineTime(begins)
        self.city = CityTime(self.machine)
        self.context: Context = copy_context()
        self.stores: dict[str, WatchedStore] = {}
        self.rows: dict[str, MemoryRows] = {}
        self.notebooks: dict[str, WatchedNotebook] = {}
        self.post = Post(self)
        self.processes: list[Process] = []
        self.stormy = True
        self.faults: Counter[str] = Counter()
        self._cut: dict[tuple[str, str], float] = {}
        self._journal: deque[tuple[float, str, str]] = deque(maxlen=400)

    def add_service(self, service: str, store: type[WatchedStore] = WatchedStore) -> None:
        self.stores[service] = store(service, self.machine, self.witness)
        self.rows[service] = MemoryRows()
        self.notebooks[service] = WatchedNotebook(service, self.rows[service], self.witness)

    def note(self, who: str, what: str) -> None:
        """Write a step into the journal, the end of which is printed when something is wrong."""
        self._journal.append((self.loop.time(), who, what))

    def journal(self, last: int = 30) -> str:
        return "\n".join(f"{at:9.4f} s  {who:<12} {what}" for at, who, what in list(self._journal)[-last:])

    def count(self, fault: str) -> None:
        self.faults[fault] += 1

    def violated(self, what: str) -> None:
        """End the run: this must never be."""
        self.note("oracle", what)
        self.loop.fail(Violation(what))

    def is_cut(self, process: Process, to: str) -> bool:
        until = self._cut.get((process.name, to))
        return until is not None and self.stormy and self.loop.time() < until

    def cut(self, process: Process, to: str, for_s: float) -> None:
        """Nothing gets from this process to that thing for a while."""
        self.count("partition")
        self.note(process.name, f"cannot reach {to} for {for_s:.2f} s")
        self._cut[process.name, to] = self.loop.time() + for_s

    async def move_city_time(self, to: datetime) -> None:
        """A leap: each process learns of it a little later, in an order of its own."""
        self.city.reach(to)
        self.count("leap of city time")
        self.note("city", f"it is {self.city.now():%Y-%m-%d %H:%M:%S.%f}")
        for process in list(self.processes):
            delay_s = self.dice.uniform(0, 0.1) if self.stormy else 0.0
            self.loop.call_later(delay_s, self._learn, process, context=self.context)

    def _learn(self, process: Process) -> None:
        process.city.ahead = max(process.city.ahead, self.city.ahead)

    def _lateness(self) -> float:
        swarm = self.swarm
        if not (self.stormy and swarm.lateness_s) or self.dice.random() > 0.1:
            return 0.0
        return self.dice.random() * swarm.lateness_s


def moment_of(text: str) -> datetime:
    """A moment as stored facts write it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def bus_of(process: Process) -> Bus:
    """The log, as this process reaches it."""
    return BusLine(process, process.world.post)
