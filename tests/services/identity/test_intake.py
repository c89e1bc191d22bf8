"""Departments deliver: over HTTP and on topics of their own, each record judged alone, none of them in clear."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from libs.runtime.citypack import load_packs
from libs.runtime.cli import build_services
from libs.runtime.house import House
from libs.testing.town import Town, memory_platform, pass_until, town_settings, within_earshot
from libs.vault.port import Erased
from libs.web.tokens import Caller
from services.identity.adapters.intake import Agreements, close_record, delivery_id, feed_key, open_record
from tests.platform import (
    AUDITOR,
    BEGINS,
    CENTRE,
    CLERK,
    HRSS,
    WX_HRSS,
    ZHOUSHAN,
    Open,
    a_card_in_use,
    id_card,
    registered,
)

HANGZHOU, WUXI = "330100", "320200"
EDUCATION = replace(HRSS, id="education-1", department="education")


def fact(document: dict[str, str], **about: Any) -> dict[str, Any]:
    return {
        "document": document, "fact": "insured_resident", "valid_from": "2024-03-01", "reference": "R-2"
    } | about  # fmt: skip


def page(name: str, *records: Any, **about: Any) -> dict[str, Any]:
    return {"name": name, "records": list(records)} | about


@pytest.mark.requirement("R14", "R15")
async def test_a_faulty_record_is_put_aside_and_stops_no_other(town: Town) -> None:
    lin = id_card()
    person = await registered(town, CLERK, HRSS, document=lin)
    stranger, wrong = id_card(), {"kind": "id_card", "number": "330102199001010013"}
    told = await town.post(
        HRSS,
        "/v1/deliveries",
        page(
            "faulty",
            fact(lin),
            fact(stranger),
            fact(wrong),
            fact(lin, fact="hukou"),
            fact(lin, valid_from="2024-02-30"),
            {"document": lin},
            "not even an object",
            fact(lin, reference="x" * 10_001),
            fact(lin, valid_from="2024-03-01", valid_to="2024-02-01"),
            announced=12,
        ),
    )
    assert (told["received"], told["announced"], told["missing"], told["faulty"]) == (9, 12, 3, 8)
    assert [(one["row"], one["code"]) for one in told["aside"]] == [
        (2, "person-unknown"),
        (3, "check-character-wrong"),
        (4, "fact-not-yours"),
        (5, "record-unreadable"),
        (6, "record-unreadable"),
        (7, "record-not-opened"),
        (8, "record-too-long"),
        (9, "validity-reversed"),
    ]
    assert "/valid_from: Value error, there is no such day" in told["aside"][3]["detail"]
    assert stranger["number"] not in json.dumps(told)

    said = await town.get(CLERK, f"/v1/persons/{person}/facts")
    assert [(one["fact"], one["department"]) for one in said] == [
        ("insured_employee", "hrss"),
        ("insured_resident", "hrss"),
    ]
    assert all(one["recorded_at"] for one in said)


async def test_a_record_is_taken_in_when_its_cause_is_mended(town: Town) -> None:
    stranger = id_card()
    told = await town.post(HRSS, "/v1/deliveries", page("mended", fact(stranger), fact(stranger)))
    settlements = f"/v1/deliveries/{told['delivery_id']}/settlements"
    again = {"row": 1, "try_again": True, "reason": "the person came to the counter"}
    assert (await town.post(CENTRE, settlements, again, expect=404))["code"] == "person-unknown"

    person = await registered(town, CLERK, HRSS, document=stranger)
    settled = await town.post(CENTRE, settlements, again)
    assert [one["row"] for one in settled["aside"]] == [2]
    settled = await town.post(CENTRE, settlements, again | {"row": 2, "try_again": False, "reason": "said twice"})
    assert settled["aside"] == []
    assert (settled["received"], settled["faulty"]) == (2, 2)
    assert await town.get(HRSS, f"/v1/deliveries/{told['delivery_id']}") == settled
    assert "insured_resident" in [one["fact"] for one in await town.get(CLERK, f"/v1/persons/{person}/facts")]
    assert (await town.post(CENTRE, settlements, again | {"row": 9}, expect=404))["code"] == "record-not-aside"


async def test_a_delivery_that_is_sent_again_is_taken_once(town: Town) -> None:
    lin = id_card()
    person = await registered(town, CLERK, HRSS, document=lin)
    body = page("again", fact(lin), fact(id_card()))
    first = await town.post(HRSS, "/v1/deliveries", body, key="the-same")
    assert await town.post(HRSS, "/v1/deliveries", body, key="the-same") == first
    assert await town.post(HRSS, "/v1/deliveries", body, key="another") == first
    assert len(await town.get(CLERK, f"/v1/persons/{person}/facts")) == 2
    reused = await town.post(HRSS, "/v1/deliveries", page("again", fact(lin)), key="the-same", expect=422)
    assert reused["code"] == "key-reused"


async def test_a_department_sees_its_own_deliveries_and_no_others(town: Town) -> None:
    told = await town.post(HRSS, "/v1/deliveries", page("own", fact(id_card())))
    path = f"/v1/deliveries/{told['delivery_id']}"
    assert (await town.get(AUDITOR, path)) == (await town.get(CENTRE, path)) == told
    for stranger in (EDUCATION, WX_HRSS, CLERK):
        assert (await town.get(stranger, path, expect=403))["code"] == "not-allowed"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"name": "林小舟"}, "/name"),
        ({"records": [{}] * 1_001}, "/records"),
        ({"first_row": 0}, "/first_row"),
        ({"announced": -1}, "/announced"),
        ({"price_fen": 1}, "/price_fen"),
    ],
)
async def test_a_malformed_delivery_is_sent_back_whole(town: Town, wrong: dict[str, Any], pointer: str) -> None:
    refused = await town.post(HRSS, "/v1/deliveries", page("malformed") | wrong, expect=422)
    assert pointer in [fault["pointer"] for fault in refused["errors"]]


@pytest.mark.requirement("R15")
async def test_how_prompt_accurate_and_complete_a_feed_is_can_be_seen(open_town: Open) -> None:
    async with open_town() as town:
        lin = id_card()
        await registered(town, CLERK, HRSS, document=lin)
        await town.post(HRSS, "/v1/deliveries", page("d-1", *[fact(lin)] * 3, fact(id_card()), announced=8))
        await town.drain()
        (feed,) = await town.get(HRSS, "/v1/feeds")
        assert (feed["department"], feed["late"], feed["topic"]) == ("hrss", False, "in.hrss.facts")
        assert (feed["fault_share"], feed["completeness"]) == (0.25, 0.5)

        await town.advance("2026-09-02T09:31:00+08:00")
        feeds = {one["department"]: one for one in await town.get(CENTRE, "/v1/feeds")}
        assert feeds["hrss"]["late"], "24 hours and a minute later"
        assert feeds["education"]["last_at"] is None

        await town.house.measure()
        metrics = (await town.web.get("/metrics")).text
        assert f'citycard_feed_fault_share{{city="{ZHOUSHAN}",department="hrss"}} 0.25' in metrics
        assert f'citycard_feed_completeness{{city="{ZHOUSHAN}",department="hrss"}} 0.5' in metrics
        assert f'citycard_feed_due_seconds{{city="{ZHOUSHAN}",department="hrss"}} 86400.0' in metrics


async def test_what_was_put_aside_lies_nowhere_in_clear_and_is_forgotten(open_town: Open) -> None:
    async with open_town() as town:
        stranger = id_card()
        told = await town.post(HRSS, "/v1/deliveries", page("forgotten", fact(stranger)))
        await town.drain()
        connection = await asyncpg.connect(town.settings.database_url)
        for table in ("identity.fact", "identity.outbox", "identity.delivery", "bus.letter"):
            rows = await connection.fetch(f"select * from {table} t where t::text like $1", f"%{stranger['number']}%")
            assert not rows, f"{table} shows a number in clear"
        await connection.close()

        await town.advance("2026-12-31T00:00:00+08:00")
        delivery = (await town.house.services[0].desks["delivery"].standing(told["delivery_id"])).state
        with pytest.raises(Erased):
            await town.house.platform.vault.open(told["delivery_id"], "row 1", delivery.aside[1].box)


@pytest.mark.requirement("R72", "R112")
async def test_a_changed_fact_switches_functions_without_a_new_card(open_town: Open) -> None:
    async with open_town() as town:
        lin = id_card()
        _, card = await a_card_in_use(town, document=lin)
        before = await functions(town, card)
        stopped = fact(lin, fact="insured_employee", ended=True, valid_to="2026-08-31")
        await town.post(HRSS, "/v1/deliveries", page("stopped", stopped))
        await town.drain()
        assert {name for name, works in before.items() if works} > {
            name for name, works in (await functions(town, card)).items() if works
        }
        await town.post(HRSS, "/v1/deliveries", page("paid", fact(lin, fact="insured_employee")))
        await town.drain()
        assert await functions(town, card) == before


async def functions(town: Town, card: str) -> dict[str, bool]:
    return {one["function"]: one["usable"] for one in (await town.get(CLERK, f"/v1/cards/{card}"))["functions"]}


# --- on a topic ---


def test_a_record_is_opened_with_the_key_of_its_own_department_only() -> None:
    key = feed_key(b"secret", ZHOUSHAN, "hrss")
    closed = close_record(key, {"a": 1})
    assert open_record(key, closed.encode()) == {"a": 1}
    for other in (feed_key(b"secret", ZHOUSHAN, "police"), feed_key(b"another", ZHOUSHAN, "hrss")):
        with pytest.raises(Exception, match="not closed with the key"):
            open_record(other, closed.encode())


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    opened = AIOKafkaProducer(bootstrap_servers=kafka)
    await opened.start()
    yield opened
    await opened.stop()


@pytest.mark.kafka
@pytest.mark.requirement("R14", "R112")
async def test_a_department_puts_closed_records_on_its_topic(
    open_town: Open, kafka: str, producer: AIOKafkaProducer
) -> None:
    lin = id_card()
    async with open_town(kafka=kafka) as town:
        person = await registered(town, CLERK, HRSS, document=lin)
        key = feed_key(town.house.platform.fingerprint_key, ZHOUSHAN, "hrss")
        for value in (close_record(key, fact(lin)).encode(), b"in clear", close_record(key, fact(id_card())).encode()):
            await producer.send_and_wait("in.hrss.facts", value, partition=0)

        name = f"in.hrss.facts/0/{BEGINS.date()}"
        delivery = f"/v1/deliveries/{delivery_id(ZHOUSHAN, 'hrss', name)}"
        others = f"/v1/deliveries/{delivery_id(WUXI, 'hrss', name)}"
        their_centre = Caller("centre-w", "centre", WUXI)

        async def said() -> list[str]:
            return [one["fact"] for one in await town.get(CLERK, f"/v1/persons/{person}/facts")]

        async with asyncio.timeout(30):
            while "insured_resident" not in await said():
                await asyncio.sleep(0.1)
            while (told := await town.call(CENTRE, "GET", delivery)).status_code != 200 or told.json()["received"] < 2:
                await asyncio.sleep(0.1)
            while (first := await town.call(their_centre, "GET", others)).status_code != 200:
                await asyncio.sleep(0.1)
        assert [one["code"] for one in told.json()["aside"]] == ["person-unknown"]
        assert [one["code"] for one in first.json()["aside"]] == ["record-not-opened"], (
            "it named no city; the first asks"
        )


class Topic:
    """The topic of Zhoushan's HRSS, as its broker would hand it to us: a record has a place, and may come again."""

    def __init__(self, house: House) -> None:
        (self._identity,) = house.services
        self._key = feed_key(house.platform.fingerprint_key, ZHOUSHAN, "hrss")
        self._log: list[bytes] = []

    async def bring(self, *records: Any) -> None:
        """These are put on the topic and taken in."""
        first = len(self._log)
        self._log += [close_record(self._key, record).encode() for record in records]
        await self.again(first)

    async def again(self, first: int = 0) -> None:
        """Whatever lies there from this place on comes again, cut otherwise than the first time."""
        for place in range(first, len(self._log), 2):
            await self._identity.inlet.take("in.hrss.facts", 0, place, self._log[place : place + 2])


