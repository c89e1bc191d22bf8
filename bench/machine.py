"""On what it was measured."""

import os
import platform
import subprocess
from pathlib import Path

import asyncpg


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used so far, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return _kilobytes(f"/proc/{pid}/status", "VmRSS:") * 1024


def pss_bytes(pid: int) -> int:
    """A process's fair share of the memory that it uses: what several share is divided among them."""
    return _kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") * 1024


def living_in(folder: Path) -> list[int]:
    """The processes whose working directory this is: those of a PostgreSQL server live in its data."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == str(folder.resolve()):
                found.append(int(process.name))
        except OSError:
            continue
    return found


async def described(dsn: str) -> list[str]:
    """Machine, engines and commit, a line each."""
    connection = await asyncpg.connect(dsn)
    try:
        version = await connection.fetchval("show server_version")
        settings = {name: await connection.fetchval(f"show {name}") for name in ("fsync", "synchronous_commit",
                                                                                 "shared_buffers")}  # fmt: skip
    finally:
        await connection.close()
    cpu = _first("/proc/cpuinfo", "model name", ":").strip()
    memory = _kilobytes("/proc/meminfo", "MemTotal:") / 2**20
    said = ", ".join(f"{name} {value}" for name, value in settings.items())
    return [
        f"machine: {os.cpu_count()} cores, {cpu}, {memory:.0f} GB, {platform.system()} {platform.release()}; "
        "everything on it, loopback only",
        f"engines: PostgreSQL {version} ({said}), Python {platform.python_version()}",
        f"commit: {_git('rev-parse', '--short', 'HEAD')}{' with changes' if _git('status', '--porcelain') else ''}",
    ]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()


def _first(path: str, name: str, separator: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(separator)[2] for line in lines if line.startswith(name)), "")


def _kilobytes(path: str, name: str) -> int:
    return int(_first(path, name, name).split()[0])
