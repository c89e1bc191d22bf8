"""City time: the machine's clock plus the days that the city was moved ahead."""

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

    def reach(self, moment: datetime) -> None:
        """Move ahead so that it is `moment` now, unless it is later already."""
        self.ahead = max(self.ahead, moment - self._machine.now())


DDL = """
create table if not exists platform.city_time (
    only_one boolean primary key default true check (only_one), ahead interval not null
)
"""


class SharedCityTime(CityTime):
    """City time that all processes on one database share, and that outlives them."""

    def __init__(self, machine: Clock, pool: asyncpg.Pool) -> None:
        super().__init__(machine)
        self._pool = pool

    async def begin(self, start: datetime | None) -> None:
        """In an empty database city time begins at `start`; in any other it goes on."""
        ahead = timedelta() if start is None else start - self._machine.now()
        await self._pool.execute(
            "insert into platform.city_time (ahead) values ($1) on conflict do nothing", ahead
        )
        await self.refresh()

    async def refresh(self) -> None:
        """Learn how far somebody else has moved it."""
        self.ahead = await self._pool.fetchval("select ahead from platform.city_time")

    async def keep(self) -> None:
        """Let the others know how far it was moved."""
        await self._pool.execute("update platform.city_time set ahead = greatest(ahead, $1)", self.ahead)


