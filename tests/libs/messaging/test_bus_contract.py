"""Every bus, one promise."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.eventsourcing.postgres import LOST
from libs.kernel import Outage
from libs.messaging.bus import Bus, Letter
from libs.messaging.memory import MemoryBus
from libs.messaging.postgres import PostgresBus, ddl
from libs.testing.bus_contract import BusContract, beginning, message, read_all
from libs.testing.schemas import own_schema


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> Bus:
        return MemoryBus()

    async def spoil(self, bus: Bus, topic: str) -> None:
        assert isinstance(bus, MemoryBus)
        slot = (topic, 0)
        bus.slots[slot].append(Letter(slot, 0, None, "not JSON"))


class TestPostgresBus(BusContract):
    @pytest.fixture
    async def schema(self, pool: asyncpg.Pool) -> AsyncIterator[str]:
        async with own_schema(pool, "bus", ddl) as schema:
            yield schema

    @pytest.fixture
    def bus(self, pool: asyncpg.Pool, schema: str) -> Bus:
        return PostgresBus(pool, schema)

    async def test_a_reader_in_another_process_finds_a_letter_soon(
        self, bus: Bus, pool: asyncpg.Pool, schema: str, topic: str
    ) -> None:
        """Nobody rings its bell."""
        feed = PostgresBus(pool, schema).feed("a", [topic])
        start = await beginning(feed)
        await bus.publish(topic, [message(0, 1)])
        begun = asyncio.get_running_loop().time()
        await feed.wait(10)
        assert len(await read_all(feed, start, 1)) == 1
        assert asyncio.get_running_loop().time() - begun < 1

    @pytest.mark.parametrize("behind", [1, 100])
    async def test_a_later_publisher_waits_until_the_earlier_one_has_committed(
        self, bus: Bus, schema: str, topic: str, behind: int
    ) -> None:
        """Else a reader could pass over what is committed late."""
        assert isinstance(bus, PostgresBus)
        early, late = message(0, 1), [message(0, 2 + n) for n in range(behind)]
        feed = bus.feed("a", [topic])
        start = await beginning(feed)
        async with bus.writing(topic) as connection:
            await connection.copy_records_to_table("letter", schema_name=schema, records=[(topic, 0, 0, *early)])
            publishing = asyncio.create_task(bus.publish(topic, late))
            await asyncio.sleep(0.05)
            assert not await feed.fetch(start, 10)
        await publishing
        assert [letter.message for letter in await read_all(feed, start, 1 + behind)] == [early, *late]

    async def test_a_bus_that_is_away_is_an_outage(self, dsn: str, topic: str) -> None:
        async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as closed:
            pass
        bus = PostgresBus(closed)
        feed = bus.feed("a", [topic])
        for asking in (bus.publish(topic, [message(0, 1)]), feed.ends(), feed.fetch({(topic, 0): 0}, 1)):
            with pytest.raises(Outage):
                await asking


def test_a_broken_connection_is_known_by_all_its_names() -> None:
    assert issubclass(asyncpg.AdminShutdownError, LOST)
    assert issubclass(asyncpg.CannotConnectNowError, LOST)
    assert issubclass(asyncpg.ConnectionDoesNotExistError, LOST)
