"""The event store's twin in memory: for decider-level journeys and for simulation."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs.eventsourcing.store import (
    SHARDS,
    Append,
    Appended,
    Conflict,
    Doorbell,
    DueCommand,
    Outcome,
    Outgoing,
    Recorded,
    Replayed,
)
from libs.kernel.clocks import Clock


class MemoryStore:
    """Keeps every promise of `Store` but durability."""

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._streams: dict[str, list[Recorded]] = defaultdict(list)
        self._log: dict[int, list[Recorded]] = {shard: [] for shard in range(SHARDS)}
        self._outbox: dict[int, list[Outgoing]] = {shard: [] for shard in range(SHARDS)}
        self._commands: dict[UUID, Replayed] = {}
        self._dues: dict[UUID, DueCommand] = {}
        self._parked: set[UUID] = set()
        self._marks = dict.fromkeys(range(SHARDS), 0)
        self._bell = Doorbell()

    async def append(self, wanted: Append) -> Outcome:
        await asyncio.sleep(0)  # A real store takes its time: let the others in, here and nowhere below.
        if done := self._commands.get(wanted.command_id):
            return done
        stream = self._streams[wanted.stream]
        if wanted.expected != len(stream):
            return Conflict(len(stream))
        outcome = self._store(wanted)
        self._bell.ring()
        return outcome

    def _store(self, wanted: Append) -> Appended:
        """Everything of one command, without letting anybody in."""
        stream = self._streams[wanted.stream]
        shard, log, outbox = wanted.shard, self._log[wanted.shard], self._outbox[wanted.shard]
        for fact in wanted.facts:
            recorded = Recorded(
                stream=wanted.stream,
                version=len(stream) + 1,
                shard=shard,
                position=len(log) + 1,
                name=fact.name,
                data=fact.data,
                meta=wanted.meta,
                effective_at=wanted.effective_at,
                recorded_at=self._machine.now(),
            )
            stream.append(recorded)
            log.append(recorded)
        for message in wanted.messages:
            outbox.append(
                Outgoing(
                    shard=shard,
                    sequence=len(outbox) + 1,
                    stream=wanted.stream,
                    version=wanted.expected + message.nth + 1,
                    type=message.type,
                    key=wanted.routing_key,
                    data=message.data,
                    effective_at=wanted.effective_at,
                    meta=wanted.meta,
                )
            )
        for due in wanted.dues:
            self._dues[due.id] = DueCommand(due.id, due.at, due.name, due.data, wanted.stream, wanted.trace)
        self._commands[wanted.command_id] = Replayed(len(stream), wanted.stream, wanted.fingerprint, wanted.refusal)
        return Appended(len(stream))

    async def read(self, stream: str, after: int = 0) -> Sequence[Recorded]:
        await asyncio.sleep(0)
        return self._streams[stream][after:] if stream in self._streams else []

    async def find(self, command_id: UUID) -> Replayed | None:
        return self._commands.get(command_id)

    async def log(self, shard: int, after: int, limit: int) -> Sequence[Recorded]:
        return self._log[shard][after : after + limit]

    async def outbox(
        self, after: Mapping[int, int], limit: int, types: Collection[str] | None = None
    ) -> Sequence[Outgoing]:
        rows = [row for shard in range(SHARDS) for row in self._outbox[shard][after.get(shard, 0) :]][:limit]
        if types is None:
            return rows
        last = {row.shard: row.sequence for row in rows}
        return [
            row if row.type in types else row._replace(data="")
            for row in rows
            if row.type in types or row.sequence == last[row.shard]
        ]

    async def ends(self) -> Mapping[int, int]:
        return {shard: len(rows) for shard, rows in self._outbox.items()}

    async def heads(self, after: Mapping[int, int]) -> Mapping[int, datetime]:
        rows = [
            self._outbox[shard][sequence] for shard, sequence in after.items() if sequence < len(self._outbox[shard])
        ]
        return {row.shard: self._streams[row.stream][row.version - 1].recorded_at for row in rows}

    async def due(self, now: datetime, limit: int) -> Sequence[DueCommand]:
        waiting = (due for due in self._dues.values() if due.at <= now and due.id not in self._parked)
        return sorted(waiting, key=lambda due: due.at)[:limit]

    async def next_due(self) -> datetime | None:
        return min((due.at for due in self._dues.values() if due.id not in self._parked), default=None)

    async def settle(self, due_id: UUID) -> None:
        self._dues.pop(due_id, None)
        self._parked.discard(due_id)

    async def postpone(self, due_id: UUID, error: str, park: bool) -> None:
        if due := self._dues.get(due_id):
            self._dues[due_id] = replace(due, attempts=due.attempts + 1, error=error)
            if park:
                self._parked.add(due_id)

    async def redrive(self) -> int:
        parked, self._parked = self._parked, set()
        self._dues |= {due_id: replace(self._dues[due_id], attempts=0) for due_id in parked}
        self._bell.ring()
        return len(parked)

    async def parked(self) -> Sequence[DueCommand]:
        return sorted((self._dues[due_id] for due_id in self._parked), key=lambda due: due.at)

    async def marks(self) -> Mapping[int, int]:
        return dict(self._marks)

    async def mark(self, moved: Mapping[int, tuple[int, int]]) -> bool:
        if any(self._marks[shard] != old for shard, (old, _) in moved.items()):
            return False
        self._marks |= {shard: new for shard, (_, new) in moved.items()}
        return True

    def on_append(self, wake: Callable[[], None]) -> None:
        self._bell.add(wake)
