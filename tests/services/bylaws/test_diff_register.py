"""Who would gain or lose what in the register of a house that is at work."""

import asyncio
from pathlib import Path
from shutil import copytree

import pytest

from libs.runtime.cli import main
from tests.platform import CLERK, HRSS, Open, id_card, registered

DEPLOY = Path(__file__).parents[3] / "deploy"


def zhoushan_without_the_employees_scheme(folder: Path) -> Path:
    """Zhoushan, as it would be if the employees' scheme gave nobody a card any more."""
    copytree(DEPLOY / "calendars", folder / "calendars")
    copytree(DEPLOY / "cities" / "zhoushan", folder / "cities" / "zhoushan")
    table = folder / "cities" / "zhoushan" / "citizen-card" / "eligibility.json"
    row = '"insured_employee": "true",\n           "granted": "true"'
    assert row in table.read_text()
    table.write_text(table.read_text().replace(row, row.replace('"granted": "true"', '"granted": "false"')))
    return folder / "cities" / "zhoushan"


async def test_a_new_edition_is_tried_on_the_register_beside_a_house_at_work(
    open_town: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = zhoushan_without_the_employees_scheme(tmp_path)
    async with open_town() as town:
        insured = [await registered(town, CLERK, HRSS) for _ in range(2)]
        stranger = {"document": id_card(district="110101"), "name": "何远", "mobile": "13800005678"}
        await town.post(CLERK, "/v1/persons", stranger)
        await town.drain()
        monkeypatch.setenv("CITYCARD_DATABASE_URL", town.settings.database_url)
        monkeypatch.setenv("CITYCARD_HOME", str(town.settings.home))
        asked = ["bylaws", "diff", str(DEPLOY / "cities" / "zhoushan"), str(new), "--ids", "--on", "2026-09-02"]
        capsys.readouterr()
        assert await asyncio.to_thread(main, asked) == 0
        lines = capsys.readouterr().out.splitlines()
    assert "3 persons in 2 kinds of circumstances" in lines
    assert "citizen-card: 0 would gain it, 2 would lose it" in lines
    assert {f"  - {person}" for person in insured} <= set(lines)
