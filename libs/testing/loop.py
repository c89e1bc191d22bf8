"""An event loop in which a seed decides who goes next, and an hour of waiting costs nothing."""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import ContextVar
from random import Random
from typing import Any


class Mortal:
    """Somebody who can die between any two awaits; what she had still to do is then never done."""

    def __init__(self, name: str) -> None:
        self.name, self.alive = name, True


OWNER: ContextVar[Mortal | None] = ContextVar("owner", default=None)
"""For whom the running step is taken. Tasks and callbacks inherit it from whoever made them."""


class AsleepForEver(Exception):
    """Nobody is ready and no timer is set: nothing would ever happen again."""


class SeededLoop(asyncio.BaseEventLoop):
    """Takes one step at a time, of the ready ones whichever the seed picks; time jumps to the next timer.

    Time stands still while anybody is ready. A step whose owner has died is put aside and not taken, as after
    `kill -9`: no `finally`, no `except` of hers runs. `trace` is a figure made of every choice; two runs that agree on
    it took the same steps in the same order. `fail` ends the run at once with an error, whoever finds it.
    """

    def __init__(self, seed: int, lateness_s: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._dice, self._clock_s, self._lateness_s = Random(seed), 0.0, lateness_s
        self._aside: list[asyncio.Handle] = []
        self._made: list[asyncio.Task[Any]] = []
        self._waking_the_dead = False
        self.failure: BaseException | None = None
        self.steps, self.trace = 0, seed

    def time(self) -> float:
        return self._clock_s

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """As ever, but a timer may strike late, as it does on a busy machine."""
        late_s = self._lateness_s() if self._lateness_s is not None else 0.0
        return super().call_at(when + late_s, callback, *args, context=context)

    def create_task(self, coro: Any, **named: Any) -> Any:
        task = super().create_task(coro, **named)
        self._made.append(task)
        if len(self._made) % 4096 == 0:
            self._made = [made for made in self._made if not made.done()]
        return task

    def fail(self, error: BaseException) -> None:
        """End the run with this error; the first one counts, and none does when the run is over."""
        if self._waking_the_dead:
            return
        self.failure = self.failure or error
        self.stop()

    def run(self, main: Any) -> Any:
        """Run until `main` is done; whatever is left over then is swept out. Raises what `fail` was given."""
        try:
            task = self.create_task(main)
            task.add_done_callback(self._over)
            self.run_forever()
            task.remove_done_callback(self._over)
            if self.failure is not None:
                raise self.failure
            return task.result()
        finally:
            self._sweep()
            self.close()

    def _over(self, _done: object) -> None:
        self.stop()

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        timers: Any = self._scheduled  # type: ignore[attr-defined]
        if not ready:
            if not timers:
                raise AsleepForEver
            self._clock_s = max(self._clock_s, timers[0].when())
        while timers and timers[0].when() <= self._clock_s:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if not timer.cancelled():
                ready.append(timer)
        if not ready:
            return
        nth = int(self._dice.random() * len(ready))
        ready.rotate(-nth)
        handle = ready.popleft()
        if handle.cancelled():
            return
        owner = handle._context.get(OWNER)
        if owner is not None and not owner.alive and not self._waking_the_dead:
            self._aside.append(handle)
            return
        if not self._waking_the_dead:
            self.steps += 1
            self.trace = (self.trace * 1_000_003 ^ len(ready) << 16 ^ nth) & 0xFFFF_FFFF_FFFF_FFFF
        handle._run()

    def _sweep(self) -> None:
        """Wake the dead and send everybody home, so that nothing is collected half-way; nobody judges this any more."""
        self._waking_the_dead, self._lateness_s = True, None
        homeward = self.create_task(self._send_home())
        homeward.add_done_callback(self._over)
        self.run_forever()

    async def _send_home(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        me = asyncio.current_task()
        for _ in range(100):
            ready.extend(self._aside)
            self._aside.clear()
            left = [task for task in self._made if not task.done() and task is not me]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.sleep(1)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody caught ends the run, unless it is over."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.fail(error)

    # What a loop with sockets and other threads would need; here is none of either.

    def _process_events(self, event_list: Any) -> None:
        return

    def _write_to_self(self) -> None:
        return
