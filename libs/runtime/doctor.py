"""`citycard doctor`: looks at everything that a city's promises rest on, changes nothing, and says what to do."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from alembic.script import ScriptDirectory

from libs.eventsourcing.durability import UnsafeDurability, refuse_unsafe_settings
from libs.eventsourcing.postgres import PostgresStore
from libs.kernel import Outage
from libs.messaging.bus import PARTITIONS, topic_of
from libs.runtime.citypack import CityPacks, load_packs
from libs.runtime.citytime import MachineClock
from libs.runtime.development import trusted_keys
from libs.runtime.embedded_postgres import AWAY, CannotServe, EmbeddedPostgres
from libs.runtime.engines import engine_home
from libs.runtime.figures import Backlog
from libs.runtime.migrations import config_of
from libs.runtime.settings import Settings, UnsafeSettings, refuse_unsafe
from libs.vault.crypto import key_id
from libs.vault.masterkey import FileMasterKey, MasterKeyUnfit

ANSWER_WITHIN_S = 5.0
POSTGRESQL_MIN = 15
SKEW_MAX_S = 1.0
UNSENT_WARN_S, UNSENT_FAIL_S = 10.0, 60.0  # As in deploy/prometheus/rules.yaml.
OVERDUE_MAX = timedelta(minutes=1)
FREE_WARN_BYTES = 2 * 2**30  # As in deploy/prometheus/rules.yaml.

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's letter: how it stands with something, and what to do about it."""

    level: Level
    what: str
    to_do: str = ""

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.what}" + (f"  – {self.to_do}" if self.to_do else "")


def ok(what: str) -> Finding:
    return Finding("ok", what)


def warn(what: str, to_do: str) -> Finding:
    return Finding("warn", what, to_do)


def fail(what: str, to_do: str) -> Finding:
    return Finding("fail", what, to_do)


async def examine(
    settings: Settings, services: Sequence[str], check_bylaws: Callable[[CityPacks], None]
) -> AsyncIterator[Finding]:
    """Everything that can be looked at from here, one finding after another."""
    yield safety(settings)
    yield bylaws(settings, check_bylaws)
    yield await issuer(settings)
    vault_versions: set[str] = set()
    yield disk(None if settings.database_url else engine_home(settings), settings)
    try:
        async with _database(settings) as pool:
            if pool is None:
                yield warn("database: none yet", "`citycard up` makes it; nothing below it was looked at")
            else:
                async for finding in _examine_database(pool, settings, services):
                    yield finding
                vault_versions = await versions_in_use(pool)
    except CannotServe as refusal:
        yield fail(f"database: the embedded one does not start: {_line(refusal)}", "do what is said there")
    except (*AWAY, Outage) as away:
        yield fail(
            f"database: does not answer ({type(away).__name__}: {_line(away)})",
            "start it, or mend CITYCARD_DATABASE_URL (address, account, password)",
        )
    yield master_key(settings, vault_versions)
    if settings.kafka:
        yield await kafka(settings.kafka, services)
    else:
        yield ok("log: kept in the database")


async def _examine_database(pool: asyncpg.Pool, settings: Settings, services: Sequence[str]) -> AsyncIterator[Finding]:
    async with pool.acquire() as connection:
        yield version(connection.get_server_version())
        yield await durability(connection)
        yield await clocks(connection)
        yield await city_time(connection, settings.development_login)
        for service in services:
            yield await migrations(connection, service)
    for service in services:
        async for finding in work(pool, service):
            yield finding


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[asyncpg.Pool | None]:
    """The database that is set, or the embedded one: as it runs, or started for this visit; None if there is none."""
    if settings.database_url:
        async with _pool(settings.database_url) as pool:
            yield pool
        return
    server = EmbeddedPostgres(engine_home(settings) / "postgres", binaries=settings.postgres_binaries)
    if not server.exists:
        yield None
    elif running := await server.running():  # Somebody else's; it is left running.
        async with _pool(running) as pool:
            yield pool
    else:
        async with server as dsn, _pool(dsn) as pool:
            yield pool


def _pool(dsn: str) -> asyncpg.Pool:
    return asyncpg.create_pool(dsn, min_size=1, max_size=2, timeout=ANSWER_WITHIN_S, command_timeout=30)


