"""What every event store promises; the memory twin and PostgreSQL pass the same contract tests."""

import json
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID
from zlib import crc32

SHARDS = 64  # Fixed at creation: every position and every reader's place in the log depends on it.


def shard_of(routing_key: str) -> int:
    """The shard of the log in which everything about this routing key keeps its order (0 to 63)."""
    return crc32(routing_key.encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class NewFact:
    """A fact about to be stored: its stable name and its JSON text."""

    name: str
    data: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What is published of the `nth` fact (from 0) of the same append."""

    nth: int
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class NewDue:
    """A command that becomes due at `at` (city time)."""

    id: UUID
    at: datetime
    name: str
    data: str


@dataclass(frozen=True, slots=True)
class Append:
    """All that one command leaves behind; it is stored whole or not at all.

    `expected` is the stream's version on which the decision was based; `refusal` is the code of a refusal that must be
    remembered though it left no fact; `fingerprint` tells two requests under one command id apart; `booking` is what a
    store that keeps books (libs.ledger) writes into them in the same transaction.
    """

    command_id: UUID
    stream: str
    routing_key: str
    expected: int
    effective_at: datetime
    meta: str = "{}"
    trace: str = ""
    fingerprint: bytes = b""
    refusal: str = ""
    facts: Sequence[NewFact] = ()
    messages: Sequence[NewMessage] = ()
    dues: Sequence[NewDue] = ()
    booking: Any = None

    @property
    def shard(self) -> int:
        return shard_of(self.routing_key)

    @property
    def claims(self) -> Iterator[Hashable]:
        """What no other command of the same batch may claim: it was decided on a state that this one changes."""
        yield self.stream
        yield self.command_id
        if self.booking is not None:
            yield from self.booking.claims


@dataclass(frozen=True, slots=True)
class Appended:
    """Done, just now; the stream now stands at `version`."""

    version: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """Done before, under the same command id, when the stream came to stand at `version`."""

    version: int
    stream: str
    fingerprint: bytes = b""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Not done: somebody else was faster, and the stream stands at `version`."""

    version: int


@dataclass(frozen=True, slots=True)
class Declined:
    """Not done: the books do not bear it. `why` is the code of the guard that said no, `what` what it was about."""

    why: str
    what: str = ""


Outcome = Appended | Replayed | Conflict | Declined


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact as it was stored; `shard` and `position` are its place in the log, gap-free from 1 in each shard."""

    stream: str
    version: int
    shard: int
    position: int
    name: str
    data: str
    meta: str
    effective_at: datetime
    recorded_at: datetime

    @property
    def edition(self) -> str:
        """The edition of the bylaws by which the city acted; empty where it was not written down."""
        return str(json.loads(self.meta).get("bylaws", ""))


class Outgoing(NamedTuple):
    """A row of the outbox, kept for ever; `sequence` is gap-free from 1 in each shard."""

    shard: int
    sequence: int
    stream: str
    version: int
    type: str
    key: str
    data: str
    effective_at: datetime
    meta: str


@dataclass(frozen=True, slots=True)
class DueCommand:
    """A command whose hour is set; `attempts` counts the times that handling it failed."""

    id: UUID
    at: datetime
    name: str
    data: str
    stream: str
    trace: str
    attempts: int = 0
    error: str = ""


class Store(Protocol):
    """One service's facts, outbox, due commands and command ids.

    Every method raises `Outage` when the store is away and nothing was done; `append` raises `OutcomeUnknown` when it
    cannot tell, and is then to be called again with the same command id.
    """

    async def append(self, wanted: Append) -> Outcome:
        """Store a command's facts, messages, due commands and id in one transaction, durably on return."""

    async def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        """The facts of a stream above version `after`, oldest first."""

    async def find(self, command_id: UUID) -> Replayed | None:
        """What came of this command, if it was ever done."""

    async def log(self, shard: int, after: int, limit: int) -> Sequence[Recorded]:
        """The facts of a shard above position `after`, in commit order; a later commit never lies below a read one."""

    async def outbox(
        self, after: Mapping[int, int], limit: int, types: Collection[str] | None = None
    ) -> Sequence[Outgoing]:
        """Outbox rows above the sequence given for each shard (0 where none is given), in order within each shard.

        Where `types` are named, others are left out, except the last one of each shard, which comes without its data.
        """

    async def ends(self) -> Mapping[int, int]:
        """For each shard, the sequence of the last row of the outbox (0 if there is none)."""

    async def heads(self, after: Mapping[int, int]) -> Mapping[int, datetime]:
        """For each of these shards, when the fact was recorded of which the first outbox row above this sequence tells.

        Shards that have no such row are left out.
        """

    async def due(self, now: datetime, limit: int) -> Sequence[DueCommand]:
        """Commands whose hour has come, earliest first; parked ones are left out."""

    async def next_due(self) -> datetime | None:
        """The hour of the earliest due command that is not parked."""

    async def settle(self, due_id: UUID) -> None:
        """Strike a due command off the list; its command id stays known."""

    async def postpone(self, due_id: UUID, error: str, park: bool) -> None:
        """Count a failed attempt; a parked command waits for `redrive`."""

    async def redrive(self) -> int:
        """Give all parked due commands another chance; returns how many there were."""

    async def parked(self) -> Sequence[DueCommand]:
        """The due commands that wait for `redrive`."""

    async def marks(self) -> Mapping[int, int]:
        """For each shard, the outbox sequence up to which the log has everything."""

    async def mark(self, moved: Mapping[int, tuple[int, int]]) -> bool:
        """Move marks from `(old, new)`; False, and nothing moved, if one of them no longer stands at its old value."""

    def on_append(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each append of this process, so that relay and timer need not wait for their next look."""


@dataclass
class Doorbell:
    """Rings at everybody who asked to be woken."""

    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def add(self, wake: Callable[[], None]) -> None:
        self._listeners.append(wake)

    def ring(self) -> None:
        for wake in self._listeners:
            wake()
