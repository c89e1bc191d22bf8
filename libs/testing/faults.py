"""Clients that write down what they were told, a nemesis that kills, and an audit that compares both with the store."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from libs.kernel.ids import derived
from libs.messaging.bus import PARTITIONS, Bus, Letter, topic_of
from libs.messaging.kafka import KafkaBus
from libs.messaging.message import Message
from libs.messaging.postgres import PostgresBus
from libs.runtime.cli import SERVICES
from libs.testing.stage import NotReady, Stage
from libs.testing.town import Visitors
from libs.web.tokens import Caller

PATIENCE_S = 120.0  # After so long a client that still does not know gives up, and the run has failed.

# --- clients ---


@dataclass
class Act:
    """One thing that somebody wants done, under one Idempotency-Key, repeated until she knows what came of it."""

    who: Caller
    path: str
    key: str
    method: str = "POST"
    tries: int = 0
    doubtful: bool = False
    """Whether a try ended so that nobody could know."""
    status: int = 0
    """What she was told in the end; 0 if nothing."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)
    """The 5xx statuses on the way."""
    took_s: list[float] = field(default_factory=list)
    """How long each answered try took."""

    @property
    def acknowledged(self) -> bool:
        return 200 <= self.status < 300

    @property
    def command_id(self) -> UUID:
        """Under which the store must know it: derived from what the client sent, not from what it was told."""
        return derived("http", f"POST {self.path}\n{self.who.role}:{self.who.id}\n", self.key)


@dataclass
class AckBook:
    """What the city has acknowledged to its clients, written down by the clients themselves."""

    people: Visitors
    name: str = "load"
    acts: list[Act] = field(default_factory=list)

    async def act(
        self, who: Caller, path: str, body: Mapping[str, Any] | None = None, method: str = "POST", **sent: Any
    ) -> Act:
        """Do something; while the answer is away or `retry`, ask again under the same key."""
        act = Act(who, path, f"{self.name}-{len(self.acts)}", method)
        self.acts.append(act)
        give_up_at, pause_s = time.monotonic() + PATIENCE_S, 0.05
        while time.monotonic() < give_up_at:
            act.tries += 1
            began = time.monotonic()
            try:
                answer = await self.people.call(who, method, path, key=act.key, json=body or {}, timeout=20, **sent)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                pass  # It never left.
            except httpx.TransportError:
                act.doubtful = True
            else:
                act.took_s.append(time.monotonic() - began)
                if answer.status_code < 500:
                    act.status, act.answer = answer.status_code, answer.json()
                    return act
                act.faults.append(answer.status_code)
                act.doubtful = act.doubtful or answer.status_code != 503 or answer.json()["code"] == "outcome-unknown"
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.5)
        return act

    @property
    def acknowledged(self) -> list[Act]:
        return [act for act in self.acts if act.acknowledged]

    @property
    def resolved(self) -> int:
        """How many outcomes were unknown for a while, and known in the end."""
        return sum(act.doubtful and act.status > 0 for act in self.acts)

    @property
    def unresolved(self) -> list[Act]:
        return [act for act in self.acts if act.status == 0]

    @property
    def faults(self) -> Counter[int]:
        """The 5xx answers on the way, by status."""
        return Counter(status for act in self.acts for status in act.faults)

    def percentile_s(self, share: float) -> float:
        """The time within which this share of all answers came."""
        times = sorted(took for act in self.acts for took in act.took_s)
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0


# --- the nemesis ---