def counted(deploy: Path) -> Path:
    """The same cities, but in Zhoushan the HRSS has agreed to say how many records each delivery has."""
    shutil.copytree(Path(__file__).parents[3] / "deploy", deploy, dirs_exist_ok=True)
    feeds = deploy / "cities" / "zhoushan" / "feeds.yaml"
    agreed = "hrss: {due_every_hours: 24, faults_max: 0.01"
    assert agreed in feeds.read_text()
    feeds.write_text(feeds.read_text().replace(agreed, f"{agreed}, counted: true"))
    return deploy


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[tuple[Town, Topic]]:
    settings = town_settings(tmp_path, data=counted(tmp_path / "deploy"))
    house = House(platform := memory_platform(settings, BEGINS), build_services(platform, ["identity"]))
    async with within_earshot(house) as town:
        yield town, Topic(house)


def headed(row: int, record: dict[str, Any], **about: Any) -> dict[str, Any]:
    return {"delivery": "d-1", "row": row, "record": record} | about


async def feed_of(town: Town) -> dict[str, Any]:
    await pass_until(town.house, town.house.platform.city.now())
    (feed,) = await town.get(HRSS, "/v1/feeds")
    return dict(feed)


@pytest.mark.requirement("R15")
async def test_what_a_topic_announces_and_does_not_bring_is_missing(office: tuple[Town, Topic]) -> None:
    town, topic = office
    lin = id_card()
    await registered(town, CLERK, HRSS, document=lin)
    await topic.bring(headed(1, fact(lin)), headed(2, fact(id_card())), headed(4, fact(lin)))
    assert (await feed_of(town))["completeness"] == 0.75, "the third is missing, whoever announced it"

    await topic.bring({"delivery": "d-1", "announced": 8})
    feed = await feed_of(town)
    assert (feed["completeness"], feed["fault_share"], feed["uncounted"]) == (0.375, 0.3333, 0)

    # What comes late, again, or in any order is counted once, and over HTTP it is the same delivery.
    await topic.bring(headed(3, fact(lin)), headed(3, fact(lin)), headed(1, fact(lin), announced=8))
    await topic.again()
    assert (await feed_of(town))["completeness"] == 0.5
    told = await town.post(HRSS, "/v1/deliveries", page("d-1", *[fact(lin)] * 4, first_row=5))
    assert (told["received"], told["announced"], told["missing"], told["faulty"]) == (8, 8, 0, 1)
    assert (await feed_of(town))["completeness"] == 1.0


