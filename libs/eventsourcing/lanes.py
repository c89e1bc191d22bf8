"""Batches that form by themselves: what arrives while one batch is on its way makes the next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from libs.kernel.outages import Outage

BATCH_MAX = 512


class Claims(Protocol):
    """Something to be stored that names what nothing else in its batch may touch."""

    @property
    def claims(self) -> Iterable[Hashable]: ...


Q = TypeVar("Q")
A = TypeVar("A")
W = TypeVar("W", bound=Claims)


class Lane(Generic[W, A]):
    """Sends one batch at a time, without a timer: the batch grows with the load, and a lone command never waits."""

    def __init__(self, flush: Callable[[Sequence[W]], Awaitable[Sequence[A]]]) -> None:
        self._flush = flush
        self._waiting: deque[tuple[W, asyncio.Future[A]]] = deque()
        self._driver: asyncio.Task[None] | None = None

    async def submit(self, wanted: W) -> A:
        """Store this command with whatever else is waiting; what fails, fails alone."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, answer))
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        return await answer

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        if self._driver is not None:
            await self._driver

    async def _drive(self) -> None:
        while self._waiting:
            await self._send(self._next_batch())
            await asyncio.sleep(0)  # Who has just been answered, and asks anew at once, goes with the next batch.

    def _next_batch(self) -> list[tuple[W, asyncio.Future[A]]]:
        """At most one command per stream: the second was decided on a version that the first is about to change."""
        batch: list[tuple[W, asyncio.Future[A]]] = []
        later: list[tuple[W, asyncio.Future[A]]] = []
        taken: set[Hashable] = set()
        while self._waiting and len(batch) < BATCH_MAX:
            wanted, answer = self._waiting.popleft()
            claims = set(wanted.claims)
            if taken.isdisjoint(claims):
                taken |= claims
                batch.append((wanted, answer))
            else:
                later.append((wanted, answer))
        self._waiting.extendleft(reversed(later))
        return batch

    async def _send(self, batch: list[tuple[W, asyncio.Future[A]]]) -> None:
        try:
            outcomes = await self._flush([wanted for wanted, _ in batch])
        except Outage as outage:
            for _, answer in batch:
                _fail(answer, outage)
        except Exception as poison:
            if len(batch) == 1:
                _fail(batch[0][1], poison)
                return
            middle = len(batch) // 2  # One transaction has failed as a whole, so both halves are still to be done.
            await self._send(batch[:middle])
            await self._send(batch[middle:])
        else:
            for (_, answer), outcome in zip(batch, outcomes, strict=True):
                if not answer.done():
                    answer.set_result(outcome)


class Together(Generic[Q, A]):
    """One errand for all who ask at the same time; who comes while it is being run waits for the next."""

    def __init__(self, run: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._run = run
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._driver: asyncio.Task[None] | None = None

    async def __call__(self, question: Q) -> A:
        """The answer as of now or later; an error of the errand is everybody's."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        return await answer

    async def _drive(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            try:
                found = await self._run([question for question, _ in batch])
                answered = list(zip(batch, found, strict=True))
            except Exception as error:
                for _, answer in batch:
                    _fail(answer, error)
            else:
                for (_, answer), one in answered:
                    if not answer.done():
                        answer.set_result(one)


def _fail(answer: asyncio.Future[Any], why: Exception) -> None:
    if not answer.done():
        answer.set_exception(why)
