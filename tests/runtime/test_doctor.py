"""`citycard doctor`: a healthy house is told so, and every illness is named with its cure."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import pytest

from libs.eventsourcing.postgres import PostgresStore
from libs.eventsourcing.store import Append, NewFact, NewMessage
from libs.runtime import doctor
from libs.runtime.cli import SERVICES, check_bylaws
from libs.runtime.development import issuer_key
from libs.runtime.doctor import Finding
from libs.runtime.embedded_postgres import EmbeddedPostgres
from libs.runtime.engines import open_platform
from libs.runtime.settings import Settings
from libs.testing.clocks import StandingClock
from libs.testing.town import town_settings
from libs.vault.masterkey import FileMasterKey

NOBODY_LISTENS = "127.0.0.1:9"
ISSUER = {"issuer": "https://login.city.example"}


@pytest.fixture(scope="module")
async def patient(dsn: str, workshop: Path) -> AsyncIterator[Settings]:
    """A house that has run once, on a database of its own."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("create database patient")
    address = f"{dsn.rpartition('/')[0]}/patient"
    settings = town_settings(workshop / "patient", database_url=address, database_volume=workshop)
    async with open_platform(settings, list(SERVICES)) as platform:
        await platform.vault.seal("330900-P1", "name", "林小舟")
        issuer_key(settings)
    yield settings
    await connection.execute("drop database patient with (force)")
    await connection.close()


@pytest.fixture(scope="module")
async def inside(patient: Settings) -> AsyncIterator[asyncpg.Pool]:
    """Connections with which a test makes its patient ill, and well again."""
    async with asyncpg.create_pool(patient.database_url, min_size=1, max_size=2) as pool:
        yield pool


async def examined(settings: Settings) -> list[Finding]:
    return [finding async for finding in doctor.examine(settings, SERVICES, check_bylaws)]


def the_one(findings: list[Finding], about: str) -> Finding:
    (found,) = [finding for finding in findings if finding.what.startswith(about)]
    return found


def is_told(finding: Finding, level: str, what: str, to_do: str) -> None:
    assert finding.level == level, finding
    assert what in finding.what, finding
    assert to_do in finding.to_do, finding


async def test_a_healthy_house_is_told_so(patient: Settings) -> None:
    findings = await examined(patient)
    assert [str(one) for one in findings if one.level != "ok"] == []
    assert all(any(service in one.what for one in findings) for service in SERVICES)
    assert all(not one.to_do for one in findings), "who is well needs no cure"


def test_a_finding_is_one_line() -> None:
    assert str(doctor.fail("disk: full", "make room")) == "fail  disk: full  – make room"
    assert str(doctor.ok("disk: empty")) == "ok    disk: empty"


def test_development_keys_behind_an_open_door(tmp_path: Path) -> None:
    is_told(doctor.safety(town_settings(tmp_path, host="0.0.0.0")), "fail", "unsafe", "set CITYCARD_ISSUER")


def test_a_pack_that_cannot_be_used(tmp_path: Path) -> None:
    shutil.copytree("deploy/cities", tmp_path / "cities")
    shutil.copytree("deploy/calendars", tmp_path / "calendars")
    shutil.copy("deploy/words.yaml", tmp_path)
    settings = town_settings(tmp_path, data=tmp_path)
    assert doctor.bylaws(settings, check_bylaws).level == "ok"
    (tmp_path / "cities/zhoushan/city.yaml").write_text("code: [")
    is_told(doctor.bylaws(settings, check_bylaws), "fail", "not YAML", "mend the pack")
    shutil.rmtree(tmp_path / "cities")
    is_told(doctor.bylaws(settings, check_bylaws), "fail", "no city", "CITYCARD_DATA")
    is_told(
        doctor.bylaws(town_settings(tmp_path, data=tmp_path / "x"), check_bylaws),
        "fail",
        "No such file",
        "CITYCARD_DATA",
    )


async def test_an_issuer_whose_keys_are_not_to_be_had(tmp_path: Path) -> None:
    nowhere = town_settings(tmp_path, **ISSUER, issuer_keys=f"http://{NOBODY_LISTENS}/keys")
    is_told(await doctor.issuer(nowhere), "fail", "cannot be read", "CITYCARD_ISSUER_KEYS")
    is_told(await doctor.issuer(town_settings(tmp_path, **ISSUER)), "fail", "nowhere", "CITYCARD_ISSUER_KEYS")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": []}))
    named = town_settings(tmp_path, **ISSUER, issuer_keys=str(keys))
    is_told(await doctor.issuer(named), "fail", "MissingKeyError", "JWK set")
    keys.write_text(json.dumps({"keys": [issuer_key(town_settings(tmp_path)).as_dict(private=False)]}))
    assert (await doctor.issuer(named)).level == "ok"


