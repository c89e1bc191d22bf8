"""The figures say what they seem to say, and errands that are run together answer each who asked."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.__main__ import BEGIN, END, write_into
from bench.figures import Row, in_turns, percentile, table
from libs.eventsourcing.lanes import Together
from libs.kernel import Outage


async def test_contestants_take_turns_and_warm_up_once() -> None:
    played: list[str] = []

    def contestant(name: str, figure: float) -> object:
        async def play() -> float:
            played.append(name)
            return figure * len(played)

        return play

    paired = await in_turns(3, {"a": contestant("a", 1.0), "b": contestant("b", 1.0)})  # type: ignore[dict-item]
    assert played == ["b", "a", "a", "b", "b", "a", "a", "b"]
    assert paired.figures == {"a": [3, 6, 7], "b": [4, 5, 8]}
    assert paired.ratio("a", "b").rounds == [3 / 4, 6 / 5, 7 / 8]
    assert str(paired.ratio("a", "b")) == "0.88× (0.75–1.20)"


def test_a_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0


def test_the_table_stands_between_its_markers(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_into(document, table([Row("appends", "8,000/s", wanted="≥ 5×", met=False)]))
    told = document.read_text()
    assert told.startswith("before\n")
    assert told.endswith("after\n")
    assert "old" not in told
    assert "| appends | 8,000/s | – | – | ≥ 5× | **no** |" in told


async def test_who_asks_while_an_errand_is_run_waits_for_the_next() -> None:
    errands: list[Sequence[int]] = []
    go = asyncio.Event()

    async def double(asked: Sequence[int]) -> Sequence[int]:
        errands.append(list(asked))
        await go.wait()
        return [2 * one for one in asked]

    together = Together(double)
    first = asyncio.create_task(together(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(together(one)) for one in (2, 3)]
    await asyncio.sleep(0)
    others[0].cancel()
    go.set()
    assert await first == 2
    assert await others[1] == 6
    assert errands == [[1], [2, 3]]


async def test_an_outage_is_told_to_all_who_asked_and_to_nobody_later() -> None:
    away = True

    async def fetch(asked: Sequence[int]) -> Sequence[int]:
        if away:
            raise Outage("gone")
        return asked

    together = Together(fetch)
    told = await asyncio.gather(together(1), together(2), return_exceptions=True)
    assert all(isinstance(one, Outage) for one in told)
    away = False
    assert await together(3) == 3
    with pytest.raises(ValueError, match="zip"):
        await Together(_too_little)(1)


async def _too_little(_asked: Sequence[int]) -> Sequence[int]:
    return ()
