"""Who would gain or lose what, before a bylaw is changed."""

import json
from pathlib import Path
from shutil import copytree

import pytest

from libs.runtime.cli import main

DEPLOY = Path(__file__).parents[3] / "deploy"


@pytest.fixture
def cities(tmp_path: Path) -> tuple[Path, Path]:
    """Hangzhou as it is, and a copy to be changed."""
    for name in ("old", "new"):
        copytree(DEPLOY / "calendars", tmp_path / name / "calendars")
        copytree(DEPLOY / "cities" / "hangzhou", tmp_path / name / "cities" / "hangzhou")
    return tmp_path / "old/cities/hangzhou", tmp_path / "new/cities/hangzhou"


@pytest.fixture
def persons(tmp_path: Path) -> Path:
    path = tmp_path / "persons.jsonl"
    people = [
        *({"id": f"student-{nth}", "facts": ["study"]} for nth in range(7)),
        *({"id": f"citizen-{nth}", "facts": ["hukou"]} for nth in range(3)),
        {"id": "worker", "facts": ["stable_job", "insured_employee"]},
        {"id": "talent", "facts": ["passport", "work_permit=2026-01-01..2026-12-31"], "birth": "1990-01-01"},
    ]
    path.write_text("\n".join(map(json.dumps, people)))
    return path


def told(capsys: pytest.CaptureFixture[str], old: Path, new: Path, persons: Path, *more: str) -> list[str]:
    asked = ["bylaws", "diff", str(old), str(new), "--persons", str(persons), "--on", "2026-10-08", *more]
    assert main(asked) == 0, capsys.readouterr().err
    return capsys.readouterr().out.splitlines()


def test_the_same_edition_changes_nothing(
    cities: tuple[Path, Path], persons: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = told(capsys, *cities, persons)
    assert lines[1:3] == ["12 persons in 4 kinds of circumstances", "nobody would gain or lose anything"]


@pytest.mark.requirement("R10", "R3")
def test_choosing_the_older_text_again_takes_the_card_from_those_without_a_household(
    cities: tuple[Path, Path], persons: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programme = cities[1] / "citizen-card" / "programme.yaml"
    programme.write_text(
        programme.read_text().replace(
            "    value: eligibility-article-6.json\n",
            "    value: eligibility-article-6.json\n"
            "  - from: 2026-10-01\n    basis: a decision of the city\n    value: eligibility-household.json\n",
        )
    )
    lines = told(capsys, *cities, persons)
    assert "citizen-card: 0 would gain it, 9 would lose it" in lines
    assert "  - student-0" in lines
    assert "  - … and 4 more; --ids lists them all" in lines
    assert not [line for line in lines if line.startswith("history:")]
    assert "  - talent" in told(capsys, *cities, persons, "--ids")


def test_a_function_that_is_opened_is_counted_by_itself(
    cities: tuple[Path, Path], persons: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = cities[1] / "citizen-card" / "functions.json"
    table.write_text(table.read_text().replace('"age": ">= 60"', '"age": ">= 30"'))
    lines = told(capsys, *cities, persons)
    assert "citizen-card, function transit_senior: 12 would gain it, 0 would lose it" in lines


def test_history_that_was_rewritten_is_named(
    cities: tuple[Path, Path], persons: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programme = cities[1] / "citizen-card" / "programme.yaml"
    programme.write_text(
        programme.read_text().replace("value: {count: 45, unit: days", "value: {count: 40, unit: days")
    )
    lines = told(capsys, *cities, persons)
    assert (
        "history: citizen-card/programme.issuance.promise, from 2006-01-01: this entry says something else now; "
        "put it back, and add one with a later `recorded`"
    ) in lines


def test_a_line_that_cannot_be_read_is_named(cities: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    broken = cities[0].parents[1] / "broken.jsonl"
    broken.write_text('{"facts": ["hukou"]}\n{"facts": [\n')
    assert main(["bylaws", "diff", *map(str, cities), "--persons", str(broken)]) == 2
    assert "broken.jsonl:2: " in capsys.readouterr().err


def test_a_new_edition_with_a_fault_is_refused_with_its_place(
    cities: tuple[Path, Path], persons: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = cities[1] / "citizen-card" / "functions.json"
    table.write_text(table.read_text().replace('"facts.insured_employee"', '"facts.insured_employe"'))
    assert main(["bylaws", "diff", *map(str, cities), "--persons", str(persons)]) == 1
    assert "did you mean `insured_employee`?" in capsys.readouterr().err
