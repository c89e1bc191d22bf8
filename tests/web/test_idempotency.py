"""Said twice, done once: the same key and body give the same answer, whatever has happened since."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx

from libs.testing.town import Town, return_file
from libs.web.tokens import Caller
from tests.platform import (
    CENTRE,
    CLERK,
    HALL,
    HOTLINE,
    HRSS,
    ICBC,
    OPERATOR,
    PORTRAIT,
    VENDOR,
    WUXI,
    WX_CENTRE,
    WX_HALL,
    WX_HRSS,
    WX_VENDOR,
    a_card_at_the_outlet,
    a_card_in_use,
    applied,
    id_card,
    produced,
    registered,
)


class Recorder:
    """Does every act of a story, and remembers what was said and what was answered."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.acts: list[tuple[Caller, str, bytes, str, httpx.Response]] = []

    async def post(self, who: Caller, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        key = f"kept-{id(self)}-{len(self.acts)}"
        answer = await self.town.call(who, "POST", path, key=key, json=body or {})
        assert answer.status_code in (200, 201, 202), answer.text
        self.acts.append((who, path, answer.request.content, key, answer))
        return dict(answer.json())

    async def drain(self) -> None:
        await self.town.drain()


async def test_every_act_of_a_life_can_be_repeated_to_the_byte_when_all_is_over(town: Town) -> None:
    story = Recorder(town)
    shown: dict[str, Any] = {"document": id_card(), "name": "林小舟", "mobile": "13800005678"}
    person = (await story.post(CLERK, "/v1/persons", shown))["person_id"]
    await story.post(CLERK, "/v1/persons/searches", shown["document"])
    fact = {"document": shown["document"], "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1"}
    await story.post(HRSS, "/v1/facts", fact)
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    application = (await story.post(CLERK, "/v1/applications", papers))["application_id"]
    await story.post(CLERK, f"/v1/applications/{application}/supplement-requests", {"reason": "a paper is missing"})
    await story.post(CLERK, f"/v1/applications/{application}/supplements", {"documents": ["household_book"]})
    holding = (await story.post(CLERK, f"/v1/applications/{application}/acceptances"))["holding_id"]
    await town.drain()
    where = {"programme": "citizen-card", "outlet": "zs-dinghai"}
    batch = (await story.post(CENTRE, "/v1/batches", where))["batch_id"]
    await town.drain()
    seats = (await story.post(CENTRE, f"/v1/batches/{batch}/orders"))["seats"]
    await story.post(VENDOR, f"/v1/batches/{batch}/returns", {"file": return_file(seats)})
    await story.post(CENTRE, f"/v1/batches/{batch}/dispatches")
    await story.post(CLERK, f"/v1/batches/{batch}/receipts", {"counted": len(seats)})
    await town.drain()
    card, signed = f"{holding}.1", {"document": "id_card"}
    await story.post(CLERK, f"/v1/cards/{card}/hand-overs", signed)
    await town.drain()
    await story.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    await story.post(ICBC, f"/v1/cards/{card}/written-reports", signed)
    waiting = await story.post(ICBC, f"/v1/cards/{card}/lifts", signed)
    await story.post(HALL, f"/v1/cards/{card}/approvals", {"proposal_id": waiting["proposals"][0]["proposal_id"]})
    await story.post(ICBC, f"/v1/cards/{card}/replacements", signed | {"reason": "stained"})
    await produced(town, "citizen-card", CENTRE, VENDOR, at=ICBC)
    await story.post(ICBC, f"/v1/cards/{holding}.2/hand-overs", signed)
    await town.drain()
    given_back = signed | {"reason": "own_request"}
    for answer in ("objections", "approvals"):
        waiting = await story.post(ICBC, f"/v1/cards/{holding}.2/cancellations", given_back)
        looked = {"proposal_id": waiting["proposals"][0]["proposal_id"]}
        await story.post(HALL, f"/v1/cards/{holding}.2/{answer}", looked)
    await story.post(CENTRE, f"/v1/persons/{person}/reveals", {"reason": "holder_asks"})
    await town.drain()
    await it_is_answered_to_the_byte(story)


async def test_a_card_that_is_not_active_yet_is_repeated_to_the_byte_too(town: Town) -> None:
    """In Wuxi a hand-over activates nothing, so its answer has no instant of activation to stand on."""
    story = Recorder(town)
    person = await registered(town, WX_HALL, WX_HRSS)
    await town.drain()
    holding = (await applied(town, WX_HALL, person, "social-security-card"))["holding_id"]
    await produced(town, "social-security-card", WX_CENTRE, WX_VENDOR, at=WX_HALL)
    await story.post(WX_HALL, f"/v1/cards/{holding}.1/hand-overs", {"document": "id_card"})
    await story.post(Caller("h", "citizen", WUXI, person=person), f"/v1/cards/{holding}.1/activations")
    await town.drain()
    await it_is_answered_to_the_byte(story)


async def it_is_answered_to_the_byte(story: Recorder) -> None:
    for who, path, body, key, first in story.acts:
        headers = {"Content-Type": "application/json"}
        again = await story.town.call(who, "POST", path, key=key, content=body, headers=headers)
        assert (again.status_code, again.content) == (first.status_code, first.content), path
        if not path.endswith("/searches"):  # A search leaves nothing behind that could be repeated.
            assert again.headers["Idempotency-Replayed"] == "true", path
            assert "Idempotency-Replayed" not in first.headers, path
            assert again.headers.get("ETag") == first.headers.get("ETag"), path


async def test_another_body_under_a_used_key_is_refused_and_changes_nothing(town: Town) -> None:
    _, card = await a_card_in_use(town)
    await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"}, key="one-call")
    other = {"verified_by": "service_password"}
    refused = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", other, key="one-call", expect=422)
    assert refused["code"] == "key-reused"
    shown = {"document": id_card(), "name": "林小舟", "mobile": "13800005678"}
    first = await town.post(CLERK, "/v1/persons", shown, key="one-person")
    refused = await town.post(CLERK, "/v1/persons", shown | {"document": id_card()}, key="one-person", expect=422)
    assert refused["code"] == "key-reused"
    assert await town.post(CLERK, "/v1/persons", shown, key="one-person") == first


async def test_duplicates_at_the_same_time_have_one_effect(town: Town) -> None:
    _, card = await a_card_at_the_outlet(town)
    path, body = f"/v1/cards/{card}/hand-overs", {"document": "id_card"}
    answers = await asyncio.gather(*(town.call(CLERK, "POST", path, key="doubled", json=body) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    await town.drain()
    entries = (await town.get(CLERK, f"/v1/cards/{card}/timeline"))["entries"]
    assert [one["what"] for one in entries].count("CardHandedOver") == 1


async def test_a_key_is_its_callers_own_and_its_paths_own(town: Town) -> None:
    (_, one), (_, other) = await a_card_in_use(town), await a_card_in_use(town)
    body = {"verified_by": "knowledge"}
    await town.post(HOTLINE, f"/v1/cards/{one}/pre-reports", body, key="shared")
    elsewhere = await town.call(HOTLINE, "POST", f"/v1/cards/{other}/pre-reports", key="shared", json=body)
    assert elsewhere.json()["card_id"] == other
    assert "Idempotency-Replayed" not in elsewhere.headers
    colleague = replace(HOTLINE, id="hotline-2")
    theirs = await town.call(colleague, "POST", f"/v1/cards/{one}/pre-reports", key="shared", json=body)
    assert theirs.status_code == 201
    assert "Idempotency-Replayed" not in theirs.headers


async def test_what_was_refused_may_be_tried_again_under_the_same_key(town: Town) -> None:
    _, card = await a_card_in_use(town)
    signed = {"document": "id_card"}
    early = await town.post(ICBC, f"/v1/cards/{card}/reissues", signed, key="new-card", expect=409)
    assert early["code"] == "not-reported"
    await town.post(ICBC, f"/v1/cards/{card}/written-reports", signed)
    assert (await town.post(ICBC, f"/v1/cards/{card}/reissues", signed, key="new-card"))["status"] == "superseded"


async def test_two_applications_never_share_a_receipt_number(town: Town) -> None:
    person = await registered(town, CLERK, HRSS)
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    one = await town.post(CLERK, "/v1/applications", papers)
    await town.post(CLERK, f"/v1/applications/{one['application_id']}/withdrawals", {"reason": "another photograph"})
    other = await town.post(CLERK, "/v1/applications", papers)
    assert one["application_id"] != other["application_id"]
    assert one["receipt"] != other["receipt"]


async def test_an_act_of_the_house_is_done_once_as_well(town: Town) -> None:
    path = "/v1/city-time/advances"
    first = await town.post(OPERATOR, path, {"by_s": 5}, key="five")
    again = await town.call(OPERATOR, "POST", path, key="five", json={"by_s": 5})
    assert again.json() == first
    assert again.headers["Idempotency-Replayed"] == "true"
    refused = await town.post(OPERATOR, path, {"by_s": 6}, key="five", expect=422)
    assert refused["code"] == "key-reused"


async def test_what_has_changed_since_you_looked_is_not_overwritten(town: Town) -> None:
    _, card = await a_card_in_use(town)
    path, body = f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"}
    seen = (await town.call(CLERK, "GET", f"/v1/cards/{card}/loss")).headers["ETag"]
    assert (await town.call(CLERK, "GET", f"/v1/cards/{card}/loss")).headers["ETag"] == seen
    done = await town.call(HOTLINE, "POST", path, json=body, headers={"If-Match": seen})
    assert done.status_code == 201
    now = done.headers["ETag"]
    assert now != seen
    lift, signed = f"/v1/cards/{card}/lifts", {"document": "id_card"}
    stale = await town.call(HALL, "POST", lift, json=signed, headers={"If-Match": seen})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale-view")
    for version in (seen, now):
        assert version.strip('"').partition("-")[2] in stale.json()["detail"]
    other = (await town.call(CLERK, "GET", f"/v1/cards/{card}")).headers["ETag"]
    astray = await town.call(HALL, "POST", lift, json=signed, headers={"If-Match": other})
    assert (astray.status_code, astray.json()["code"]) == (412, "saw-another-record")
    fresh = await town.call(HALL, "POST", lift, json=signed, headers={"If-Match": now})
    assert fresh.status_code == 201
    any_ = await town.call(HOTLINE, "POST", path, json=body, headers={"If-Match": "*"})
    assert any_.status_code == 201


async def test_an_if_match_that_was_not_given_out_here_is_refused(town: Town) -> None:
    _, card = await a_card_in_use(town)
    path, body = f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"}
    for said in ("3", '"3"', 'W/"loss-3"', '"three"', '""', '"-1"', '"3", "4"', f'"{"9" * 30}"'):
        answer = await town.call(HOTLINE, "POST", path, json=body, headers={"If-Match": said})
        assert (answer.status_code, answer.json()["code"]) == (422, "if-match-unreadable"), said
    assert (await town.get(CLERK, f"/v1/cards/{card}/loss"))["status"] == "in_use"
