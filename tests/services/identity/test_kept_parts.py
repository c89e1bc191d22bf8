"""A roll that came over HTTP is carried out by the city itself, whatever happens to its processes on the way."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from libs.kernel import Outage
from libs.runtime.cli import SERVICES, build_services
from libs.runtime.house import House
from libs.testing.town import Town, memory_platform, pass_until, town_settings, within_earshot
from services.identity.adapters import kept_parts
from services.identity.adapters.carrier import Carrier
from services.identity.adapters.roll_files import pages
from services.identity.domain.roll.commands import CarryOutPage
from services.ids import RollId
from services.simulation.rolls import write
from tests.platform import BEGINS, CENTRE

ROWS, PAGE = 30, 10

pytestmark = pytest.mark.requirement("R41")


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(kept_parts, "pages", partial(pages, page_rows=PAGE))
    platform = memory_platform(town_settings(tmp_path), BEGINS)
    async with within_earshot(House(platform, build_services(platform, list(SERVICES)))) as opened:
        yield opened


async def sent(town: Town, file: Path) -> RollId:
    write(file, ROWS, seed=2, share=0)
    body = {"programme": "citizen-card", "department": "hrss", "name": "kept"}
    roll = (await town.post(CENTRE, "/v1/rolls", body))["roll_id"]
    await town.post(CENTRE, f"/v1/rolls/{roll}/parts", {"part": 1, "text": file.read_text()})
    return RollId(roll)


async def steps(town: Town) -> None:
    await pass_until(town.house, town.house.platform.city.now() + timedelta(minutes=1))


async def test_a_page_that_was_carried_out_before_a_crash_is_not_carried_out_again(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is noted, and the process dies before its hour is struck off; so the hour strikes once more."""
    roll = await sent(town, tmp_path / "kept.csv")
    identity = next(home for home in town.house.households if home.service.name == "identity")
    perform = identity.service.performers[CarryOutPage]
    (due,) = await identity.store.due(town.house.platform.city.now(), 10)
    await perform(CarryOutPage(roll_id=roll, part=1, page=1), due)
    carried = (await town.get(CENTRE, f"/v1/rolls/{roll}"))["ordered"]

    async def nothing(*_: Any) -> None:
        raise AssertionError("it was done before")

    with monkeypatch.context() as patched:
        patched.setattr(Carrier, "carry_out", nothing)
        await perform(CarryOutPage(roll_id=roll, part=1, page=1), due)
    await steps(town)
    stands = await town.get(CENTRE, f"/v1/rolls/{roll}")
    assert (carried, stands["ordered"], stands["finished"]) == (PAGE, ROWS, True)


async def test_a_page_that_is_broken_off_is_carried_out_whole_when_its_hour_strikes_again(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Persons were registered, and the page was not noted: they are known by the same command ids, and get one card."""
    roll = await sent(town, tmp_path / "kept.csv")
    identity = next(home for home in town.house.households if home.service.name == "identity")

    async def away(*_: Any) -> None:
        raise Outage("the store went away")

    (due,) = await identity.store.due(town.house.platform.city.now(), 10)
    with monkeypatch.context() as patched:
        patched.setattr(identity.service.desks["roll"], "handle", away)
        with pytest.raises(Outage):
            await identity.service.performers[CarryOutPage](CarryOutPage(roll_id=roll, part=1, page=1), due)
    assert (await town.get(CENTRE, f"/v1/rolls/{roll}"))["ordered"] == 0
    await steps(town)
    verdicts = (await town.call(CENTRE, "GET", f"/v1/rolls/{roll}/verdicts")).text.splitlines()[1:]
    assert [row.split(",")[2] for row in verdicts] == ["ordered"] * ROWS
    issuance = next(home for home in town.house.households if home.service.name == "issuance")
    told = [row for row in await issuance.store.outbox({}, 1_000) if row.type == "issuance.CardApproved.v1"]
    assert len(told) == len({row.stream for row in told}) == ROWS
