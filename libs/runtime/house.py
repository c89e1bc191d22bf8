"""The services of one process at work: relays, readers and timers, and the art of knowing when all is quiet."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from libs.kernel import Outage
from libs.messaging.bus import Feed, topic_of
from libs.messaging.memory import out_of_step
from libs.messaging.postgres import relay_of
from libs.messaging.reader import Reader, no_reaction
from libs.messaging.relay import OutboxFeed
from libs.runtime.citytime import SharedCityTime
from libs.runtime.figures import Meter, ServiceFigures
from libs.runtime.platform import Platform
from libs.runtime.service import Listener, Service, Timer
from libs.runtime.withdrawals import Ear
from libs.runtime.worker import Worker
from libs.telemetry import log_for
from libs.web.withdrawn import Withdrawn

IDLE_S = 0.25
TIMER_LOOK_S = 0.1
CLOCK_LOOK_S = 0.1
MEASURE_S = 1.0
ROOM_LOOK_S = 0.1  # A disk of memory fills at gigabytes a second.
STORE_ANSWERS_WITHIN_S = 3.0
LEAVE_WITHIN_S = 5.0

Step = Callable[[], Awaitable[int]]

log = log_for("house")


class Watch:
    """An eye on one service, wherever it runs: what it has still to do can be read from what it has stored."""

    def __init__(self, platform: Platform, service: Service) -> None:
        self.name, self.store = service.name, service.desks.store
        self._notebook, self._bus = platform.notebook(service.name), platform.bus
        self._topics = [topic_of(name) for name in service.topics]
        self._projects = service.project is not None

    async def quiet(self, now: datetime) -> tuple[bool, object]:
        """Whether nothing is left to do at this moment of city time, and a figure that changes with any work done."""
        ends, marks = await self.store.ends(), await self.store.marks()
        unread = False
        if self._projects:
            own = (await self._notebook.load("own")).positions
            unread = any(own.get((f"outbox.{self.name}", shard), 0) < end for shard, end in ends.items())
        if self._topics:
            city = (await self._notebook.load("city")).positions
            there = await self._bus.ends(self._topics)
            unread = unread or any(city.get(slot, 0) < end for slot, end in there.items())
        next_due = await self.store.next_due()
        nothing_due = next_due is None or next_due > now
        return ends == {**ends, **marks} and not unread and nothing_due, (sum(ends.values()), next_due)


class Household:
    """One service and those who work for it: a relay, a timer, and readers of what it needs.

    Its own outbox is read for its read models, and the log of the others by who listens to them.
    """

    def __init__(self, platform: Platform, service: Service) -> None:
        self.service, self.store = service, service.desks.store
        service.desks.editions = platform.packs.hash_of
        self._bell = asyncio.Event()
        self.store.on_append(self._bell.set)
        notebook = platform.notebook(service.name)
        self.relay = relay_of(service.name, self.store, platform.bus)
        self.timer = Timer(service, platform.city, platform.monotonic, platform.leases)
        self.readers: list[Reader] = []
        if service.project is not None:
            own = Listener(service, own=True)
            feed: Feed = OutboxFeed(service.name, self.store, own.heeds)
            self.readers.append(Reader("own", feed, notebook, no_reaction, own.project, heeds=own.heeds))
        if service.topics:
            others = Listener(service, own=False)
            feed = platform.bus.feed(service.name, [topic_of(name) for name in service.topics], others.heeds)
            self.readers.append(
                Reader(
                    "city",
                    feed,
                    notebook,
                    others.react,
                    others.project,
                    together=others.react_together,
                    heeds=others.heeds,
                )
            )
        self.inlet = platform.bus.inlet(service.name, service.inlet) if service.inlet.topics else None
        self.meter = Meter(platform, service.name, self.store, self.readers)

    def reader(self, name: str) -> Reader | None:
        return next((reader for reader in self.readers if reader.name == name), None)

    async def wait_for_work(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._bell.wait()
        self._bell.clear()


class House:
    """All that runs in one process: the services of `names`, or all. The others of the city run elsewhere.

    Its doors hear by `ears` of all duties that end in the city, whichever service runs here, and hold that against the
    tokens that were issued before (`withdrawn`).
    """

    def __init__(self, platform: Platform, city: Sequence[Service], names: Sequence[str] = ()) -> None:
        self.platform = platform
        self.services = [service for service in city if not names or service.name in names]
        self.households = [Household(platform, service) for service in self.services]
        self.watches = [Watch(platform, service) for service in city]
        self.withdrawn = Withdrawn(platform.machine)
        self.ears = [Ear(platform, service, self.withdrawn) for service in city if service.withdraws]
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []

    def admit(self, action: str) -> None:
        """Let an act in that will write something; with little room left, only urgent ones. Raises NoRoom."""
        if self.platform.room.low:
            self.platform.room.admit(any(action in service.urgent for service in self.services))

    async def catch_up(self) -> None:
        """Hear, before the doors open, which duties have ended."""
        await asyncio.gather(*(ear.catch_up() for ear in self.ears))

    def start(self) -> None:
        """Set everybody to work."""
        self._tasks.append(asyncio.create_task(self._look_after(self._look_at_room, ROOM_LOOK_S), name="room"))
        for nth, home in enumerate(self.households):
            name, later_s = home.service.name, MEASURE_S * nth / len(self.households)
            home.meter.begin()
            for measure in (home.meter.measure_store, home.meter.measure_lag, *home.service.chores):
                looking = self._look_after(measure, later_s=later_s)
                self._tasks.append(asyncio.create_task(looking, name=f"{name} caretaker"))
            self._workers += [
                Worker(f"{name} relay", self._unless_spent(home.relay.step), home.relay.wait),
                Worker(
                    f"{name} timer",
                    self._unless_low(home.timer.step),
                    lambda home=home: home.wait_for_work(  # type: ignore[misc]
                        out_of_step(TIMER_LOOK_S, home.service.name)
                    ),
                ),
                *(
                    Worker(
                        f"{name} reader {reader.name}",
                        self._unless_spent(reader.step),
                        lambda home=home, reader=reader: reader.wait(  # type: ignore[misc]
                            out_of_step(IDLE_S, f"{home.service.name} {reader.name}")
                        ),
                    )
                    for reader in home.readers
                ),
            ]
            if home.inlet is not None:
                self._workers.append(Worker(f"{name} inlet", home.inlet.step, home.inlet.wait))
        for ear in self.ears:
            self._workers.append(Worker(ear.name, ear.step, ear.wait))
            self._tasks.append(asyncio.create_task(self._look_after(ear.look), name=f"{ear.name} caretaker"))
        if isinstance(self.platform.city, SharedCityTime):
            self._tasks.append(asyncio.create_task(self._keep_time(self.platform.city), name="clock"))

    def _unless_low(self, step: Step) -> Step:
        """Due commands wait while there is little room: their hours stay what they are, however late they come."""

        async def held() -> int:
            return 0 if self.platform.room.low else await step()

        return held

    def _unless_spent(self, step: Step) -> Step:
        """While the last room is for urgent acts, what they tell waits in the outbox, as if the log were away."""

        async def held() -> int:
            if not self.platform.room.spent:
                return await step()
            await asyncio.sleep(IDLE_S)
            return 0

        return held

    async def _look_at_room(self) -> None:
        room, to = self.platform.room, self.platform.telemetry
        room.look()
        to.room_low.set(room.low)
        if room.free is not None:
            to.room_free.set(room.free)

    async def stop(self) -> None:
        """Let everybody finish what they hold, then go home; what they read is free for others at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.leave(LEAVE_WITHIN_S) for worker in self._workers))
        await asyncio.gather(*(reader.close() for home in self.households for reader in home.readers))
        await asyncio.gather(*(ear.close() for ear in self.ears))
        await asyncio.gather(*(home.inlet.close() for home in self.households if home.inlet is not None))
        for home in self.households:
            drain = getattr(home.store, "drain", None)
            if drain is not None:
                await drain()

    async def drain(self, patience_s: float = 30) -> None:
        """Wait until everything that is due now has been done everywhere. Raises TimeoutError."""
        async with asyncio.timeout(patience_s):
            before, pause_s = object(), 0.005
            while True:
                looks = [await watch.quiet(self.platform.city.now()) for watch in self.watches]
                looks += [(await ear.heard_all(), None) for ear in self.ears]
                figures = [figure for _, figure in looks]
                if all(quiet for quiet, _ in looks) and figures == before:
                    return
                if all(quiet for quiet, _ in looks):
                    before, pause_s = figures, 0.005
                else:
                    before, pause_s = object(), min(pause_s * 1.5, 0.1)  # Who waits for much should not slow it down.
                await asyncio.sleep(pause_s)

    async def advance(self, to: datetime) -> None:
        """Move city time ahead, from one due hour to the next, each hour's work done before the next one strikes."""
        city = self.platform.city
        while True:
            await self.drain()
            dues = [due for watch in self.watches if (due := await watch.store.next_due()) and due <= to]
            await city.move(min(dues, default=to))
            if not dues:
                return await self.drain()

    async def faults(self, poll_age_max_s: float) -> list[str]:
        """Why this process should get no requests; empty if it can answer them.

        Requests need the store, and read models that follow it. They do not need the log: while that is away, all is
        accepted and told later.
        """
        answers = await asyncio.gather(*(self._store_answers(home) for home in self.households))
        faults = [
            f"{home.service.name}: the store does not answer"
            for home, answered in zip(self.households, answers, strict=True)
            if not answered
        ]
        for home in self.households:
            own = None if self.platform.room.spent else home.reader("own")
            if own is not None and (not own.figures.polled_at or home.meter.poll_age_s(own) > poll_age_max_s):
                faults.append(f"{home.service.name}: its read models have stood still")
        return faults

    @staticmethod
    async def _store_answers(home: Household) -> bool:
        try:
            async with asyncio.timeout(STORE_ANSWERS_WITHIN_S):
                await home.store.next_due()
        except (Outage, TimeoutError):
            return False
        return True

    def worries(self, poll_age_max_s: float) -> list[str]:
        """What an operator should look at although requests can be answered."""
        worries = [worry] if (worry := self.platform.room.worry()) else []
        now = asyncio.get_running_loop().time()
        worries += [
            f"{ear.name}: has not looked lately whose duties have ended; their tokens hold until they expire"
            for ear in self.ears
            if self._workers and now - ear.reader.figures.polled_at > poll_age_max_s
        ]
        for home in self.households:
            name, figures = home.service.name, home.meter.told()
            if not figures.log_reachable:
                worries.append(f"{name}: the log does not answer")
            worries += [
                f"{name}: reader {reader.name} has not looked for letters lately"
                for reader in figures.readers
                if reader.last_poll_age_s > poll_age_max_s
            ]
            if parked := figures.parked_due + sum(reader.parked for reader in figures.readers):
                worries.append(f"{name}: {parked} letters or due commands are parked")
        return worries

    def stuck(self, turn_max_s: float) -> list[str]:
        """Workers that have not come round for so long; only a new process helps them."""
        now = asyncio.get_running_loop().time()
        return [worker.name for worker in self._workers if now - worker.turned_at > turn_max_s]

    def figures(self) -> list[ServiceFigures]:
        """What each service of this process has still to do."""
        return [home.meter.told() for home in self.households]

    async def measure(self) -> None:
        """Take all figures anew. Raises Outage."""
        await asyncio.gather(*(home.meter.measure_store() for home in self.households))
        await asyncio.gather(*(home.meter.measure_lag() for home in self.households))
        await asyncio.gather(*(chore() for home in self.households for chore in home.service.chores))

    @staticmethod
    async def _look_after(
        measure: Callable[[], Awaitable[None]], every_s: float = MEASURE_S, later_s: float = 0.0
    ) -> None:
        """Keep some of the figures that operators watch; `later_s` spreads those who all begin at the same moment."""
        while True:
            try:
                await measure()
            except Exception as error:
                log.warning("figures are not to be had", error=str(error))
            await asyncio.sleep(every_s + later_s)
            later_s = 0.0

    @staticmethod
    async def _keep_time(city: SharedCityTime) -> None:
        """Learn soon when another process has moved city time."""
        while True:
            with contextlib.suppress(Exception):
                await city.look()
            await asyncio.sleep(CLOCK_LOOK_S)
