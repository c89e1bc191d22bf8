"""Online payments over HTTP at a steady rate: calls come whether or not the last one was answered."""

import asyncio
import json
import time
from random import Random

import asyncpg

from bench.figures import Findings, Row, percentile
from bench.ground import Ground
from libs.messaging.postgres import PostgresBus
from libs.testing.faults import AckBook
from libs.testing.lines import Line, written
from services.drift.__main__ import stage_of
from services.drift.callers import BUS, Card, Crossing, Neighbours, Town

PER_S, CARDS, WARM_S, WANTED_MS = 300, 400, 3, 50


async def at_a_steady_rate(ground: Ground) -> Findings:
    """300 payments a second, held and taken at once by one merchant, at one process of the wallet."""
    seconds, rounds = ground.either(20, 4), ground.either(3, 1)
    p50, p99 = [], []
    async with stage_of(ground.folder / "payments", 1) as stage:
        assert stage.database is not None
        pool = await asyncpg.create_pool(stage.database.dsn, min_size=1, max_size=4)
        (address,) = stage.addresses.values()
        people = Crossing([int(address.rpartition(":")[2])], stage.settings, Random(1))
        town = Town(people, Neighbours(PostgresBus(pool)), Random(1), AckBook(people, "payments"))
        await town.settle(CARDS)
        for nth in range(rounds + 1):
            took = await _paid(people, town.cards, WARM_S if nth == 0 else seconds, f"round-{nth}")
            if nth:
                p50.append(percentile(took, 0.5) * 1e3)
                p99.append(percentile(took, 0.99) * 1e3)
        people.close()
        await pool.close()
    middle = sorted(p99)[len(p99) // 2]
    what = f"p99 of an online payment over HTTP, {PER_S}/s open loop, one process, one merchant (from when it was due)"
    ours = f"{middle:.1f} ms (p50 {sorted(p50)[len(p50) // 2]:.1f} ms; p99 of rounds {min(p99):.1f}–{max(p99):.1f})"
    return Findings([Row(what, ours, wanted=f"< {WANTED_MS} ms", met=middle < WANTED_MS)])


async def _paid(people: Crossing, cards: list[Card], seconds: int, name: str) -> list[float]:
    """How long each payment took, from the moment at which it was due."""
    token = people.token(BUS)
    took: list[float] = []

    async def pay(nth: int, due_at: float) -> None:
        body = {"card_id": cards[nth % len(cards)].card_id, "amount_fen": 1, "reference": f"{name}-{nth}",
                "capture": True}  # fmt: skip
        request = written("POST", "/v1/payments", token, f"{name}-{nth}", json.dumps(body).encode())
        mine: Line = await people.line(people.ports[0])
        status, answer = await mine.ask(request)
        took.append(time.perf_counter() - due_at)
        people.keep(people.ports[0], mine)
        if status != 201:
            raise RuntimeError(f"{status} {answer.decode()}")

    began, callers = time.perf_counter() + 0.1, []
    for nth in range(PER_S * seconds):
        due_at = began + nth / PER_S
        await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
        callers.append(asyncio.create_task(pay(nth, due_at)))
    await asyncio.gather(*callers)
    return took