async def test_a_key_that_others_may_read(tmp_path: Path) -> None:
    settings = town_settings(tmp_path)
    issuer_key(settings)
    (tmp_path / "keys/issuer.json").chmod(0o644)
    is_told(await doctor.issuer(settings), "fail", "mode 0644", "chmod 600")
    FileMasterKey(tmp_path / "keys/master.json", randomness=os.urandom)
    (tmp_path / "keys/master.json").chmod(0o640)
    is_told(doctor.master_key(settings, []), "fail", "mode 0640", "chmod 600")


def test_a_master_key_that_is_lost_damaged_or_too_old(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    named = town_settings(tmp_path, master_key=path)
    is_told(doctor.master_key(named, []), "fail", "is not there", "backup")
    is_told(doctor.master_key(town_settings(tmp_path), ["v1"]), "fail", "is not there", "backup")
    assert not path.exists(), "the doctor makes no keys"
    FileMasterKey(path, randomness=os.urandom)
    assert doctor.master_key(named, []).level == "ok"
    is_told(doctor.master_key(named, ["another"]), "fail", "lacks 1 version", "backup")
    path.write_text("nonsense\n")
    is_told(doctor.master_key(named, []), "fail", "unfit", "Restore it")


async def test_the_key_of_another_house(patient: Settings, tmp_path: Path) -> None:
    FileMasterKey(tmp_path / "other.key", randomness=os.urandom)
    findings = await examined(patient.model_copy(update={"master_key": tmp_path / "other.key"}))
    is_told(the_one(findings, "master key"), "fail", "lacks 1 version", "backup")


async def test_a_database_that_is_away(patient: Settings) -> None:
    findings = await examined(patient.model_copy(update={"database_url": f"postgresql://x@{NOBODY_LISTENS}/x"}))
    is_told(the_one(findings, "database"), "fail", "does not answer", "CITYCARD_DATABASE_URL")


async def test_an_embedded_database_that_was_never_started_stays_so(workshop: Path) -> None:
    home = workshop / "never-started"
    findings = await examined(town_settings(home))
    is_told(the_one(findings, "database"), "warn", "none yet", "citycard up")
    assert not home.exists(), "the doctor leaves no traces"


async def test_an_embedded_database_is_left_as_it_was_found(workshop: Path) -> None:
    settings = town_settings(workshop / "sleeper")
    async with EmbeddedPostgres(settings.home / "postgres") as dsn:
        findings = await examined(settings)
        assert the_one(findings, "database").level == "ok"
        assert the_one(findings, "loss: has no tables").level == "warn"
        await (await asyncpg.connect(dsn)).close()
    assert the_one(await examined(settings), "database").level == "ok"
    assert not (settings.home / "postgres/postmaster.pid").exists()


def test_a_database_that_is_too_old() -> None:
    is_told(doctor.version(SimpleNamespace(major=14, micro=1)), "fail", "14", "PostgreSQL 15")


async def test_a_database_that_forgets(patient: Settings, inside: asyncpg.Pool) -> None:
    await inside.execute("alter database patient set synchronous_commit = off")
    try:
        found = the_one(await examined(patient), "durability")
        is_told(found, "fail", "synchronous_commit is off", "ALTER DATABASE patient RESET synchronous_commit")
    finally:
        await inside.execute("alter database patient reset synchronous_commit")


async def test_clocks_that_disagree() -> None:
    async def an_hour_ahead(_sql: str) -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)

    is_told(await doctor.clocks(SimpleNamespace(fetchval=an_hour_ahead)), "fail", "ahead of", "time server")
    is_told(doctor.skew(-1.2), "fail", "1.2 s behind", "time server")
    assert doctor.skew(0.9).level == "ok"
    assert doctor.skew(1.2, unsure_s=0.5).level == "ok", "a slow answer proves nothing"


async def test_city_time_that_was_moved(patient: Settings, inside: asyncpg.Pool) -> None:
    await inside.execute("update platform.city_time set ahead = '3 days'")
    try:
        async with inside.acquire() as connection:
            assert (await doctor.city_time(connection, development=True)).level == "ok"
            found = await doctor.city_time(connection, development=False)
            is_told(found, "warn", "3 days, 0:00:00 ahead", "CITYCARD_CITY_TIME_START")
    finally:
        await inside.execute("update platform.city_time set ahead = '0'")


async def test_tables_of_another_edition(patient: Settings, inside: asyncpg.Pool) -> None:
    head = await inside.fetchval("select version_num from issuance.alembic_version")
    try:
        await inside.execute("update issuance.alembic_version set version_num = 'issuance_0001'")
        found = the_one(await examined(patient), "issuance: migrations")
        is_told(found, "fail", "stand at issuance_0001", "it migrates first")
        await inside.execute("update issuance.alembic_version set version_num = 'issuance_9999'")
        found = the_one(await examined(patient), "issuance: migrated")
        is_told(found, "fail", "issuance_9999", "install the edition")
    finally:
        await inside.execute("update issuance.alembic_version set version_num = $1", head)


