"""The services of the city on a world that misbehaves: how they are built, killed, built again, and judged."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager as Manager
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any, ClassVar
from unittest.mock import patch

from libs.eventsourcing.codec import Codec
from libs.kernel import OutcomeUnknown
from libs.messaging.bus import topic_of
from libs.messaging.memory import MemoryBus
from libs.messaging.notebook import MemoryNotebook
from libs.messaging.reader import Reader, no_reaction
from libs.messaging.readmodel import MemoryRows
from libs.messaging.relay import OutboxFeed, Relay
from libs.runtime.citypack import CityPacks, load_packs
from libs.runtime.lease import MemoryLeases
from libs.runtime.platform import Platform
from libs.runtime.service import Listener, Service
from libs.runtime.settings import Settings
from libs.telemetry import Telemetry
from libs.testing.loop import AsleepForEver
from libs.testing.simulation import (
    BusLine,
    Crew,
    LedgerLine,
    Line,
    NotebookLine,
    Process,
    RowsLine,
    StoreLine,
    VaultLine,
    Violation,
    WatchedLedger,
    WatchedStore,
    World,
)
from libs.vault.crypto import KEY_BYTES, Key
from libs.vault.memory import MemoryVault
from libs.web.access import Access, Allowed
from services.notice.domain.naming import NoticeId
from services.notice.ports import Sent, TurnedDown
from services.simulation.oracle import Oracle, reactions_of
from services.simulation.people import People

SERVICES = ("identity", "issuance", "loss", "notice", "wallet")
KEEPS_BOOKS = ("wallet",)
BEGINS = datetime(2026, 9, 1, 1, 30, tzinfo=UTC)  # A month before the National Day holidays.
HORIZON = timedelta(days=300)  # Longer than any card is kept at an outlet, shorter than any card is valid.

Plant = Callable[["City"], Manager[Any]]


class Doors:
    """Stands where FastAPI's router does and keeps the endpoints as they are: everything behind HTTP, without HTTP."""

    def __init__(self, **_about: Any) -> None:
        self.endpoints: dict[str, tuple[Any, str]] = {}

    def get(self, _path: str, *, dependencies: Sequence[Any] = (), **_about: Any) -> Callable[[Any], Any]:
        def keep(endpoint: Any) -> Any:
            actions = [one.dependency.action for one in dependencies if isinstance(one.dependency, Allowed)]
            self.endpoints[endpoint.__name__] = (endpoint, next(iter(actions), ""))
            return endpoint

        return keep

    post = put = get


class MemoryMasterKey:
    """A master key that no file holds."""

    development_only: ClassVar[bool] = True

    def __init__(self, root: bytes) -> None:
        self._root = Key(root)

    async def wrap(self, person: str, data_key: bytes) -> str:
        raise NotImplementedError(person)

    async def unwrap(self, person: str, wrapped: str) -> bytes:
        raise NotImplementedError(person)

    async def index_key(self, kind: str) -> bytes:
        return self._root.derive("blind index", kind)


class Provider:
    """The telephone company: every send that it takes rings a telephone.

    In some worlds it knows a message by its id and rings once for it, as its port promises; in others it does not, and
    then only what notice itself remembers can keep a telephone from ringing twice.
    """

    def __init__(self, world: World, oracle: Oracle) -> None:
        self._world, self._oracle = world, oracle
        self.taken: set[str] = set()

    def send(self, notice_id: NoticeId) -> Sent | TurnedDown:
        if notice_id in self.taken and not self._world.swarm.forgetful_provider:
            return Sent()
        self.taken.add(notice_id)
        self._world.note("telephone", f"rings for {notice_id}")
        self._oracle.telephone_rang(notice_id)
        return Sent()


