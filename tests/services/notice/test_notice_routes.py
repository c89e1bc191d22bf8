"""What a clerk may see of notices, and what a developer sees on her own machine; never a whole number."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from joserfc.jwk import ECKey, KeySet

from libs.kernel import Outage
from libs.web.access import Access, action_of
from libs.web.call import Doors
from libs.web.door import Door, Porter
from libs.web.problems import install
from libs.web.tokens import ISSUER_DEVELOPMENT, Caller, Tokens, issue
from services.notice.domain.state import Sending, Told
from services.notice.ports import Sent
from tests.services.notice.test_courier import ARRIVAL, in_doubt
from tests.services.notice.town import HOLDING, LI, NUMBER, City, Provider, arrived, stopped

KEY = ECKey.generate_key("P-256", parameters={"kid": "test"})
CLERK = Caller("c1", "clerk", city="330900", outlet="zs-hall")
Found = Callable[..., City]


@asynccontextmanager
async def door(city: City, caller: Caller | None = CLERK) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install(app)
    app.include_router(city.service.router)
    tokens = Tokens(KeySet([KEY]), city.clock, ISSUER_DEVELOPMENT)
    packs = city.platform.packs
    shared = Doors(tokens, Access([city.service.access]), city.platform.fingerprint_key, packs.hash_of, packs.names_of)
    app.state.doors = shared
    routes = [route for route in city.service.router.routes if isinstance(route, APIRoute)]
    doors = [Door(route, str(action_of(route)), shared) for route in routes]
    app.add_middleware(Porter, doors=doors, count=lambda _code: None)
    headers = {"Idempotency-Key": "one"}
    if caller is not None:
        headers["Authorization"] = f"Bearer {issue(KEY, city.clock, caller, ISSUER_DEVELOPMENT)}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://city", headers=headers) as client:
        yield client


@pytest.fixture
async def told(city: City) -> City:
    """A city in which Li was told twice."""
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    await city.settle()
    city.clock.moment += timedelta(hours=1)
    await city.say(stopped.model_copy(update={"at": city.clock.moment}))
    await city.settle()
    return city


@pytest.mark.parametrize("role", ["clerk", "hotline", "auditor", "operator"])
async def test_whoever_serves_a_holder_sees_what_she_was_told(told: City, role: str) -> None:
    async with door(told, Caller("1", role, city="" if role == "operator" else "330900")) as client:
        answer = await client.get("/v1/notices", params={"holding_id": HOLDING})
    assert answer.status_code == 200
    newest, oldest = answer.json()
    assert (newest["step"], oldest["step"]) == ("card-rests", "card-arrived")
    assert (oldest["notice_id"], oldest["status"], oldest["to"]) == (ARRIVAL, "sent", "+86138****5678")
    assert "定海社区服务点" in oldest["text"]
    assert NUMBER not in answer.text


async def test_a_holding_of_which_nothing_is_known_was_told_nothing(city: City) -> None:
    async with door(city) as client:
        assert (await client.get("/v1/notices", params={"holding_id": HOLDING})).json() == []
        assert (await client.get("/v1/notices", params={"holding_id": HOLDING[:-1]})).status_code == 404


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (None, 401),
        (Caller("1", "clerk", city="320200", outlet="wx-hall"), 403),
        (Caller("1", "citizen", city="330900"), 403),
    ],
)
async def test_nobody_else_sees_it(told: City, caller: Caller | None, status: int) -> None:
    async with door(told, caller) as client:
        assert (await client.get("/v1/notices", params={"holding_id": HOLDING})).status_code == status


async def test_after_an_erasure_even_the_masked_number_is_gone(told: City) -> None:
    await told.vault.erase(LI)
    async with door(told) as client:
        notices = (await client.get("/v1/notices", params={"holding_id": HOLDING})).json()
    assert {one["to"] for one in notices} == {"erased"}


async def test_a_notice_that_waits_is_seen_waiting(city: City) -> None:
    await city.say(stopped)
    await city.settle()
    async with door(city) as client:
        [notice] = (await client.get("/v1/notices", params={"holding_id": HOLDING})).json()
    assert (notice["status"], notice["to"], notice["text"]) == ("waiting_for_holder", "", "")


@pytest.mark.parametrize(("send_again", "status"), [(True, "wanted"), (False, "failed")])
async def test_a_clerk_resolves_a_doubt(found: Found, send_again: bool, status: str) -> None:
    city, provider = await in_doubt(found)
    async with door(city) as client:
        [notice] = (await client.get("/v1/notices", params={"holding_id": HOLDING})).json()
        assert notice["status"] == "uncertain"
        for _ in range(2):
            answer = await client.post(f"/v1/notices/{ARRIVAL}/decisions", json={"send_again": send_again})
            assert (answer.status_code, answer.json()["status"]) == (201, status)
        late = await client.post(
            f"/v1/notices/{ARRIVAL}/decisions", json={"send_again": True}, headers={"Idempotency-Key": "two"}
        )
        assert (late.status_code, late.json()["code"]) == (409, "nothing-in-doubt")
    await city.settle()
    assert len(provider.rung) == 1 + send_again
    assert [told["type"] for told in await city.told()] == [
        "notice.NoticeSent.v1" if send_again else "notice.NoticeFailed.v1"
    ]


async def test_a_notice_that_nobody_wanted_cannot_be_decided_on(city: City) -> None:
    async with door(city) as client:
        for notice, code in ((ARRIVAL, "notice-unknown"), (ARRIVAL[:-1], "id-mistyped")):
            answer = await client.post(f"/v1/notices/{notice}/decisions", json={"send_again": True})
            assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_only_a_clerk_at_her_outlet_decides(found: Found) -> None:
    city, _ = await in_doubt(found)
    for caller in (Caller("1", "hotline", city="330900"), Caller("1", "clerk", city="330900")):
        async with door(city, caller) as client:
            answer = await client.post(f"/v1/notices/{ARRIVAL}/decisions", json={"send_again": True})
            assert answer.status_code == 403


async def test_on_her_own_machine_a_developer_sees_the_telephone(told: City) -> None:
    async with door(told, None) as client:
        answer = await client.get("/notices")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.text.index("card-rests") < answer.text.index("card-arrived")
    assert "+86138****5678" in answer.text
    assert NUMBER not in answer.text
    assert "http://" not in answer.text.replace("http-equiv", "")


async def test_words_from_outside_cannot_write_on_the_page(city: City) -> None:
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived.model_copy(update={"outlet": "<script>"}))
    await city.settle()
    async with door(city, None) as client:
        page = (await client.get("/notices")).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0"}, {"issuer": "https://login.example"}])
async def test_anywhere_else_there_is_no_such_page(found: Found, settings: dict[str, str]) -> None:
    async with door(found(**settings), None) as client:
        assert (await client.get("/notices")).status_code == 404


async def test_a_letter_on_its_way_is_seen_on_its_way(found: Found) -> None:
    city = found(provider := Provider())
    await city.say_who_li_is()
    await city.read()
    await city.say(arrived)
    provider.answer = Outage("no carrier")
    with pytest.raises(Outage):
        await city.settle()
    assert isinstance(await city.notice(ARRIVAL), Sending)
    async with door(city) as client:
        [notice] = (await client.get("/v1/notices", params={"holding_id": HOLDING})).json()
    assert notice["status"] == "sending"
    provider.answer = Sent()
    await city.settle()
    assert isinstance(await city.notice(ARRIVAL), Told)
