"""The platform as real processes, started for a play and ended by the handles with which they were started."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from libs.runtime.cli import SERVICES
from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.runtime.engines import engine_home
from libs.runtime.settings import Settings

READY_WITHIN_S = 120  # On a machine that is busy with other work, too.

Process = subprocess.Popen[bytes]


class NotReady(Exception):
    """A process did not become ready; the text ends with what it said."""


class Broker:
    """An Apache Kafka broker on loopback that can be killed and started again on what it has kept."""

    def __init__(self, home: Path) -> None:
        self._home, self._port = home, free_port(neighbours=1)  # The controller takes the next one.
        self.process: Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it; returns when it takes connections. Raises NotReady."""
        command = ["deploy/kafka/broker", "run", "--data", str(self._home / "kafka"), "--port", str(self._port)]
        self.process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.DEVNULL)
        async with asyncio.timeout(180):  # The first time, Maven collects the jars.
            while self.process.poll() is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)
        raise NotReady("the Kafka broker did not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def end(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self.process is not None:
            await _ended(self.process)


class Database:
    """A PostgreSQL that can be killed and started again, on the same port."""

    def __init__(self, data: Path) -> None:
        self._data, self._port = data, free_port()
        self._server = EmbeddedPostgres(data, port=self._port)
        self.dsn = ""

    async def start(self) -> None:
        """Start it; returns when it takes work."""
        self._server = EmbeddedPostgres(self._data, port=self._port)
        self.dsn = await self._server.start()

    @property
    def alive(self) -> bool:
        """Whether it has not ended, by itself or by us."""
        return self._server.process is not None and self._server.process.poll() is None

    async def kill(self) -> None:
        """End it as a power cut would: nothing is flushed, nobody is told."""
        if self._server.process is not None:
            self._server.process.kill()
        await self._server.stop()

    async def end(self) -> None:
        """Ask it to stop, and wait until it has."""
        await self._server.stop()


@dataclass
class Stage:
    """Running processes by name, and a client that finds the right one for each path, as a gateway would.

    `database` and `broker` are there if they run outside of the services' processes and can be killed by themselves.
    """

    settings: Settings
    web: httpx.AsyncClient
    addresses: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    commands: dict[str, Sequence[str]] = field(default_factory=dict)
    database: Database | None = None
    broker: Broker | None = None
    program: str = "libs.runtime.cli"
    """The module that each command is given to."""

    async def start(self, name: str) -> None:
        """Start a process, or start it again, and wait until it is ready."""
        command = [sys.executable, "-m", self.program, *self.commands[name]]
        with self.log(name).open("ab") as said:
            self.processes[name] = await asyncio.to_thread(
                subprocess.Popen, command, env=self.environment, stdout=said, stderr=said
            )
        try:
            await until_ready(self.addresses[name], self.processes[name])
        except NotReady as failure:
            raise NotReady(f"{name}: {failure}\n{self.log(name).read_text()[-2000:]}") from None

    def log(self, name: str) -> Path:
        """What a process has said so far."""
        return self.settings.home / f"{name}.log"

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        self.processes[name].kill()
        self.processes[name].wait()

    async def end(self) -> None:
        """Ask every process to stop, and wait until it has."""
        for process in self.processes.values():
            process.terminate()
        await asyncio.gather(*map(_ended, self.processes.values()))


@asynccontextmanager
async def one_process(home: Path, **variables: str) -> AsyncIterator[Stage]:
    """The whole platform in one process on its embedded engines."""
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=address, timeout=30) as web:
        stage = Stage(Settings(home=home), web, {"all": address}, commands={"all": ["up", "--port", str(port)]})
        stage.environment = _environment(home, variables)
        try:
            await stage.start("all")
            yield stage
        finally:
            await stage.end()


@asynccontextmanager
async def on_kafka(home: Path, kafka: str = "", **variables: str) -> AsyncIterator[Stage]:
    """Each service as a process of its own, on PostgreSQL and Apache Kafka: the broker at `kafka`, or our own."""
    if kafka:
        async with on_postgres(home, CITYCARD_KAFKA=kafka, **variables) as stage:
            yield stage
        return
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)  # Else it is the broker's, and closed to others.
    async with broker(home) as own, on_postgres(home, CITYCARD_KAFKA=own.address, **variables) as stage:
        stage.broker = own
        yield stage


@asynccontextmanager
async def on_postgres(home: Path, **variables: str) -> AsyncIterator[Stage]:
    """Each service as a process of its own, on one PostgreSQL, which keeps the log too if nothing else is said."""
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    settings = Settings(home=home)
    database = Database(engine_home(settings) / "postgres")
    await database.start()
    try:
        ports = {name: free_port() for name in SERVICES}
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        limits = httpx.Limits(max_connections=None)
        gateway = Gateway(addresses, httpx.AsyncHTTPTransport(limits=limits))
        async with httpx.AsyncClient(transport=gateway, base_url="http://city", timeout=60) as web:
            stage = Stage(settings, web, addresses, database=database)
            stage.environment = _environment(home, {"CITYCARD_DATABASE_URL": database.dsn} | variables)
            stage.commands = {name: ["serve", name, "--port", str(port)] for name, port in ports.items()}
            try:
                await asyncio.gather(*(stage.start(name) for name in SERVICES))
                yield stage
            finally:
                await stage.end()
    finally:
        await database.end()


@asynccontextmanager
async def broker(home: Path) -> AsyncIterator[Broker]:
    """An Apache Kafka broker on loopback."""
    started = Broker(home)
    try:
        await started.start()
        yield started
    finally:
        await started.end()


class Gateway(httpx.AsyncBaseTransport):
    """Sends each path to the service whose OpenAPI document has it, as the gateway in front of a real city does."""

    def __init__(self, addresses: Mapping[str, str], inner: httpx.AsyncBaseTransport) -> None:
        self._addresses, self._inner = dict(addresses), inner
        self._routes: list[tuple[re.Pattern[str], str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self._routes:
            await self._learn()
        address = next(
            (address for pattern, address in self._routes if pattern.fullmatch(request.url.path)),
            next(iter(self._addresses.values())),
        )
        to = httpx.URL(address)
        request.url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)
        return await self._inner.handle_async_request(request)

    async def _learn(self) -> None:
        async with httpx.AsyncClient(timeout=10) as web:
            for address in self._addresses.values():
                document = (await web.get(f"{address}/openapi.json")).json()
                for path, acts in document["paths"].items():
                    if all("house" not in act.get("tags", ()) for act in acts.values()):
                        self._routes.append((re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), address))

    async def aclose(self) -> None:
        await self._inner.aclose()


async def until_ready(address: str, process: Process) -> None:
    """Wait until a process says that it can work. Raises NotReady."""
    async with httpx.AsyncClient(timeout=5) as web, asyncio.timeout(READY_WITHIN_S):
        while process.poll() is None:
            with suppress(httpx.TransportError):
                if (await web.get(f"{address}/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise NotReady(f"exit status {process.returncode}")


def free_port(neighbours: int = 0) -> int:
    """A loopback port that was free a moment ago, with as many free neighbours above it."""
    while True:
        with ExitStack() as probes, suppress(OSError):
            first = probes.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for nth in range(neighbours):
                probes.enter_context(socket.create_server(("127.0.0.1", first + nth + 1)))
            return int(first)


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    own = {"CITYCARD_HOME": str(home), "CITYCARD_LOG_LEVEL": "warning"}
    return {**os.environ, **own, **variables}


async def _ended(process: Process) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(process.wait, 20)
    process.kill()
    process.wait()
