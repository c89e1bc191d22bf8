"""Batches form by themselves: what was asked while one was on its way goes together."""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from libs.eventsourcing.lanes import Lane


@dataclass(frozen=True)
class Wish:
    name: str
    claims: tuple[Hashable, ...] = ()


class Counter:
    """Answers each batch when it has seen it, and remembers how large it was."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def flush(self, batch: Sequence[Wish]) -> Sequence[str]:
        self.sizes.append(len(batch))
        await turns(5)
        return [wish.name for wish in batch]


async def turns(many: int) -> None:
    """Let everybody else take so many steps."""
    for _ in range(many):
        await asyncio.sleep(0)


async def asks_again(lane: Lane[Wish, str], name: str, times: int, late: int = 0) -> None:
    await turns(late)
    for _ in range(times):
        assert await lane.submit(Wish(name)) == name


async def test_whoever_asks_anew_as_soon_as_she_is_answered_goes_with_the_next_batch() -> None:
    counter = Counter()
    lane = Lane(counter.flush)
    early = [asks_again(lane, f"early-{nth}", 10) for nth in range(4)]
    late = [asks_again(lane, f"late-{nth}", 9, late=3) for nth in range(4)]
    await asyncio.gather(*early, *late)
    assert counter.sizes == [4] + [8] * 9


async def test_two_who_touch_the_same_thing_are_not_judged_on_the_same_look() -> None:
    counter = Counter()
    lane = Lane(counter.flush)
    wishes = [Wish("one", ("purse",)), Wish("two", ("purse",)), Wish("three")]
    assert await asyncio.gather(*map(lane.submit, wishes)) == ["one", "two", "three"]
    assert counter.sizes == [2, 1]
