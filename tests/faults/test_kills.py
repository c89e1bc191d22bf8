"""Real processes are killed under real clients: what was acknowledged is there, and nothing is there twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from libs.runtime.cli import SERVICES
from libs.testing.faults import Nemesis, quiet
from libs.testing.stage import Stage, on_kafka, on_postgres
from services.faults import CLERK, HOTLINE, OPERATOR, Crowd, Holder, compare, crowd_of
from tests import engines

HOLDERS = 4


@pytest.fixture(scope="module")
async def stage(workshop: Path) -> AsyncIterator[Stage]:
    """Four processes on a PostgreSQL of their own, which keeps the log too; every test leaves it whole."""
    async with on_postgres(workshop / "kills") as opened:
        yield opened


@pytest.fixture(scope="module")
async def cast(stage: Stage) -> tuple[Crowd, Holder]:
    people = crowd_of(stage)
    await people.settle(HOLDERS + 1)
    return people, people.holders.pop()


@pytest.fixture(scope="module")
def crowd(cast: tuple[Crowd, Holder]) -> Crowd:
    """People with cards that work."""
    return cast[0]


@pytest.fixture(scope="module")
def quiet_holder(cast: tuple[Crowd, Holder]) -> Holder:
    """Somebody who stays away from the throng."""
    return cast[1]


async def under_load(crowd: Crowd, blows: Awaitable[None]) -> None:
    """The blows fall while everybody is at the doors; then everybody finishes what she is about."""
    crowd.open_the_doors()
    throng = asyncio.create_task(crowd.throng(applicants=1))
    await asyncio.sleep(0.5)
    await blows
    await asyncio.sleep(0.5)
    crowd.close_the_doors()
    await throng
    assert not crowd.book.unresolved
    await quiet(crowd.book, OPERATOR)


async def nothing_lost_nothing_twice(stage: Stage, crowd: Crowd) -> None:
    found = await compare(stage, crowd)
    assert (found.lost, found.doubled, found.parked) == ([], [], [])


async def test_any_service_may_be_killed_between_request_and_answer(stage: Stage, crowd: Crowd) -> None:
    nemesis = Nemesis(stage)

    async def blows() -> None:
        for name in SERVICES:
            await nemesis.kill(name)

    before = len(crowd.book.acknowledged)
    await under_load(crowd, blows())
    assert len(crowd.book.acknowledged) > before + 20
    await nothing_lost_nothing_twice(stage, crowd)


async def test_postgres_may_be_killed_under_load(stage: Stage, crowd: Crowd) -> None:
    nemesis = Nemesis(stage)
    before = len(crowd.book.acknowledged)

    async def blows() -> None:
        for _ in range(2):
            await nemesis.kill_postgres(0.3)
            await asyncio.sleep(0.7)

    await under_load(crowd, blows())
    assert len(crowd.book.acknowledged) > before + 20
    assert set(crowd.book.faults) <= {503}, "an outage is called an outage"
    await nothing_lost_nothing_twice(stage, crowd)


async def test_a_service_that_was_off_for_city_days_catches_up_and_every_hour_is_right(
    stage: Stage, crowd: Crowd, quiet_holder: Holder
) -> None:
    """Issuance and the courier are off while a signature is given and lifted, and a call is taken that lapses."""
    assert stage.database is not None
    holder, nemesis = quiet_holder, Nemesis(stage)
    await quiet(crowd.book, OPERATOR)
    for name in ("issuance", "notice"):
        await asyncio.to_thread(stage.kill, name)
    card = f"/v1/cards/{holder.card}"
    signed = await crowd.act(holder, "written-reports")
    lifted = await crowd.act(holder, "lifts")
    called = await crowd.act(holder, "pre-reports")
    hour = datetime.fromisoformat(called["lapses_at"])
    connection = await asyncpg.connect(stage.database.dsn)
    now = datetime.fromisoformat((await crowd.book.people.get(OPERATOR, "/v1/city-time"))["now"])
    days = hour - now + timedelta(hours=1)
    await connection.execute("update platform.city_time set ahead = ahead + $1", days)  # Nobody waits for anybody.
    async with asyncio.timeout(20):
        while (await crowd.book.people.get(HOTLINE, f"{card}/loss"))["status"] != "in_use":
            await asyncio.sleep(0.1)
    await asyncio.gather(*(nemesis.revive(name) for name in ("issuance", "notice")))
    await quiet(crowd.book, OPERATOR)
    assert (signed["status"], lifted["status"]) == ("reported", "in_use")
    for moment, works in ((called["stopped_at"], False), (hour - timedelta(milliseconds=1), False), (hour, True)):
        view = await crowd.book.people.get(CLERK, card, at=moment if isinstance(moment, str) else moment.isoformat())
        medical = next(one for one in view["functions"] if one["function"] == "medical")
        assert medical["usable"] is works, f"{moment}: {medical}"
    holding = holder.card.partition(".")[0]
    steps = [one["step"] for one in await crowd.book.people.get(CLERK, "/v1/notices", holding_id=holding)]
    assert (steps.count("lapse-near"), steps.count("report-lapsed")) == (1, 1), "each once, however late"
    await connection.close()
    await nothing_lost_nothing_twice(stage, crowd)


# --- on Kafka ---


@pytest.mark.kafka
async def test_the_doors_do_not_notice_that_the_broker_is_away(workshop: Path) -> None:
    """Killed with -9 and away under load: no 5xx, and answers as quick as before."""
    if engines.choose_kafka() != "jars":
        pytest.skip("needs a broker that may be killed: set CITYCARD_TEST_KAFKA_ENGINE=jars")
    async with on_kafka(workshop / "away") as stage:
        crowd = crowd_of(stage)
        await crowd.settle(HOLDERS)
        calm, away = crowd.chapter("calm"), crowd.chapter("away")
        await under_load(calm, asyncio.sleep(4))
        assert stage.broker is not None
        await asyncio.to_thread(stage.broker.kill)
        away.open_the_doors()
        throng = asyncio.create_task(away.throng(applicants=1))
        await asyncio.sleep(8)
        away.close_the_doors()
        await throng
        assert not away.book.faults, "no 5xx"
        assert away.book.percentile_s(0.99) <= 3 * max(calm.book.percentile_s(0.99), 0.05)
        assert len(away.book.acknowledged) > len(calm.book.acknowledged) / 2
        await stage.broker.start()
        await quiet(away.book, OPERATOR)
        for chapter in (crowd, calm, away):
            await nothing_lost_nothing_twice(stage, chapter)
