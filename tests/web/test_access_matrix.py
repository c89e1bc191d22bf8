"""Every route with every role and with none: what is allowed stands in `access_matrix.txt`, reviewed line by line."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Route

from libs.kernel.ids import derived, written
from libs.runtime.app import RouteWithoutAction
from libs.runtime.cli import ROLES, build_services
from libs.runtime.house import House
from libs.testing.town import Town, doors_of, memory_platform, town_settings, within_earshot
from libs.web.access import action_of, allowed
from libs.web.tokens import NOBODY, Caller
from services.ids import application_id, batch_id, card_id, case_id, holding_id, person_id, roll_id
from services.wallet.domain.naming import adjustment_id, difference_id, load_id, payment_id, top_up_id
from tests.platform import (
    CENTRE,
    CLERK,
    HALL,
    HRSS,
    ICBC,
    PORTRAIT,
    PUTUO,
    WUXI,
    ZHOUSHAN,
    a_card_at_the_outlet,
    applied,
    id_card,
    registered,
)

TABLE = Path(__file__).with_name("access_matrix.txt")

SOMEBODY = person_id(ZHOUSHAN, derived("somebody"))
HOLDING = holding_id(SOMEBODY, "citizen-card")
IDS = {
    "person_id": SOMEBODY,
    "roll_id": roll_id(ZHOUSHAN, "insured"),
    "case_id": case_id(roll_id(ZHOUSHAN, "insured"), 1, 2),
    "holding_id": HOLDING,
    "card_id": card_id(HOLDING, 1),
    "application_id": application_id(HOLDING, derived("hers")),
    "batch_id": batch_id(ZHOUSHAN, derived("a batch")),
    "notice_id": f"{HOLDING}.N0123456789AB",
    "delivery_id": written(ZHOUSHAN, derived("a delivery")),
    "staff_id": written(ZHOUSHAN, derived("staff", ZHOUSHAN, "nobody-yet")),
    "correction_id": written(ZHOUSHAN, derived("a correction")),
    "proposal_id": written(ZHOUSHAN, derived("a proposal")),
    "receipt": "7QK2-9XWM-4T0R",
    "unit": "91350100M000100Y43",
    "programme": "citizen-card",
    "sender": "zs-bus",
    "number": "1",
    "payment_id": payment_id(HOLDING, "zs-bus", "hers"),
    "load_id": load_id(HOLDING, "zs-hall", "hers"),
    "adjustment_id": adjustment_id(HOLDING, "hers"),
    "city": ZHOUSHAN,
    "merchant": "zs-bus",
    "terminal": "330900000001",
    "top_up_id": top_up_id(HOLDING, "zs-hall", "hers"),
    "source": "merchant-settlement",
    "day": "2026-08-31",
    "difference_id": difference_id(ZHOUSHAN, "bank", "icbc", "hers"),
}
QUERIES = {
    "/v1/notices": {"holding_id": HOLDING},
    "/v1/holdings": {"person_id": SOMEBODY},
    "/v1/organisations": {"city": ZHOUSHAN},
    "/v1/outlets": {"city": ZHOUSHAN},
    "/v1/programmes": {"city": ZHOUSHAN},
    "/v1/commitment-letters/{programme}": {"city": ZHOUSHAN},
    "/v1/fares/{programme}": {"city": ZHOUSHAN, "service": "bus"},
    "/v1/cards/{card_id}/liability": {"function": "medical"},
    "/v1/cards/{card_id}/why": {"function": "medical"},
}
SIGNED = {"document": "id_card"}
PASSPORT = {"kind": "passport", "number": "X0000001", "issuer": "USA"}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "/v1/persons": {"document": id_card(born="19600101"), "name": "林小舟", "mobile": "13800005678"},
    "/v1/persons/searches": PASSPORT,
    "/v1/rolls": {"programme": "citizen-card", "department": "hrss", "name": "insured"},
    "/v1/rolls/{roll_id}/parts": {"part": 1, "text": "kind"},
    "/v1/duplicates/{case_id}/rulings": {"ruling": "same_person"},
    "/v1/facts": {"document": PASSPORT, "fact": "hukou", "valid_from": "2020-01-01", "reference": "R-1"},
    "/v1/persons/{person_id}/reveals": {"reason": "holder_asks"},
    "/v1/persons/{person_id}/erasures": {"reason": "own_request"},
    "/v1/persons/{person_id}/merge-proposals": {
        "into": SOMEBODY, "reason": "registered_twice", "reference": "F-1",
    },
    "/v1/persons/{person_id}/parting-proposals": {"reason": "two_persons", "reference": "F-2"},
    "/v1/persons/{person_id}/corrections": {"name": "林小舟", "proof": "household_book", "reference": "H-7"},
    "/v1/persons/{person_id}/corrections/{correction_id}/refusals": {"reason": "proof_insufficient"},
    "/v1/persons/{person_id}/approvals": {"proposal_id": "somebody's"},
    "/v1/persons/{person_id}/objections": {"proposal_id": "somebody's"},
    "/v1/applications": {
        "person_id": SOMEBODY, "programme": "citizen-card", "documents": ["id_card"], "portrait": "AAAA",
    },
    "/v1/police-applications": {
        "person_id": SOMEBODY, "programme": "citizen-card", "documents": ["id_card"], "portrait": "AAAA",
        "reference": "P-2026-1", "collect_at": "zs-hall",
    },
    "/v1/unit-applications": {
        "unit": "91350100M000100Y43", "programme": "citizen-card", "papers": [],
        "rows": [{"person_id": SOMEBODY, "programme": "citizen-card", "documents": ["id_card"]}],
    },
    "/v1/units/{unit}/code-proposals": {"reason": "so on the certificate"},
    "/v1/applications/{application_id}/issue-proposals": {"reason": "the department will follow"},
    "/v1/applications/{application_id}/deliveries": {"way": "mail"},
    "/v1/applications/{application_id}/reviews": {"verdict": "approve"},
    "/v1/applications/{application_id}/supplement-requests": {"reason": "the photograph is blurred"},
    "/v1/applications/{application_id}/rejections": {"reason": "withdrawn elsewhere"},
    "/v1/applications/{application_id}/withdrawals": {"reason": "not wanted any more"},
    "/v1/batches": {"programme": "citizen-card", "outlet": "zs-icbc-putuo"},
    "/v1/batches/{batch_id}/returns": {"file": "card_number,card_ident,atr,box,failed_step,reason\ntotal,0\n"},
    "/v1/batches/{batch_id}/receipts": {"counted": 0},
    "/v1/cards/{card_id}/hand-overs": SIGNED,
    "/v1/cards/{card_id}/mailings": {"tracking": "EA123456789CN"},
    "/v1/cards/{card_id}/transfers": {"outlet": "zs-hall"},
    "/v1/cards/{card_id}/case-closures": {"finding": "injured_finger"},
    "/v1/cards/{card_id}/function-openings": {"function": "epurse"},
    "/v1/cards/{card_id}/pre-reports": {"verified_by": "knowledge"},
    "/v1/cards/{card_id}/written-reports": SIGNED,
    "/v1/cards/{card_id}/lifts": SIGNED,
    "/v1/cards/{card_id}/reissues": SIGNED,
    "/v1/cards/{card_id}/captures": {"function": "epurse"},
    "/v1/cards/{card_id}/approvals": {"proposal_id": "somebody's"},
    "/v1/cards/{card_id}/objections": {"proposal_id": "somebody's"},
    "/v1/cards/{card_id}/replacements": SIGNED | {"reason": "stained"},
    "/v1/cards/{card_id}/cancellations": SIGNED | {"reason": "own_request"},
    "/v1/notices/{notice_id}/decisions": {"send_again": False},
    "/v1/deliveries": {"name": "a-delivery", "records": []},
    "/v1/deliveries/{delivery_id}/settlements": {"row": 1, "try_again": False, "reason": "said twice"},
    "/v1/appointments": {"login": "somebody-m", "duty": "clerk", "organisation": "zs-dinghai"},
    "/v1/staff/{staff_id}/dismissals": {"appointment_id": "none", "reason": "moved"},
    "/v1/tap-cases/{case_id}/rulings": {"ruling": "reject", "reason": "nobody rode", "evidence": "F-3"},
    "/v1/tap-cases/{case_id}/approvals": {"proposal_id": "somebody's"},
    "/v1/tap-cases/{case_id}/objections": {"proposal_id": "somebody's", "reason": "nobody rode"},
    "/v1/terminals/{terminal}/hotlist-receipts": {"version": 0, "received_at": "2026-09-01T00:00:00+08:00"},
    "/v1/terminals": {
        "terminals": [{"terminal": 1, "merchant": "zs-bus", "service": "bus"}],
    },
    "/v1/bylaws/editions": {"edition": "0123456789abcdef"},
    "/v1/cards/{card_id}/purses": SIGNED,
    "/v1/cards/{card_id}/top-ups": {"amount_fen": 5_000, "origin": "cash", "reference": "r-1"},
    "/v1/top-ups/{top_up_id}/reversals": {"reason": "the wrong card"},
    "/v1/payments": {"card_id": IDS["card_id"], "amount_fen": 182, "reference": "s-1"},
    "/v1/cards/{card_id}/loads": {
        "amount_fen": 5_000, "origin": "cash", "reference": "l-1", "counter": 0, "balance_fen": 0,
    },
    "/v1/loads/{load_id}/outcomes": {"outcome": "unknown"},
    "/v1/cards/{card_id}/contacts": {"counter": 0},
    "/v1/cards/{card_id}/pay-outs": SIGNED,
    "/v1/cards/{card_id}/refund-pay-outs": SIGNED | {"way": "counter", "reference": "p-1"},
    "/v1/cards/{card_id}/adjustments": {
        "direction": "to_holder", "amount_fen": 182, "reason": "charged twice", "evidence": "F-1", "reference": "a-1",
    },
    "/v1/write-offs": {
        "pile": "taps", "amount_fen": 182, "reason": "a terminal that is gone", "evidence": "F-2", "reference": "w-1",
    },
    "/v1/adjustments/{adjustment_id}/approvals": {"proposal_id": "somebody's"},
    "/v1/adjustments/{adjustment_id}/objections": {"proposal_id": "somebody's", "reason": "nobody rode"},
    "/v1/differences/{difference_id}/explanations": {"reason": "counted twice there", "evidence": "F-3"},
    "/v1/differences/{difference_id}/write-offs": {
        "bears": "issuer", "amount_fen": 182, "reason": "nobody knows", "evidence": "F-4", "reference": "w-1",
    },
    "/v1/payments/{payment_id}/captures": {"amount_fen": 182},
    "/v1/payments/{payment_id}/refunds": {"amount_fen": 182, "reference": "b-1"},
}  # fmt: skip
OPEN_TO_ALL = {
    "/": "what this is and where to go on; it knows nobody",
    "/.well-known/jwks.json": "public keys, by which anybody checks a signature",
    "/health/live": "asked by what starts the process, which has no token; says yes or no",
    "/health/ready": "asked by what sends it work, which has no token; says what it waits for",
    "/metrics": "fetched by the monitor, which has no token; counts, and never of whom",
    "/notices": "the empty page of the notice board; what it shows it asks for with a token",
    "/v1/city-time": "the hour of the city hangs on every wall",
    "/v1/commitment-letters/{programme}": "a text that whoever applies reads before they have a card or an account",
    "/v1/fares/{programme}": "tariffs are published",
    "/v1/organisations": "halls and offices are published",
    "/v1/outlets": "addresses and hours of outlets are published",
    "/v1/programmes": "what cards there are, and for whom, is published",
    "/v1/progress/{receipt}": "whoever holds the receipt asks by it, as at the counter; its number cannot be guessed",
}
"""Doors without a lock, each with the reason why. None of them writes."""
ABOUT_ONES_OWN_CITY = {
    "/v1/appointments": "who appoints does so in their own city",
    "/v1/batches": "a centre orders for its own city",
    "/v1/bylaws/editions": "a centre reads and enacts what its own city decides; an operator looks after all",
    "/v1/city-time/advances": "there is one hour for all cities of a demonstration",
    "/v1/deliveries": "a department delivers to its own city, and a row about somebody of another is refused alone",
    "/v1/duplicates": "a list of the caller's own city",
    "/v1/facts": "a person is looked up in the caller's own city",
    "/v1/feeds": "a list of the caller's own city",
    "/v1/overdue-applications": "a list of the caller's own city",
    "/v1/persons": "who registers does so in their own city",
    "/v1/persons/searches": "a person is looked up in the caller's own city",
    "/v1/redrives": "operators run the platform for all cities",
    "/v1/rolls": "a roll is of the caller's own city",
    "/v1/tap-cases": "a list of the caller's own city",
    "/v1/tap-gaps": "a list of the caller's own city",
    "/v1/tap-judgements": "taps of the caller's own city are judged again",
    "/v1/terminals": "terminals are written down in the caller's own city",
    "/v1/terminals/{terminal}/hotlist-receipts": "a merchant's terminals are looked up in its own city",
    "/v1/unit-applications": "a row about somebody of another city is refused alone",
    "/v1/units/{unit}/code-proposals": "a unit is looked up in the caller's own city",
    "/v1/units/{unit}/code-proposals/{proposal_id}/approvals": "a unit is looked up in the caller's own city",
    "/v1/write-offs": "piles are looked up in the caller's own city",
}
"""Doors at which nobody can name another city's record, each with the reason why."""
OF_ALL_CITIES = {("operator", "notice:look"), ("operator", "office:see-staff")}  # Operators run the platform for all.


