"""What a machine cannot judge of a portrait is shown to a clerk, whose answer goes to the applicant."""

import base64
from collections.abc import AsyncIterator
from typing import get_args

import pytest

from libs.testing.portraits import portrait
from libs.testing.town import Town
from services.issuance.domain.portrait import ID_CARD, SOCIAL_CARD
from services.issuance.routes.bodies import PortraitFault
from tests.platform import CLERK, HALL, HRSS, PORTRAIT, Open, registered


@pytest.fixture(scope="module")
async def town(open_town: Open) -> AsyncIterator[Town]:
    async with open_town() as opened:
        yield opened


async def an_application(town: Town) -> str:
    person = await registered(town, CLERK, HRSS)
    await town.drain()
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    return f"/v1/applications/{(await town.post(CLERK, '/v1/applications', papers))['application_id']}"


async def test_a_clerk_looks_sends_one_back_with_the_faults_and_takes_the_next(town: Town) -> None:
    path = await an_application(town)
    seen = await town.get(CLERK, f"{path}/portrait")
    assert base64.b64decode(seen["jpeg"]).startswith(b"\xff\xd8")
    assert [one["code"] for one in seen["questions"]] == [one.code for one in ID_CARD.questions]
    assert all(one["zh"].endswith("？") and one["en"].endswith("?") for one in seen["questions"])

    sent_back = {"reason": "sunglasses before a bright window", "portrait": ["glasses", "light", "glasses"]}
    asked = await town.post(CLERK, f"{path}/supplement-requests", sent_back)
    assert (asked["status"], asked["portrait"]) == ("supplement_needed", ["glasses", "light"])

    another = base64.b64encode(portrait(5)).decode()
    brought = await town.post(CLERK, f"{path}/supplements", {"portrait": another})
    assert (brought["status"], brought["portrait"]) == ("submitted", [])
    assert (await town.get(CLERK, f"{path}/portrait"))["jpeg"] != seen["jpeg"]


async def test_a_face_is_seen_at_its_own_outlet_only_and_is_kept_by_nobody_on_the_way(town: Town) -> None:
    path = await an_application(town)
    await town.get(HALL, f"{path}/portrait", expect=403)
    answer = await town.call(CLERK, "GET", f"{path}/portrait")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_fault_that_nobody_asks_about_is_refused(town: Town) -> None:
    path = await an_application(town)
    await town.post(CLERK, f"{path}/supplement-requests", {"reason": "ugly", "portrait": ["ugly"]}, expect=422)


def test_each_standard_asks_what_it_cannot_measure_and_each_question_has_a_code() -> None:
    asked = {one.code for standard in (SOCIAL_CARD, ID_CARD) for one in standard.questions}
    assert set(get_args(PortraitFault)) == asked
    for standard in (SOCIAL_CARD, ID_CARD):
        codes = [one.code for one in standard.questions]
        assert len(codes) == len(set(codes))
    assert {one.code for one in SOCIAL_CARD.questions} - {one.code for one in ID_CARD.questions} == {"middle"}