# --- settings, keys and bylaws ---


def safety(settings: Settings) -> Finding:
    """Development keys serve this machine alone."""
    try:
        refuse_unsafe(settings)
    except UnsafeSettings as unsafe:
        return fail("settings: unsafe", str(unsafe))
    reach = "this machine only" if settings.on_loopback else f"other machines, through {settings.host}"
    keys = "a development key" if settings.development_login else settings.issuer
    return ok(f"settings: reached from {reach}, tokens by {keys}")


def bylaws(settings: Settings, check: Callable[[CityPacks], None]) -> Finding:
    """Every city's pack can be read, and every service can work by it."""
    try:
        packs = load_packs(settings.data)
        check(packs)
    except Exception as fault:  # A pack is somebody's file: whatever is wrong with it ends up here.
        return fail(
            f"bylaws: {type(fault).__name__}: {_line(fault)}",
            f"mend the pack under {settings.data}/cities, or point CITYCARD_DATA to the folder; "
            "then `citycard bylaws check`",
        )
    if not list(packs):
        return fail(f"bylaws: no city under {settings.data}/cities", "point CITYCARD_DATA to the folder that has them")
    return ok("bylaws: " + ", ".join(f"{pack.name} {pack.hash}" for pack in packs))


async def issuer(settings: Settings) -> Finding:
    """The keys with which tokens are checked."""
    own = settings.home / "keys" / "issuer.json"
    if settings.development_login:
        if not own.exists():
            return ok("issuer: its development key is made at the first start")
        return open_to_others(own, "issuer") or ok("issuer: development key")
    try:
        keys, _, _ = await asyncio.to_thread(trusted_keys, settings)
    except Exception as fault:  # Whatever an address or a file can answer.
        return fail(
            f"issuer: its keys cannot be read from {settings.issuer_keys or 'nowhere'}: {type(fault).__name__}",
            "set CITYCARD_ISSUER_KEYS to the address or file of its JWK set, and check it with curl or cat",
        )
    return ok(f"issuer: {settings.issuer}, {len(keys.keys)} keys")


def master_key(settings: Settings, in_use: Iterable[str]) -> Finding:
    """The file opens everything that the vault holds, and nobody else can read it."""
    path = settings.master_key or settings.home / "keys" / "master.json"
    if not path.exists():
        if settings.master_key is None and not set(in_use):
            return ok("master key: a development key is made at the first start")
        return fail(
            f"master key: {path} is not there",
            "bring back its backup before anything starts: a new one opens nothing old (first start: docs/operate.md)",
        )
    if shared := open_to_others(path, "master key"):
        return shared
    try:
        key = FileMasterKey(path, randomness=_none)
    except MasterKeyUnfit as unfit:
        return fail("master key: unfit", str(unfit))
    except OSError as away:
        return fail(f"master key: {path} cannot be read: {away.strerror}", "let the account of this process read it")
    if missing := set(in_use) - key.versions:
        return fail(
            f"master key: {path} lacks {len(missing)} version(s) that sealed personal data",
            "bring the file back from its backup; what those versions sealed cannot be read until then",
        )
    return ok(f"master key: {path}" + (", a development key" if settings.master_key is None else ""))


def open_to_others(path: Path, what: str) -> Finding | None:
    """A key that others on this machine may read."""
    mode = path.stat().st_mode & 0o777
    if not mode & 0o077:
        return None
    return fail(f"{what}: {path} has mode {mode:04o}, so others may read it", f"chmod 600 '{path}', or make a new key")


def _none(_size: int) -> bytes:
    raise AssertionError("the doctor makes no keys")


# --- the database ---


def version(server: Any) -> Finding:
    """PostgreSQL 15 and later will do."""
    if server.major < POSTGRESQL_MIN:
        return fail(f"database: PostgreSQL {server.major}", f"move to PostgreSQL {POSTGRESQL_MIN} or later")
    return ok(f"database: PostgreSQL {server.major}.{server.micro}")