def caller(role: str) -> Caller:
    """Somebody of Zhoushan in this role, with all that the role can bear."""
    match role:
        case "nobody":
            return NOBODY
        case "clerk" | "bank":
            return Caller(f"{role}-m", role, ZHOUSHAN, outlet={"clerk": "zs-dinghai", "bank": "zs-icbc-dinghai"}[role])
        case "merchant":
            return Caller("merchant-m", role, ZHOUSHAN, outlet="zs-bus")
        case "department":
            return Caller("police-m", role, ZHOUSHAN, department="police")
        case "citizen":
            return Caller("citizen-m", role, ZHOUSHAN, person=SOMEBODY)
        case "operator":
            return Caller("operator-m", role)
    return Caller(f"{role}-m", role, ZHOUSHAN)


@pytest.fixture(scope="module")
async def doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """All doors of a house without a world: who is let in does not depend on where things are kept."""
    house = house_in_memory(tmp_path_factory.mktemp("doors"))
    async with within_earshot(house) as town:
        house.start()
        yield town
        await house.stop()


def routes_of(town: Town) -> Iterator[tuple[str, str, str]]:
    """Method, path and action of every route of the process that names an action."""
    routers = [route.original_router for route in town.app.routes if hasattr(route, "original_router")]
    assert len(routers) == 1 + len(town.house.services), "the house's own routes, and each service's"
    found = {
        (method, route.path, action)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and (action := action_of(route))
        for method in route.methods or ()
    }
    return iter(sorted(found, key=lambda one: (one[1], one[0])))


