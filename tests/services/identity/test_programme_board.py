"""What a city publishes of its programmes: what they offer, where they have effect, and how they were prepared."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from libs.runtime.citypack import load_packs
from libs.runtime.cli import build_services, main
from libs.runtime.house import House
from libs.testing.town import memory_platform, town_settings, within_earshot
from libs.web.tokens import NOBODY
from tests.platform import BEGINS

DEPLOY = Path(__file__).parents[3] / "deploy"
HANGZHOU, WUXI = "330100", "320200"
TALENTS = "hangzhou/foreign-talent-card/programme.yaml"
PERMIT = "wuxi/residence-permit/programme.yaml"
THIRD = "wuxi/social-security-card/programme.yaml"
Edit = Callable[[str, str, str], None]


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    copytree(DEPLOY, tmp_path / "deploy", ignore=lambda _folder, names: set(names) - WANTED)
    return tmp_path / "deploy"


WANTED = {"cities", "calendars", "words.yaml"} | {
    path.name for part in ("cities", "calendars") for path in (DEPLOY / part).rglob("*")
}


@pytest.fixture
def edit(deploy: Path) -> Edit:
    """Puts other words into a city's file."""

    def change(file: str, old: str, new: str) -> None:
        path = deploy / "cities" / file
        text = path.read_text(encoding="utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


async def board(deploy: Path, home: Path, city: str) -> dict[str, Any]:
    """A city's notice board, by programme, as everybody reads it."""
    platform = memory_platform(town_settings(home, data=deploy), BEGINS)
    house = House(platform, build_services(platform, ["identity"]))
    async with within_earshot(house) as town:
        return {one["programme"]: one for one in await town.get(NOBODY, "/v1/programmes", city=city)}


@pytest.mark.requirement("R107")
async def test_foreign_talents_are_offered_six_service_areas(tmp_path: Path) -> None:
    talents = (await board(DEPLOY, tmp_path, HANGZHOU))["foreign-talent-card"]
    assert [one["code"] for one in talents["services_offered"]] == [
        "work_permit", "child_education", "medical_insurance", "commercial_insurance", "living_services",
        "housing_security",
    ]  # fmt: skip
    assert talents["services_offered"][1]["title"] == {"zh": "子女教育", "en": "education of children"}
    assert talents["opens_on"] == "2018-08-20"


@pytest.mark.requirement("R145")
async def test_a_scene_more_is_a_line_more_and_no_line_of_code(deploy: Path, edit: Edit, tmp_path: Path) -> None:
    def codes(told: dict[str, Any]) -> list[str]:
        return [one["code"] for one in told["residence-permit"]["scenes"]]

    before = codes(await board(deploy, tmp_path / "before", WUXI))
    line = "value: [vehicles, entry_exit, patrol_checks, law_enforcement, population_data]\n"
    more = line.replace("]", ", library_loans]")
    edit(PERMIT, line, f"{line}  - from: 2026-08-01\n    basis: a service of the city\n    {more}")
    edit(
        "wuxi/city.yaml", "departments:", "words: {scene: {library_loans: {zh: 图书借阅, en: libraries}}}\ndepartments:"
    )
    assert main(["bylaws", "check", str(deploy / "cities" / "wuxi")]) == 0
    told = await board(deploy, tmp_path / "after", WUXI)
    assert codes(told) == [*before, "library_loans"]
    assert told["residence-permit"]["scenes"][-1]["title"]["zh"] == "图书借阅"


@pytest.mark.requirement("R168")
async def test_a_region_s_plan_is_published_with_its_day_its_basis_and_its_edition(tmp_path: Path) -> None:
    third = (await board(DEPLOY, tmp_path, WUXI))["social-security-card"]
    plan = third["plan"]
    assert {"application_design", "cost", "information_collection", "issuance"} < plan.keys()
    assert (plan["since"], plan["recorded_on"]) == ("2018-06-01", "2026-09-01")
    assert plan["since"] < third["opens_on"]
    assert plan["edition"] == load_packs(DEPLOY)[WUXI].hash


@pytest.mark.requirement("R171")
async def test_a_further_condition_of_the_ministry_is_a_line_of_the_checklist(
    deploy: Path, edit: Edit, tmp_path: Path
) -> None:
    line = "      - {condition: emergency_plan, met: true}\n"
    later = "  - from: 2026-08-01\n    basis: MOHRSS 2011-47\n    value: [{condition: disaster_centre, met: false}]\n"
    edit(THIRD, line, line + later)
    edit("wuxi/city.yaml", "departments:",
         "words: {condition: {disaster_centre: {zh: 异地灾备, en: a second data centre}}}\ndepartments:")  # fmt: skip
    assert main(["bylaws", "check", str(deploy / "cities" / "wuxi")]) == 0
    third = (await board(deploy, tmp_path, WUXI))["social-security-card"]
    assert third["checklist"] == [
        {"code": "disaster_centre", "title": {"zh": "异地灾备", "en": "a second data centre"}, "met": False}
    ]


@pytest.mark.requirement("R168", "R171")
@pytest.mark.parametrize(
    ("file", "old", "new", "there", "words"),
    [
        (THIRD, "plan:\n  - from: 2018", "plan:\n  - from: 2020", "plan:", "2019-01-01 and has no plan by then"),
        (THIRD, "\nplan:", "\nplans:", "eligibility:", "has no plan by then; write one, or open later"),
        (THIRD, "{condition: emergency_plan, met: true}", "{condition: emergency_plan, met: false}",
         "      - {condition: emergency_plan, met: false}", "emergency_plan is not met by then; meet it"),
        (THIRD, "      cost:", "      costs:", "", "`value.cost` is missing"),
        (TALENTS, "[work_permit, child_education,", "[work_permit, child_edukation,",
         "    value: [work_permit, child_edukation,", "the service `child_edukation` has no name in zh and en"),
    ],
    ids=["a plan that comes too late", "no plan", "a condition that is not met", "half a plan", "a nameless service"],
)  # fmt: skip
def test_a_programme_that_is_not_ready_does_not_open(
    deploy: Path, edit: Edit, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, there: str, words: str
) -> None:
    edit(file, old, new)
    assert main(["bylaws", "check", str(deploy)]) == 1
    told = capsys.readouterr().err
    assert words in told
    if there:
        text = (deploy / "cities" / file).read_text(encoding="utf-8")
        line = text[: text.index(there)].count("\n") + 1
        assert f"{file}:{line}: " in told, told


async def test_a_city_that_is_not_served_is_told_which_are(tmp_path: Path) -> None:
    platform = memory_platform(town_settings(tmp_path), BEGINS)
    async with within_earshot(House(platform, build_services(platform, ["identity"]))) as town:
        told = await town.get(NOBODY, "/v1/programmes", city="110000", expect=404)
        assert (told["code"], HANGZHOU in told["detail"]) == ("no-programmes", True)
