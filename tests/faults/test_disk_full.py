"""A full disk: what was acknowledged is there afterwards, once, whether data or write-ahead log ran out first."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from libs.eventsourcing.postgres import PostgresStore
from libs.eventsourcing.postgres import ddl as store_ddl
from libs.eventsourcing.store import Append, Appended, NewFact, Replayed
from libs.kernel import Outage, OutcomeUnknown
from libs.runtime.citytime import MachineClock
from libs.testing.clocks import NOON
from libs.testing.schemas import own_schema
from libs.testing.stage import Database

DISK_MB, MB = 300, 1 << 20


@pytest.fixture
def small_disk(workshop: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = workshop / f"small-disk-{request.node.callspec.id}"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to mount a small file system: only root may, and not everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("room_mb", [10, 100])
async def test_a_full_disk_loses_nothing_that_was_acknowledged(small_disk: Path, room_mb: int) -> None:
    database = Database(small_disk / "home" / "postgres")
    await database.start()
    try:
        async with (
            asyncpg.create_pool(database.dsn, min_size=0, max_size=2) as pool,
            own_schema(pool, "full", store_ddl) as schema,
        ):
            await fill_and_make_room(small_disk, database, PostgresStore(pool, schema, MachineClock()), room_mb)
    finally:
        await database.end()


async def fill_and_make_room(disk: Path, database: Database, store: PostgresStore, room_mb: int) -> None:
    ballast, facts = disk / "ballast", [NewFact("noted", "x" * 1_900)] * 50
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(b"\0" * (free - room_mb * MB))
    acknowledged: list[Append] = []
    while True:
        wanted = Append(uuid4(), f"toy-{len(acknowledged)}", f"k{len(acknowledged)}", 0, NOON, facts=facts)
        try:
            assert await store.append(wanted) == Appended(50)
        except Outage as full:
            outage = full
            break
        acknowledged.append(wanted)
    alive = not isinstance(outage, OutcomeUnknown)
    if alive:
        assert outage.retry_after_s == 30, "a full disk is not cured in a second"
        assert len(await store.read(acknowledged[0].stream)) == 50, "reads go on"
    else:  # PostgreSQL cannot live without a write-ahead log; it stays down until somebody makes room.
        async with asyncio.timeout(10):
            while database.alive:
                await asyncio.sleep(0.05)
        with pytest.raises(Outage):
            await store.read(acknowledged[0].stream)
    ballast.unlink()
    if not alive:
        await database.kill()
        await database.start()
    assert await store.append(wanted) in (Appended(50), Replayed(50, wanted.stream)), "repeating finds out"
    for one in (*acknowledged, wanted):
        assert await store.find(one.command_id) == Replayed(50, one.stream)
        assert len(await store.read(one.stream)) == 50
