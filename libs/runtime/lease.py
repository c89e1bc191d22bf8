"""Leases: of all processes that could reach into the world outside for one due command, one does at a time."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

import asyncpg

from libs.eventsourcing.lanes import Together
from libs.eventsourcing.postgres import FULL, LOST
from libs.kernel import Outage

AWAY = (*LOST, *FULL)
LEASE_S = 60.0
WORK_MAX_S = 45.0
"""Whoever holds a lease stops working this long after asking for it, so that nobody works on one that has run out."""

DDL = """
create table if not exists platform.lease (
    what text primary key, holder text not null, until timestamptz not null
)
"""


class Leases(Protocol):
    """Who may do what now. A holder that dies is waited for until its lease runs out (machine time, in seconds)."""

    async def take(self, what: str, for_s: float) -> bool:
        """Whether it is ours now: it was free, has run out, or is ours already. Raises Outage."""

    async def give_back(self, what: str) -> None:
        """Let others have it at once; if that cannot be said, they wait until it runs out."""


class MemoryLeases:
    """Leases in memory, for processes that are not really several; `holder` tells them apart."""

    def __init__(self, monotonic: Callable[[], float], holder: str, shared: dict[str, tuple[str, float]]) -> None:
        self._monotonic, self._holder, self._shared = monotonic, holder, shared

    async def take(self, what: str, for_s: float) -> bool:
        holder, until = self._shared.get(what, (self._holder, 0.0))
        if holder != self._holder and until > self._monotonic():
            return False
        self._shared[what] = self._holder, self._monotonic() + for_s
        return True

    async def give_back(self, what: str) -> None:
        if self._shared.get(what, ("", 0.0))[0] == self._holder:
            del self._shared[what]


class PostgresLeases:
    """Leases that all processes on one database share, by the database's clock alone; they outlive its crashes."""

    def __init__(self, pool: asyncpg.Pool, holder: str) -> None:
        self._pool, self._holder = pool, holder
        self._taking = Together(self._take_all)
        self._giving_back = Together(self._give_back_all)

    async def take(self, what: str, for_s: float) -> bool:
        return await self._taking((what, for_s))

    async def _take_all(self, asked: Sequence[tuple[str, float]]) -> Sequence[bool]:
        wanted = dict(sorted(asked))  # In one order for everybody, so that no two wait for each other.
        try:
            rows = await self._pool.fetch(
                "insert into platform.lease as l select what, $1, clock_timestamp() + for_ "
                "from unnest($2::text[], $3::interval[]) as w(what, for_) on conflict (what) do "
                "update set holder = excluded.holder, until = excluded.until "
                "where l.holder = excluded.holder or l.until < clock_timestamp() returning what",
                self._holder,
                list(wanted),
                [timedelta(seconds=for_s) for for_s in wanted.values()],
            )
        except AWAY as away:
            raise Outage(f"leases cannot be had: {away}") from away
        ours = {what for (what,) in rows}
        return [what in ours for what, _ in asked]

    async def give_back(self, what: str) -> None:
        await self._giving_back(what)

    async def _give_back_all(self, whats: Sequence[str]) -> Sequence[None]:
        with suppress(*AWAY):
            await self._pool.execute(
                "with ours as (select what from platform.lease where what = any($1::text[]) and holder = $2 "
                "order by what for update) "
                "delete from platform.lease l using ours, set_config('synchronous_commit', 'off', true) "
                "where l.what = ours.what",
                whats,
                self._holder,
            )
        return [None] * len(whats)
