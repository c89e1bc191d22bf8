"""A residence permit is endorsed within the month before its year is full; late, a city's own rule counts."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.runtime.citypack import CityPacks, load_packs
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.domain.endorsement import Endorsing, Later, Permit, TooEarly, Window

NOW = datetime(2026, 10, 8, 4, 0, tzinfo=UTC)
PACKS = load_packs(Path(__file__).parents[3] / "deploy")


def the_rule_of_wuxi() -> Endorsing:
    found = IssuanceBylaws(PACKS).at("320200", "residence-permit", NOW).endorsing
    assert found is not None
    return found


WUXI = the_rule_of_wuxi()
NATIONAL = Endorsing(
    valid_years=1, window_months=1, late_days=0, later=Later.CONTINUOUS, by=frozenset({"police", "entrusted_agency"})
)
PERMIT = Permit(since=date(2020, 3, 31), ends_on=date(2023, 3, 31))


@pytest.mark.requirement("R136")
@pytest.mark.parametrize(
    ("ends_on", "opens_on"),
    [
        (date(2023, 3, 31), date(2023, 2, 28)),
        (date(2024, 3, 31), date(2024, 2, 29)),
        (date(2023, 1, 15), date(2022, 12, 15)),
        (date(2025, 2, 28), date(2025, 1, 28)),
    ],
)
def test_the_window_opens_a_month_before(ends_on: date, opens_on: date) -> None:
    assert WUXI.opens_on(Permit(since=date(2020, 1, 1), ends_on=ends_on)) == opens_on


@pytest.mark.requirement("R136")
def test_before_the_window_nobody_endorses_and_the_day_is_named() -> None:
    with pytest.raises(TooEarly, match="from 2023-02-28 on"):
        WUXI.endorse(PERMIT, date(2023, 2, 27))


@pytest.mark.requirement("R135", "R136")
@pytest.mark.parametrize("on", [date(2023, 2, 28), date(2023, 3, 30)])
def test_in_the_window_a_year_is_added_to_the_old_anniversary(on: date) -> None:
    assert WUXI.endorse(PERMIT, on) == Permit(since=PERMIT.since, ends_on=date(2024, 3, 31))


@pytest.mark.requirement("R137")
def test_from_the_anniversary_on_it_rests_until_it_is_endorsed() -> None:
    assert not PERMIT.suspended(date(2023, 3, 30))
    assert PERMIT.suspended(date(2023, 3, 31))
    assert not WUXI.endorse(PERMIT, date(2023, 4, 5)).suspended(date(2023, 4, 5))


@pytest.mark.parametrize(
    ("on", "continuous"), [(date(2023, 3, 31), True), (date(2023, 4, 30), True), (date(2023, 5, 1), False)]
)
def test_in_jiangsu_thirty_days_late_is_in_time_and_later_the_years_begin_anew(on: date, continuous: bool) -> None:
    renewed = WUXI.endorse(PERMIT, on)
    assert renewed.since == (PERMIT.since if continuous else on)
    assert renewed.ends_on == (date(2024, 3, 31) if continuous else date(2024, 5, 1))


def test_by_the_national_rule_the_years_go_on_however_late() -> None:
    renewed = NATIONAL.endorse(PERMIT, date(2025, 6, 1))
    assert renewed == Permit(since=PERMIT.since, ends_on=date(2026, 6, 1))


@given(st.dates(date(2016, 1, 1), date(2035, 12, 31)), st.integers(0, 800))
def test_an_endorsed_permit_always_holds_and_never_loses_a_day(ends_on: date, later: int) -> None:
    permit = Permit(since=ends_on - timedelta(days=365), ends_on=ends_on)
    on = WUXI.opens_on(permit) + timedelta(days=later)
    renewed = WUXI.endorse(permit, on)
    assert renewed.ends_on > permit.ends_on
    assert not renewed.suspended(on)
    assert renewed.since >= permit.since


@pytest.mark.parametrize(
    ("on", "window"),
    [
        (date(2023, 2, 27), Window.TOO_EARLY), (date(2023, 2, 28), Window.OPEN), (date(2023, 3, 30), Window.OPEN),
        (date(2023, 3, 31), Window.IN_GRACE), (date(2023, 4, 30), Window.IN_GRACE), (date(2023, 5, 1), Window.LATE),
    ],
)  # fmt: skip
def test_a_day_lies_before_the_window_in_it_in_the_days_of_grace_or_after(on: date, window: Window) -> None:
    assert WUXI.window(PERMIT, on) is window


def test_grace_ends_at_an_hour_and_never_where_any_endorsement_keeps_the_years() -> None:
    assert WUXI.grace_until(PERMIT.ends_on) == datetime(2023, 4, 30, 16, 0, tzinfo=UTC)
    assert NATIONAL.grace_until(PERMIT.ends_on) is None


@pytest.mark.parametrize("change", [{"remind_days": (0,)}, {"remind_hour": 24}])
def test_a_reminder_has_a_day_before_and_an_hour_of_the_day(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 to 366 days before the year is full, at an hour from 0 to 23"):
        replace(WUXI, **change)


@pytest.mark.requirement("R138")
def test_a_community_that_was_not_entrusted_with_it_does_not_endorse() -> None:
    assert WUXI.by == {"wx-police-liangxi", "wx-tongjiang"}
    pack = PACKS["320200"]
    told = deepcopy(pack.files)
    told["organisations"]["establishment"][0]["value"]["entrusted"] = []
    alone = IssuanceBylaws(CityPacks([replace(pack, files=told)]))
    rule = alone.at("320200", "residence-permit", NOW).endorsing
    assert rule is not None
    assert rule.by == {"wx-police-liangxi"}


@pytest.mark.parametrize("change", [{"valid_years": 0}, {"window_months": 13}, {"late_days": -1}])
def test_a_rule_out_of_bounds_is_not_born(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"valid_years": 1, "window_months": 1, "late_days": 30} | change
    with pytest.raises(ValueError, match="a permit holds"):
        Endorsing(later=Later.RESTART, by=frozenset(), **values)