@pytest.mark.requirement("R15")
async def test_an_announcement_that_never_comes_is_noticed_when_the_next_delivery_is_due(
    office: tuple[Town, Topic],
) -> None:
    town, topic = office

    async def uncounted() -> tuple[int, float]:
        feed = await feed_of(town)
        await town.house.measure()
        labels = {"city": ZHOUSHAN, "department": "hrss"}
        share = town.house.platform.telemetry.registry.get_sample_value("citycard_feed_uncounted_share", labels)
        assert share is not None
        return feed["uncounted"], share

    await topic.bring(headed(1, fact(id_card())), headed(2, fact(id_card())))
    await pass_until(town.house, BEGINS + timedelta(days=1))
    assert await uncounted() == (0, 0.0)
    await pass_until(town.house, BEGINS + timedelta(days=1, seconds=1))
    assert await uncounted() == (1, 1.0)
    await topic.bring({"delivery": "d-1", "announced": 2})
    assert await uncounted() == (0, 0.0)


@pytest.mark.parametrize(
    ("heading", "wrong"),
    [
        ({"delivery": "d-1"}, "a heading says how many records"),
        ({"delivery": "d-1", "row": 3}, "comes with its row, and a row with its record"),
        ({"delivery": "d-1", "record": {}}, "comes with its row, and a row with its record"),
        ({"delivery": "d-1", "row": 0, "record": {}}, "/row"),
        ({"delivery": "d-1", "announced": -1}, "/announced"),
        ({"delivery": "林小舟", "row": 1, "record": {}}, "/delivery"),
        ({"delivery": "d-1", "row": 1, "record": {}, "off": 5}, "/off"),
    ],
)
async def test_a_heading_that_does_not_fit_is_put_aside_with_its_record_and_stops_no_other(
    office: tuple[Town, Topic], heading: dict[str, Any], wrong: str
) -> None:
    town, topic = office
    lin = id_card()
    await registered(town, CLERK, HRSS, document=lin)
    await topic.bring(heading, fact(lin), headed(1, fact(lin)))

    name = f"in.hrss.facts/0/{BEGINS.date()}"
    told = await town.get(CENTRE, f"/v1/deliveries/{delivery_id(ZHOUSHAN, 'hrss', name)}")
    ((code, detail),) = [(one["code"], one["detail"]) for one in told["aside"]]
    assert (code, wrong in detail, told["received"], told["missing"]) == ("record-unreadable", True, 2, 0)
    assert "林小舟" not in detail
    headed_one = await town.get(CENTRE, f"/v1/deliveries/{delivery_id(ZHOUSHAN, 'hrss', 'd-1')}")
    assert (headed_one["received"], headed_one["faulty"]) == (1, 0)


