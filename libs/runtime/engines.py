"""The engines under the house: opened together, closed in order."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from libs.eventsourcing.durability import refuse_unsafe_settings
from libs.eventsourcing.postgres import BY_INDEX, PostgresStore
from libs.ledger.postgres import PostgresLedger
from libs.messaging.bus import Bus
from libs.messaging.notebook import PostgresNotebook
from libs.messaging.postgres import PostgresBus
from libs.messaging.postgres import ddl as bus_ddl
from libs.messaging.readmodel import PostgresRows
from libs.runtime import migrations
from libs.runtime.citypack import load_packs
from libs.runtime.citytime import DDL as CITY_TIME_DDL
from libs.runtime.citytime import MachineClock, SharedCityTime
from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.runtime.lease import DDL as LEASE_DDL
from libs.runtime.lease import PostgresLeases
from libs.runtime.platform import Platform
from libs.runtime.room import MIB, Room
from libs.runtime.settings import Settings
from libs.telemetry import Telemetry
from libs.vault.masterkey import FileMasterKey
from libs.vault.postgres import PostgresVault
from libs.vault.postgres import ddl as vault_ddl

COMMAND_TIMEOUT_S = 15
FACTS_CONNECTIONS, ROWS_CONNECTIONS = 10, 6
CONNECTIONS_MAX = FACTS_CONNECTIONS + ROWS_CONNECTIONS
"""A process never has more: the whole city as processes of its own must fit into one small PostgreSQL."""
DERIVED = {"synchronous_commit": "off"}
"""Read models and readers' places can be derived again: their commits wait for no disk (decision 0015)."""
IDLE_CONNECTION_S = 10  # Each weighs 4 MB in the database, and costs 10 ms of CPU to open again.


@asynccontextmanager
async def open_platform(settings: Settings, services: list[str]) -> AsyncIterator[Platform]:
    """Start or reach the engines, bring their schemas up to date, and hand out what services are given.

    Raises UnsafeDurability if the database would lose acknowledged work.
    """
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(reached(settings))
        room = room_of(settings)
        await asyncio.to_thread(room.look)
        pool = await stack.enter_async_context(pool_to(dsn))
        engine = engine_to(dsn)
        stack.push_async_callback(engine.dispose)
        async with pool.acquire() as connection:
            await refuse_unsafe_settings(connection)  # type: ignore[arg-type]  # the stubs do not know their own proxy
        await _bring_up_to_date(pool, engine, services)
        await hang_up(pool, engine)
        asking = engine.execution_options(isolation_level="AUTOCOMMIT")  # One question needs no transaction around it.
        machine = MachineClock()
        city = SharedCityTime(machine, pool, process=f"{settings.host}:{settings.port}/{os.getpid()}")
        await city.begin(settings.city_time_start)
        master = FileMasterKey(settings.master_key or settings.home / "keys" / "master.json", randomness=os.urandom)
        bus = _kafka(settings.kafka) if settings.kafka else PostgresBus(pool)
        stack.push_async_callback(bus.close)
        yield Platform(
            settings=settings,
            machine=machine,
            monotonic=time.monotonic,
            randomness=os.urandom,
            city=city,
            telemetry=Telemetry(os.urandom, settings.trace_sample),
            packs=load_packs(settings.data),
            vault=PostgresVault(pool, master=master, randomness=os.urandom, clock=machine),
            bus=bus,
            fingerprint_key=await master.index_key("fingerprint"),
            store=lambda service: PostgresStore(pool, service, machine),
            rows=lambda service: PostgresRows(asking, service),
            notebook=lambda service: PostgresNotebook(engine, service),
            ledger=lambda service: PostgresLedger(pool, service, machine),
            leases=PostgresLeases(pool, holder=os.urandom(16).hex()),
            room=room,
            database=pool,
        )


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[str]:
    """The address of the database: the one that the settings name, or the embedded one, started."""
    if settings.database_url:
        yield settings.database_url
        return
    async with EmbeddedPostgres(engine_home(settings) / "postgres", binaries=settings.postgres_binaries) as dsn:
        yield dsn


def room_of(settings: Settings) -> Room:
    """The room under the database: with a ballast under the embedded one, which is ours alone."""
    reserve = settings.reserve_mb * MIB
    if settings.database_url:
        return Room(settings.database_volume, reserve)
    home = engine_home(settings)
    return Room(home, reserve, ballast=home / "ballast", monotonic=time.monotonic)


@asynccontextmanager
async def visited(settings: Settings) -> AsyncIterator[tuple[str, bool]]:
    """The address of the database for somebody who works beside `citycard up`, and whether nobody else keeps it up."""
    if not settings.database_url:
        engine = EmbeddedPostgres(engine_home(settings) / "postgres", binaries=settings.postgres_binaries)
        if dsn := await engine.kept_by_another():
            yield dsn, False
            return
    async with reached(settings) as dsn:
        yield dsn, not settings.database_url


def engine_home(settings: Settings) -> Path:
    """Where the embedded engines keep their files.

    PostgreSQL refuses to run as root, so its launcher uses another account, which must be able to reach its files; a
    checkout in a closed folder is therefore served from `/var/lib/citycard` instead.
    """
    home = settings.home.resolve()
    if os.geteuid() != 0:
        return home
    reachable = all(folder.stat().st_mode & 0o001 for folder in home.parents if folder.exists())
    if reachable:
        return home
    return Path("/var/lib/citycard") / hashlib.sha256(str(home).encode()).hexdigest()[:12]


def pool_to(dsn: str) -> asyncpg.Pool:
    async def leave_as_it_is(_connection: asyncpg.Connection) -> None:
        """Nobody leaves anything behind in a session, and asking the server to clean up costs a round trip."""

    return asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=FACTS_CONNECTIONS,
        command_timeout=COMMAND_TIMEOUT_S,
        timeout=5,
        reset=leave_as_it_is,
        max_inactive_connection_lifetime=IDLE_CONNECTION_S,
        server_settings=BY_INDEX,
    )


def engine_to(dsn: str) -> AsyncEngine:
    return create_async_engine(
        dsn.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=ROWS_CONNECTIONS,
        max_overflow=0,  # A connection beyond the pool is closed after one use.
        pool_use_lifo=True,  # Few do the work, and the others are not even opened.
        pool_timeout=5,
        connect_args={"timeout": 5, "command_timeout": COMMAND_TIMEOUT_S, "server_settings": DERIVED | BY_INDEX},
    )


def _kafka(servers: str) -> Bus:
    from libs.messaging.kafka import KafkaBus  # Who keeps the log in PostgreSQL need not carry its client.

    return KafkaBus(servers)


async def hang_up(pool: asyncpg.Pool, engine: AsyncEngine) -> None:
    """Close what laid the tables: the database remembers all of them for as long as such a connection lives."""
    await engine.dispose()
    await pool.expire_connections()


async def _bring_up_to_date(pool: asyncpg.Pool, engine: AsyncEngine, services: list[str]) -> None:
    await migrations.upgrade(engine, services)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtext('citycard migrations'))")
        await connection.execute(CITY_TIME_DDL)
        await connection.execute(LEASE_DDL)
        await connection.execute("create schema if not exists bus")
        await connection.execute(bus_ddl("bus"))
        if not await connection.fetchval("select to_regnamespace('vault') is not null"):
            await connection.execute("create schema vault")
            await connection.execute(vault_ddl("vault"))