class SmsLine(Line):
    """The provider at the other end of a line."""

    def __init__(self, process: Process, provider: Provider) -> None:
        super().__init__(process, "the telephone company")
        self._provider = provider

    async def send(self, notice_id: NoticeId, to: str, text: str) -> Sent | TurnedDown:
        await self.way()
        if not self.lost():
            taken = self._provider.send(notice_id)
            await asyncio.sleep(0)  # The answer takes its time, and whoever waits for it may die.
            return taken
        if self.happens_all_the_same():
            self._provider.send(notice_id)
        raise OutcomeUnknown("the telephone company was lost on the way")

    async def look_up(self, notice_id: NoticeId) -> Sent | None:
        await self.way()
        return Sent() if notice_id in self._provider.taken else None


@dataclass(frozen=True)
class Run:
    """What came of one seed."""

    seed: int
    steps: int
    seconds: float
    facts: int
    commands: int
    acknowledged: int
    refused: int
    checks: int
    virtual_s: float
    faults: dict[str, int]
    trace: str
    violation: str = ""
    journal: str = ""
    swarm: str = ""


class City(World):
    """One city of one seed."""

    def __init__(self, seed: int) -> None:
        self.oracle = Oracle()
        super().__init__(seed, BEGINS, self.oracle)
        self.oracle.world = self
        for service in SERVICES:
            self.add_service(service, WatchedLedger if service in KEEPS_BOOKS else WatchedStore)
        self.randomness = Random(f"randomness {seed}").randbytes
        self.packs = packs()
        self.vault = MemoryVault(MemoryMasterKey(self.randomness(KEY_BYTES)), self.randomness, self.machine)
        self.provider = Provider(self, self.oracle)
        self.people = People(self, self.oracle)
        self.built: dict[str, Service] = {}
        self.leases: dict[str, tuple[str, float]] = {}
        self.boots = 0

    def books(self, service: str) -> WatchedLedger:
        """The store of a service that keeps books."""
        store = self.stores[service]
        assert isinstance(store, WatchedLedger)
        return store

    # --- processes ---

    def layout(self) -> list[tuple[str, list[str]]]:
        """Which process runs which services."""
        count, names = self.swarm.processes, list(SERVICES)
        homes = [list(names) if self.swarm.twins else names[nth::count] for nth in range(count)]
        return [(f"process-{nth}", home) for nth, home in enumerate(homes, 1)]

    def boot(self, name: str, services: Sequence[str]) -> Process:
        """A process as it starts: it knows nothing but what the stores know."""
        process = Process(self, name, services)
        self.boots += 1
        platform = Platform(
            settings=settings(),
            machine=self.machine,
            monotonic=self.loop.time,
            randomness=self.randomness,
            city=process.city,
            telemetry=telemetry(),
            packs=self.packs,
            vault=VaultLine(process, self.vault),
            bus=BusLine(process, self.post),
            fingerprint_key=b"k" * 32,
            store=lambda service: StoreLine(process, self.stores[service], f"the store of {service}"),
            ledger=lambda service: LedgerLine(process, self.books(service), f"the store of {service}"),
            rows=lambda service: RowsLine(process, self.rows[service], f"the store of {service}"),
            notebook=lambda service: NotebookLine(process, self.notebooks[service], f"the store of {service}"),
            leases=MemoryLeases(self.loop.time, f"{name}, boot {self.boots}", self.leases),
        )
        built = [self._build(platform, service, process) for service in services]
        process.start(Crew(platform, built))
        self.note(name, f"starts with {', '.join(services)}")
        return process

    def _build(self, platform: Platform, name: str, process: Process) -> Service:
        build = import_module(f"services.{name}.wiring").build
        given = [SmsLine(process, self.provider)] if name == "notice" else []
        service: Service = build(platform, *given)
        self.built[name] = service
        return service

    async def _misfortune(self, every_s: float, strike: Callable[[], Any]) -> None:
        while every_s and self.stormy:
            await asyncio.sleep(self.dice.expovariate(1 / every_s))
            if self.stormy:
                done = strike()
                if done is not None:
                    await done

    async def _crash(self) -> None:
        nth = self.dice.randrange(len(self.processes))
        victim = self.processes[nth]
        if not victim.alive:
            return
        self.count("crash")
        self.note(victim.name, "is killed")
        victim.kill()
        await asyncio.sleep(self.dice.random() * self.swarm.dead_for_s)
        self.processes[nth] = self.boot(victim.name, victim.services)

    def _cut_off(self) -> None:
        process = self.dice.choice(self.processes)
        things = ["the log", "the vault", "the telephone company", *(f"the store of {s}" for s in process.services)]
        self.cut(process, self.dice.choice(things), self.dice.random() * self.swarm.cut_for_s)

    async def _leap(self) -> None:
        """Minutes, days, or to the very hour at which something falls due."""
        now, dice = self.city.now(), self.dice
        store = self.stores[dice.choices(("loss", "issuance", "wallet"), (8, 1, 2))[0]]
        dues = [due.at for due in store.pending() if now < due.at < now + HORIZON]
        if dues and dice.random() < 0.6:
            hour = dice.choice(dues)
            slack_ms = dice.choice((0, 1, 20, 200)) if dice.random() < 0.7 else -dice.choice((3, 50, 300))
            await self.move_city_time(hour + timedelta(milliseconds=slack_ms))
        else:
            await self.move_city_time(now + timedelta(hours=dice.choice((0.1, 1, 5, 30, 100))))

    # --- a whole life of the city ---

    async def live(self) -> None:
        for name, services in self.layout():
            self.processes.append(self.boot(name, services))
        self.oracle.reactions = {name: reactions_of(service) for name, service in self.built.items()}
        self.oracle.look_at_desk = self._look_at_desk
        weather = [
            asyncio.create_task(self._misfortune(self.swarm.crash_every_s, self._crash)),
            asyncio.create_task(self._misfortune(self.swarm.cut_every_s, self._cut_off)),
            asyncio.create_task(self._misfortune(self.swarm.leap_every_s, self._leap)),
        ]
        await self.people.live()
        self.stormy = False
        self.note("weather", "faults stop")
        await asyncio.gather(*weather)
        for process in self.processes:
            self._learn(process)
        await self.people.come_home()
        await self._until_quiet()
        end = self.city.now() + self.people.dice.choice((HORIZON, HORIZON, 14 * HORIZON))  # The last sees cards expire.
        while hours := [hour for store in self.stores.values() if (hour := await store.next_due()) and hour <= end]:
            await self.move_city_time(min(hours))
            await self._until_quiet()
        await self.people.show_their_chips()
        await self._until_quiet()
        await self._judge()

    def _look_at_desk(self, stream: str, facts: Sequence[Any]) -> Any:
        desk = self.built["loss"].desks["loss"]
        codec = self.built["loss"].desks.codec
        assert stream
        return desk.aggregate.decider.fold(codec.read(row.name, row.data) for row in facts)

    async def _until_quiet(self) -> None:
        """Liveness: without faults, everything that is due is done everywhere, soon."""
        deadline, before = self.loop.time() + 600, None
        busy = ""
        while self.loop.time() < deadline:
            busy, figure = await self._busy()
            if not busy and figure == before:
                return
            before = None if busy else figure
            await asyncio.sleep(0.05)
        self.violated(f"liveness: ten minutes after the last fault {busy}")

    async def _busy(self) -> tuple[str, object]:
        now, facts = self.city.now(), self.oracle.facts
        if self.post.under_way:
            return "letters are under way", facts
        for name, store in self.stores.items():
            ends, marks = await store.ends(), await store.marks()
            if any(marks[shard] < end for shard, end in ends.items()):
                return f"the outbox of {name} is not sent", facts
            own = (await self.notebooks[name].load("own")).positions
            reads = self.built[name].project is not None  # Nobody reads an outbox that nothing is made of.
            if reads and any(own.get((f"outbox.{name}", shard), 0) < end for shard, end in ends.items()):
                return f"{name} has not read its own outbox", facts
            topics = [topic_of(other) for other in self.built[name].topics]
            city = (await self.notebooks[name].load("city")).positions
            if any(city.get(slot, 0) < end for slot, end in (await self.post.bus.ends(topics)).items()):
                return f"{name} has not read the log", facts
            due = await store.next_due()
            if due is not None and due <= now:
                return f"{name} has not done what was due at {due}", facts
            if parked := await store.parked():
                return f"{name} has parked {parked[0].name}: {parked[0].error}", facts
        return "", facts

    # --- the judgement ---

    async def _judge(self) -> None:
        """After the last fault: nothing is stuck, the services agree, and read models equal a clean rebuild."""
        must = self.oracle.must
        for name in SERVICES:
            for reader in ("own", "city"):
                memory = await self.notebooks[name].load(reader)
                waiting = {origin: sorted(letters) for origin, letters in memory.waiting.items() if letters}
                must(not waiting, "liveness", f"{name} still waits behind a gap: {waiting}")
        self._judge_holdings()
        self._judge_batches()
        self._judge_notices()
        await self._judge_money()
        self.people.judge()
        await self._judge_read_models()

    def _states(self, service: str, category: str) -> Iterator[tuple[str, Any]]:
        desk = self.built[service].desks[category]
        codec = self.built[service].desks.codec
        store = self.stores[service]
        for stream in store.streams():
            kind, _, key = stream.partition("-")
            if kind == category and (facts := store.stream(stream)):
                yield key, desk.aggregate.decider.fold(codec.read(row.name, row.data) for row in facts)

    def _judge_holdings(self) -> None:
        must = self.oracle.must
        desks, persons = dict(self._states("loss", "loss")), dict(self._states("identity", "person"))
        for holding, state in self._states("issuance", "holding"):
            book, desk = self.oracle.cards[holding], desks.get(holding)
            current = state.current.card_id if state.current else ""
            must(current == book.live, "INV-7", f"{holding}: {current} counts, by its facts {book.live}")
            lost = self.oracle.loss.get(holding)
            at_desk = lost.card if lost and lost.standing != "ended" else ""
            must(at_desk == current, "liveness", f"{holding}: issuance says {current}, the loss desk {at_desk}")
            order = getattr(state.coming, "order", None)
            if lost and lost.standing == "superseded":
                coming = order is not None and order.old_card_id == lost.card and order.kind == "reissue"
                must(coming, "liveness", f"{lost.card} waits for a new card that nobody makes: {state.coming}")
            elif order is not None and order.kind == "reissue":
                must(False, "liveness", f"{holding}: a reissue is made that the loss desk knows nothing of: {desk}")
            person = persons.get(state.person_id)
            verdict = person.verdict(state.programme) if person and hasattr(person, "verdicts") else None
            if verdict is not None:
                said = state.verdicts[-1] if state.verdicts else None
                same = said is not None and said.granted == verdict.granted
                must(same, "liveness", f"{holding}: identity has judged {verdict.granted}, issuance knows {said}")
                waiting = type(state.coming).__name__ == "Waiting"
                must(not waiting, "liveness", f"{holding} waits for a verdict that was given")
        for application, paper in self._states("issuance", "application"):
            if type(paper).__name__ == "Accepted":
                claims = dict(self._states("issuance", "holding"))[paper.paper.holding_id].claims
                must(application in claims, "liveness", f"{application} was accepted and never answered")

    def _judge_batches(self) -> None:
        must = self.oracle.must
        for batch, state in self._states("issuance", "batch"):
            for nth, seat in enumerate(state.seats, 1):
                must(seat.piece != "offered", "liveness", f"seat {nth} of {batch} was never answered")
                book = self.oracle.cards[seat.holding_id]
                if seat.piece == "handed_over":
                    must(book.handed, "INV-16", f"seat {nth} of {batch} left the drawer for nobody")

    def _judge_notices(self) -> None:
        must, rung = self.oracle.must, self.oracle.rung
        for notice, state in self._states("notice", "notice"):
            kind = type(state).__name__
            must(kind in ("Told", "Failed"), "liveness", f"{notice} is still {kind}")
            must(rung[notice] == (kind == "Told"), "INV-13", f"{notice} is {kind} and has rung {rung[notice]} times")

    async def _judge_money(self) -> None:
        """Nothing is held or waits any more, every purse goes by what the others know, and the books agree."""
        must, books = self.oracle.must, self.oracle.books
        for holding, purse in self._states("wallet", "purse"):
            cards, lost = self.oracle.cards[holding], self.oracle.loss.get(holding)
            present = purse.card.card_id if purse.card else ""
            if present:
                must(present == cards.live or present in cards.ended, "liveness", f"{holding}: {present} is in use")
                must((purse.ended_at is None) == bool(cards.live), "liveness", f"{holding}: {purse.ending or 'lives'}")
            must(
                not purse.cooling and not purse.loads, "INV-12", f"{holding} still waits: {purse.cooling} {purse.loads}"
            )
            for card in purse.settled:
                left = books.balances[f"purse:{card}"]
                must(not left, "INV-12", f"{left} fen stay behind on {card}, whose chip was settled")
            if lost is not None and present == lost.card and lost.standing == "none":
                must(not purse.frozen(self.city.now()), "INV-8", f"{present} is frozen, and no report stands")
        for account, held in books.held.items():
            must(not held, "holds", f"{held} fen of {account} are held for ever")
        loads = {account: fen for account, fen in books.balances.items() if account.endswith("/loads") and fen}
        must(not loads, "INV-3", f"paid, and neither on a chip nor given back: {loads}")
        audit = await self.books("wallet").audit()
        must(not (audit.unbalanced or audit.drifted or audit.gaps), "INV-6", f"the auditor finds {audit}")

    async def _judge_read_models(self) -> None:
        """Rebuild log and read models from the stores alone, and compare."""
        for name, service in self.built.items():
            rows, log = MemoryRows(), MemoryBus()
            notebook = MemoryNotebook(rows)
            for other, store in self.stores.items():
                relay = Relay(other, _Unmarked(store), log)  # type: ignore[arg-type]
                while await relay.step():
                    pass
            own, others = Listener(service, own=True), Listener(service, own=False)
            readers = [Reader("own", OutboxFeed(name, self.stores[name]), notebook, no_reaction, own.project)]
            if service.topics:
                feed = log.feed(name, [topic_of(topic) for topic in service.topics])
                readers.append(Reader("city", feed, notebook, no_reaction, others.project))
            for reader in readers:
                while await reader.step():
                    pass
            for table in sorted(rows.tables.keys() | self.rows[name].tables.keys()):
                live, anew = self.rows[name].tables.get(table, {}), rows.tables.get(table, {})
                differs = [key for key in live.keys() | anew.keys() if live.get(key) != anew.get(key)]
                first = min(differs, key=str, default=None)
                told = first and f"{first}: {live.get(first)} live, {anew.get(first)} anew"
                self.oracle.must(not differs, "read models", f"{name}.{table} differs from a rebuild at {told}")

    def fingerprint(self) -> str:
        """A hash of every step that was taken and of every fact that was stored."""
        digest = sha256(f"{self.loop.trace} {self.loop.steps}".encode())
        for store in self.stores.values():
            for stream in store.streams():
                for row in store.stream(stream):
                    digest.update(f"{row.stream}{row.version}{row.data}{row.meta}{row.recorded_at}".encode())
        return digest.hexdigest()[:16]


