"""What an accepted command costs at the door, beside a bare FastAPI route with the same body and answer."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bench.figures import Findings, Round, Row, in_turns
from bench.ground import Ground, ended, helper
from bench.machine import cpu_s
from bench.profiles import Profile
from libs.runtime.citytime import MachineClock
from libs.runtime.development import issuer_key
from libs.testing.stage import free_port
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, issue

CONNECTIONS = 64
HOTLINE = Caller("hotline-1", "hotline", "330900")


@asynccontextmanager
async def server(port: int, command: Sequence[str], **environment: str) -> AsyncIterator[int]:
    """A server of ours on this port, from the moment at which it takes connections; yields its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while True:
                if process.returncode is not None:
                    raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield process.pid
    finally:
        await ended(process)


def environment_of(ground: Ground, dsn: str) -> dict[str, str]:
    """The environment of a `citycard` process on this database, with the log that `deploy/Dockerfile` asks for."""
    home = str(ground.settings(dsn).home)
    return {"CITYCARD_HOME": home, "CITYCARD_DATABASE_URL": dsn, "CITYCARD_LOG_STYLE": "json"}


async def beside_a_bare_route(ground: Ground) -> Findings:
    """Accepted commands a second and processor time per command, one process each, with the same load."""
    seconds, rounds = ground.either(8, 3), ground.either(7, 2)
    dsn = await ground.database("doors")
    token = issue(issuer_key(ground.settings(dsn)), MachineClock(), HOTLINE, ISSUER_DEVELOPMENT)
    ours_port, bare_port = free_port(), free_port()
    serve = ["serve", "loss", "--port", str(ours_port)]
    costs: dict[str, list[float]] = {"ours": [], "bare": []}
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(helper("-m", "bench.peers.load"))
        bare = await stack.enter_async_context(server(bare_port, ["-m", "bench.peers.bare", str(bare_port)]))
        ours = await stack.enter_async_context(
            server(ours_port, ["-m", "libs.runtime.cli", *serve], **environment_of(ground, dsn))
        )

        def round_(name: str, port: int, pid: int) -> Round:
            async def play() -> float:
                before = cpu_s(pid)
                told = await load.ask(port=port, token=token, connections=CONNECTIONS, seconds=seconds)
                costs[name].append((cpu_s(pid) - before) / told["accepted"] * 1e6)
                return float(told["per_s"])

            return play

        paired = await in_turns(
            rounds, {"ours": round_("ours", ours_port, ours), "bare": round_("bare", bare_port, bare)}
        )
    profile = await profiled(ground, dsn, token, seconds)
    await ground.drop("doors")

    ratio = paired.ratio("ours", "bare")
    mine, theirs = (sorted(costs[name][1:])[len(costs[name][1:]) // 2] for name in ("ours", "bare"))
    how = "token, Cedar, idempotency, durable append; relay and readers in the same process"
    return Findings(
        [
            Row(
                f"accepted HTTP commands/s, one process ({how})",
                f"{paired.of('ours'):,.0f}/s",
                f"bare FastAPI route: {paired.of('bare'):,.0f}/s",
                str(ratio),
                "≥ 0.35×",
                ratio.median >= 0.35,
            ),
            Row("processor time per accepted command in that process", f"{mine:,.0f} µs", f"bare: {theirs:,.0f} µs",
                f"{theirs / mine:.2f}×"),
        ],
        [profile],
    )  # fmt: skip


async def profiled(ground: Ground, dsn: str, token: str, seconds: float) -> str:
    """Where the time goes in a steady window, as Markdown."""
    file, port = ground.folder / "profile.json", free_port()
    command = ["-m", "bench.peers.sampled", str(file), "serve", "loss", "--port", str(port)]
    order: dict[str, Any] = {"port": port, "token": token, "connections": CONNECTIONS, "seconds": seconds}
    async with (
        helper("-m", "bench.peers.load") as load,
        server(port, command, **environment_of(ground, dsn)) as pid,
    ):
        await load.ask(**order)
        os.kill(pid, signal.SIGUSR1)
        await load.ask(**order)
        os.kill(pid, signal.SIGUSR1)
        async with asyncio.timeout(10):
            while not file.exists():
                await asyncio.sleep(0.05)
    return Profile.read(Path(file)).markdown("one accepted HTTP command")
