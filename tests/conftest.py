"""Engines and clocks that all tests share."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.testing.stage import Broker, broker
from tests import engines

pytest_plugins = ["tests.platform"]


def pytest_report_header() -> str:
    return f"engines: postgres={engines.choose_postgres()} kafka={engines.choose_kafka()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if engines.choose_kafka() != "none":
        return
    why = "no Kafka broker: set CITYCARD_TEST_KAFKA=host:port or CITYCARD_TEST_KAFKA_ENGINE=jars"
    required = "kafka" in os.environ.get("CITYCARD_REQUIRE_ENGINES", "")
    for item in items:
        if "kafka" in item.keywords:
            if required:
                raise pytest.UsageError(f"CITYCARD_REQUIRE_ENGINES wants Kafka, but there is {why}")
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def workshop() -> Iterator[Path]:
    """A folder that the account of the embedded PostgreSQL can reach."""
    folder = Path(tempfile.mkdtemp(prefix="citycard-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def dsn(workshop: Path) -> AsyncIterator[str]:
    """A PostgreSQL for the whole session; tests keep apart by schema."""
    if engines.choose_postgres() == "env":
        yield os.environ["CITYCARD_TEST_DATABASE_URL"]
        return
    if engines.choose_postgres() == "docker":
        with engines.postgres_container() as address:
            yield address
        return
    async with EmbeddedPostgres(workshop / "postgres") as address:
        yield address


@pytest.fixture(scope="session")
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections for the hot path."""
    async with asyncpg.create_pool(
        dsn, min_size=0, max_size=30, max_inactive_connection_lifetime=2, command_timeout=30
    ) as opened:
        yield opened


@pytest.fixture(scope="session")
async def engine(dsn: str) -> AsyncIterator[AsyncEngine]:
    """Connections for read models."""
    opened = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    yield opened
    await opened.dispose()


@pytest.fixture(scope="session")
async def kafka(workshop: Path) -> AsyncIterator[str]:
    """A Kafka broker for the whole session; tests keep apart by topic, or empty the platform's own."""
    if engines.choose_kafka() == "env":
        yield os.environ["CITYCARD_TEST_KAFKA"]
        return
    if engines.choose_kafka() == "docker":
        with engines.kafka_container() as address:
            yield address
        return
    async with broker(workshop) as started:
        yield started.address


@pytest.fixture
async def own_broker(workshop: Path, request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """A broker that a test may kill."""
    if engines.choose_kafka() != "jars":
        pytest.skip("needs a broker that may be killed: set CITYCARD_TEST_KAFKA_ENGINE=jars")
    async with broker(workshop / request.node.name) as started:
        yield started
