"""The services of one process at work: relays, readers and timers, and the art of knowing when all is quiet."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from libs.kernel import Outage
from libs.messaging.bus import topic_of
from libs.messaging.notebook import Overtaken
from libs.messaging.reader import Reader
from libs.messaging.relay import OutboxFeed, Relay
from libs.runtime.citytime import SharedCityTime
from libs.runtime.platform import Platform
from libs.runtime.service import Listener, Service, Timer
from libs.telemetry import log_for

IDLE_S = 0.25
TIMER_LOOK_S = 0.1
CLOCK_LOOK_S = 0.1
AWAY_MAX_S = 5.0

log = log_for("house")


class Watch:
    """An eye on one service, wherever it runs: what it has still to do can be read from what it has stored."""

    def __init__(self, platform: Platform, service: Service) -> None:
        self.name, self.store = service.name, service.desks.store
        self._notebook, self._bus = platform.notebook(service.name), platform.bus
        self._topics = [topic_of(name) for name in service.topics]

    async def quiet(self, now: datetime) -> tuple[bool, object]:
        """Whether nothing is left to do at this moment of city time, and a figure that changes with any work done."""
        ends, marks = await self.store.ends(), await self.store.marks()
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
    """One service and those who work for it: a relay, a reader of its own outbox, a reader of the log, a timer."""

    def __init__(self, platform: Platform, service: Service) -> None:
        self.service, self.store = service, service.desks.store
        self._bell = asyncio.Event()
        self.store.on_append(self._bell.set)
        notebook = platform.notebook(service.name)
        self.relay = Relay(service.name, self.store, platform.bus)
        self.timer = Timer(service, platform.city, platform.monotonic)
        own, others = Listener(service, own=True), Listener(service, own=False)
        self.readers = [Reader("own", OutboxFeed(service.name, self.store), notebook, own.react, own.project)]
        if service.topics:
            feed = platform.bus.feed(service.name, [topic_of(name) for name in service.topics])
            self.readers.append(Reader("city", feed, notebook, others.react, others.project))

    def reader(self, name: str) -> Reader | None:
        return next((reader for reader in self.readers if reader.name == name), None)

    async def wait_for_work(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._bell.wait()
        self._bell.clear()


class House:
    """All that runs in one process: the services of `names`, or all. The others of the city run elsewhere."""

    def __init__(self, platform: Platform, city: Sequence[Service], names: Sequence[str] = ()) -> None:
        self.platform = platform
        self.services = [service for service in city if not names or service.name in names]
        self.households = [Household(platform, service) for service in self.services]
        self.watches = [Watch(platform, service) for service in city]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Set everybody to work."""
        for home in self.households:
            name = home.service.name
            self._employ(f"{name} relay", home.relay.step, home.relay.wait)
            self._employ(f"{name} timer", home.timer.step, lambda home=home: home.wait_for_work(TIMER_LOOK_S))  # type: ignore[misc]
            for reader in home.readers:
                self._employ(f"{name} reader {reader.name}", reader.step, lambda reader=reader: reader.wait(IDLE_S))  # type: ignore[misc]
        self._tasks.append(asyncio.create_task(self._look_after(), name="caretaker"))
        if isinstance(self.platform.city, SharedCityTime):
            self._tasks.append(asyncio.create_task(self._keep_time(self.platform.city), name="clock"))

    def _employ(self, name: str, step: Callable[[], Awaitable[int]], wait: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(_keep_at_it(name, step, wait), name=name))

    async def stop(self) -> None:
        """Let everybody finish what they hold, then go home."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for home in self.households:
            for reader in home.readers:
                await reader.close()
            drain = getattr(home.store, "drain", None)
            if drain is not None:
                await drain()

    async def drain(self, patience_s: float = 30) -> None:
        """Wait until everything that is due now has been done everywhere. Raises TimeoutError."""
        async with asyncio.timeout(patience_s):
            before: object = None
            while True:
                looks = [await watch.quiet(self.platform.city.now()) for watch in self.watches]
                figures = [figure for _, figure in looks]
                if all(quiet for quiet, _ in looks) and figures == before:
                    return
                before = figures if all(quiet for quiet, _ in looks) else None
                await asyncio.sleep(0.005)

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
        """Why this process cannot do its work; empty if it can."""
        faults = []
        now = asyncio.get_running_loop().time()
        for home in self.households:
            try:
                await home.store.next_due()
            except Outage as away:
                faults.append(f"{home.service.name}: {away}")
            for reader in home.readers:
                if now - reader.figures.polled_at > poll_age_max_s:
                    faults += [f"{home.service.name}: reader {reader.name} has not looked for letters lately"]
        return faults

    async def _look_after(self) -> None:
        """Keep the figures that operators watch."""
        telemetry = self.platform.telemetry
        while True:
            try:
                for home in self.households:
                    await self._measure(home, telemetry)
            except Exception as error:
                log.warning("figures are not to be had", error=str(error))
            await asyncio.sleep(1)

    @staticmethod
    async def _keep_time(city: SharedCityTime) -> None:
        """Learn soon when another process has moved city time."""
        while True:
            with contextlib.suppress(Exception):
                await city.look()
            await asyncio.sleep(CLOCK_LOOK_S)

    async def _measure(self, home: Household, telemetry: Any) -> None:
        name, now = home.service.name, asyncio.get_running_loop().time()
        ends, marks = await home.store.ends(), await home.store.marks()
        telemetry.outbox.labels(name).set(sum(ends.values()) - sum(marks.values()))
        telemetry.parked.labels(name, "due").set(len(await home.store.parked()))
        for reader in home.readers:
            telemetry.lag.labels(name, reader.name).set(await reader.lag())
            telemetry.poll_age.labels(name, reader.name).set(now - reader.figures.polled_at)
            parked = await self.platform.notebook(name).parked(reader.name)
            telemetry.parked.labels(name, f"letter:{reader.name}").set(len(parked))


async def _keep_at_it(name: str, step: Callable[[], Awaitable[int]], wait: Callable[[], Awaitable[None]]) -> None:
    """Step while there is work, wait while there is none, and try again, ever more slowly, while something is away."""
    pause_s = 0.05
    while True:
        try:
            if not await step():
                await wait()
            pause_s = 0.05
        except asyncio.CancelledError:
            raise
        except (Outage, Overtaken) as away:
            log.warning("waiting", who=name, error=str(away))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, AWAY_MAX_S)
        except Exception as error:
            log.error("stumbled", who=name, exc_info=error)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, AWAY_MAX_S)
