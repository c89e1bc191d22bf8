"""Two stores, one promise."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.postgres import PostgresStore, ddl
from libs.eventsourcing.store import Store
from libs.testing.clocks import StandingClock
from libs.testing.schemas import own_schema
from libs.testing.store_contract import WRITTEN_AT, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore(StandingClock(WRITTEN_AT))


class TestPostgresStore(StoreContract):
    @pytest.fixture
    async def store(self, pool: asyncpg.Pool) -> AsyncIterator[Store]:
        async with own_schema(pool, "store", ddl) as schema:
            yield PostgresStore(pool, schema, StandingClock(WRITTEN_AT))
