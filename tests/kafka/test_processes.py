"""Each service as a process of its own on Apache Kafka; then a stranger reads the log, and the log is made anew."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from libs.messaging.bus import topic_of
from libs.messaging.kafka import KafkaBus
from libs.runtime.cli import SERVICES
from libs.testing.faults import everything, everything_stored, roads
from libs.testing.stage import Stage, on_kafka
from services.demo import BEGINS, Story

pytestmark = pytest.mark.kafka

CONTRACTS = Path(__file__).parents[2] / "schemas" / "contracts"


@pytest.fixture(scope="module")
async def stage(kafka: str, workshop: Path) -> AsyncIterator[Stage]:
    """Four processes on an empty log, after the story of `make demo` has been told."""
    bus = KafkaBus(kafka)
    for service in SERVICES:
        await bus.forget(topic_of(service))
    await bus.close()
    async with on_kafka(workshop / "processes", kafka, CITYCARD_CITY_TIME_START=BEGINS.isoformat()) as opened:
        yield opened


@pytest.fixture(scope="module")
async def story(stage: Stage) -> Story:
    told = Story(stage.web, stage.settings)
    await told.tell()
    await told.quiet()
    return told


@pytest.fixture(scope="module")
async def pool(stage: Stage) -> AsyncIterator[asyncpg.Pool]:
    assert stage.database is not None
    async with asyncpg.create_pool(stage.database.dsn, min_size=1, max_size=4) as opened:
        yield opened


async def test_a_whole_life_is_played_by_four_processes(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert story.acts > 20, "the story checks its own answers"


async def test_a_stranger_who_shares_no_code_with_us_understands_every_message(
    stage: Stage, story: Story, kafka: str, pool: asyncpg.Pool
) -> None:
    kcat = shutil.which("kcat")
    if kcat is None:
        why = "no kcat: apt-get install kcat"
        if "kcat" in os.environ.get("CITYCARD_REQUIRE_ENGINES", ""):
            pytest.fail(f"CITYCARD_REQUIRE_ENGINES wants kcat, but there is {why}")
        pytest.skip(why)
    for service in SERVICES:
        read = [kcat, "-b", kafka, "-C", "-t", topic_of(service), "-o", "beginning", "-e", "-q", "-J"]
        printed = await asyncio.to_thread(subprocess.run, read, capture_output=True, check=True, timeout=30)
        messages = [json.loads(line) for line in printed.stdout.splitlines()]
        rows = await pool.fetch(f"select shard, sequence, type, key from {service}.outbox")
        wanted = {f"{service}/{row['shard']}/{row['sequence']}": (row["type"], row["key"]) for row in rows}
        assert {headers(one)["ce_id"]: (headers(one)["ce_type"], one["key"]) for one in messages} == wanted
        for one in messages:
            understood(one, service)


def understood(message: dict[str, Any], service: str) -> None:
    """What a department's own reader checks, with nothing but the CloudEvents standard and our JSON Schemas."""
    told = headers(message)
    assert told["ce_specversion"] == "1.0"
    assert told["ce_source"] == f"/services/{service}"
    assert told["content-type"] == "application/json"
    assert told["ce_partitionkey"] == message["key"]
    assert Draft202012Validator({"format": "date-time"}, format_checker=FormatChecker()).is_valid(told["ce_time"])
    assert message["partition"] == int(told["ce_id"].split("/")[1]) % 8, "partition and shard agree"
    schema = json.loads((CONTRACTS / f"{told['ce_type']}.json").read_text())
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(json.loads(message["payload"]))


def headers(message: dict[str, Any]) -> dict[str, str]:
    """Header names and values, which kcat prints one after another."""
    flat = message["headers"]
    return dict(zip(flat[::2], flat[1::2], strict=True))


async def test_the_log_is_made_anew_while_the_city_goes_on(
    stage: Stage, story: Story, kafka: str, pool: asyncpg.Pool
) -> None:
    bus = KafkaBus(kafka)
    sms = stage.settings.home / "sms.jsonl"
    before = await everything_stored(pool), await asyncio.to_thread(sms.read_bytes)
    log = {service: roads(await everything(bus, service, "before")) for service in SERVICES}
    command = [sys.executable, "-m", "libs.runtime.cli", "log", "rebuild"]
    rebuilt = await asyncio.to_thread(
        subprocess.run, command, env=stage.environment, capture_output=True, text=True, timeout=60
    )
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert f"loss: {sum(map(len, log['loss'].values()))} messages" in rebuilt.stdout
    await story.quiet()
    assert (await everything_stored(pool), await asyncio.to_thread(sms.read_bytes)) == before
    for service in SERVICES:
        assert roads(await everything(bus, service, "after")) == log[service]
    # And it is not only quiet, but alive: a step that needs the log goes through.
    person = await story.a_person_is_registered()
    await story.a_department_makes_her_eligible(person)
    await bus.close()
