"""Topics that others write on: what lies there is taken in by whoever is responsible, and nothing of it is lost."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Take = Callable[[str, int, int, Sequence[bytes]], Awaitable[None]]
"""Takes in what lies on a topic's partition from an offset on. It may be given the same again. Raises Outage."""


async def _nobody(_topic: str, _partition: int, _first: int, _values: Sequence[bytes]) -> None:
    raise AssertionError("nobody takes in what lies on no topic")


@dataclass(frozen=True)
class Inlet:
    """The topics of others, and who takes in what lies there."""

    topics: Sequence[str] = ()
    take: Take = _nobody


NO_INLET = Inlet()


class OpenInlet(Protocol):
    """An inlet at work."""

    async def step(self) -> int:
        """Take in what has come; says how many records. Raises Outage."""

    async def wait(self) -> None:
        """Return when there may be more."""

    async def close(self) -> None:
        """Let go of everything."""
