"""The one consumer of the house: in order per key, twice is once, early waits, poison is put aside alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from libs.kernel.outages import Outage
from libs.messaging.bus import Feed, Letter, Slot
from libs.messaging.message import Message
from libs.messaging.notebook import Memory, Notebook, Origin, Page
from libs.messaging.readmodel import Change

BATCH_MAX = 3_000
PAUSES_S = (0.02, 0.08, 0.3)  # Between tries of a letter: bounded, so that poison delays the others by less than 1 s.
TOGETHER_MIN = 24  # So few are handled as fast one by one.

React = Callable[[Message], Awaitable[None]]
ReactTogether = Callable[[Sequence[Message]], Awaitable[Sequence[bool]]]
Project = Callable[[Message], Iterable[Change]]


@dataclass
class Figures:
    """What a reader has been through since it started; `polled_at` is monotonic machine time."""

    handled: int = 0
    doubles: int = 0
    held: int = 0
    parked: int = 0
    polled_at: float = 0.0
    lag: int = 0


@dataclass
class _Batch:
    """A batch, sorted: what to handle for each key, what waits, and where everything will then stand."""

    work: dict[str, list[Letter]] = field(default_factory=dict)
    held: list[Letter] = field(default_factory=list)
    seen: dict[Origin, int] = field(default_factory=dict)
    positions: dict[Slot, tuple[int, int]] = field(default_factory=dict)
    aside: dict[str, list[tuple[Letter, str]]] = field(default_factory=dict)
    reacted: set[str] = field(default_factory=set)
    passed: int = 0


class _Unwritten(Exception):
    """A batch could not be projected as a whole, and its page has been torn out."""


class Reader:
    """Reads a feed and lets a service react and project.

    Reactions have settled before the position moves, and are idempotent by command id, so a crash in between repeats
    them without effect. Projections are written in the transaction that moves the position. A refusal is an answer; a
    letter whose handling keeps failing is parked with all later ones of its key until `redrive`. Of a full batch, the
    letters of different keys are reacted to `together`; what that leaves undone is handled alone. Of letters that are
    of none of the types in `heeds`, only the place is noted.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        notebook: Notebook,
        react: React,
        project: Project,
        together: ReactTogether | None = None,
        heeds: frozenset[str] | None = None,
    ) -> None:
        self.name, self.figures = name, Figures()
        self._together, self._heeds = together, heeds
        self._feed, self._notebook, self._react, self._project = feed, notebook, react, project
        self._memory: Memory | None = None
        self._slots: frozenset[Slot] = frozenset()
        self._turn = asyncio.Lock()

    async def step(self) -> int:
        """Handle one batch; returns how many letters it had. Raises Outage, after which nothing has moved."""
        async with self._turn:
            try:
                return await self._step()
            except BaseException:
                self._memory = None  # What was remembered may be older than what is written, or sorted too far.
                raise

    async def _step(self) -> int:
        slots = await self._feed.slots()
        if self._memory is None or slots != self._slots:
            self._slots = slots  # What others have read meanwhile stands in the notebook.
            self._memory = await self._notebook.load(self.name)
        memory = self._memory
        here = {slot: memory.positions.get(slot, 0) for slot in slots}
        letters = await self._feed.fetch(here, BATCH_MAX)
        self.figures.polled_at = asyncio.get_running_loop().time()
        if not letters:
            return 0
        batch = self._sorted(letters, memory, here)
        await self._react_together(memory, batch)
        handling = [
            self._handle(key, work, memory, batch)
            for key, work in batch.work.items()
            if key in memory.parked or not self._is_settled(work, batch)
        ]
        for interruption in await asyncio.gather(*handling, return_exceptions=True):
            if interruption is not None:
                raise interruption  # Only now: no reaction goes on behind the back of the next try.
        await self._write_down(batch)
        self._remember(memory, batch)
        return len(letters)

    def _sorted(self, letters: Sequence[Letter], memory: Memory, here: Mapping[Slot, int]) -> _Batch:
        batch = _Batch()
        for letter in letters:
            batch.positions[letter.slot] = (here[letter.slot], letter.offset + 1)
            if letter.message is None:
                batch.aside.setdefault(f"{letter.slot[0]}?", []).append((letter, letter.fault))
                continue
            service, shard, sequence = letter.message.place
            origin = (service, shard)
            seen = batch.seen.get(origin, memory.seen.get(origin, 0))
            waiting = memory.waiting.setdefault(origin, {})
            if heard_before(sequence, seen, waiting):
                self.figures.doubles += 1
            elif sequence > seen + 1 and not self._feed.leaves_out:
                self.figures.held += 1
                waiting[sequence] = letter
                batch.held.append(letter)
            else:
                turn: Letter | None = letter
                batch.passed += sequence - seen - 1
                while turn is not None and turn.message is not None:
                    if self._heeds is None or turn.message.type in self._heeds:
                        batch.work.setdefault(turn.message.key, []).append(turn)
                    else:
                        batch.passed += 1
                    batch.seen[origin] = seen = sequence
                    sequence += 1
                    turn = waiting.pop(sequence, None)
        batch.held = [letter for letter in batch.held if letter.message and self._still_waits(letter.message, batch)]
        return batch

    @staticmethod
    def _still_waits(message: Message, batch: _Batch) -> bool:
        service, shard, sequence = message.place
        return sequence > batch.seen.get((service, shard), 0)

    def _is_settled(self, work: Sequence[Letter], batch: _Batch) -> bool:
        if self._react is no_reaction:
            return True
        return all(letter.message and letter.message.id in batch.reacted for letter in work)

    async def _react_together(self, memory: Memory, batch: _Batch) -> None:
        """The first letters of all keys at once, then the second ones, as long as there are many."""
        if self._together is None:
            return
        turns = {key: iter(list(work)) for key, work in batch.work.items() if key not in memory.parked}
        while True:
            wave = {key: letter.message for key, turn in turns.items() if (letter := next(turn, None))}
            if len(wave) < TOGETHER_MIN:
                return
            messages = [message for message in wave.values() if message is not None]
            try:
                done = await self._together(messages)
            except Outage:
                raise
            except Exception:
                return  # One of them is at fault; which one comes out when they are handled alone.
            batch.reacted |= {message.id for message, is_done in zip(messages, done, strict=True) if is_done}
            turns = {key: turns[key] for key, is_done in zip(wave, done, strict=True) if is_done}

    async def _handle(self, key: str, work: list[Letter], memory: Memory, batch: _Batch) -> None:
        if key in memory.parked:
            batch.aside.setdefault(key, []).extend((letter, "behind a parked letter") for letter in work)
            work.clear()
            return
        for nth, letter in enumerate(work):
            if letter.message and letter.message.id in batch.reacted:
                continue
            if error := await self._react_or_say_why(letter):
                rest = work[nth + 1 :]
                del work[nth:]
                batch.aside.setdefault(key, []).append((letter, error))
                batch.aside[key].extend((later, "behind a parked letter") for later in rest)
                return

    async def _react_or_say_why(self, letter: Letter) -> str:
        assert letter.message
        for pause_s in (*PAUSES_S, None):
            try:
                await self._react(letter.message)
            except Outage:
                raise
            except Exception as error:
                if pause_s is None:
                    return f"{type(error).__name__}: {error}"
                await asyncio.sleep(pause_s)
            else:
                return ""
        raise AssertionError("unreachable")

    async def _write_down(self, batch: _Batch) -> None:
        """Project the whole batch at once; only if that fails, letter by letter, to find out whose fault it is."""
        try:
            async with self._page(batch) as page:
                await self._write(page, batch)
        except _Unwritten:
            async with self._page(batch) as page:
                for key, work in batch.work.items():
                    await self._write_one_by_one(page, key, work, batch)

    @asynccontextmanager
    async def _page(self, batch: _Batch) -> AsyncIterator[Page]:
        async with self._notebook.page(self.name) as page:
            await page.move(batch.positions, batch.seen)
            yield page
            for key, aside in batch.aside.items():
                for letter, error in aside:
                    await page.park(key, letter, error)
            await page.hold(batch.held)

    async def _write(self, page: Page, batch: _Batch) -> None:
        try:
            letters = (letter for work in batch.work.values() for letter in work)
            await page.write([change for letter in letters for change in self._changes(letter)])
        except Outage:
            raise
        except Exception as fault:
            raise _Unwritten from fault

    async def _write_one_by_one(self, page: Page, key: str, work: list[Letter], batch: _Batch) -> None:
        for nth, letter in enumerate(work):
            try:
                await page.project(self._changes(letter))
            except Outage:
                raise
            except Exception as error:
                behind = [(later, "behind a parked letter") for later in work[nth + 1 :]]
                batch.aside[key] = [(letter, f"{type(error).__name__}: {error}"), *behind, *batch.aside.get(key, [])]
                del work[nth:]
                return

    def _changes(self, letter: Letter) -> Sequence[Change]:
        assert letter.message
        return list(self._project(letter.message))

    def _remember(self, memory: Memory, batch: _Batch) -> None:
        memory.positions |= {slot: new for slot, (_, new) in batch.positions.items()}
        memory.seen |= batch.seen
        memory.parked |= batch.aside.keys()
        self.figures.handled += batch.passed + sum(len(work) for work in batch.work.values())
        self.figures.parked += sum(len(aside) for aside in batch.aside.values())

    async def redrive(self) -> tuple[int, int]:
        """Try parked letters once more, in order; returns how many were handled and how many are still aside."""
        async with self._turn:
            self._memory = None  # Whose letters are aside is to be seen anew, whatever comes of this.
            stuck: set[str] = set()
            parked = await self._notebook.parked(self.name)
            for one in parked:
                if one.key in stuck or one.letter.message is None:
                    stuck.add(one.key)
                    continue
                try:
                    await self._react(one.letter.message)
                    async with self._notebook.page(self.name) as page:
                        await page.project(list(self._project(one.letter.message)))
                        await page.unpark(one.nth)
                except Outage:
                    raise
                except Exception:
                    stuck.add(one.key)
            left = len(await self._notebook.parked(self.name))
            return len(parked) - left, left

    async def lag(self) -> int:
        """How many letters lie unread. Raises Outage."""
        ends = await self._feed.ends()
        kept = await self._notebook.load(self.name)
        memory = self._memory or kept
        if kept.positions != memory.positions or any(kept.positions.get(slot, 0) > end for slot, end in ends.items()):
            self._memory = None  # The log was filled anew: our places in the old one mean nothing.
        self.figures.lag = sum(max(0, end - memory.positions.get(slot, 0)) for slot, end in ends.items())
        return self.figures.lag

    async def wait(self, timeout_s: float) -> None:
        """Return when there may be more to read."""
        await self._feed.wait(timeout_s)

    async def close(self) -> None:
        await self._feed.close()


def nothing(_message: Message) -> Iterable[Change]:
    """No read model is touched."""
    return ()


async def no_reaction(_message: Message) -> None:
    """Nobody does anything."""


def heard_before(sequence: int, seen: int, waiting: Container[int]) -> bool:
    """Whether a letter was handled already, or lies there until those before it have come: twice is once."""
    return sequence <= seen or sequence in waiting