async def durability(connection: Any) -> Finding:
    """What is acknowledged is on disk."""
    try:
        await refuse_unsafe_settings(connection)
    except UnsafeDurability as unsafe:
        what, _, to_do = _line(unsafe).partition(" To mend it: ")
        return fail(f"durability: {what}", to_do)
    return ok("durability: what is acknowledged is on disk")


async def clocks(connection: Any) -> Finding:
    """This machine and the database agree on the time."""
    before = datetime.now(UTC)
    there = await connection.fetchval("select clock_timestamp()")
    after = datetime.now(UTC)
    return skew((there - (before + (after - before) / 2)).total_seconds(), (after - before).total_seconds() / 2)


def skew(ahead_s: float, unsure_s: float = 0.0) -> Finding:
    """How far the database's clock is ahead of ours, and how sure we can be of it."""
    if abs(ahead_s) - unsure_s > SKEW_MAX_S:
        return fail(
            f"clocks: the database's is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's",
            "let both follow the same time server (`timedatectl`, `chronyc tracking`)",
        )
    return ok(f"clocks: within {abs(ahead_s) + unsure_s:.3f} s of the database's")


async def city_time(connection: Any, development: bool) -> Finding:
    """In a real city, city time is the time."""
    if not await connection.fetchval("select to_regclass('platform.city_time') is not null"):
        return ok("city time: begins with the first start")
    ahead = await connection.fetchval("select ahead from platform.city_time") or timedelta()
    if abs(ahead) <= timedelta(seconds=SKEW_MAX_S):
        return ok("city time: the machine's")
    apart = f"city time: {abs(ahead)} {'ahead of' if ahead > timedelta() else 'behind'} the machine's"
    if development:
        return ok(apart)
    return warn(
        apart, "deadlines fall due by it: in production begin with an empty database, without CITYCARD_CITY_TIME_START"
    )


async def migrations(connection: Any, service: str) -> Finding:
    """The tables of a service are those that this edition of the code knows."""
    script = ScriptDirectory.from_config(config_of(service))
    heads = set(script.get_heads())
    there: set[str] = set()
    if await connection.fetchval("select to_regclass($1) is not null", f"{service}.alembic_version"):
        there = {row[0] for row in await connection.fetch(f"select version_num from {service}.alembic_version")}
    known = {revision.revision for revision in script.walk_revisions()}
    return migrated(service, heads, there, known)


def migrated(service: str, heads: set[str], there: set[str], known: set[str]) -> Finding:
    """Compares the versions of the code with those of the database."""
    if there == heads:
        return ok(f"{service}: migrations at {', '.join(sorted(heads))}")
    if not there:
        return warn(f"{service}: has no tables yet", "the first process to start makes them")
    if there - known:
        return fail(
            f"{service}: migrated to {', '.join(sorted(there - known))}, which this edition does not know",
            "install the edition that last ran here, or a later one",
        )
    return fail(
        f"{service}: migrations stand at {', '.join(sorted(there))}, the code wants {', '.join(sorted(heads))}",
        "stop the processes of the older edition, then start one of this edition: it migrates first",
    )


async def work(pool: asyncpg.Pool, service: str) -> AsyncIterator[Finding]:
    """What lies unsent, overdue or aside."""
    backlog = Backlog(PostgresStore(pool, service, MachineClock()))
    try:
        await backlog.look()
        yield unsent(service, backlog.unsent, backlog.age_s(datetime.now(UTC)))
        letters = await pool.fetch(f"select error from {service}.reader_parked") if await _reads(pool, service) else []
        dues = await pool.fetch(f"select error from {service}.due where parked")
        yield parked(service, [row[0] for row in letters], [row[0] for row in dues])
        ((overdue, oldest),) = await pool.fetch(
            f"select count(*), max(now() + ahead - at) from {service}.due, platform.city_time "
            "where not parked and at < now() + ahead - $1::interval",
            OVERDUE_MAX,
        )
        if overdue:
            yield warn(
                f"{service}: {overdue} due commands are overdue, the oldest by {oldest}",
                f"is `citycard serve {service}` (or `citycard up`) running? It gives them at once",
            )
    except asyncpg.UndefinedTableError:
        return  # Said already: it has no tables yet.