async def outcome(town: Town, who: Caller, method: str, path: str) -> str:
    """What the doors say; whatever comes after them is somebody else's test."""
    sent: dict[str, Any] = {"params": QUERIES.get(path, {})}
    if method == "POST":
        sent["json"] = {"by_s": 0} if path == "/v1/city-time/advances" else BODIES.get(path, {})
    answer = await town.call(who, method, path.format(**IDS), **sent)
    assert answer.status_code < 500, f"{method} {path}: {answer.text}"
    assert answer.status_code != 422 or answer.json()["code"] != "request-invalid", f"{path}: give it a body that fits"
    code = answer.json()["code"] if answer.status_code in (401, 403) else ""
    return {"not-allowed": "denied", "token-needed": "login"}.get(code, "allowed")


async def test_every_route_lets_in_whom_the_reviewed_table_says_and_nobody_else(doors: Town) -> None:
    roles = ["nobody", *ROLES]
    lines = [f"{'':<5}{'':<54}{'':<26}" + "".join(f"{role:<12}" for role in roles)]
    for method, path, action in routes_of(doors):
        outcomes = await asyncio.gather(*(outcome(doors, caller(role), method, path) for role in roles))
        lines.append(f"{method:<5}{path:<54}{action:<26}" + "".join(f"{one:<12}" for one in outcomes))
    assert [line.rstrip() for line in lines] == TABLE.read_text().splitlines()


