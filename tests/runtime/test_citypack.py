"""A value holds from one day and was written down on another; both are kept, and its legal basis goes with it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from libs.runtime.citypack import Dated, Entry, PackUnfit, load_packs

PACKS = load_packs(Path(__file__).parents[2] / "deploy")
ZHOUSHAN = PACKS["330900"]


def entry(holds_from: str, value: int, recorded: str = "2012-03-01", **more: Any) -> Entry[int]:
    return Entry[int].model_validate({"from": holds_from, "recorded": recorded, "basis": "§", "value": value} | more)


def on(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+08:00")


WINDOW = Dated[int](
    [
        entry("2012-03-10", 5),
        entry("2020-01-01", 7),
        entry("2020-01-01", 10, recorded="2021-06-15"),  # It should have read ten all along.
    ],
    rule="citizen-card/loss.pre_report_window",
    edition="e1",
)


@pytest.mark.parametrize(
    ("moment", "known_at", "value"),
    [
        ("2012-03-10", None, 5),
        ("2019-12-31", None, 5),
        ("2020-06-01", None, 10),
        ("2020-06-01", "2020-06-01", 7),
        ("2020-06-01", "2021-06-14", 7),
        ("2020-06-01", "2021-06-15", 10),
        ("2015-06-01", "2021-06-15", 5),
    ],
)
def test_when_a_value_holds_and_when_it_was_known_are_two_things(moment: str, known_at: str | None, value: int) -> None:
    assert WINDOW.at(on(moment), on(known_at) if known_at else None) == value


def test_a_day_begins_in_shanghai() -> None:
    assert WINDOW.at(datetime(2019, 12, 31, 16, 0, tzinfo=UTC)) == 10
    assert WINDOW.at(datetime(2019, 12, 31, 15, 59, tzinfo=UTC)) == 5


def test_before_the_first_nothing_holds_and_the_first_day_is_named() -> None:
    with pytest.raises(PackUnfit, match="no value holds on 2012-03-09: the first begins on 2012-03-10"):
        WINDOW.at(on("2012-03-09"))
    with pytest.raises(PackUnfit, match="no value holds"):
        WINDOW.at(on("2012-04-01"), known_at=on("2012-02-01"))


def test_a_value_that_ends_without_a_successor_holds_no_more() -> None:
    phase = Dated([entry("2012-03-10", 1, to="2013-12-31")])
    assert phase.at(on("2013-12-31")) == 1
    with pytest.raises(PackUnfit, match="ended with 2013-12-31"):
        phase.at(on("2014-01-01"))


@pytest.mark.requirement("R10")
def test_what_was_applied_can_be_cited() -> None:
    ground = WINDOW.ground(WINDOW.entry_at(on("2020-06-01")))
    assert (ground.rule, ground.basis.en, ground.edition) == ("citizen-card/loss.pre_report_window", "§", "e1")
    assert (ground.valid_from, ground.recorded_on) == (date(2020, 1, 1), date(2021, 6, 15))
    assert WINDOW.ground(WINDOW[0], "row").rule == "citizen-card/loss.pre_report_window#row"


def test_a_default_of_the_platform_is_cited_as_one() -> None:
    ref = "default/citizen-card/issuance.applying.temporary_cards@2012-03-10/2026-09-01"
    ground = ZHOUSHAN.cited(ref, "e1")
    assert ground.ref == ref
    assert ground.basis.en == "default of this platform; the city's bylaws say nothing else"


def test_what_a_decision_of_a_day_cites_is_found_by_its_path_unless_nothing_was_said_then() -> None:
    ground = ZHOUSHAN.ground("citizen-card/loss.documents", on("2026-09-01"), "e1", "id_card")
    assert ground is not None
    assert (ground.rule, ground.edition) == ("citizen-card/loss.documents#id_card", "e1")
    assert ZHOUSHAN.ground("citizen-card/loss.documents", on("1999-09-01")) is None
    assert ZHOUSHAN.ground("citizen-card/loss.never_heard_of", on("2026-09-01")) is None


def test_a_section_tells_every_value_and_what_to_cite() -> None:
    paths: Mapping[str, tuple[str, Any]] = {
        "reissue_at": ("citizen-card/loss.reissue_at", list[str]),
        "documents": ("citizen-card/loss.documents", list[str]),
    }
    applied = ZHOUSHAN.section(paths).at(on("2026-09-01"))
    assert applied["reissue_at"] == ["bank"]
    assert applied.grounds["reissue_at"].basis.en == "Zhoushan citizen-card FAQ (2), (5)"
    assert applied.grounds["reissue_at"].basis.zh == "舟山市市民卡常见问题解答 (2), (5)"
    assert applied.grounds["documents"].rule == "citizen-card/loss.documents"
    assert applied.grounds["documents"].edition == ZHOUSHAN.hash


@pytest.mark.parametrize(
    ("kind", "of", "zh", "en"),
    [
        ("fact", "hukou", "本市户籍", "household registered in the city"),
        ("department", "police", "公安局", "Public Security"),
        ("function", "medical", "就医购药结算", "medical treatment and pharmacies"),
        ("organisation", "zs-changguo", "昌国街道", "Changguo Sub-district"),
        ("organisation", "zs-moon", "zs-moon", "zs-moon"),
        ("fact", "nameless", "nameless", "nameless"),
    ],
)
def test_a_city_has_names_for_things(kind: str, of: str, zh: str, en: str) -> None:
    said = ZHOUSHAN.named(kind, of)
    assert (said.zh, said.en) == (zh, en)


def test_a_limit_is_checked_at_birth_and_the_fault_has_file_and_line() -> None:
    def born(count: int) -> int:
        if count > 2:
            raise ValueError("at most two")
        return count

    with pytest.raises(PackUnfit, match="pre_reports_max_in_30_days: at most two") as unfit:
        ZHOUSHAN.dated("citizen-card/loss.pre_reports_max_in_30_days", int, born)
    (finding,) = unfit.value.findings
    lines = finding.path.read_text().splitlines()
    assert finding.path.name == "loss.yaml"
    assert lines[finding.line - 1].strip() == "value: 3"


def test_the_edition_is_of_the_calendar_too(tmp_path: Path) -> None:
    copytree(Path(__file__).parents[2] / "deploy" / "cities", tmp_path / "cities")
    copytree(Path(__file__).parents[2] / "deploy" / "calendars", tmp_path / "calendars")
    assert load_packs(tmp_path).hash_of("330900") == ZHOUSHAN.hash
    with (tmp_path / "calendars" / "cn.yaml").open("a") as calendar:
        calendar.write("# changed\n")
    assert load_packs(tmp_path).hash_of("330900") not in ("", ZHOUSHAN.hash)
