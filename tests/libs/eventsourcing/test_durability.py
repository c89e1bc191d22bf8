"""A database that would forget what it acknowledged is refused, and the refusal mends it."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from libs.eventsourcing.durability import UnsafeDurability, refuse_unsafe_settings
from libs.runtime.embedded_postgres import EmbeddedPostgres


@pytest.fixture(scope="module")
async def dsn() -> AsyncIterator[str]:
    """A private cluster, because some of these settings belong to the whole server."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        async with EmbeddedPostgres(Path(folder) / "pg") as dsn:
            yield dsn


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def test_a_server_as_we_start_it_is_accepted(connection: asyncpg.Connection) -> None:
    await refuse_unsafe_settings(connection)


@pytest.mark.parametrize("waits_for", ["on", "local", "remote_write", "remote_apply"])
async def test_every_commit_that_waits_for_our_own_disk_is_accepted(
    connection: asyncpg.Connection, waits_for: str
) -> None:
    await connection.execute(f"SET synchronous_commit = {waits_for}")
    await refuse_unsafe_settings(connection)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_a_server_that_would_lose_work_is_refused_and_the_text_mends_it(dsn: str, setting: str) -> None:
    await _say(dsn, f"ALTER SYSTEM SET {setting} = off", "SELECT pg_reload_conf()")
    refusal = await _refusal(dsn)
    assert refusal.startswith(f"{setting} is off: ")
    assert f"in its conf `{setting} = on`" in refusal
    assert "\n" not in refusal
    await _say(dsn, *_sql(refusal))
    await _accepted(dsn)


async def test_every_unsafe_setting_is_named_at_once(dsn: str) -> None:
    settings = ("fsync", "full_page_writes", "synchronous_commit")
    await _say(dsn, *(f"ALTER SYSTEM SET {setting} = off" for setting in settings), "SELECT pg_reload_conf()")
    refusal = await _refusal(dsn)
    assert [line.split(" is off: ")[0] for line in refusal.splitlines()] == [*settings]
    await _say(dsn, *_sql(refusal))
    await _accepted(dsn)


@pytest.mark.parametrize(
    "whose",
    ["ROLE ALL", "DATABASE postgres", "ROLE citycard", "ROLE citycard IN DATABASE postgres"],
)
async def test_a_role_or_a_database_that_forgets_is_refused_and_the_text_mends_it(dsn: str, whose: str) -> None:
    await _say(dsn, f"ALTER {whose} SET synchronous_commit = off")
    refusal = await _refusal(dsn)
    assert f"`ALTER {whose} RESET synchronous_commit;`" in refusal
    await _say(dsn, *_sql(refusal))
    await _accepted(dsn)


async def test_a_session_that_forgets_is_refused_and_the_text_mends_it(connection: asyncpg.Connection) -> None:
    await connection.execute("SET synchronous_commit = off")
    with pytest.raises(UnsafeDurability, match="`SET synchronous_commit = on;` on this connection") as refused:
        await refuse_unsafe_settings(connection)
    for statement in _sql(str(refused.value)):
        await connection.execute(statement)
    await refuse_unsafe_settings(connection)


async def test_a_connection_that_asks_to_forget_is_refused(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off"})
    try:
        with pytest.raises(UnsafeDurability, match="drop synchronous_commit from the options of the connection"):
            await refuse_unsafe_settings(connection)
    finally:
        await connection.close()


def _sql(refusal: str) -> list[str]:
    """The statements that the text tells an operator to run."""
    return re.findall(r"`([^`]*;)`", refusal)


async def _say(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _refusal(dsn: str) -> str:
    """A reload reaches new connections a moment later."""
    for _ in range(100):
        connection = await asyncpg.connect(dsn)
        try:
            await refuse_unsafe_settings(connection)
        except UnsafeDurability as refused:
            return str(refused)
        finally:
            await connection.close()
        await asyncio.sleep(0.02)
    raise AssertionError("an unsafe database was accepted")


async def _accepted(dsn: str) -> None:
    for _ in range(100):
        connection = await asyncpg.connect(dsn)
        try:
            return await refuse_unsafe_settings(connection)
        except UnsafeDurability:
            await asyncio.sleep(0.02)
        finally:
            await connection.close()
    raise AssertionError("what the text says does not mend it")