class Nemesis:
    """Kills and freezes what runs on a stage, by the handles with which it was started, and starts it again."""

    def __init__(self, stage: Stage, seed: int = 0) -> None:
        self.stage, self.struck = stage, Counter[str]()
        self._dice = Random(seed)
        self._rested = asyncio.Event()

    def rest(self) -> None:
        """Strike no more."""
        self._rested.set()

    async def kill(self, name: str, away_s: float = 0) -> None:
        """Kill -9 a service, and start it again."""
        self.struck[f"kill {name}"] += 1
        await asyncio.to_thread(self.stage.kill, name)
        await asyncio.sleep(away_s)
        await self.revive(name)

    async def freeze(self, name: str, away_s: float) -> None:
        """Stop a service in mid-thought, as a long pause of its machine would, and let it go on."""
        self.struck[f"freeze {name}"] += 1
        process = self.stage.processes[name]
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(away_s)
        finally:
            process.send_signal(signal.SIGCONT)

    async def kill_postgres(self, away_s: float = 0) -> None:
        """Kill -9 the database, and start it again."""
        assert self.stage.database is not None
        self.struck["kill postgres"] += 1
        await self.stage.database.kill()
        await asyncio.sleep(away_s)
        await self.stage.database.start()

    async def kill_broker(self, away_s: float = 0) -> None:
        """Kill -9 the broker, and start it again."""
        assert self.stage.broker is not None
        self.struck["kill broker"] += 1
        await asyncio.to_thread(self.stage.broker.kill)
        await asyncio.sleep(away_s)
        await self.stage.broker.start()

    async def revive(self, name: str) -> None:
        """Start a service as a supervisor would: again, if what it needs is away."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(NotReady):
                    return await self.stage.start(name)
                await asyncio.sleep(0.3)

    async def rage(self, for_s: float, pause_s: tuple[float, float] = (0.5, 3.0)) -> None:
        """Strike again and again, wherever nothing is down already, and do not wait for it to stand up."""
        until, down = time.monotonic() + for_s, dict[str, asyncio.Task[None]]()
        while (left := until - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rested.wait(), min(left, self._dice.uniform(*pause_s)))
                break
            victim = self._dice.choice(self._victims())
            if victim not in down or down[victim].done():
                down[victim] = asyncio.create_task(self._strike(victim, self._dice.uniform(0, 1)))
        await asyncio.gather(*down.values())

    def _victims(self) -> list[str]:
        engines = ["postgres"] * (self.stage.database is not None) + ["broker"] * (self.stage.broker is not None)
        return [*self.stage.commands, *engines]

    async def _strike(self, victim: str, force: float) -> None:
        match victim:
            case "postgres":
                await self.kill_postgres(force)
            case "broker":
                await self.kill_broker(10 * force)
            case _ if force < 0.3:
                await self.freeze(victim, 10 * force)
            case _:
                await self.kill(victim, force)


# --- the audit ---


@dataclass
class Findings:
    """What came out of comparing the clients' books with the store, the log and the telephones."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    sent_again: int = 0
    """Letters that lie on the log more than once; readers pass over them."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.parked)


async def quiet(book: AckBook, operator: Caller, patience_s: float = PATIENCE_S) -> None:
    """Wait until everybody has heard everything. Raises TimeoutError."""
    async with asyncio.timeout(patience_s):
        while True:
            with suppress(httpx.TransportError):
                answer = await book.people.call(
                    operator, "POST", "/v1/city-time/advances", json={"by_s": 0}, timeout=60
                )
                if answer.status_code == 201:
                    return
            await asyncio.sleep(0.2)


TWICE = """
select meta::json ->> 'causation', meta::json ->> 'reason', stream, name from {s}.fact
group by 1, 2, 3, 4 having count(distinct recorded_at) > 1
"""


async def audit(stage: Stage, book: AckBook, services: Sequence[str] = SERVICES) -> Findings:
    """Compare what was acknowledged with what is stored, and what is stored with what lies on the log.

    Lost is an acknowledged act whose command the store does not know, or a published message that is not on the log;
    doubled are facts of one cause that were written at two times.
    """
    found = Findings()
    assert stage.database is not None
    pool = await asyncpg.create_pool(stage.database.dsn, min_size=1, max_size=4)
    kafka = stage.environment.get("CITYCARD_KAFKA", "")
    bus: Bus = KafkaBus(kafka) if kafka else PostgresBus(pool)
    try:
        known: set[UUID] = set()
        for service in services:
            known |= {row[0] for row in await pool.fetch(f"select id from {service}.command")}
            for row in await pool.fetch(TWICE.format(s=service)):
                found.doubled.append(f"{service}: {row['name']} in {row['stream']} because of {row[0]}")
            outbox = await pool.fetch(f"select shard, sequence from {service}.outbox")
            wanted = {f"{service}/{row['shard']}/{row['sequence']}" for row in outbox}
            there = Counter(letter.message.id for letter in await everything(bus, service) if letter.message)
            found.lost += [f"{id_} is not on the log" for id_ in wanted - there.keys()]
            found.doubled += [f"{id_} is on the log, but not in the store" for id_ in there.keys() - wanted]
            found.sent_again += there.total() - len(there)
            for table in ("reader_parked", "due where parked"):
                rows = await pool.fetch(f"select error from {service}.{table}")
                found.parked += [f"{service}: {row['error']}" for row in rows]
        commands = [act for act in book.acknowledged if act.method == "POST"]
        found.lost += [f"{act.path} ({act.key})" for act in commands if act.command_id not in known]
    finally:
        await bus.close()
        await pool.close()
    return found


async def everything(bus: Bus, service: str, group: str = "audit") -> list[Letter]:
    """All that lies on the log of a service, in order within each slot."""
    topic = topic_of(service)
    ends = await bus.ends([topic])
    feed = bus.feed(f"{group}-{service}", [topic])
    letters: list[Letter] = []
    try:
        async with asyncio.timeout(60):
            while len(slots := await feed.slots()) < PARTITIONS:
                await feed.wait(0.05)
            here = dict.fromkeys(slots, 0)
            while any(here[slot] < end for slot, end in ends.items()):
                for letter in await feed.fetch(here, 1_000):
                    here[letter.slot] = letter.offset + 1
                    letters.append(letter)
    finally:
        await feed.close()
    return letters


FLEETING = ("reader_position", "relayed", "alembic_version")
"""Tables that say how far somebody has come, and not what has happened."""


async def everything_stored(pool: asyncpg.Pool, services: Sequence[str] = SERVICES) -> dict[str, list[str]]:
    """All that services have stored, table by table and row by row: facts, commands, read models, what readers saw."""
    tables = await pool.fetch(
        "select schemaname || '.' || tablename as name from pg_tables where schemaname = any($1) "
        "and not tablename = any($2) order by 1", list(services), list(FLEETING)
    )  # fmt: skip
    return {
        table["name"]: sorted(str(tuple(row.values())) for row in await pool.fetch(f"select * from {table['name']}"))
        for table in tables
    }


def roads(letters: Sequence[Letter]) -> dict[tuple[str, int], list[Message]]:
    """The messages of each shard in the order in which they first came."""
    found: dict[tuple[str, int], dict[str, Message]] = {}
    for letter in letters:
        if letter.message is not None:
            service, shard, _ = letter.message.place
            found.setdefault((service, shard), {}).setdefault(letter.message.id, letter.message)
    return {road: list(messages.values()) for road, messages in found.items()}
