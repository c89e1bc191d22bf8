"""Eligibility verdicts a second, beside zen asked bare: the same tables, the same people, no memory and no reasons."""

import time
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import zen

from bench.figures import Findings, Row, in_turns
from bench.ground import Ground
from libs.runtime.citypack import load_packs
from services.identity.adapters.eligibility import Eligibility
from services.identity.domain.events import Statement

CITY, PROGRAMME = "330900", "citizen-card"
NOW = datetime(2026, 10, 8, 4, 0, tzinfo=UTC)
WANTED_TIMES = 5.0


def somebody(random: Random, facts: list[str]) -> tuple[list[Statement], int]:
    """Up to four facts that hold, and an age."""
    held = random.sample(facts, random.randint(0, 4))
    return [
        Statement(
            fact=fact, department="d", valid_from=date(2020, 1, 1), valid_to=None, ended=False, reference="1",
            stated_at=NOW,
        )
        for fact in held
    ], random.randint(0, 95)  # fmt: skip


async def beside_bare_zen(ground: Ground) -> Findings:
    """Verdicts with rule, sources and the hour of their end, beside two bare evaluations a person."""
    packs = load_packs(Path("deploy"))
    eligibility, random = Eligibility(packs), Random(20261008)
    facts = sorted(packs[CITY].facts)
    people = [somebody(random, facts) for _ in range(500 if ground.quick else 5_000)]
    decisions = [
        zen.ZenEngine().create_decision(table.path.read_text(encoding="utf-8"))
        for table in eligibility.tables(CITY, PROGRAMME, NOW)
    ]
    contexts: list[dict[str, Any]] = [
        {"facts": {fact: any(said.fact == fact for said in holding) for fact in facts}, "age": age}
        for holding, age in people
    ]

    async def ours() -> float:
        began = time.perf_counter()
        for holding, age in people:
            eligibility.verdicts(CITY, holding, age, NOW)
        return len(people) / (time.perf_counter() - began)

    async def bare() -> float:
        began = time.perf_counter()
        for context in contexts:
            for decision in decisions:
                decision.evaluate(context)
        return len(contexts) / (time.perf_counter() - began)

    found = await in_turns(1 if ground.quick else 5, {"ours": ours, "bare": bare})
    ratio = found.ratio("ours", "bare")
    return Findings(
        [
            Row(
                "eligibility verdicts a second, with rule, sources and hour",
                f"{found.of('ours'):,.0f}/s",
                f"zen alone, both tables, no reasons: {found.of('bare'):,.0f}/s",
                str(ratio),
                f"≥ {WANTED_TIMES:.0f}×",
                ratio.median >= WANTED_TIMES,
            )
        ]
    )