async def _reads(pool: asyncpg.Pool, service: str) -> bool:
    return bool(await pool.fetchval("select to_regclass($1) is not null", f"{service}.reader_parked"))


def unsent(service: str, messages: int, age_s: float) -> Finding:
    """What the others have not been told yet."""
    if age_s <= UNSENT_WARN_S:
        return ok(f"{service}: {messages} messages unsent")
    to_do = f"is `citycard serve {service}` running, and does the log answer? See docs/runbooks/outbox-age.md"
    judge = fail if age_s > UNSENT_FAIL_S else warn
    return judge(f"{service}: {messages} messages unsent, the oldest for {age_s:.0f} s", to_do)


def parked(service: str, letters: Sequence[str], dues: Sequence[str]) -> Finding:
    """What was put aside, by the kind of error; its text may quote personal data and is not repeated."""
    if not letters and not dues:
        return ok(f"{service}: nothing is parked")
    kinds = sorted({error.partition(":")[0] for error in (*letters, *dues)} - {"behind a parked letter"})
    return fail(
        f"{service}: {len(letters)} letters and {len(dues)} due commands are parked ({', '.join(kinds)})",
        "mend the cause, then POST /v1/redrives as operator; see docs/runbooks/parked.md",
    )


async def versions_in_use(pool: asyncpg.Pool) -> set[str]:
    """The versions of the master key that somebody's data key is wrapped with."""
    if not await pool.fetchval("select to_regclass('vault.data_key') is not null"):
        return set()
    rows = await pool.fetch(
        "select distinct on (split_part(wrapped, '.', 2)) wrapped from vault.data_key where wrapped is not null"
    )
    return {key_id(row[0]) for row in rows}


# --- the machine and the log ---


def disk(home: Path | None, settings: Settings) -> Finding:
    """Room under the database: under the embedded one's `home`, or where the settings say that it can be seen."""
    folder = home or settings.database_volume
    if folder is None:
        return warn(
            "disk: the database's cannot be seen from here, so nothing is refused before it is full",
            "watch its free space there; where its file system can be seen, set CITYCARD_DATABASE_VOLUME",
        )
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    what = f"disk: {free / 2**30:.1f} GiB free for {folder}"
    if free >= FREE_WARN_BYTES:
        return ok(what)
    if free < settings.reserve_mb * 2**20:
        what, judge = f"{what}, less than the reserve: only loss reports are taken", fail
    else:
        judge = warn
    elsewhere = "" if home is None else ", or move the folder and set CITYCARD_HOME"
    return judge(what, f"make room there{elsewhere}; see docs/runbooks/room-low.md")


async def kafka(bootstrap: str, services: Sequence[str]) -> Finding:
    """The brokers answer, and the topics are as this house makes them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(ANSWER_WITHIN_S * 1000))
    try:
        async with asyncio.timeout(2 * ANSWER_WITHIN_S):
            await admin.start()
            there = set(await admin.list_topics()) & {topic_of(service) for service in services}
            described = await admin.describe_topics(sorted(there)) if there else []
            brokers = len((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError, TimeoutError) as away:
        return fail(
            f"log: Kafka at {bootstrap} does not answer ({type(away).__name__})",
            "start the brokers, or mend CITYCARD_KAFKA; until then all is accepted and told later",
        )
    finally:
        with suppress(Exception):
            await admin.close()
    return topics(bootstrap, brokers, {one["topic"]: len(one["partitions"]) for one in described})


def topics(bootstrap: str, brokers: int, partitions: dict[str, int]) -> Finding:
    """Judges the topics by their number of partitions, on which every reader's place depends."""
    if wrong := sorted(topic for topic, count in partitions.items() if count != PARTITIONS):
        return fail(
            f"log: {', '.join(wrong)} should have {PARTITIONS} partitions",
            "somebody else made them: stop all processes and run `citycard log rebuild`",
        )
    return ok(f"log: Kafka at {bootstrap}, {brokers} broker(s), {len(partitions)} of our topics")


def _line(text: object) -> str:
    return " ".join(str(text).split())


def summary(findings: Sequence[Finding]) -> str:
    """How many of each."""
    return ", ".join(f"{sum(one.level == level for one in findings)} {level}" for level in ("ok", "warn", "fail"))
