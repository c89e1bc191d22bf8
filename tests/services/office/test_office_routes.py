"""The office over HTTP: who may appoint, whom the public finds, and how a bylaw comes to hold."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from libs.kernel.ids import written
from libs.runtime.citypack import load_packs
from libs.runtime.house import House
from libs.runtime.platform import Platform
from libs.testing.town import Town, memory_platform, town_settings, within_earshot
from libs.web.tokens import NOBODY, Caller
from services.office.wiring import EditionNotEnacted, build
from tests.platform import AUDITOR, CENTRE, CLERK, OPERATOR, WX_CENTRE, ZHOUSHAN

DEPUTY = replace(CENTRE, id="centre-2")
EAST = Caller("east-1", "centre", ZHOUSHAN, outlet="zs-district-dinghai")


@pytest.fixture
async def an_office(tmp_path: Path) -> AsyncIterator[Town]:
    """An office of its own, whose bylaws no other test touches."""
    platform = memory_platform(town_settings(tmp_path))
    service = build(platform)
    await service.before_the_doors_open()
    async with within_earshot(House(platform, [service])) as town:
        yield town


def clerk(login: str, **about: Any) -> dict[str, Any]:
    return {"login": login, "duty": "clerk", "organisation": "zs-dinghai"} | about


@pytest.mark.requirement("R18", "R163")
async def test_a_district_appoints_below_itself_and_nowhere_else(town: Town) -> None:
    appointed = await town.post(EAST, "/v1/appointments", clerk("lin-1"))
    (duty,) = appointed["appointments"]
    assert (duty["duty"], duty["organisation"], duty["holds"]) == ("clerk", "zs-dinghai", True)
    assert duty["tasks"] == ["collect", "hand_over", "lift"]

    refused = await town.post(EAST, "/v1/appointments", clerk("lin-1", organisation="zs-hall"), expect=403)
    assert refused["code"] == "beyond-your-reach"
    assert "zs-centre" in refused["detail"]

    over = await town.post(
        CENTRE,
        f"/v1/staff/{appointed['staff_id']}/dismissals",
        {"appointment_id": duty["appointment_id"], "reason": "moved to the hall"},
    )
    assert not over["appointments"][0]["holds"]
    assert (await town.get(AUDITOR, f"/v1/staff/{appointed['staff_id']}")) == over


@pytest.mark.requirement("R39")
async def test_one_person_never_holds_duties_that_must_be_apart(town: Town) -> None:
    await town.post(CENTRE, "/v1/appointments", clerk("wang-1"))
    top = replace(CENTRE, outlet="zhoushan")
    refused = await town.post(
        top, "/v1/appointments", clerk("wang-1", duty="operator", organisation="zs-information"), expect=409
    )
    assert refused["code"] == "duties-apart"


async def test_whoever_appoints_cannot_appoint_or_dismiss_themselves(town: Town) -> None:
    refused = await town.post(CENTRE, "/v1/appointments", clerk(CENTRE.id), expect=403)
    assert refused["code"] == "own-appointment"
    appointed = await town.post(DEPUTY, "/v1/appointments", clerk(CENTRE.id))
    dismissal = {"appointment_id": appointed["appointments"][-1]["appointment_id"], "reason": "own wish"}
    refused = await town.post(CENTRE, f"/v1/staff/{appointed['staff_id']}/dismissals", dismissal, expect=403)
    assert refused["code"] == "own-appointment"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"login": "林小舟"}, "/login"),
        ({"login": ""}, "/login"),
        ({"duty": "Clerk!"}, "/duty"),
        ({"name": "Lin"}, "/name"),
    ],
)
async def test_a_malformed_appointment_is_sent_back(town: Town, wrong: dict[str, Any], pointer: str) -> None:
    refused = await town.post(CENTRE, "/v1/appointments", clerk("x") | wrong, expect=422)
    assert pointer in [fault["pointer"] for fault in refused["errors"]]


@pytest.mark.requirement("R36", "R97")
async def test_everybody_finds_the_nearest_outlet_that_does_what_they_want(town: Town) -> None:
    found = await town.get(NOBODY, "/v1/outlets", city=ZHOUSHAN, task="reissue", near="29.97,122.30")
    assert [one["organisation"] for one in found] == ["zs-icbc-putuo", "zs-icbc-dinghai"]
    assert found[0]["distance_km"] == 0
    assert 15 < found[1]["distance_km"] < 25
    assert all(one["address"] and one["hours"] for one in found)

    refused = await town.get(NOBODY, "/v1/outlets", expect=422, city=ZHOUSHAN, near="the harbour")
    assert refused["code"] == "place-unreadable"
    refused = await town.get(NOBODY, "/v1/outlets", expect=404, city="999999")
    assert refused["code"] == "city-unknown"


@pytest.mark.requirement("R34", "R163", "R164")
async def test_the_centre_the_agency_and_the_outlets_have_tasks_of_their_own(town: Town) -> None:
    told = {one["organisation"]: one for one in await town.get(NOBODY, "/v1/organisations", city=ZHOUSHAN)}

    assert told["zs-dinghai"]["above"] == [
        "zs-changguo",
        "zs-district-dinghai",
        "zs-centre",
        "zhoushan",
        "zj-hrss",
        "mohrss",
    ]
    assert "keep_base_data" in told["zs-centre"]["tasks"]
    assert "keep_base_data" not in told["zs-dinghai"]["tasks"]
    assert told["zs-information"]["duties"] == ["operator"]


@pytest.mark.requirement("R138")
async def test_wuxi_police_have_entrusted_one_community_with_endorsements(town: Town) -> None:
    found = await town.get(NOBODY, "/v1/outlets", city="320200", task="endorse_residence_permit")
    assert {one["organisation"] for one in found} == {"wx-police-liangxi", "wx-tongjiang"}


@pytest.mark.requirement("R169")
async def test_a_bylaw_is_proposed_by_one_and_enacted_by_another(an_office: Town) -> None:
    town = an_office
    began = await town.get(CENTRE, "/v1/bylaws/editions")
    edition = "0123456789abcdef"

    waiting = await town.post(CENTRE, "/v1/bylaws/editions", {"edition": edition}, expect=202)
    (proposal,) = waiting["proposed"]
    assert waiting["in_force"] == began["in_force"]
    approvals = f"/v1/bylaws/editions/{proposal['proposal_id']}/approvals"
    assert (await town.post(CENTRE, approvals, expect=403))["code"] == "same-hand"
    nothing = f"/v1/bylaws/editions/{written(ZHOUSHAN, UUID(int=1))}/approvals"
    assert (await town.post(CENTRE, nothing, expect=404))["code"] == "proposal-unknown"
    for who in (WX_CENTRE, CLERK, OPERATOR, AUDITOR):
        assert (await town.post(who, approvals, expect=403))["code"] == "not-allowed"

    enacted = await town.post(DEPUTY, approvals)
    assert enacted["in_force"] == edition
    assert [one["edition"] for one in enacted["enacted"]] == [began["in_force"], edition]
    assert not enacted["proposed"]


async def test_a_malformed_edition_is_sent_back(town: Town) -> None:
    refused = await town.post(CENTRE, "/v1/bylaws/editions", {"edition": "the new one"}, expect=422)
    assert refused["errors"][0]["pointer"] == "/edition"


def changed(platform: Platform, folder: Path) -> Platform:
    """The same platform, started again after somebody has changed a word of a bylaw."""
    shutil.copytree(platform.settings.data, folder, dirs_exist_ok=True)
    organisations = folder / "cities" / "zhoushan" / "organisations.yaml"
    organisations.write_text(organisations.read_text().replace("8:30", "8:00"))
    return replace(platform, packs=load_packs(folder))


async def test_a_platform_serves_by_no_bylaw_that_one_person_alone_has_changed(tmp_path: Path) -> None:
    production = town_settings(tmp_path, issuer="https://id.example")
    platform = memory_platform(production)
    await build(platform).before_the_doors_open()
    await build(platform).before_the_doors_open()

    with pytest.raises(EditionNotEnacted, match="another approve it"):
        await build(changed(platform, tmp_path / "deploy")).before_the_doors_open()
    await build(platform).before_the_doors_open()


async def test_a_development_machine_tries_bylaws_before_they_are_enacted(tmp_path: Path) -> None:
    platform = memory_platform(town_settings(tmp_path))
    await build(platform).before_the_doors_open()

    await build(changed(platform, tmp_path / "deploy")).before_the_doors_open()


async def test_whom_nobody_ever_appointed_has_no_duty(town: Town) -> None:
    somebody = await town.get(OPERATOR, f"/v1/staff/{written(ZHOUSHAN, UUID(int=1 << 100))}")
    assert somebody["appointments"] == []
    assert (await town.get(OPERATOR, "/v1/staff/330900-XXX", expect=404))["code"] == "id-mistyped"
