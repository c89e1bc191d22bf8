"""The page of requirements says what the tests say."""

from pathlib import Path

import pytest

from libs.testing.requirements import RequirementUnknown, page, shown_by

SAYS: dict[str, dict[str, object]] = {
    "R1": {"from": "zhoushan", "owner": "loss", "says": "A call stops the card"},
    "R2": {"from": "wuxi", "implied": True, "owner": "bylaws", "says": "a | b"},
    "R3": {"from": "wuxi", "owner": "terminals", "later": True, "says": "A reader reads"},
}


def test_markers_are_found_on_tests_classes_cases_and_modules(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_one.py").write_text(
        'import pytest\n@pytest.mark.requirement("R1")\ndef test_a(): ...\n'
        '@pytest.mark.requirement("R2")\nclass TestB:\n'
        '    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.requirement("R3", "R4"))])\n'
        "    async def test_c(self, x): ...\n"
    )
    (folder / "test_two.py").write_text('import pytest\npytestmark = pytest.mark.requirement("R1")\n')

    assert shown_by(folder) == {
        "R1": ["tests/test_one.py::test_a", "tests/test_two.py"],
        "R2": ["tests/test_one.py::TestB"],
        "R3": ["tests/test_one.py::TestB::test_c"],
        "R4": ["tests/test_one.py::TestB::test_c"],
    }


def test_what_no_test_shows_is_called_open() -> None:
    made = page(SAYS, {"R1": ["tests/a/test_x.py::test_stops"]})

    assert "**1 of 3** are shown" in made
    assert "| R1 | A call stops the card (zhoushan) | [test_stops](../tests/a/test_x.py) |" in made
    assert "| R2 | a \\| b (wuxi, implied) | *open* |" in made


def test_what_waits_for_its_owner_says_for_whom_until_a_test_shows_it() -> None:
    waiting, shown = page(SAYS, {}), page(SAYS, {"R3": ["tests/a/test_x.py::test_reads"]})

    assert "| R3 | A reader reads (wuxi) | *later: terminals* |" in waiting
    assert "| terminals | 1 | 0 | 1 |" in waiting
    assert "| R3 | A reader reads (wuxi) | [test_reads](../tests/a/test_x.py) |" in shown
    assert "| terminals | 1 | 1 | 0 |" in shown


def test_a_requirement_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(RequirementUnknown, match=r"tests/test_x\.py::test_y shows R999"):
        page(SAYS, {"R999": ["tests/test_x.py::test_y"]})