async def test_messages_that_nobody_has_been_told(patient: Settings, inside: asyncpg.Pool) -> None:
    past = datetime.now(UTC) - timedelta(minutes=5)
    store = PostgresStore(inside, "loss", StandingClock(past))
    await store.append(told_at(past))
    try:
        found = the_one(await examined(patient), "loss: 1 messages unsent")
        is_told(found, "fail", "the oldest for 30", "docs/runbooks/outbox-age.md")
    finally:
        await store.mark({shard: (0, end) for shard, end in (await store.ends()).items() if end})
    assert doctor.unsent("loss", 5, 9).level == "ok"
    assert doctor.unsent("loss", 5, 20).level == "warn"


async def test_work_that_was_put_aside(patient: Settings, inside: asyncpg.Pool) -> None:
    columns = "id, at, name, data, stream, trace, error, parked"
    due = f"insert into loss.due ({columns}) values ($1, $2, '', '', '', '', $3, $4)"
    letter = "insert into loss.reader_parked (reader, key, letter, error) values ('city', 'k', '{}', $1)"
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    try:
        await inside.execute(due, uuid4(), hour_ago, "KeyError: '林小舟'", True)
        await inside.execute(due, uuid4(), hour_ago, "", False)
        await inside.execute(letter, "ValueError: 13800005678")
        await inside.execute(letter, "behind a parked letter")
        findings = await examined(patient)
        found = the_one(findings, "loss: 2 letters and 1 due")
        is_told(found, "fail", "(KeyError, ValueError)", "POST /v1/redrives")
        assert not any("林" in one.what or "138" in one.what for one in findings), "errors may quote people"
        is_told(the_one(findings, "loss: 1 due commands are overdue"), "warn", "by 1:00:0", "citycard serve loss")
    finally:
        await inside.execute("delete from loss.due; delete from loss.reader_parked")


@pytest.mark.parametrize(("free_mib", "level"), [(100, "fail"), (1024, "warn"), (4096, "ok")])
def test_a_disk_that_is_almost_full(free_mib: int, level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free_mib * 2**20))
    found = doctor.disk(tmp_path / "not" / "yet", Settings())
    assert found.level == level
    assert ("CITYCARD_HOME" in found.to_do) == (level != "ok")
    assert ("only loss reports are taken" in found.what) == (level == "fail")
    foreign = doctor.disk(None, Settings(database_url="postgresql://db", database_volume=tmp_path))
    assert foreign.level == level


def test_a_disk_that_cannot_be_seen() -> None:
    found = doctor.disk(None, Settings(database_url="postgresql://db"))
    is_told(found, "warn", "cannot be seen", "CITYCARD_DATABASE_VOLUME")


async def test_a_log_that_is_away() -> None:
    is_told(await doctor.kafka(NOBODY_LISTENS, SERVICES), "fail", "does not answer", "CITYCARD_KAFKA")


def test_topics_that_somebody_else_has_made() -> None:
    found = doctor.topics("kafka:9092", 3, {"citycard.loss.v1": 1, "citycard.notice.v1": 8})
    is_told(found, "fail", "citycard.loss.v1 should have 8", "citycard log rebuild")


@pytest.mark.kafka
async def test_a_log_that_answers(kafka: str) -> None:
    assert (await doctor.kafka(kafka, SERVICES)).level == "ok"


async def test_the_command_fails_if_something_does(patient: Settings) -> None:
    away = f"postgresql://x@{NOBODY_LISTENS}/x"
    well, ill = await asyncio.gather(
        *(
            asyncio.to_thread(
                said_to,
                {
                    "CITYCARD_HOME": str(patient.home),
                    "CITYCARD_DATABASE_URL": address,
                    "CITYCARD_DATABASE_VOLUME": str(patient.home.parent),
                },
            )
            for address in (patient.database_url, away)
        )
    )
    assert well.returncode == 0, well.stdout + well.stderr
    assert well.stdout.splitlines()[-1].endswith("0 warn, 0 fail")
    assert ill.returncode == 1
    assert "fail  database: does not answer" in ill.stdout
    assert ill.stderr == "", "one line for each check, and nothing else"


def said_to(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "libs.runtime.cli", "doctor"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told_at(moment: datetime) -> Append:
    return Append(
        command_id=uuid4(),
        stream="loss-330900-X",
        routing_key="330900-X",
        expected=0,
        effective_at=moment + timedelta(days=365),  # City time is another matter.
        facts=[NewFact("Told", "{}")],
        messages=[NewMessage(0, "loss.Told.v1", "{}")],
    )
