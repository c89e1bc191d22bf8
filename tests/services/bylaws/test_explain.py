"""Which rule grants or refuses, on the command line, with each row that was looked at."""

from pathlib import Path

import pytest

from libs.runtime.cli import main

DEPLOY = Path(__file__).parents[3] / "deploy"


def explained(capsys: pytest.CaptureFixture[str], *asked: str) -> list[str]:
    assert main(["bylaws", "explain", *asked, "--on", "2026-10-08", "--data", str(DEPLOY)]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.requirement("R101", "R11")
def test_every_row_is_shown_with_what_it_wanted_and_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    lines = explained(capsys, "hangzhou-foreign-talent", "--facts", "work_permit=2026-01-01..2027-01-06", "passport")
    assert "  ✗ work_permit_too_fresh: held_days.work_permit < 14 (found 280)" in lines
    assert "  → work_permit_ends_soon: left_days.work_permit <= 90 (found 90)" in lines
    assert "a card that is held stays, but none can be applied for now" in lines
    assert any(line.startswith("Refused: the work permit is valid for 90 more days or less") for line in lines)
    assert any("no_ground: everybody" in line for line in lines)


def test_one_day_more_and_it_may_be_applied_for_until_tomorrow(capsys: pytest.CaptureFixture[str]) -> None:
    lines = explained(
        capsys, "hangzhou/foreign-talent-card", "--facts", "work_permit=2026-01-01..2027-01-07", "passport"
    )
    assert any(line.startswith("  → work_permit: ") for line in lines)
    assert "until 2026-10-09 00:00, if nobody says anything new" in lines


def test_a_person_may_be_written_in_a_file_and_the_answer_be_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person = tmp_path / "person.yaml"
    person.write_text("birth: 1966-10-09\nfacts: [insured_employee, {fact: study, from: 2025-09-01}]\n")
    lines = explained(capsys, "hangzhou-social-security", "--person", str(person), "--language", "zh")
    assert "不予：已参保，但没有稳定工作。" in lines
    assert "尚缺以下任一项：稳定就业。" in lines
    assert any("人力资源和社会保障局" in line for line in lines)
    assert "until 2026-10-09 00:00, if nobody says anything new" in explained(
        capsys, "hangzhou-citizen", "--person", str(person)
    )  # Her sixtieth birthday opens a function.


@pytest.mark.requirement("R98")
def test_before_a_programme_opens_its_day_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["bylaws", "explain", "hangzhou-foreign-talent", "--on", "2018-08-19", "--data", str(DEPLOY)]
    assert main(asked) == 0
    assert "Refused: this programme opens on 2018-08-20; come back then." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        (["hangzhou-citizens"], 1, "did you mean `hangzhou-citizen`?"),
        (["hangzhou-citizen", "--facts", "hukou=soon"], 2, "Write facts as"),
        (["hangzhou-citizen", "--on", "yesterday"], 1, "write it as 2026-09-01"),
        (["hangzhou-citizen", "--person", "nowhere.yaml"], 1, "No such file"),
    ],
)
def test_a_question_that_cannot_be_read_says_how_to_ask(
    asked: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bylaws", "explain", *asked, "--data", str(DEPLOY)]) == status
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told


def test_a_mistyped_fact_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = explained(capsys, "hangzhou-citizen", "--facts", "hukuo")
    assert lines[0] == "note: no department of Hangzhou states `hukuo`; did you mean `hukou`?"
