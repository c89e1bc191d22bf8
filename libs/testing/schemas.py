"""A room of one's own in the shared PostgreSQL of a test session."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

import asyncpg

_numbers = count(1)


@asynccontextmanager
async def own_schema(pool: asyncpg.Pool, name: str, *furniture: Callable[[str], str]) -> AsyncIterator[str]:
    """A schema that nobody else uses, furnished by these statements; it goes when the test goes."""
    schema = f"test_{name}_{next(_numbers)}"
    async with pool.acquire() as connection:
        await connection.execute(f"create schema {schema}")
        for ddl in furniture:
            await connection.execute(ddl(schema))
    yield schema
    async with pool.acquire() as connection:
        await connection.execute(f"drop schema {schema} cascade")
