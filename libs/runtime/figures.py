"""The figures that operators and load balancers watch: what lies unread, unsent or aside, and for how long."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import nan

from libs.eventsourcing.store import Store
from libs.kernel import Outage
from libs.messaging.bus import topic_of
from libs.messaging.reader import Reader
from libs.runtime.platform import Platform


@dataclass(frozen=True)
class ReaderFigures:
    """How far behind a reader is; `lag` is unknown (None) while the log does not answer."""

    name: str
    lag: int | None
    last_poll_age_s: float
    parked: int


@dataclass(frozen=True)
class ServiceFigures:
    """What one service has still to do; `oldest_unsent_s` is machine time."""

    service: str
    unsent: int
    oldest_unsent_s: float
    parked_due: int
    log_reachable: bool
    readers: Sequence[ReaderFigures]


class Backlog:
    """What the relay has still to carry to the log.

    A row of the outbox bears city time, so its age comes from the fact that it tells of. Only the first unsent row of a
    shard can be its oldest, and it is looked up again only when the mark has moved: a log that is away costs nothing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heads: dict[int, tuple[int, datetime]] = {}
        self.unsent = 0

    async def look(self) -> None:
        """Count what is unsent, and find the oldest of it. Raises Outage."""
        ends, marks = await self._store.ends(), await self._store.marks()
        behind = {shard: marks.get(shard, 0) for shard, end in ends.items() if end > marks.get(shard, 0)}
        kept = {shard: self._heads[shard] for shard, mark in behind.items() if self._heads.get(shard, (-1,))[0] == mark}
        if moved := {shard: mark for shard, mark in behind.items() if shard not in kept}:
            kept |= {shard: (moved[shard], at) for shard, at in (await self._store.heads(moved)).items()}
        self._heads = kept
        self.unsent = sum(ends[shard] - mark for shard, mark in behind.items())

    def age_s(self, now: datetime) -> float:
        """How long the oldest unsent message has been waiting; 0 if there is none."""
        return max((now - at).total_seconds() for at in (now, *(at for _, at in self._heads.values())))


class Meter:
    """Measures one service of this process. Ages grow by themselves, however long nothing can be measured."""

    def __init__(self, platform: Platform, service: str, store: Store, readers: Sequence[Reader]) -> None:
        self._service, self._store, self._readers = service, store, readers
        self._notebook, self._bus = platform.notebook(service), platform.bus
        self._machine, self._to = platform.machine, platform.telemetry
        self._backlog = Backlog(store)
        self._began: float | None = None
        self._parked_due = 0
        self._lag: dict[str, int | None] = {}
        self._parked: dict[str, int] = {}
        self.log_reachable = True
        for reader in readers:
            self._to.poll_age.labels(service, reader.name).set_function(lambda reader=reader: self.poll_age_s(reader))  # type: ignore[misc]
        self._to.outbox_age.labels(service).set_function(self.oldest_unsent_s)

    def begin(self) -> None:
        """From now on the readers are expected to look for letters."""
        self._began = asyncio.get_running_loop().time()

    def poll_age_s(self, reader: Reader) -> float:
        """How long ago a reader last looked for letters, or how long it has failed to since the start."""
        if self._began is None:
            return 0.0
        return max(0.0, asyncio.get_running_loop().time() - max(self._began, reader.figures.polled_at))

    def oldest_unsent_s(self) -> float:
        """How long the oldest unsent message has been waiting."""
        return self._backlog.age_s(self._machine.now())

    async def measure_store(self) -> None:
        """Look at the store. Raises Outage."""
        await self._backlog.look()
        self._to.outbox.labels(self._service).set(self._backlog.unsent)
        self._parked_due = len(await self._store.parked())
        self._to.parked.labels(self._service, "due").set(self._parked_due)
        for reader in self._readers:
            self._parked[reader.name] = parked = len(await self._notebook.parked(reader.name))
            self._to.parked.labels(self._service, f"letter:{reader.name}").set(parked)

    async def measure_lag(self) -> None:
        """Look at how far the readers are behind; this takes its time while the log is away."""
        try:
            await self._bus.ends([topic_of(self._service)])
            reachable = True
        except Outage:
            reachable = False
        for reader in self._readers:
            try:
                lag: int | None = await reader.lag()
            except Outage:
                lag = None
            self._lag[reader.name] = lag
            self._to.lag.labels(self._service, reader.name).set(nan if lag is None else lag)
        self.log_reachable = reachable
        self._to.log_reachable.labels(self._service).set(reachable)

    def told(self) -> ServiceFigures:
        """The figures as of the last look, with ages of this moment."""
        return ServiceFigures(
            service=self._service,
            unsent=self._backlog.unsent,
            oldest_unsent_s=round(self.oldest_unsent_s(), 1),
            parked_due=self._parked_due,
            log_reachable=self.log_reachable,
            readers=[
                ReaderFigures(
                    name=reader.name,
                    lag=self._lag.get(reader.name),
                    last_poll_age_s=round(self.poll_age_s(reader), 1),
                    parked=self._parked.get(reader.name, 0),
                )
                for reader in self._readers
            ],
        )
