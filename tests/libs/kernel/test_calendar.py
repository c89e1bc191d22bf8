"""Deadlines as the offices count them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.calendar import (
    SHANGHAI,
    Calendar,
    CalendarUnknown,
    Year,
    end_of_calendar_day,
    midnight_after,
    morning_of,
    one_month_after,
    years_after,
)

PUBLISHED = Path(__file__).parents[3] / "deploy/calendars/cn.yaml"
DATA: dict[int, dict[str, Any]] = yaml.safe_load(PUBLISHED.read_text("utf-8"))["years"]
YEARS = {
    year: Year(days_off=frozenset(data["days_off"]), days_worked=frozenset(data["days_worked"]))
    for year, data in DATA.items()
}
CHINA = Calendar(years=YEARS)
STRICT = Calendar(years=YEARS, guess_unknown_years=False)

published_days = st.dates(date(2012, 1, 1), date(2026, 6, 30))
days = st.dates(date(1990, 1, 1), date(2150, 1, 1))


def noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=SHANGHAI)


@pytest.mark.requirement("R50")
def test_five_working_days_over_the_national_holiday() -> None:
    ends = CHINA.end_of_working_day(5, noon(2024, 9, 26))
    assert ends.at == midnight_after(date(2024, 10, 9)) == datetime(2024, 10, 10, tzinfo=SHANGHAI)
    assert not ends.provisional


@pytest.mark.requirement("R124")
def test_twenty_working_days_in_a_plain_month() -> None:
    assert CHINA.end_of_working_day(20, noon(2021, 11, 22)).at == midnight_after(date(2021, 12, 20))


@pytest.mark.requirement("R87")
def test_one_month_later_rolls_to_the_sunday_that_is_worked() -> None:
    assert CHINA.first_worked_from(one_month_after(date(2024, 1, 10))) == date(2024, 2, 18)


def test_the_day_of_a_call_is_its_day_in_shanghai() -> None:
    late_on_thursday_in_utc = datetime(2024, 9, 26, 16, 30, tzinfo=UTC)  # Friday, half past midnight
    assert CHINA.end_of_working_day(1, late_on_thursday_in_utc).at == midnight_after(date(2024, 9, 29))


def test_no_working_days_end_today() -> None:
    assert CHINA.end_of_working_day(0, noon(2024, 10, 1)).at == midnight_after(date(2024, 10, 1))


def test_calendar_days_do_not_ask_who_works() -> None:
    assert end_of_calendar_day(10, noon(2024, 9, 28)).at == midnight_after(date(2024, 10, 8))


def test_midnight_is_where_the_next_morning_begins() -> None:
    assert midnight_after(date(2024, 12, 31)) == morning_of(date(2025, 1, 1)) == datetime(2024, 12, 31, 16, tzinfo=UTC)


def test_a_deadline_that_enters_an_unpublished_year_is_provisional() -> None:
    assert not CHINA.end_of_working_day(1, noon(2026, 12, 30)).provisional
    assert CHINA.end_of_working_day(2, noon(2026, 12, 30)).provisional
    assert CHINA.end_of_working_day(2, noon(2026, 12, 30)).at == midnight_after(date(2027, 1, 1))


def test_a_strict_city_refuses_to_count_an_unpublished_year() -> None:
    assert STRICT.end_of_working_day(1, noon(2026, 12, 30)).at == midnight_after(date(2026, 12, 31))
    with pytest.raises(CalendarUnknown, match="working days of 2027 are not published") as refused:
        STRICT.end_of_working_day(2, noon(2026, 12, 30))
    assert refused.value.status == 409


def test_a_moment_without_a_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="time zone"):
        CHINA.end_of_working_day(1, datetime(2024, 9, 26))  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        end_of_calendar_day(1, datetime(2024, 9, 26))  # noqa: DTZ001


def test_nobody_counts_backwards() -> None:
    with pytest.raises(ValueError, match="forwards"):
        CHINA.end_of_working_day(-1, noon(2024, 9, 26))


def test_a_calendar_that_contradicts_itself_is_not_born() -> None:
    day = frozenset({date(2024, 1, 1)})
    with pytest.raises(ValueError, match="never be looked up"):
        Calendar(years={2025: Year(days_off=day, days_worked=frozenset())})
    with pytest.raises(ValueError, match="both"):
        Calendar(years={2024: Year(days_off=day, days_worked=day)})


@pytest.mark.parametrize(
    ("day", "later"),
    [
        (date(2024, 1, 31), date(2024, 2, 29)),
        (date(2023, 1, 29), date(2023, 2, 28)),
        (date(2023, 2, 28), date(2023, 3, 28)),
        (date(2023, 12, 31), date(2024, 1, 31)),
        (date(2024, 3, 31), date(2024, 4, 30)),
    ],
)
def test_a_month_ends_with_the_month(day: date, later: date) -> None:
    assert one_month_after(day) == later


def test_a_leap_day_has_its_anniversary_on_the_28th() -> None:
    leap_day = date(2024, 2, 29)
    assert [years_after(leap_day, count) for count in (1, 4, -1)] == [
        date(2025, 2, 28),
        date(2028, 2, 29),
        date(2023, 2, 28),
    ]
    assert years_after(date(2023, 2, 28), 1) == date(2024, 2, 28)


@given(days)
def test_a_month_later_is_in_the_next_month_and_never_beyond(day: date) -> None:
    later = one_month_after(day)
    assert 28 <= (later - day).days <= 31
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == 1
    assert later.day == day.day or (later + timedelta(days=1)).day == 1


@given(published_days, st.integers(1, 60))
def test_a_deadline_falls_on_a_working_day_with_that_many_worked(day: date, count: int) -> None:
    last = CHINA.end_of_working_day(count, morning_of(day)).at.date() - timedelta(days=1)
    between = [day + timedelta(days=n) for n in range(1, (last - day).days + 1)]
    assert CHINA.is_worked(last)
    assert sum(map(CHINA.is_worked, between)) == count


@given(published_days, st.integers(0, 30), st.integers(0, 30))
def test_counting_in_two_steps_comes_to_the_same(day: date, first: int, then: int) -> None:
    halfway = CHINA.end_of_working_day(first, morning_of(day)).at - timedelta(seconds=1)
    assert CHINA.end_of_working_day(then, halfway) == CHINA.end_of_working_day(first + then, morning_of(day))


@given(published_days, st.integers(0, 86_399), st.integers(0, 30))
def test_the_hour_of_the_call_does_not_matter(day: date, seconds: int, count: int) -> None:
    moment = morning_of(day) + timedelta(seconds=seconds)
    assert CHINA.end_of_working_day(count, moment) == CHINA.end_of_working_day(count, morning_of(day))


@given(days)
def test_rolling_forward_stops_at_the_first_day_worked(day: date) -> None:
    rolled = CHINA.first_worked_from(day)
    assert CHINA.is_worked(rolled)
    assert not any(CHINA.is_worked(day + timedelta(days=n)) for n in range((rolled - day).days))
    assert CHINA.first_worked_from(rolled) == rolled


def test_the_published_calendar_takes_weekdays_off_and_works_weekends() -> None:
    for year, data in DATA.items():
        assert str(year) in data["source"]
        assert all(day.weekday() < 5 for day in data["days_off"])
        assert all(day.weekday() >= 5 for day in data["days_worked"])
        assert data["days_off"] == sorted(set(data["days_off"]))
        assert data["days_worked"] == sorted(set(data["days_worked"]))
    assert sorted(DATA) == list(range(2012, 2027))