async def test_whoever_works_for_another_city_is_a_stranger_here(doors: Town) -> None:
    for method, path, action in routes_of(doors):
        if path in OPEN_TO_ALL or path in ABOUT_ONES_OWN_CITY:
            continue
        abroad = [replace(caller(role), city=WUXI) for role in ROLES if (role, action) not in OF_ALL_CITIES]
        outcomes = await asyncio.gather(*(outcome(doors, who, method, path) for who in abroad))
        let_in = [who.role for who, what in zip(abroad, outcomes, strict=True) if what != "denied"]
        assert not let_in, f"{method} {path} lets in strangers; refuse them, or say above why it is open"


async def test_a_door_is_open_to_all_only_where_a_reason_is_written(doors: Town) -> None:
    open_ = {
        (method, path)
        for method, path, _ in routes_of(doors)
        if await outcome(doors, NOBODY, method, path) == "allowed"
    }
    assert open_ == {("GET", path) for path in OPEN_TO_ALL}


def test_no_reason_outlives_its_door(doors: Town) -> None:
    routes = {(path, action) for _, path, action in routes_of(doors)}
    assert not ABOUT_ONES_OWN_CITY.keys() - {path for path, _ in routes}
    assert not ABOUT_ONES_OWN_CITY.keys() & OPEN_TO_ALL.keys()
    assert not {action for _, action in OF_ALL_CITIES} - {action for _, action in routes}


