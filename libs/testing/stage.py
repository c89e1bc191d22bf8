"""The platform as real processes, started for a play and ended by the handles with which they were started."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.runtime.engines import engine_home
from libs.runtime.settings import Settings

READY_WITHIN_S = 60
SERVICES = ("identity", "issuance", "loss", "notice")

Process = subprocess.Popen[bytes]


class NotReady(Exception):
    """A process did not become ready; what it said stands above."""


@dataclass
class Stage:
    """Running processes by name, and a client that finds the right one for each path, as a gateway would."""

    settings: Settings
    web: httpx.AsyncClient
    addresses: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    commands: dict[str, Sequence[str]] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        """Start a process, or start it again, and wait until it is ready."""
        command = [sys.executable, "-m", "libs.runtime.cli", *self.commands[name]]
        self.processes[name] = await asyncio.to_thread(subprocess.Popen, command, env=self.environment)
        await until_ready(self.addresses[name], self.processes[name])

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        self.processes[name].kill()
        self.processes[name].wait()

    async def end(self) -> None:
        """Ask every process to stop, and wait until it has."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 20)
            process.kill()


@asynccontextmanager
async def one_process(home: Path, **variables: str) -> AsyncIterator[Stage]:
    """The whole platform in one process on its embedded engines."""
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
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    async with broker(home) if not kafka else _there(kafka) as bootstrap:
        settings = Settings(home=home)
        async with EmbeddedPostgres(engine_home(settings) / "postgres") as dsn:
            ports = {name: free_port() for name in SERVICES}
            addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
            async with httpx.AsyncClient(transport=Gateway(addresses), base_url="http://city", timeout=60) as web:
                stage = Stage(settings, web, addresses)
                stage.environment = _environment(
                    home, variables | {"CITYCARD_KAFKA": bootstrap, "CITYCARD_DATABASE_URL": dsn}
                )
                stage.commands = {name: ["serve", name, "--port", str(port)] for name, port in ports.items()}
                try:
                    await asyncio.gather(*(stage.start(name) for name in SERVICES))
                    yield stage
                finally:
                    await stage.end()


@asynccontextmanager
async def broker(home: Path, port: int = 0) -> AsyncIterator[str]:
    """An Apache Kafka broker on loopback; yields its address."""
    port = port or free_port()
    process = await start_broker(home, port)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 20)
        process.kill()


async def start_broker(home: Path, port: int) -> Process:
    """Start a broker, or start it again on what it has kept; returns when it takes connections."""
    command = ["deploy/kafka/broker", "run", "--data", str(home / "kafka"), "--port", str(port)]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.DEVNULL)
    async with asyncio.timeout(180):  # The first time, Maven collects the jars.
        while True:
            if process.poll() is not None:
                raise NotReady("the Kafka broker did not start")
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return process
            await asyncio.sleep(0.1)


class Gateway(httpx.AsyncBaseTransport):
    """Sends each path to the service whose OpenAPI document has it, as the gateway in front of a real city does."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)
        self._routes: list[tuple[re.Pattern[str], str]] = []
        self._inner = httpx.AsyncHTTPTransport()

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


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    own = {"CITYCARD_HOME": str(home), "CITYCARD_LOG_LEVEL": "warning"}
    return {**os.environ, **own, **variables}


@asynccontextmanager
async def _there(kafka: str) -> AsyncIterator[str]:
    yield kafka