class _Unmarked:
    """A store whose relay has sent nothing yet."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._marks: dict[int, int] = {}

    async def marks(self) -> dict[int, int]:
        return self._marks

    async def mark(self, moved: dict[int, tuple[int, int]]) -> bool:
        self._marks |= {shard: new for shard, (_, new) in moved.items()}
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def simulate(seed: int, plant: Plant | None = None) -> Run:
    """Let a city of this seed live, with a planted bug if one is given."""
    with swift():
        city = City(seed)
        violation = ""
        began = perf_counter()
        with plant(city) if plant else nullcontext():
            try:
                city.loop.run(city.live())
            except Violation as found:
                violation = str(found)
            except AsleepForEver:
                violation = "liveness: everybody waits for somebody else"
            except Exception as bug:
                violation = f"bug: {type(bug).__name__}: {bug}"
        oracle, people = city.oracle, city.people
        return Run(
            seed=seed,
            steps=city.loop.steps,
            seconds=perf_counter() - began,
            facts=oracle.facts,
            commands=oracle.commands,
            acknowledged=people.acknowledged,
            refused=people.refused,
            checks=oracle.checks,
            virtual_s=city.loop.time(),
            faults=dict(city.faults),
            trace=city.fingerprint(),
            violation=violation,
            journal=city.journal(),
            swarm=str(city.swarm),
        )


# --- what is the same for every city of every seed, and need not be made a thousand times ---


@cache
def packs() -> CityPacks:
    return load_packs(Path(__file__).parents[2] / "deploy")


@cache
def settings() -> Settings:
    return Settings(home=Path("/nonexistent"), _env_file=None)


@cache
def telemetry() -> Telemetry:
    return Telemetry(Random(0).randbytes)


@cache
def access() -> Access:
    return Access((Path(__file__).parents[1] / name / "access.cedar").read_text() for name in SERVICES)


_DATA_ROOMS = (
    ("services.identity.wiring", "DataSharing"),
    ("services.identity.wiring", "Eligibility"),
    ("services.issuance.wiring", "IssuanceBylaws"),
    ("services.loss.wiring", "LossBylaws"),
    ("services.notice.wiring", "PackTexts"),
    ("services.wallet.wiring", "WalletBylaws"),
    ("services.wallet.wiring", "FareBylaws"),
)


@cache
def _made(module: str, name: str) -> Any:
    """Data read from the city packs: frozen, and the same in every process."""
    return getattr(import_module(module), name)(packs())


@contextmanager
def swift() -> Iterator[None]:
    """Spare every boot what cannot differ: parsed packs, compiled schemas, HTTP, and pictures looked at before."""
    codecs, service_module = _codecs(), import_module("libs.runtime.service")
    pictures = import_module("services.issuance.adapters.portraits")
    for module, name in _DATA_ROOMS:
        _made(module, name)
    with ExitStack() as stack:
        for module, name in _DATA_ROOMS:
            made = _made(module, name)
            stack.enter_context(patch.object(import_module(module), name, lambda _packs, made=made: made))
        for service in SERVICES:
            import_module(f"services.{service}.routes")
            for room in [name for name in sys.modules if name.startswith(f"services.{service}.routes")]:
                if hasattr(sys.modules[room], "APIRouter"):
                    stack.enter_context(patch.object(sys.modules[room], "APIRouter", Doors))
        stack.enter_context(patch.object(service_module, "codec_of", codecs))
        stack.enter_context(patch.object(pictures, "examine", _examined()))
        stack.enter_context(patch.object(import_module("libs.runtime.worker"), "log", _Silence()))
        yield


@cache
def _codecs() -> Callable[[Sequence[Any]], Codec]:
    real = import_module("libs.eventsourcing.desk").codec_of
    made: dict[tuple[str, ...], Codec] = {}

    def codec_of(aggregates: Sequence[Any]) -> Codec:
        key = tuple(aggregate.category for aggregate in aggregates)
        if key not in made:
            made[key] = real(aggregates)
        return made[key]

    return codec_of


@cache
def _examined() -> Callable[..., Any]:
    return cache(import_module("services.issuance.adapters.portraits").examine)


class _Silence:
    """Nobody reads a simulated log."""

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return lambda *_said, **_more: None
