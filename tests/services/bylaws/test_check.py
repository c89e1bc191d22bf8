"""A pack with a fault is refused with file, line and remedy, and never with a traceback."""

import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from libs.runtime.citypack import PackUnfit, load_packs
from libs.runtime.cli import check_bylaws, main

DEPLOY = Path(__file__).parents[3] / "deploy"
Spoil = Callable[[str], str]


def instead(old: str, new: str) -> Spoil:
    """Another text in place of the first of this."""

    def spoil(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return spoil


def after(line: str, *more: str) -> Spoil:
    """These lines behind the first of this."""
    return instead(line, "\n".join([line, *more]))


def adding(lines: str) -> Spoil:
    return lambda text: text + lines


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    for name in ("cities", "calendars"):
        copytree(DEPLOY / name, tmp_path / name)
    (tmp_path / "words.yaml").write_text((DEPLOY / "words.yaml").read_text())
    return tmp_path


def test_the_packs_of_this_repository_have_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bylaws", "check", str(DEPLOY)]) == 0
    told = capsys.readouterr()
    assert not told.err
    assert re.search(r"hangzhou \(330100\), edition [0-9a-f]{16}: citizen-card, social-security-card", told.out)


ZHOUSHAN = "cities/zhoushan/"
CARD = ZHOUSHAN + "citizen-card/"
PERMIT = "cities/wuxi/residence-permit/"

FAULTS: list[tuple[str, str, Spoil, str, str]] = [
    (
        "an unknown key, with the nearest known one",
        CARD + "loss.yaml", instead("\nreissue_at:", "\nreisue_at:"), "reisue_at:",
        "the key `reisue_at` is unknown here; did you mean `reissue_at`?",
    ),
    (
        "an unknown key of an entry",
        CARD + "loss.yaml", instead("    basis: default\n", "    basis: default\n    vlaue: 3\n"), "vlaue: 3",
        "the key `vlaue` is unknown here; did you mean `value`?",
    ),
    (
        "an unknown key of a city",
        ZHOUSHAN + "city.yaml", instead("languages:", "langauges: [zh]\nlanguages:"), "langauges:",
        "the key `langauges` is unknown here; did you mean `languages`?",
    ),
    (
        "an unknown key inside an outlet",
        ZHOUSHAN + "city.yaml", instead("kind: hall}", "kind: hall, adress: here}"), "adress",
        "the key `adress` is unknown here; did you mean `address`?",
    ),
    (
        "an overlapping validity",
        CARD + "programme.yaml", after("      value: 10", "    - from: 2012-03-10", "      basis: §", "      value: 5"),
        "    - from: 2012-03-10\n      basis: §", "two values hold from 2012-03-10",
    ),
    (
        "a value that begins before the one before it ends",
        CARD + "programme.yaml",
        after("      value: 10", "      to: 2020-12-31", "    - from: 2020-06-01", "      basis: §", "      value: 5"),
        "    - from: 2020-06-01", "but the one before it holds until 2020-12-31; they overlap",
    ),
    (
        "days on which nothing holds",
        CARD + "programme.yaml",
        after("      value: 10", "      to: 2020-12-31", "    - from: 2021-06-01", "      basis: §", "      value: 5"),
        "      to: 2020-12-31", "nothing holds between 2020-12-31 and 2021-06-01",
    ),
    (
        "a negative window",
        CARD + "loss.yaml", instead("{count: 5, unit", "{count: -5, unit"), "{count: -5", "count is -5; a window",
    ),
    (
        "two cards to a person",
        CARD + "issuance.yaml", instead("      value: 1\n", "      value: 2\n"), "value: 2", "Input should be 1",
    ),
    (
        "a table without a row for everybody",
        CARD + "eligibility.json", instead('{"_id": "no_ground",', '{"_id": "no_ground", "hukou": "false",'),
        '{"_id": "no_ground"', "the last row must fit everybody",
    ),
    (
        "a table of functions without a row for everybody",
        PERMIT + "functions.json",
        instead('"_id": "identity_query.otherwise",', '"_id": "identity_query.otherwise", "residence": "true",'),
        '{"_id": "identity_query.otherwise"',
        "the last row of the function `identity_query` must fit everybody, so that nobody is left without an answer",
    ),
    (
        "a table of functions that forgets one",
        PERMIT + "functions.json", instead("'identity_query'", "'vehicle_entry_exit_patrol'"),
        '"rules": [', "nothing is said of the function `identity_query`, which every card bears",
    ),
    (
        "a table that answers of a function that no card bears",
        PERMIT + "functions.json", instead("'identity_query'", "'identity_querry'"),
        '{"_id": "identity_query.otherwise"',
        "no card of this programme bears the function `identity_querry`; did you mean `identity_query`?",
    ),
    (
        "an endorsement that is nobody's task",
        PERMIT + "programme.yaml", instead("task: endorse_residence_permit", "task: endorse_residence_permits"),
        "    value: {valid_years",
        "no organisation of this city has the task `endorse_residence_permits`; did you mean",
    ),
    (
        "a window of endorsement that is longer than a year",
        PERMIT + "programme.yaml", instead("window_months: 1,", "window_months: 13,"),
        "    value: {valid_years", "window_months: Input should be less than or equal to 12",
    ),
    (
        "words for a step of an endorsement that are missing",
        "cities/wuxi/notices.yaml", instead("endorsement-near:", "endorsment-near:"),
        "", "endorsement-near has no text in zh",
    ),
    (
        "an electronic form that does neither",
        "cities/wuxi/residence-permit/loss.yaml", instead("value: stays", "value: sleeps"),
        "    value: sleeps", "Input should be 'stops' or 'stays'",
    ),
    (
        "a table that looks at what nobody states",
        CARD + "eligibility.json", instead('"field": "facts.hukou"', '"field": "facts.hukuo"'), '"facts.hukuo"',
        "looks at facts.hukuo, which no department of this city states; did you mean `hukou`?",
    ),
    (
        "a row of a table that says nothing readable",
        CARD + "eligibility.json",
        instead('"granted": "true", "rule": "\'hukou\'"', '"granted": "\'yes\'", "rule": "\'hukou\'"'),
        
        '"_id": "hukou"', "this row cannot be read: granted",
    ),
    (
        "two rows of one name",
        CARD + "eligibility.json", instead('"_id": "insured_rural"', '"_id": "insured_resident"'),
        '{"_id": "insured_resident", "insured_rural"', "stands here twice",
    ),
    (
        "an unknown function",
        CARD + "loss.yaml", instead("{function: rural_medical}", "{function: rural_medicine}"), "rural_medicine",
        "no card of this programme bears the function `rural_medicine`; did you mean `rural_medical`?",
    ),
    (
        "an outlet of a kind that there is not",
        CARD + "loss.yaml", instead("value: [bank, hall]", "value: [bank, halls]"), "halls",
        "no outlet of this city is a `halls`; did you mean `hall`?",
    ),
    (
        "an outlet that is nothing that the house knows",
        ZHOUSHAN + "city.yaml", instead("kind: hall}", "kind: pier}"), "kind: pier",
        "`outlets.zs-hall.kind`: Input should be 'hall', 'community', 'bank' or 'police'",
    ),
    (
        "a missing translation",
        CARD + "programme.yaml", instead("{zh: 舟山市社会保障市民卡, en: Zhoushan", "{en: Zhoushan"), "title:",
        "a text in zh and en is needed",
    ),
    (
        "a fact without a name",
        ZHOUSHAN + "city.yaml", instead("facts: [study]", "facts: [studies_here]"), "studies_here",
        "the fact `studies_here` has no name in zh and en",
    ),
    (
        "a value without a basis",
        CARD + "loss.yaml",
        instead("    basis: Zhoushan citizen-card FAQ (2), (5)\n", ""),
        "  - from: 2012-03-10\n    value: [bank]\ncancel_at",
        "reissue_at: this entry has no `basis`; every value needs a date, a legal basis and itself",
    ),
    (
        "a basis that says nothing",
        CARD + "loss.yaml",
        instead("    basis: Zhoushan citizen-card FAQ (6)\n", "    basis: '  '\n"),
        "  - from: 2012-03-10\n    basis: '  '",
        "this entry has no `basis`",
    ),
    (
        "a key that stands twice",
        CARD + "loss.yaml", adding("lift:\n  - {from: 2012-03-10, basis: §, value: {where: nowhere, kinds: []}}\n"), "",
        "the key `lift` stands here again, after line",
    ),
    (
        "a date that does not exist",
        CARD + "loss.yaml",
        instead("from: 2012-03-10", "from: 2012-02-30"),
        "2012-02-30", "2012-02-30 is a date that no calendar has",
    ),
    (
        "a day that is no date",
        CARD + "loss.yaml", instead("from: 2012-03-10", "from: soon"), "from: soon", "`from` must be a day such as",
    ),
    (
        "what is no YAML",
        CARD + "loss.yaml", instead("on_lapse:", "on_lapse: ]"), "on_lapse: ]", "is not YAML",
    ),
    (
        "what is no JSON",
        CARD + "functions.json", instead('"nodes": [', '"nodes": [,'), '"nodes": [,', "is no JSON",
    ),
    (
        "a table that is not there",
        CARD + "programme.yaml", instead("value: eligibility.json", "value: elegibility.json"), "elegibility.json",
        "there is no elegibility.json",
    ),
    (
        "a value of another kind",
        CARD + "loss.yaml", instead("unit: working_days", "unit: work_days"), "work_days", "unit",
    ),
    (
        "a day worked that is a day off too",
        "calendars/cn.yaml",
        instead("days_worked: [2026-01-04", "days_worked: [2026-01-01"),
        "  2026:", "2026-01-01 both as a day off",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "spoil", "there", "words"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_a_fault_is_told_with_its_place_and_what_to_do(
    deploy: Path, capsys: pytest.CaptureFixture[str], file: str, spoil: Spoil, there: str, words: str
) -> None:
    path = deploy / file
    text = spoil(path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    place = deploy.joinpath(*Path(file).parts[:2]) if file.startswith("cities") else deploy
    assert main(["bylaws", "check", str(place)]) == 1
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert words in told
    if there:
        line = text[: text.index(there)].count("\n") + 1
        assert f"{path}:{line}: " in told, told
    else:
        assert str(path) in told


def test_a_mistyped_key_is_named_beside_the_one_that_was_meant(
    deploy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = deploy / CARD / "loss.yaml"
    path.write_text(path.read_text() + "pre_report_windows:\n  - {from: 2012-03-10, basis: §, value: 1}\n")
    assert main(["bylaws", "check", str(deploy / ZHOUSHAN)]) == 1
    assert "the key `pre_report_windows` is unknown here; did you mean `pre_report_window`?" in capsys.readouterr().err


def test_several_faults_are_told_at_once(deploy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = deploy / CARD / "loss.yaml"
    path.write_text(
        path.read_text().replace("    basis: default\n", "").replace("from: 2012-03-10", "from: 2012-02-30", 1)
    )
    (deploy / ZHOUSHAN / "city.yaml").write_text(
        (deploy / ZHOUSHAN / "city.yaml").read_text().replace("languages:", "langauges: [zh]\nlanguages:", 1)
    )
    assert main(["bylaws", "check", str(deploy)]) == 1
    assert capsys.readouterr().err.count(".yaml:") >= 2


def test_bytes_that_are_no_text_are_told_as_such(deploy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (deploy / CARD / "loss.yaml").write_bytes("lift: 挂失".encode("gbk"))
    assert main(["bylaws", "check", str(deploy)]) == 1
    assert "is no UTF-8 text; save it as UTF-8" in capsys.readouterr().err


def test_a_folder_without_a_city_says_what_it_should_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bylaws", "check", str(tmp_path)]) == 1
    assert "there is no city here" in capsys.readouterr().err


def test_the_house_does_not_start_with_a_table_that_leaves_somebody_out(deploy: Path) -> None:
    path = deploy / CARD / "eligibility.json"
    path.write_text(path.read_text().replace('{"_id": "no_ground",', '{"_id": "no_ground", "hukou": "false",'))
    with pytest.raises(PackUnfit, match="must fit everybody"):
        check_bylaws(load_packs(deploy))
