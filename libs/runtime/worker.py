"""Somebody of the house who does one thing over and over: a relay, a timer, a reader."""

import asyncio
from collections.abc import Awaitable, Callable

from libs.kernel import Outage
from libs.messaging.notebook import Overtaken
from libs.telemetry import log_for

GATHER_S = (
    0.01  # After a turn with little in it: what comes meanwhile goes in one turn, and costs little more than one.
)
LITTLE = 50
PAUSE_S = 0.05
PAUSE_MAX_S = 5.0

log = log_for("house")


class Worker:
    """Steps while there is work, waits while there is none, and tries again, ever more slowly, while something is away.

    `turned_at` is when it last began a turn, by the event loop's clock: a worker that never comes round is stuck.
    """

    def __init__(self, name: str, step: Callable[[], Awaitable[int]], wait: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.turned_at = asyncio.get_running_loop().time()
        self._step, self._wait = step, wait
        self._busy = self._leaving = False
        self._task = asyncio.create_task(self._work(), name=name)

    async def leave(self, patience_s: float) -> None:
        """Finish the step in hand, if that takes no longer than this, and go home."""
        self._leaving = True
        if not self._busy:
            self._task.cancel()
        await asyncio.wait([self._task], timeout=patience_s)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _work(self) -> None:
        pause_s = PAUSE_S
        while not self._leaving:
            self.turned_at = asyncio.get_running_loop().time()
            try:
                done = await self._one_step()
                if not self._leaving and done < LITTLE:
                    await (asyncio.sleep(GATHER_S) if done else self._wait())
                pause_s = PAUSE_S
                continue
            except (Outage, Overtaken) as away:
                log.warning("waiting", who=self.name, error=str(away))
            except Exception as error:
                log.error("stumbled", who=self.name, exc_info=error)
            if not self._leaving:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _one_step(self) -> int:
        self._busy = True
        try:
            return await self._step()
        finally:
            self._busy = False
