"""The seeded loop: a seed is a story."""

import asyncio
import subprocess
import sys
import time
from random import Random

import pytest

from libs.testing.loop import OWNER, AsleepForEver, Mortal, SeededLoop


async def quarrel(log: list[str]) -> None:
    """Five who want the same thing at once."""
    lock, dice = asyncio.Lock(), Random(1)

    async def one(name: str) -> None:
        for nth in range(6):
            await asyncio.sleep(dice.choice((0, 0, 0.5)))
            async with lock:
                await asyncio.sleep(0)
                log.append(f"{name}{nth}")

    await asyncio.gather(*(one(name) for name in "abcde"))


def told(seed: int) -> tuple[list[str], int, int]:
    log: list[str] = []
    loop = SeededLoop(seed)
    loop.run(quarrel(log))
    return log, loop.trace, loop.steps


@pytest.mark.parametrize("seed", range(20))
def test_any_seed_replays_identically(seed: int) -> None:
    assert told(seed) == told(seed)


def test_seeds_tell_different_stories() -> None:
    assert len({tuple(told(seed)[0]) for seed in range(20)}) == 20


def test_another_process_with_other_hashes_tells_the_same() -> None:
    code = "from tests.simulation.test_loop import told; print(told(7))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": str(n)}, capture_output=True, text=True, check=True
        ).stdout
        for n in (1, 2)
    }
    assert printed == {f"{told(7)}\n"}


def test_virtual_hours_cost_milliseconds() -> None:
    async def a_long_day() -> float:
        for _ in range(100):
            await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    began = time.perf_counter()
    assert SeededLoop(1).run(a_long_day()) == 360_000
    assert time.perf_counter() - began < 0.5


def test_timers_may_strike_late_and_never_early() -> None:
    async def nap() -> float:
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    assert SeededLoop(1, lateness_s=lambda: 0.25).run(nap()) == 1.25


def test_whoever_dies_does_nothing_more() -> None:
    log: list[str] = []

    async def lives() -> None:
        try:
            while True:
                await asyncio.sleep(1)
                log.append("alive")
        finally:
            log.append("last words")

    async def story() -> list[str]:
        somebody = Mortal("somebody")
        OWNER.set(somebody)
        asyncio.create_task(lives())  # noqa: RUF006
        OWNER.set(None)
        await asyncio.sleep(2.5)
        somebody.alive = False
        await asyncio.sleep(10)
        return list(log)

    assert SeededLoop(1).run(story()) == ["alive", "alive"]


def test_a_world_in_which_nothing_can_happen_is_noticed() -> None:
    async def wait_for_nobody() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AsleepForEver):
        SeededLoop(1).run(wait_for_nobody())


def test_an_error_that_nobody_catches_ends_the_run() -> None:
    async def story() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(5)

    with pytest.raises(ZeroDivisionError):
        SeededLoop(1).run(story())