# --- agreements ---


@pytest.mark.requirement("R15", "R108")
async def test_a_feed_that_was_agreed_on_and_never_came_is_late_and_seen_to_be(tmp_path: Path) -> None:
    """What a foreign talent has changed at the experts' bureau is awaited for two weeks, and then asked for."""
    house = House(platform := memory_platform(town_settings(tmp_path), BEGINS), build_services(platform, ["identity"]))
    experts = Caller("experts-h", "department", HANGZHOU, department="experts")
    labels = {"city": HANGZHOU, "department": "experts"}

    def gauge(name: str) -> float:
        shown = platform.telemetry.registry.get_sample_value(f"citycard_feed_{name}_seconds", labels)
        assert shown is not None
        return shown

    async with within_earshot(house) as town:
        (feed,) = await town.get(experts, "/v1/feeds")
        assert (feed["due_every_hours"], feed["last_at"], feed["late"]) == (14 * 24, None, True)
        await house.measure()
        assert gauge("age") > gauge("due") == 14 * 86_400

        nobody = fact(id_card(), fact="work_permit")
        await town.post(experts, "/v1/deliveries", page("d-1", nobody))
        for late_by, late in ((timedelta(), False), (timedelta(seconds=1), True)):
            await pass_until(house, BEGINS + timedelta(days=14) + late_by)
            await house.measure()
            (feed,) = await town.get(experts, "/v1/feeds")
            assert (feed["late"], gauge("age") > gauge("due")) == (late, late)


@pytest.mark.requirement("R16")
def test_no_price_can_be_agreed_on_for_a_feed(tmp_path: Path) -> None:
    deploy = Path(__file__).parents[3] / "deploy"
    for part in ("cities", "calendars"):
        shutil.copytree(deploy / part, tmp_path / part)
    feeds = tmp_path / "cities" / "zhoushan" / "feeds.yaml"
    Agreements(load_packs(tmp_path))
    feeds.write_text(
        feeds.read_text().replace("hrss: {due_every_hours: 24,", "hrss: {price_fen: 1, due_every_hours: 24,")
    )
    with pytest.raises(Exception, match="price_fen"):
        Agreements(load_packs(tmp_path))
