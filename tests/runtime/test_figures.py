"""What operators and load balancers are shown is how it is, also while something is away."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isnan
from uuid import uuid4

import pytest

from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import Append, NewFact, NewMessage
from libs.kernel import Outage
from libs.runtime.cli import build_services
from libs.runtime.figures import Backlog
from libs.runtime.house import House
from libs.runtime.platform import Platform
from libs.runtime.worker import Worker
from libs.telemetry import SEND_OUTCOMES
from libs.testing.clocks import NOON, StandingClock
from libs.testing.town import memory_platform, town_settings, within_earshot, work_off
from services.notice.courier import OUTCOMES
from tests.platform import CLERK, HRSS, applied, registered


class CountingStore(MemoryStore):
    """Counts how often somebody looks up the first rows of its outbox."""

    looks = 0

    async def heads(self, after: Mapping[int, int]) -> Mapping[int, datetime]:
        self.looks += 1
        return await super().heads(after)


def told(holding: str, version: int = 0) -> Append:
    """A fact that is also published; it takes effect in another year, for city time was moved."""
    return Append(
        command_id=uuid4(),
        stream=f"loss-{holding}",
        routing_key=holding,
        expected=version,
        effective_at=NOON + timedelta(days=365),
        facts=[NewFact("Seen", "{}"), NewFact("Told", "{}")],
        messages=[NewMessage(1, "loss.Told.v1", "{}")],
    )


async def test_the_backlog_is_as_old_as_its_oldest_message_by_machine_time() -> None:
    clock = StandingClock(NOON)
    store = CountingStore(clock)
    backlog = Backlog(store)
    await backlog.look()
    assert (backlog.unsent, backlog.age_s(clock.now())) == (0, 0)

    await store.append(told("330900-A"))
    clock.move(timedelta(seconds=40))
    await store.append(told("330900-B"))
    await store.append(told("330900-A", 2))
    clock.move(timedelta(seconds=2))
    await backlog.look()
    assert (backlog.unsent, backlog.age_s(clock.now())) == (3, 42)

    assert store.looks == 1, "all shards together"
    await backlog.look()
    assert store.looks == 1, "while no mark moves, nothing is looked up again"

    (first,) = [row for row in await store.outbox({}, 10) if row.key == "330900-A" and row.version == 2]
    await store.mark({first.shard: (0, first.sequence)})
    await backlog.look()
    assert (backlog.unsent, backlog.age_s(clock.now())) == (2, 2)


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return memory_platform(town_settings(tmp_path_factory.mktemp("home")))


@pytest.fixture
def house(platform: Platform) -> House:
    return House(platform, build_services(platform))


def metric(house: House, name: str, **labels: str) -> float | None:
    return house.platform.telemetry.registry.get_sample_value(name, labels)


async def test_what_lies_unread_and_unsent_is_counted_until_it_is_not(house: House) -> None:
    async with within_earshot(house) as town:
        person = await registered(town, CLERK, HRSS)
        await work_off(house)
        await applied(town, CLERK, person, "citizen-card")
        await house.measure()
        unsent = metric(house, "citycard_outbox_unsent", service="issuance")
        assert unsent
        assert metric(house, "citycard_reader_lag", service="issuance", reader="own") == unsent
        await work_off(house)
        await house.measure()
        assert metric(house, "citycard_outbox_unsent", service="issuance") == 0
        assert metric(house, "citycard_reader_lag", service="issuance", reader="own") == 0


def test_nobody_reads_what_nobody_needs(house: House) -> None:
    """Loss and office keep no read models of their own facts, and office listens to nobody."""
    readers = {home.service.name: [reader.name for reader in home.readers] for home in house.households}
    assert readers == {
        "identity": ["own", "city"],
        "issuance": ["own", "city"],
        "loss": ["city"],
        "notice": ["own", "city"],
        "office": [],
        "wallet": ["own", "city"],
    }


async def test_a_lag_that_cannot_be_known_is_not_guessed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_topics: object) -> dict[tuple[str, int], int]:
        raise Outage("the log does not answer")

    await house.measure()
    assert metric(house, "citycard_log_reachable", service="identity") == 1
    monkeypatch.setattr(house.platform.bus, "ends", away)
    for home in house.households:
        for reader in home.readers:
            if reader.name == "city":
                monkeypatch.setattr(reader._feed, "ends", lambda: away(None))
    await house.measure()
    lag = metric(house, "citycard_reader_lag", service="loss", reader="city")
    assert lag is not None
    assert isnan(lag)
    assert metric(house, "citycard_reader_lag", service="notice", reader="own") == 0, "that one reads from the store"
    assert metric(house, "citycard_log_reachable", service="identity") == 0, "also who only tells, and never listens"
    assert "loss: the log does not answer" in house.worries(30)


async def test_a_refusal_is_counted_by_its_code(house: House) -> None:
    async with within_earshot(house) as town:
        await town.get(CLERK, "/v1/persons/330900-H7YMMB733997376B", expect=404)
        (sample,) = [
            sample
            for family in house.platform.telemetry.registry.collect()
            for sample in family.samples
            if sample.name == "citycard_refusals_total"
        ]
        assert sample.labels == {"code": "person-unknown"}
        assert sample.value == 1


async def test_a_request_is_counted_by_its_route_and_never_by_its_address(house: House) -> None:
    async with within_earshot(house) as town:
        await town.get(CLERK, "/v1/persons/330900-H7YMMB733997376B", expect=404)
        await town.get(CLERK, "/v1/nonsense", expect=404)
        name = "citycard_http_request_seconds_count"
        assert metric(house, name, method="GET", route="/v1/persons/{person_id}", status="404") == 1
        assert metric(house, name, method="GET", route="none", status="404") == 1


def test_every_outcome_of_a_notice_is_counted_from_0(house: House) -> None:
    assert set(SEND_OUTCOMES) == set(OUTCOMES.values())
    assert all(metric(house, "citycard_notices_total", outcome=outcome) == 0 for outcome in SEND_OUTCOMES)


async def test_a_reader_that_has_never_looked_is_as_old_as_the_house(house: House) -> None:
    """And not as old as the machine, which has been up for weeks."""
    (notice,) = [home for home in house.households if home.service.name == "notice"]
    (own, _) = notice.readers
    notice.meter.begin()
    assert notice.meter.poll_age_s(own) < 1
    await own.step()
    assert notice.meter.poll_age_s(own) < 1
    own.figures.polled_at -= 100
    notice.meter._began = own.figures.polled_at - 1
    assert 99 < notice.meter.poll_age_s(own) < 102
    assert any("notice: reader own" in worry for worry in house.worries(30))
    assert "notice: its read models have stood still" in await house.faults(30)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_worker_finishes_the_step_in_hand_before_it_leaves() -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    async def step() -> int:
        begun.set()
        await asyncio.sleep(0.05)
        done.set()
        return 1

    worker = Worker("one", step, for_ever)
    await begun.wait()
    await worker.leave(5)
    assert done.is_set()


async def test_a_worker_that_waits_leaves_at_once_and_one_that_hangs_is_made_to() -> None:
    async def nothing_to_do() -> int:
        return 0

    async def hangs() -> int:
        await asyncio.Event().wait()
        return 1

    for step in (nothing_to_do, hangs):
        worker = Worker("one", step, for_ever)
        await asyncio.sleep(0.01)
        async with asyncio.timeout(2):
            await worker.leave(0.05)


async def test_a_worker_that_never_comes_round_is_stuck_and_one_that_keeps_failing_is_not(house: House) -> None:
    async def fails() -> int:
        raise Outage("away")

    async def hangs() -> int:
        await asyncio.Event().wait()
        return 1

    async def wait() -> None:
        await asyncio.sleep(0)

    house._workers = [Worker("failing", fails, wait), Worker("hanging", hangs, wait)]
    await asyncio.sleep(0.4)
    assert house.stuck(0.35) == ["hanging"]
    await asyncio.gather(*(worker.leave(0) for worker in house._workers))
