"""A whole town to test in: in memory and moved step by step, or served over real HTTP."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from libs.eventsourcing.memory import MemoryStore
from libs.kernel.clocks import Clock
from libs.ledger.memory import MemoryLedger
from libs.messaging.memory import MemoryBus
from libs.messaging.notebook import MemoryNotebook
from libs.messaging.readmodel import MemoryRows
from libs.runtime.app import build_app
from libs.runtime.citypack import load_packs
from libs.runtime.citytime import CityTime
from libs.runtime.development import issuer_key, trusted_keys
from libs.runtime.house import House
from libs.runtime.platform import Platform
from libs.runtime.settings import Settings
from libs.telemetry import Telemetry
from libs.testing.clocks import NOON, StandingClock
from libs.vault.masterkey import FileMasterKey
from libs.vault.memory import MemoryVault
from libs.web.tokens import ISSUER_DEVELOPMENT, NOBODY, Caller, issue

# --- in memory ---


def memory_platform(settings: Settings, begins: datetime = NOON, seed: int = 0) -> Platform:
    """A platform without a world: everything in memory, a clock that stands, randomness that a seed repeats.

    City time moves by `platform.city.reach`; machine time moves with nothing, so no token expires and no pause ends.
    """
    clock, randomness, bus = StandingClock(begins), Random(seed).randbytes, MemoryBus()
    rows = cache(lambda _service: MemoryRows())
    master = FileMasterKey(settings.home / "keys" / f"master-{seed}.key", randomness=randomness)
    return Platform(
        settings=settings,
        machine=clock,
        monotonic=lambda: (clock.now() - begins).total_seconds(),
        randomness=randomness,
        city=CityTime(clock),
        telemetry=Telemetry(randomness),
        packs=load_packs(settings.data),
        vault=MemoryVault(master, randomness, clock),
        bus=bus,
        fingerprint_key=randomness(32),
        store=cache(lambda _service: MemoryStore(clock)),
        rows=rows,
        notebook=cache(lambda service: MemoryNotebook(rows(service))),
        ledger=cache(lambda _service: MemoryLedger(clock)),
    )


async def work_off(house: House) -> None:
    """Let everybody take one step after another, until nobody has anything left to do at this hour."""
    steps = [
        step
        for home in house.households
        for step in (home.relay.step, *(reader.step for reader in home.readers), home.timer.step)
    ]
    while sum([await step() for step in steps]):
        pass


async def pass_until(house: House, moment: datetime) -> None:
    """Let the hours strike one after another, each hour's work done before the next one strikes."""
    while True:
        await work_off(house)
        hours = [hour for home in house.households if (hour := await home.store.next_due()) and hour <= moment]
        house.platform.city.reach(min(hours, default=moment))
        if not hours:
            return


# --- over HTTP ---


@dataclass
class Visitors:
    """People who come to a town's doors, wherever it stands; `settings` name the home with its development key."""

    web: httpx.AsyncClient
    settings: Settings
    machine: Clock
    acts: int = 0
    _tokens: dict[Caller, str] = field(default_factory=dict)

    def token(self, caller: Caller) -> str:
        """A development token for this caller."""
        if caller not in self._tokens:
            self._tokens[caller] = issue(issuer_key(self.settings), self.machine, caller, ISSUER_DEVELOPMENT)
        return self._tokens[caller]

    async def call(self, who: Caller, method: str, path: str, *, key: str = "", **sent: Any) -> httpx.Response:
        """Send a request as it is; `key` is its Idempotency-Key, and every POST without one is an act of its own."""
        if method == "POST" and not key:
            self.acts += 1
            key = f"act-{self.acts}"
        headers = {"Idempotency-Key": key} if key else {}
        if who != NOBODY:
            headers["Authorization"] = f"Bearer {self.token(who)}"
        return await self.web.request(method, path, headers=headers | sent.pop("headers", {}), **sent)

    async def post(
        self, who: Caller, path: str, body: Mapping[str, Any] | None = None, *, key: str = "", expect: int = 201
    ) -> dict[str, Any]:
        """Do something; it must be answered as expected."""
        answer = await self.call(who, "POST", path, key=key, json=body or {})
        assert answer.status_code == expect, f"POST {path}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    async def get(self, who: Caller, path: str, *, expect: int = 200, **params: str) -> Any:
        """Ask; it must be answered as expected."""
        answer = await self.call(who, "GET", path, params=params)
        assert answer.status_code == expect, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()


class Town(Visitors):
    """A house with its doors open, and people who come to them."""

    def __init__(self, web: httpx.AsyncClient, house: House, app: FastAPI) -> None:
        super().__init__(web, house.platform.settings, house.platform.machine)
        self.house, self.app = house, app

    async def drain(self) -> None:
        """Wait until everybody has heard everything."""
        await self.house.drain()

    async def advance(self, to: str) -> None:
        """Move city time ahead; every hour on the way strikes, and its work is done."""
        await self.house.advance(datetime.fromisoformat(to))


def doors_of(house: House) -> FastAPI:
    """The house's application, with development tokens."""
    keys, issuer, own_keys = trusted_keys(house.platform.settings)
    return build_app(house, keys, issuer, own_keys=own_keys)


@asynccontextmanager
async def served(house: House) -> AsyncIterator[Town]:
    """The house at work behind a real socket of this machine, in this event loop."""
    app = doors_of(house)
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=5))
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stack.push_async_callback(lambda: serving)
        stack.callback(setattr, server, "should_exit", True)
        while not server.started:
            if serving.done():
                await serving
                raise RuntimeError("the town does not open its doors")
            await asyncio.sleep(0.005)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        limits = httpx.Limits(max_connections=None)
        web = await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=30, limits=limits))
        yield Town(web, house, app)


@asynccontextmanager
async def within_earshot(house: House) -> AsyncIterator[Town]:
    """The house's doors without a socket and without anybody at work: the test takes every step itself."""
    app = doors_of(house)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(base_url="http://town", transport=transport) as web:
        yield Town(web, house, app)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for the test runner."""
        yield


# --- what people do there ---


def return_file(seats: Sequence[Mapping[str, Any]], spoiled: Callable[[int], str] = lambda _nth: "") -> str:
    """A vendor's return file for these seats; `spoiled` names the failed step of the nth card, or nothing."""
    lines = ["card_number,card_ident,atr,box,failed_step,reason"]
    for nth, seat in enumerate(seats):
        number, step = seat["card_number"], spoiled(nth)
        good = f"{number},{int(number):032X},3B6D00000081544A,A-01,,"
        lines.append(f"{number},,,,{step},smeared portrait" if step else good)
    return "\n".join([*lines, f"total,{len(seats)}"]) + "\n"


def a_millisecond_before(moment: str) -> str:
    """The last instant before this one that the city can tell apart."""
    return (datetime.fromisoformat(moment) - timedelta(milliseconds=1)).isoformat(timespec="milliseconds")


def town_settings(home: Path, **given: Any) -> Settings:
    """Settings of a town: what is given here, and nothing from the environment's `.env`."""
    return Settings(home=home, _env_file=None, **given)
