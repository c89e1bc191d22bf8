"""How far is my card? One question, one answer, whoever asks on whichever channel; and nothing for those who guess."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.cli import build_services
from libs.runtime.house import House
from libs.testing.town import Town, memory_platform, pass_until, town_settings, within_earshot
from libs.web.limits import WRONG_MAX, WRONG_WITHIN_S, Guesses, TooManyGuesses
from libs.web.tokens import NOBODY, Caller
from tests.platform import (
    BEGINS,
    CENTRE,
    CLERK,
    HALL,
    HOTLINE,
    HRSS,
    ICBC,
    PORTRAIT,
    ZHOUSHAN,
    applied,
    id_card,
    registered,
)

CHANNELS = {
    "web": NOBODY,
    "hotline": HOTLINE,
    "her outlet": CLERK,
    "another outlet": HALL,
    "bank": ICBC,
    "centre": CENTRE,
    "her own app": Caller("holder-1", "citizen", ZHOUSHAN),
}
WRONG = "0000-0000-0000"


class StepTown(Town):
    """A town without anybody at work: whoever waits for it, works."""

    async def drain(self) -> None:
        await pass_until(self.house, self.house.platform.city.now())


@pytest.fixture
async def quiet_town(tmp_path: Path) -> AsyncIterator[StepTown]:
    platform = memory_platform(town_settings(tmp_path), BEGINS)
    house = House(platform, build_services(platform))
    async with within_earshot(house) as town:
        yield StepTown(town.web, house, town.app)


async def an_application(town: StepTown, **about: Any) -> dict[str, Any]:
    person = await registered(town, CLERK, HRSS, document=id_card(), **about)
    await town.drain()
    paper = await applied(town, CLERK, person, "citizen-card")
    await town.drain()
    return paper


@pytest.mark.requirement("R32", "R128")
async def test_every_channel_tells_the_same_before_and_after_the_promised_time(quiet_town: StepTown) -> None:
    paper = await an_application(quiet_town)
    path, promised_by = f"/v1/progress/{paper['receipt']}", datetime.fromisoformat(paper["promised_by"])
    for moment, overdue in ((BEGINS, False), (promised_by - timedelta(milliseconds=1), False), (promised_by, True)):
        await pass_until(quiet_town.house, moment)
        answers = {channel: await quiet_town.get(caller, path) for channel, caller in CHANNELS.items()}
        assert answers["web"]["status"] == "approved"
        assert (answers["web"]["promised_by"], answers["web"]["overdue"]) == (paper["promised_by"], overdue)
        assert {channel for channel, told in answers.items() if told != answers["web"]} == set()


@pytest.mark.requirement("R33")
async def test_a_receipt_tells_of_its_own_application_and_never_whose_it_is(quiet_town: StepTown) -> None:
    first = await an_application(quiet_town, name="林小舟", mobile="13800005678")
    person = await registered(quiet_town, HALL, HRSS, name="王海")
    second = await quiet_town.post(
        HALL, "/v1/applications",
        {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT},
    )  # fmt: skip
    await quiet_town.drain()
    told = await quiet_town.get(NOBODY, f"/v1/progress/{first['receipt'].lower()}")
    other = await quiet_town.get(NOBODY, f"/v1/progress/{second['receipt']}")
    assert set(told) == {"status", "since", "promised_by", "overdue", "outlet", "advice"}
    assert (told["status"], told["outlet"]) == ("approved", CLERK.outlet)
    assert (other["status"], other["outlet"], other["promised_by"]) == ("submitted", HALL.outlet, None)
    for said in (str(told), str(other)):
        assert not [one for one in ("林", "王", "138", person, first["holding_id"], "3309") if one in said]


@pytest.mark.requirement("R33")
async def test_a_wrong_reference_is_unknown_to_everybody(quiet_town: StepTown) -> None:
    paper = await an_application(quiet_town)
    slips = (WRONG, paper["receipt"][:-1], paper["receipt"] + "0", paper["application_id"], paper["holding_id"])
    for caller in CHANNELS.values():
        for slip in slips:
            answer = await quiet_town.get(caller, f"/v1/progress/{slip}", expect=404)
            assert answer["code"] == "receipt-unknown"
            assert paper["receipt"] not in str(answer)


@pytest.mark.requirement("R33")
async def test_whoever_guesses_has_to_wait_and_nobody_else(quiet_town: StepTown) -> None:
    right = f"/v1/progress/{(await an_application(quiet_town))['receipt']}"
    for _ in range(WRONG_MAX):
        await quiet_town.get(NOBODY, f"/v1/progress/{WRONG}", expect=404)
    answer = await quiet_town.call(NOBODY, "GET", right)
    told = answer.json()
    assert (answer.status_code, told["code"], told["retryable"]) == (429, "too-many-guesses", True)
    assert answer.headers["Retry-After"] == str(WRONG_WITHIN_S + 1)
    assert "seconds" in told["detail"]
    assert (await quiet_town.get(HOTLINE, right))["status"] == "approved"


def test_guesses_are_forgotten_after_a_minute() -> None:
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    for _ in range(WRONG_MAX):
        guesses.admit("somebody")
        guesses.was_wrong("somebody")
    with pytest.raises(TooManyGuesses):
        guesses.admit("somebody")
    guesses.admit("somebody else")
    now[0] = WRONG_WITHIN_S - 0.5
    with pytest.raises(TooManyGuesses):
        guesses.admit("somebody")
    now[0] = WRONG_WITHIN_S
    guesses.admit("somebody")
