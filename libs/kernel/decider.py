"""A decision is a function of a request and of how things stand; everything else is shell."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, Generic, TypeVar

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Due:
    """A command that the city will give itself when its hour has come; at once, if the hour is already past.

    It is stored in the same transaction as the fact that made it, so neither a crash nor a neighbour that is away
    can lose it. A late one changes nothing: its decision is dated by `at`, not by the moment at which it runs.
    """

    at: datetime
    command: Any


def nothing_due(_fact: Any) -> Iterable[Due]:
    """The facts of this stream set no clock."""
    return ()


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S, E]):
    """How one kind of stream begins, decides, moves on, and what it sets the clock for."""

    initial: S
    decide: Callable[[C, S], Sequence[E]]
    evolve: Callable[[S, E], S]
    due: Callable[[E], Iterable[Due]] = nothing_due

    def fold(self, facts: Iterable[E], start: S | None = None) -> S:
        """How things stand after these facts."""
        return reduce(self.evolve, facts, self.initial if start is None else start)
