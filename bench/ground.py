"""The ground on which everything is measured: one PostgreSQL of our own, a database for each measure."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from libs.runtime.cli import SERVICES
from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.runtime.engines import open_platform
from libs.runtime.platform import Platform
from libs.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Ground:
    """Where and how thoroughly to measure; `peer` is the Python of the environment in which the peers live."""

    folder: Path
    server: EmbeddedPostgres
    dsn: str
    peer: Path
    quick: bool

    def either(self, full: int, quick: int) -> int:
        """How many: in earnest, or to see that it works."""
        return quick if self.quick else full

    async def database(self, name: str) -> str:
        """A new, empty database."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(f"drop database if exists {name} with (force)")
            await connection.execute(f"create database {name}")
        finally:
            await connection.close()
        return f"{self.dsn.rpartition('/')[0]}/{name}"

    async def drop(self, name: str) -> None:
        """Give a database's place on the disk back."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(f"drop database if exists {name} with (force)")
        finally:
            await connection.close()

    def settings(self, dsn: str) -> Settings:
        """As an operator would have them who knows this database."""
        return Settings(home=self.folder / "home", database_url=dsn, _env_file=None)

    @asynccontextmanager
    async def platform(self, dsn: str) -> AsyncIterator[Platform]:
        """The product's own engines on this database."""
        async with open_platform(self.settings(dsn), list(SERVICES)) as platform:
            yield platform


@contextmanager
def reachable_folder(prefix: str) -> Iterator[Path]:
    """A folder for a while, which the account of the embedded PostgreSQL may pass."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def ground(peer: Path, quick: bool) -> AsyncIterator[Ground]:
    """A PostgreSQL as the product starts it, in a folder that is gone afterwards."""
    with reachable_folder("citycard-bench-") as folder:
        server = EmbeddedPostgres(folder / "postgres")
        async with server as dsn:
            yield Ground(folder, server, dsn, peer, quick)


class Helper:
    """A process beside us that takes orders, a JSON line each, and answers each with a JSON line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def ask(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a helper went away with exit status {await self._process.wait()}")
        return dict(json.loads(answer))


@asynccontextmanager
async def helper(*command: str, python: Path | None = None, **environment: str) -> AsyncIterator[Helper]:
    """Start `python …` beside us, and end it afterwards by the handle with which it was started."""
    process = await asyncio.create_subprocess_exec(
        str(python or sys.executable), *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment or None
    )
    try:
        yield Helper(process)
    finally:
        await ended(process)


async def ended(process: asyncio.subprocess.Process) -> None:
    """Ask a process of ours to end, and see that it has."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 20)
    except TimeoutError:
        process.kill()
        await process.wait()
