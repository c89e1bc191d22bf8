"""Whoever may stand in the register twice comes before a clerk, and before two people who merge."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.kernel.checkdigits import mod_11_2
from libs.runtime.cli import SERVICES, build_services
from libs.runtime.house import House
from libs.testing.town import Town, memory_platform, pass_until, town_settings, within_earshot
from tests.platform import BEGINS, CENTRE, CLERK, HALL, HRSS, id_card

BODY = "81000019880807001"
RESIDENCE = {"kind": "residence_permit_hmt", "number": BODY + mod_11_2(BODY)}
TRAVEL = {"kind": "hk_macau_permit", "number": "H12345678"}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    platform = memory_platform(town_settings(tmp_path), BEGINS)
    async with within_earshot(House(platform, build_services(platform, list(SERVICES)))) as opened:
        yield opened


async def steps(town: Town) -> None:
    await pass_until(town.house, town.house.platform.city.now() + timedelta(minutes=1))


async def entered(town: Town, document: dict[str, str], name: str, **more: str) -> str:
    said = {"document": document, "name": name, "mobile": "13800005678"} | more
    person: str = (await town.post(CLERK, "/v1/persons", said))["person_id"]
    return person


async def waiting(town: Town, ruling: str = "open") -> list[dict[str, Any]]:
    await steps(town)
    cases: list[dict[str, Any]] = (await town.get(HALL, "/v1/duplicates", ruling=ruling))["cases"]
    return cases


async def test_a_permit_under_a_new_number_is_found_compared_and_merged(town: Town) -> None:
    first = await entered(town, TRAVEL, "陈 大文", birth="1988-08-07")
    second = await entered(town, RESIDENCE, "陈大文")
    assert first != second
    assert await entered(town, RESIDENCE, "陈大文") == second, "shown again it is no second case"
    (case,) = await waiting(town)
    assert (case["why"], case["person_id"], case["other_person_id"]) == ("name_and_birth", first, second)
    masked = f"810000********{RESIDENCE['number'][-4:]}"
    assert (case["row_number"], case["row_name"], case["number"]) == (masked, "陈**", "H12****78")
    settled = await town.post(HALL, f"/v1/duplicates/{case['case_id']}/rulings", {"ruling": "same_person"})
    assert settled["ruling"] == "same_person"
    assert await waiting(town) == []
    assert [one["case_id"] for one in await waiting(town, "same_person")] == [case["case_id"]]

    merge = {"into": first, "reason": "document_renewed", "reference": "F-2026-18"}
    proposed = await town.post(CLERK, f"/v1/persons/{second}/merge-proposals", merge, expect=202)
    approval = {"proposal_id": proposed["proposals"][0]["proposal_id"]}
    await town.post(CENTRE, f"/v1/persons/{second}/approvals", approval)
    (seen,) = await waiting(town, "same_person")
    assert (seen["number"], seen["erased"]) == (case["number"], False), "who looks again still sees both"


async def test_citizens_of_one_name_and_birthday_are_two_persons(town: Town) -> None:
    """Their numbers are theirs for life."""
    await entered(town, id_card(born="19880807"), "陈大文")
    await entered(town, id_card(born="19880807"), "陈大文")
    assert await waiting(town) == []


async def test_whom_nobody_can_read_any_more_is_no_suspect(town: Town) -> None:
    first = await entered(town, TRAVEL, "陈大文", birth="1988-08-07")
    await town.post(CENTRE, f"/v1/persons/{first}/erasures", {"reason": "own_request"})
    await entered(town, RESIDENCE, "陈大文")
    assert await waiting(town) == []


async def test_a_department_sees_no_suspects(town: Town) -> None:
    await town.get(HRSS, "/v1/duplicates", expect=403)
