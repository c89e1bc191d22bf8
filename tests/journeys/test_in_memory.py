"""The same services without a world: in memory, every step taken by the test."""

from datetime import datetime, timedelta
from pathlib import Path

from libs.runtime.cli import SERVICES, build_services
from libs.runtime.house import House
from libs.testing.town import memory_platform, pass_until, return_file, town_settings, within_earshot
from libs.web.tokens import Caller
from services.notice.adapters.sms import MemorySms
from services.notice.wiring import build as build_notice
from tests.platform import BEGINS, CENTRE, CLERK, HOTLINE, HRSS, PORTRAIT, VENDOR, ZHOUSHAN, id_card

LIN = id_card()


async def test_all_services_live_in_memory_step_by_step(tmp_path: Path) -> None:
    story, telephone = await short_life(tmp_path / "first", seed=7)
    assert story == [
        "EntitlementJudged", "EntitlementJudged", "ApplicationSubmitted", "ApplicationAccepted", "CardApproved",
        "CardReserved", "CardProduced", "CardArrived", "NoticeSent", "CardHandedOver", "CardActivated",
        "FunctionsTurned", "CardStopped", "NoticeSent", "LapseApproaching", "NoticeSent", "CardWoken",
        "NoticeSent",
    ]  # fmt: skip
    assert len(telephone) == 4


async def test_the_same_seed_tells_the_same_story_to_the_letter(tmp_path: Path) -> None:
    once = await short_life(tmp_path / "once", seed=7)
    assert await short_life(tmp_path / "again", seed=7) == once


async def short_life(home: Path, seed: int) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """From the registration to a report that lapses; returns the timeline and what lies on the telephone."""
    platform, sms = memory_platform(town_settings(home), BEGINS, seed), MemorySms()
    others = build_services(platform, [name for name in SERVICES if name != "notice"])
    house = House(platform, [*others, build_notice(platform, sms)])

    async def a_minute_passes() -> None:
        await pass_until(house, platform.city.now() + timedelta(minutes=1))

    async with within_earshot(house) as town:
        shown = {"document": LIN, "name": "林小舟", "mobile": "13800005678"}
        person = (await town.post(CLERK, "/v1/persons", shown))["person_id"]
        await a_minute_passes()
        fact = {"document": LIN, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1"}
        await town.post(HRSS, "/v1/facts", fact)
        await a_minute_passes()
        papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
        application = (await town.post(CLERK, "/v1/applications", papers))["application_id"]
        accepted = await town.post(CLERK, f"/v1/applications/{application}/acceptances")
        await a_minute_passes()
        where = {"programme": "citizen-card", "outlet": CLERK.outlet}
        batch = (await town.post(CENTRE, "/v1/batches", where))["batch_id"]
        await a_minute_passes()
        ordered = await town.post(CENTRE, f"/v1/batches/{batch}/orders")
        await town.post(VENDOR, f"/v1/batches/{batch}/returns", {"file": return_file(ordered["seats"])})
        await town.post(CENTRE, f"/v1/batches/{batch}/dispatches")
        await town.post(CLERK, f"/v1/batches/{batch}/receipts", {"counted": 1})
        await a_minute_passes()
        card = f"{accepted['holding_id']}.1"
        await town.post(CLERK, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
        await a_minute_passes()
        stopped = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
        await pass_until(house, datetime.fromisoformat(stopped["lapses_at"]))
        holder = Caller("holder-1", "citizen", ZHOUSHAN, person=person)
        timeline = (await town.get(holder, f"/v1/cards/{card}/timeline"))["entries"]
        assert timeline[-2]["at"] == stopped["lapses_at"]
        return [one["what"] for one in timeline], {str(notice): letter for notice, letter in sms.sent.items()}
