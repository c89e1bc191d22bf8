"""City time: the machine's clock plus the days that the city was moved ahead."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg

from libs.kernel.clocks import Clock


class MachineClock:
    """The one place in the house that looks at the machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class CityTime:
    """The clock by which deadlines fall due. It can be moved ahead, never back, and only where the city allows it."""

    def __init__(self, machine: Clock, ahead: timedelta = timedelta()) -> None:
        self._machine, self.ahead = machine, ahead

    def now(self) -> datetime:
        return self._machine.now() + self.ahead

    async def move(self, moment: datetime) -> None:
        """Move ahead so that it is `moment` now, unless it is later already."""
        self.reach(moment)

    def reach(self, moment: datetime) -> None:
        """The same, for this process alone."""
        self.ahead = max(self.ahead, moment - self._machine.now())


DDL = """
create table if not exists platform.city_time (
    only_one boolean primary key default true check (only_one), ahead interval not null
);
create unlogged table if not exists platform.clock (
    process text primary key, ahead interval not null, looked_at timestamptz not null
)
"""

ALIVE_S = 3.0  # A process that has not looked at the clock for so long is not waited for.


class SharedCityTime(CityTime):
    """City time that all processes on one database share, and that outlives them."""

    def __init__(self, machine: Clock, pool: asyncpg.Pool, process: str) -> None:
        super().__init__(machine)
        self._pool, self._process = pool, process

    async def begin(self, start: datetime | None) -> None:
        """In an empty database city time begins at `start`; in any other it goes on."""
        ahead = timedelta() if start is None else start - self._machine.now()
        await self._pool.execute("insert into platform.city_time (ahead) values ($1) on conflict do nothing", ahead)
        await self.look()

    async def look(self) -> None:
        """Learn how far it was moved, and let the others know that this process has."""
        self.ahead = await self._pool.fetchval(
            "with now_ as (select ahead from platform.city_time), "
            "said as (insert into platform.clock select $1, ahead, now() from now_ "
            "on conflict (process) do update set ahead = excluded.ahead, looked_at = excluded.looked_at) "
            "select ahead from now_",
            self._process,
        )

    async def move(self, moment: datetime) -> None:
        """Move ahead for all processes, and wait until those that are alive go by the new time."""
        self.reach(moment)
        await self._pool.execute("update platform.city_time set ahead = greatest(ahead, $1)", self.ahead)
        await self.look()
        while await self._pool.fetchval(
            "select exists (select from platform.clock where ahead < $1 and looked_at > now() - $2::interval)",
            self.ahead,
            timedelta(seconds=ALIVE_S),
        ):
            await asyncio.sleep(0.01)
