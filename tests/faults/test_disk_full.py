"""A full disk: loss reports are taken to the last, and whatever was acknowledged is there afterwards, once."""

import asyncio
import os
import re
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
from libs.testing.faults import quiet
from libs.testing.schemas import own_schema
from libs.testing.stage import Database, Stage, one_process
from services.faults import CLERK, HOTLINE, OPERATOR, Crowd, crowd_of
from tests.platform import id_card

DISK_MB, RESERVE_MB, MB = 300, 64, 1 << 20


@pytest.fixture
def small_disk(workshop: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = workshop / f"small-disk-{re.sub(r'[^a-z0-9]+', '-', request.node.name)}"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to mount a small file system: only root may, and not everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


# --- the whole platform: the last room is kept ---


async def test_on_a_disk_that_others_have_filled_a_call_still_stops_a_card(small_disk: Path) -> None:
    async with one_process(small_disk / "home", CITYCARD_RESERVE_MB=str(RESERVE_MB)) as stage:
        crowd = crowd_of(stage)
        await crowd.settle(2)
        caller, signer = crowd.holders
        junk = small_disk / "junk"
        await asyncio.to_thread(fill, junk)
        await until_worried(stage)
        async with asyncio.timeout(30):
            while (small_disk / "home" / "ballast").exists():
                await asyncio.sleep(0.1)

        await writes_are_refused(crowd)
        assert (await crowd.book.people.get(CLERK, f"/v1/cards/{caller.card}"))["card_id"] == caller.card, "reads go on"
        called = await crowd.act(caller, "pre-reports")
        assert called["status"] == "pre_reported"
        for kill in (True, False):
            if kill:
                await asyncio.to_thread(stage.kill, "all")
            else:
                await stage.end()  # Its database, too, stops and starts on the full disk.
            await stage.start("all")
            await until_worried(stage)
            await writes_are_refused(crowd)
            standing = await crowd.book.people.get(HOTLINE, f"/v1/cards/{caller.card}/loss")
            assert (standing["status"], standing["stopped_at"]) == ("pre_reported", called["stopped_at"])
        assert (await crowd.act(signer, "written-reports"))["status"] == "reported"

        junk.unlink()  # Somebody makes room, and nobody has to tell the platform.
        async with asyncio.timeout(30):
            while (await stage.web.get("/health/ready")).json()["worries"]:
                await asyncio.sleep(0.1)
        assert (small_disk / "home" / "ballast").stat().st_size == RESERVE_MB * MB // 4
        await crowd.register()
        await quiet(crowd.book, OPERATOR)
        for holder, step in ((caller, "card-rests"), (signer, "card-stopped")):
            view = await crowd.book.people.get(CLERK, f"/v1/cards/{holder.card}")
            assert not next(one for one in view["functions"] if one["function"] == "medical")["usable"]
            holding = holder.card.partition(".")[0]
            steps = [one["step"] for one in await crowd.book.people.get(CLERK, "/v1/notices", holding_id=holding)]
            assert steps.count(step) == 1, "what had to wait was told, once"


async def writes_are_refused(crowd: Crowd) -> None:
    """Everything but a loss report is sent away, with a time and a way out."""
    shown = {"document": id_card(), "name": "林小舟", "mobile": "13800005678", "language": "zh"}
    lift = f"/v1/cards/{crowd.holders[0].card}/lifts"
    for who, path, body in ((CLERK, "/v1/persons", shown), (CLERK, lift, {"document": "id_card"})):
        refused = await crowd.book.people.call(who, "POST", path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (503, "no-room")
        assert refused.headers["Retry-After"] == "30"
        assert "only loss reports are taken" in refused.json()["detail"]
        assert refused.json()["retryable"]


async def until_worried(stage: Stage) -> None:
    """Wait until the process has seen how little room there is; it stays ready all the same."""
    async with asyncio.timeout(30):
        while True:
            ready = await stage.web.get("/health/ready")
            assert ready.status_code == 200, "a load balancer that took it away would take the loss reports away"
            if any("only loss reports are taken" in worry for worry in ready.json()["worries"]):
                return
            await asyncio.sleep(0.05)


def fill(path: Path) -> None:
    """Write until not one more byte fits."""
    with path.open("wb", buffering=0) as file:
        for size in (MB, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


# --- without a reserve: what PostgreSQL itself does ---


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
