"""Thousands of commands at once: what a roll of a whole city needs, with every promise of a single append."""

import asyncio
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from libs.eventsourcing.store import Append, Outcome, Recorded, Store


@runtime_checkable
class Wholesale(Protocol):
    """A store that has a faster way for many than one by one."""

    async def read_many(self, streams: Sequence[str]) -> Sequence[Sequence[Recorded]]:
        """The facts of each of these streams, oldest first. Raises Outage."""

    async def append_many(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Store all of them in one transaction, durably on return, each judged alone as by `append`.

        No stream and no command id comes twice in a batch. Raises Outage, OutcomeUnknown (ask again, under the same
        command ids), or whatever makes the batch impossible as a whole; then nothing was stored.
        """


async def read_many(store: Store, streams: Sequence[str]) -> Sequence[Sequence[Recorded]]:
    """The facts of each of these streams, by the fastest way that the store has."""
    if isinstance(store, Wholesale):
        return await store.read_many(streams)
    return await asyncio.gather(*(store.read(stream) for stream in streams))


async def append_many(store: Store, batch: Sequence[Append]) -> Sequence[Outcome]:
    """Store all of these, by the fastest way that the store has."""
    if isinstance(store, Wholesale):
        return await store.append_many(batch)
    return await asyncio.gather(*(store.append(wanted) for wanted in batch))
