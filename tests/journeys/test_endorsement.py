"""A residence permit over three years, as Wuxi has it: too early, in time, forgotten, lost, moved away."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.cli import build_services
from libs.runtime.house import House
from libs.testing.town import Town, memory_platform, pass_until, town_settings, within_earshot
from libs.web.tokens import Caller
from tests.platform import (
    BEGINS,
    WUXI,
    WX_CENTRE,
    WX_HALL,
    WX_HOTLINE,
    WX_HRSS,
    WX_VENDOR,
    applied,
    id_card,
    produced,
    registered,
)

POLICE = Caller("clerk-5", "clerk", WUXI, outlet="wx-police-liangxi")
COMMUNITY = Caller("clerk-6", "clerk", WUXI, outlet="wx-tongjiang")
DEPARTMENT = Caller("police-5", "department", WUXI, department="police")


class StepTown(Town):
    """A town without anybody at work: whoever waits for it, works."""

    async def drain(self) -> None:
        await pass_until(self.house, self.house.platform.city.now())


@pytest.fixture
async def wuxi(tmp_path: Path) -> AsyncIterator[StepTown]:
    platform = memory_platform(town_settings(tmp_path), BEGINS)
    house = House(platform, build_services(platform))
    async with within_earshot(house) as town:
        yield StepTown(town.web, house, town.app)


async def the_clock(town: StepTown, day: str, hour: int = 10) -> None:
    await pass_until(town.house, datetime.fromisoformat(f"{day}T{hour:02}:00:00+08:00"))


async def her_permit(town: StepTown) -> tuple[str, dict[str, str]]:
    """A permit that was handed over on 1 September 2026, and her document."""
    shown = id_card()
    about = {"document": shown, "name": "林小舟", "mobile": "13800005678", "language": "en"}
    person = (await town.post(POLICE, "/v1/persons", about))["person_id"]
    for who, fact, since in ((WX_HRSS, "stable_job", "2026-01-01"), (DEPARTMENT, "residence", "2026-01-01")):
        said = {"document": shown, "fact": fact, "valid_from": since, "reference": f"{fact}-1"}
        await town.post(who, "/v1/facts", said)
    await town.drain()
    papers = [{"kind": "id_card"}, {"kind": "employment_proof"}]
    told = await applied(town, POLICE, person, "residence-permit", papers=papers)
    await produced(town, "residence-permit", WX_CENTRE, WX_VENDOR, POLICE)
    card = f"{told['holding_id']}.1"
    handed = await town.post(POLICE, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
    assert (handed["status"], handed["valid_to"]) == ("active", "2027-09-01T16:00:00Z")
    await town.drain()
    return card, shown


def flags(card: dict[str, Any]) -> set[tuple[bool, str]]:
    return {(one["usable"], one["standing"]) for one in card["functions"]}


async def told(town: StepTown, card: str) -> list[str]:
    sent = await town.get(WX_HALL, "/v1/notices", holding_id=card.partition(".")[0])
    return [one["step"] for one in sent][::-1]


@pytest.mark.requirement("R135", "R136", "R137", "R138")
async def test_a_permit_is_endorsed_from_year_to_year(wuxi: StepTown) -> None:
    town = wuxi
    card, shown = await her_permit(town)
    desk, ask = f"/v1/cards/{card}/endorsements", f"/v1/cards/{card}/endorsement"

    # Too early: the day is named at the counter, and to whoever asks.
    refused = await town.post(POLICE, desk, expect=409)
    assert (refused["code"], "from 2027-08-02 on" in refused["detail"]) == ("too-early", True)
    when = await town.get(WX_HOTLINE, ask)
    assert (when["window"], when["possible"], when["opens_on"]) == ("too_early", False, "2027-08-02")
    assert when["because"] == refused["detail"]
    assert when["places"] == ["wx-police-liangxi", "wx-tongjiang"]
    assert "Art. 10" in when["why"]["text"]["en"]
    assert {one["fact"] for one in when["why"]["facts"]} == {"residence", "stable_job"}

    # In the window she is reminded; the community endorses, the hall does not; a repeated request changes nothing.
    await the_clock(town, "2027-08-20")
    assert (await told(town, card))[-1] == "endorsement-near"
    assert (await town.post(WX_HALL, desk, expect=403))["code"] == "endorsed-elsewhere"
    assert (await town.post(WX_HOTLINE, desk, expect=403))["code"] == "not-allowed"
    first, again = [await town.post(COMMUNITY, desk, key="endorse-1") for _ in range(2)]
    assert first == again
    assert (first["status"], first["valid_to"]) == ("active", "2028-09-01T16:00:00Z")
    assert (await town.post(COMMUNITY, desk, expect=409))["code"] == "too-early"
    await town.drain()
    assert (await told(town, card))[-1] == "card-endorsed"

    # Forgotten: at its hour it rests, every flag with it, and it comes back with the endorsement.
    await the_clock(town, "2028-09-20")
    rests = await town.get(WX_HALL, f"/v1/cards/{card}")
    assert (rests["status"], flags(rests)) == ("expired", {(False, "suspended")})
    assert (await told(town, card))[-3:] == ["endorsement-near", "endorsement-near", "endorsement-missed"]
    when = await town.get(POLICE, ask)
    assert (when["window"], when["possible"], when["since"]) == ("in_grace", True, "2026-09-01")
    back = await town.post(POLICE, desk)
    assert (back["status"], back["valid_to"]) == ("active", "2029-09-01T16:00:00Z")
    assert flags(back) == {(True, "enabled")}
    then = await town.get(WX_HALL, f"/v1/cards/{card}", at="2028-09-10T12:00:00+08:00")
    assert then["status"] == "expired"

    # Lost, it is not endorsed; and not for somebody who has moved away.
    await the_clock(town, "2029-08-10")
    await town.post(WX_HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    await town.drain()
    assert (await town.post(POLICE, desk, expect=409))["code"] == "reported-lost"
    await the_clock(town, "2029-08-20")
    gone = {"document": shown, "fact": "residence", "valid_from": "2026-01-01", "reference": "residence-1"}
    await town.post(DEPARTMENT, "/v1/facts", gone | {"valid_to": "2029-08-01"})
    await town.drain()
    refused = await town.post(POLICE, desk, expect=403)
    assert refused["code"] == "no-longer-entitled"
    when = await town.get(POLICE, ask)
    assert (when["window"], when["possible"], when["because"]) == ("open", False, refused["detail"])


async def test_a_call_that_the_counter_has_not_heard_of_takes_the_endorsement_back(wuxi: StepTown) -> None:
    """Both in one instant: the counter says yes, and the loss desk, which has written down the call, says when."""
    town = wuxi
    card, _ = await her_permit(town)
    desk = f"/v1/cards/{card}/endorsements"
    await the_clock(town, "2027-08-20")

    await town.post(WX_HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    endorsed = await town.post(POLICE, desk)
    assert endorsed["valid_to"] == "2028-09-01T16:00:00Z", "the call has not come to its ears"

    await town.drain()
    stands = await town.get(POLICE, f"/v1/cards/{card}")
    assert stands["valid_to"] == "2027-09-01T16:00:00Z"
    assert {"card-endorsed", "endorsement-taken-back"} <= {*await told(town, card)}
    assert (await town.post(POLICE, desk, expect=409))["code"] == "reported-lost"
    why = await town.get(POLICE, f"/v1/cards/{card}/endorsement")
    assert (why["valid_to"], why["possible"]) == ("2027-09-01T16:00:00Z", False)


async def test_a_card_that_needs_no_endorsement_and_one_that_was_never_there(wuxi: StepTown) -> None:
    town = wuxi
    person = await registered(town, WX_HALL, WX_HRSS)
    told = await applied(town, WX_HALL, person, "social-security-card")
    await produced(town, "social-security-card", WX_CENTRE, WX_VENDOR, WX_HALL)
    card = f"{told['holding_id']}.1"
    await town.post(WX_HALL, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
    await town.post(WX_HALL, f"/v1/cards/{card}/activations")
    assert (await town.post(POLICE, f"/v1/cards/{card}/endorsements", expect=409))["code"] == "not-endorsed"
    assert (await town.get(POLICE, f"/v1/cards/{card}/endorsement", expect=409))["code"] == "not-endorsed"
    never = f"{told['holding_id']}.2"
    assert (await town.post(POLICE, f"/v1/cards/{never}/endorsements", expect=404))["code"] == "card-unknown"
    assert (await town.get(POLICE, f"/v1/cards/{never}/endorsement", expect=404))["code"] == "card-unknown"
