"""Migrations: each service has its own schema, its own branch and its own version table."""

from pathlib import Path

from alembic import command, op
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


async def upgrade(engine: AsyncEngine, services: list[str]) -> None:
    """Bring the schemas of these services to their newest version; many processes may do so at once."""
    async with engine.begin() as connection:
        await connection.execute(text("select pg_advisory_xact_lock(hashtext('citycard migrations'))"))
        await connection.execute(text("create schema if not exists platform"))
        for service in services:
            await connection.execute(text(f"create schema if not exists {_checked(service)}"))
            await connection.run_sync(_upgrade, service)
        await connection.execute(text("set local search_path to default"))


def config_of(service: str) -> Config:
    """Alembic's view of one service."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("version_locations", str(_ROOT / "services" / _checked(service) / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.attributes["service"] = service
    return config


def _upgrade(connection: Connection, service: str) -> None:
    config = config_of(service)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _checked(service: str) -> str:
    if not service.isidentifier():
        raise ValueError(f"{service!r} cannot name a service: it becomes part of SQL")
    return service


def run_sql(sql: str) -> None:
    """For migrations: several statements at once, dollar quotes and colons included, in the migration's transaction."""
    connection = op.get_bind()
    connection.connection.dbapi_connection.run_async(lambda driver: driver.execute(sql))  # type: ignore[union-attr]
