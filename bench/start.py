"""From a fresh clone to the first card in a hand, and what the whole platform weighs when it has nothing to do."""

import asyncio
import re
import subprocess
import time

from bench.figures import Findings, Row
from bench.ground import Ground, reachable_folder
from bench.machine import living_in, pss_bytes, rss_bytes
from libs.runtime.engines import engine_home
from libs.testing.stage import one_process

IN_HAND = re.compile(r"is active until")
WANTED_S, WANTED_MB = 60, 250


async def from_a_fresh_clone(ground: Ground) -> Findings:
    """`make demo` in a new clone, and the memory of an idle platform."""
    seconds = await _first_card_s()
    python, postgres = await _idle_mb(ground, ground.either(30, 5))
    return Findings(
        [
            Row(
                "fresh clone → first card in the hand (`git clone`, `make demo`; package cache warm)",
                f"{seconds:.0f} s",
                wanted=f"< {WANTED_S} s",
                met=seconds < WANTED_S,
            ),
            Row(
                f"idle memory of the whole platform in one process, after {ground.either(30, 5)} s",
                f"{python + postgres:.0f} MB (Python RSS {python:.0f}, PostgreSQL Pss {postgres:.0f})",
                wanted=f"< {WANTED_MB} MB",
                met=python + postgres < WANTED_MB,
            ),
        ]
    )


async def _first_card_s() -> float:
    with reachable_folder("citycard-clone-") as folder:
        clone = folder / "citycard"
        began = time.perf_counter()
        await _ran("git", "clone", "--quiet", ".", str(clone))
        demo = await asyncio.create_subprocess_exec(
            "make", "demo", cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert demo.stdout
        took_s, said = 0.0, []
        async for line in demo.stdout:
            said.append(line.decode())
            if not took_s and IN_HAND.search(said[-1]):
                took_s = time.perf_counter() - began
        if await demo.wait() or not took_s:
            raise RuntimeError(f"the demo failed: {''.join(said[-10:])}")
        return took_s


async def _ran(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait():
        raise RuntimeError(f"{' '.join(command)} failed")


async def _idle_mb(ground: Ground, seconds: float) -> tuple[float, float]:
    home = ground.folder / "idle"
    home.mkdir(mode=0o711)
    async with one_process(home) as stage:
        await asyncio.sleep(seconds)
        python = rss_bytes(stage.processes["all"].pid)
        postgres = sum(map(pss_bytes, living_in(engine_home(stage.settings) / "postgres")))
        return python / 2**20, postgres / 2**20