async def test_papers_are_their_own_outlets_business(town: Town) -> None:
    person = await registered(town, CLERK, HRSS)
    application = (await applied(town, CLERK, person, "citizen-card"))["application_id"]
    for stranger in (HALL, ICBC, PUTUO):
        for method, act in (("GET", ""), ("POST", "/acceptances"), ("POST", "/supplements")):
            body: dict[str, Any] | None = {} if method == "POST" else None
            answer = await town.call(stranger, method, f"/v1/applications/{application}{act}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed"), f"{stranger.id}: {act}"
    assert (await town.get(CLERK, f"/v1/applications/{application}"))["status"] == "accepted"
    assert (await town.get(CENTRE, f"/v1/applications/{application}"))["status"] == "accepted"


async def test_a_card_is_handed_over_where_it_lies(town: Town) -> None:
    _, card = await a_card_at_the_outlet(town)
    elsewhere = await town.post(HALL, f"/v1/cards/{card}/hand-overs", SIGNED, expect=403)
    assert elsewhere["code"] == "card-elsewhere"
    await town.post(CLERK, f"/v1/cards/{card}/hand-overs", SIGNED)


async def test_a_citizen_touches_nothing_but_her_own(town: Town) -> None:
    person, card = await a_card_at_the_outlet(town)
    applicant = await registered(town, CLERK, HRSS)
    papers = {"person_id": applicant, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    application = (await town.post(CLERK, "/v1/applications", papers))["application_id"]
    holder = Caller("holder-m", "citizen", ZHOUSHAN, person=person)
    for stranger in (replace(holder, id="stranger-m", person=SOMEBODY), replace(holder, id="empty-m", person="")):
        await town.get(stranger, f"/v1/cards/{card}", expect=403)
        await town.get(stranger, f"/v1/cards/{card}/timeline", expect=403)
        await town.get(stranger, "/v1/holdings", person_id=person, expect=403)
        await town.post(stranger, f"/v1/cards/{card}/activations", expect=403)
        await town.post(stranger, f"/v1/applications/{application}/withdrawals", {"reason": "mine"}, expect=403)
        await town.post(stranger, "/v1/applications", papers | {"collect_at": "zs-hall"}, expect=403)
    await town.get(holder, f"/v1/cards/{card}")
    applying = replace(holder, id="applicant-m", person=applicant)
    await town.post(applying, f"/v1/applications/{application}/withdrawals", {"reason": "not wanted any more"})


async def test_a_clerk_without_an_outlet_is_no_clerk(town: Town) -> None:
    await town.post(replace(CLERK, outlet=""), "/v1/persons", BODIES["/v1/persons"], expect=403)


async def test_every_post_needs_an_idempotency_key(doors: Town) -> None:
    posts = [path for method, path, _ in routes_of(doors) if method == "POST"]
    assert len(posts) > 20
    for path in posts:
        body = {"by_s": 0} if path == "/v1/city-time/advances" else BODIES.get(path, {})
        who = whoever_may(path)
        for key in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "a space"}, {"Idempotency-Key": "k" * 256}):
            headers = {"Authorization": f"Bearer {doors.token(who)}"} | key
            answer = await doors.web.post(path.format(**IDS), headers=headers, json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-missing"), path


def whoever_may(path: str) -> Caller:
    """Somebody whom the reviewed table lets do this."""
    [line] = [line for line in TABLE.read_text().splitlines() if line.startswith(f"{'POST':<5}{path:<54}")]
    let_in = re.findall("allowed|denied|login", line)[1:]  # Nobody comes first.
    return next(caller(role) for role, what in zip(ROLES, let_in, strict=True) if what == "allowed")


@pytest.mark.parametrize("shown", [True, False])
def test_a_service_with_a_route_that_names_no_action_does_not_start(tmp_path: Path, shown: bool) -> None:
    house = house_in_memory(tmp_path)

    @house.services[0].router.get("/v1/back-door", include_in_schema=shown)
    async def back_door() -> None: ...

    with pytest.raises(RouteWithoutAction, match="/v1/back-door"):
        doors_of(house)


def test_a_service_with_a_door_of_another_kind_does_not_start(tmp_path: Path) -> None:
    house = house_in_memory(tmp_path)
    house.services[0].router.routes.append(Route("/v1/side-door", endpoint=lambda _request: None))
    with pytest.raises(RouteWithoutAction, match="/v1/side-door"):
        doors_of(house)


async def test_an_action_that_no_rule_mentions_is_denied_to_everybody(town: Town) -> None:
    access = town.app.state.doors.access
    for role in ROLES:
        assert not access.allows(caller(role), "loss:forgive", city=ZHOUSHAN, outlet="zs-dinghai", own=True)


def test_a_route_can_be_asked_for_its_action() -> None:
    router = APIRouter()

    @router.get("/one", dependencies=[allowed("loss:look")])
    async def one() -> None: ...

    assert [action_of(route) for route in router.routes if isinstance(route, APIRoute)] == ["loss:look"]


def house_in_memory(home: Path) -> House:
    platform = memory_platform(town_settings(home))
    return House(platform, build_services(platform))
