"""What two cities have decided about losses, to the hour."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.kernel import Deadline
from libs.kernel.calendar import Calendar
from libs.runtime.citypack import CityPack, CityPacks, PackUnfit, load_packs
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.bylaw import ElectronicForm, LiftAt, OnLapse, Unit, Window
from services.loss.domain.commands import Place
from services.loss.domain.decider import LiftElsewhere, WrongPlace, loss_desk
from tests.services.loss.desk_drawer import (
    BYLAWS,
    COVERED,
    HOTLINE,
    NIGHT,
    WUXI,
    ZHOUSHAN,
    a_call,
    given,
    issued,
    lift,
    shanghai,
    sign,
    signed,
    to_be_lifted,
    under,
)

NEW_YEAR = shanghai(12, 30, 10)
LIANGXI = Place(outlet="wx-boc-liangxi", kind="bank")
BINHU = Place(outlet="wx-boc-binhu", kind="bank")
PACKS = load_packs(Path(__file__).parents[3] / "deploy")


def amended(edit: Any) -> LossBylaws:
    """Zhoushan's bylaws with other words in them."""
    packs: list[CityPack] = []
    for pack in PACKS:
        files: Any = deepcopy(dict(pack.files))
        if pack.code == ZHOUSHAN:
            edit(files["citizen-card/loss"])
        packs.append(replace(pack, files=files))
    return LossBylaws(CityPacks(packs))


def test_zhoushan_waits_five_working_days_and_the_national_day_holiday_does_not_count() -> None:
    # 29 and 30 September, 8 and 9 October, and the Saturday that is worked for the holiday: 10 October.
    assert under(ZHOUSHAN).pre_report_ends(NIGHT) == Deadline(at=shanghai(10, 10, 24))


def test_wuxi_waits_seven_calendar_days() -> None:
    assert under(WUXI).pre_report_ends(NIGHT) == Deadline(at=shanghai(10, 5, 24))


def test_an_hour_is_told_in_utc() -> None:
    for city in (ZHOUSHAN, WUXI):
        assert under(city).pre_report_ends(NIGHT).at.tzinfo is UTC


def test_days_end_at_midnight_in_shanghai_whatever_the_hour_of_the_call() -> None:
    calls = (shanghai(9, 28), shanghai(9, 28, 23, 15), shanghai(9, 28, 24) - timedelta(milliseconds=1))
    assert {under(ZHOUSHAN).pre_report_ends(call).at for call in calls} == {shanghai(10, 10, 24)}
    assert under(ZHOUSHAN).pre_report_ends(shanghai(9, 28, 24)).at == shanghai(10, 12, 24)


def test_hours_are_counted_exactly() -> None:
    jiangyin = replace(under(WUXI), window=Window(count=72, unit=Unit.HOURS))
    assert jiangyin.pre_report_ends(NIGHT) == Deadline(at=NIGHT + timedelta(hours=72))


def test_zhoushan_says_that_an_hour_in_a_year_without_a_calendar_is_provisional() -> None:
    assert under(ZHOUSHAN).pre_report_ends(NEW_YEAR).provisional
    assert not under(ZHOUSHAN).pre_report_ends(shanghai(12, 21, 10)).provisional


def test_no_call_is_turned_away_for_want_of_a_calendar() -> None:
    assert under(WUXI).pre_report_ends(NEW_YEAR) == Deadline(at=shanghai(1, 6, 24, year=2027))
    counted = replace(under(WUXI), window=Window(count=5, unit=Unit.WORKING_DAYS))
    assert counted.pre_report_ends(NEW_YEAR).provisional


def test_the_five_working_days_of_the_regulation_s_own_example() -> None:
    assert under(ZHOUSHAN).pre_report_ends(shanghai(9, 26, 10, year=2024)).at == shanghai(10, 9, 24, year=2024)


@pytest.mark.parametrize("count", [0, -1, 401])
def test_a_window_has_limits(count: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 400"):
        Window(count=count, unit=Unit.DAYS)


def test_neither_city_lets_an_unsigned_call_end_a_card() -> None:
    for city in (ZHOUSHAN, WUXI):
        assert (under(city).on_lapse, under(city).warn_hours_before) == (OnLapse.WAKE, 24)


def test_zhoushan_stops_the_same_functions_by_telephone_and_in_writing() -> None:
    ours = under(ZHOUSHAN)
    assert tuple(covered.function for covered in ours.pre_report_covers) == COVERED
    assert ours.pre_report_covers == ours.written_report_covers


def test_in_wuxi_the_telephone_does_not_reach_the_bank() -> None:
    theirs = under(WUXI)
    by_telephone, in_writing = set(theirs.pre_report_covers), set(theirs.written_report_covers)
    assert {covered.function for covered in in_writing - by_telephone} == {"bank_debit"}
    assert by_telephone < in_writing


def test_the_offline_purse_is_cash_and_cannot_be_reported() -> None:
    for city in (ZHOUSHAN, WUXI):
        ours = under(city)
        assert "epurse" not in {covered.function for covered in ours.pre_report_covers + ours.written_report_covers}


def test_zhoushan_lifts_at_any_outlet_and_wuxi_where_it_was_signed() -> None:
    assert (under(ZHOUSHAN).lift_at, under(WUXI).lift_at) == (LiftAt.ANY_OUTLET, LiftAt.ACCEPTING_OUTLET)
    signed_in_wuxi = replace(signed, outlet=LIANGXI.outlet)
    at_binhu = replace(lift, under=under(WUXI), place=BINHU, card_shown=True)
    given(issued, signed_in_wuxi).when(at_binhu).refused(LiftElsewhere)
    given(issued, signed_in_wuxi).when(replace(at_binhu, place=Place(outlet="wx-hall", kind="hall"))).refused(
        WrongPlace
    )
    given(issued, signed_in_wuxi).when(replace(at_binhu, place=LIANGXI)).then(
        replace(to_be_lifted, outlet=LIANGXI.outlet, grounds=under(WUXI).grounds)
    )


def test_in_wuxi_only_the_bank_takes_a_signature() -> None:
    given(issued).when(replace(sign, under=under(WUXI), place=Place(outlet="wx-hall", kind="hall"))).refused(WrongPlace)


def test_where_an_act_takes_place() -> None:
    assert BYLAWS.place(ZHOUSHAN, "zs-hall") == Place(outlet="zs-hall", kind="hall")
    assert BYLAWS.place(ZHOUSHAN, "") == HOTLINE
    assert BYLAWS.place(ZHOUSHAN, "wx-hall").kind == "hotline"


def test_a_new_value_holds_from_its_day_and_the_old_one_before() -> None:
    def shorten(loss: Any) -> None:
        value = {"count": 3, "unit": "working_days"}
        loss["pre_report_window"].insert(0, {"from": date(2027, 1, 1), "basis": "city order 99", "value": value})

    bylaws = amended(shorten)
    last = shanghai(12, 31, 24)
    assert bylaws.at(ZHOUSHAN, "citizen-card", last - timedelta(milliseconds=1)).window.count == 5
    assert bylaws.at(ZHOUSHAN, "citizen-card", last).window.count == 3
    assert bylaws.at(ZHOUSHAN, "citizen-card", NIGHT) == under(ZHOUSHAN)


def test_before_the_first_value_there_is_no_rule() -> None:
    with pytest.raises(PackUnfit, match="no value holds"):
        BYLAWS.at(ZHOUSHAN, "citizen-card", shanghai(3, 9, 12, year=2012))
    assert BYLAWS.at(ZHOUSHAN, "citizen-card", shanghai(3, 10, year=2012))


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ("pre_report_window", {"count": 5, "unit": "fortnights"}),
        ("on_lapse", {"then": "explode", "warn_hours_before": 24}),
        ("on_lapse", {"then": "wake", "warn_hours_before": -1}),
        ("lift", {"where": "any_outlet", "kinds": ["hall"], "by": "dog"}),
        ("pre_report_covers", [{"function": "medical", "after_hours": -1}]),
    ],
)
def test_a_pack_that_cannot_be_understood_is_not_served(leaf: str, value: Any) -> None:
    def spoil(loss: Any) -> None:
        loss[leaf][0]["value"] = value

    with pytest.raises(PackUnfit, match=f"zhoushan: citizen-card/loss.yaml, {leaf}"):
        amended(spoil)


def test_a_pack_without_a_value_is_not_served() -> None:
    with pytest.raises(PackUnfit, match="has no cancel_at"):
        amended(lambda loss: loss.pop("cancel_at"))


def test_both_cities_read_the_same_calendar() -> None:
    calendars: list[Calendar] = [under(city).calendar for city in (ZHOUSHAN, WUXI)]
    assert calendars[0].years == calendars[1].years
    assert [calendar.guess_unknown_years for calendar in calendars] == [True, True]


@pytest.mark.parametrize(
    ("programme", "form"),
    [
        ("residence-permit", ElectronicForm.STAYS),
        ("social-security-card", ElectronicForm.STOPS),
        ("resident-id", ElectronicForm.NONE),
    ],
)
def test_a_lost_card_stops_its_electronic_form_or_leaves_it_valid_as_its_programme_has_it(
    programme: str, form: ElectronicForm
) -> None:
    """Wuxi's notice on the electronic residence permit (5); the national electronic social security card follows."""
    rule = BYLAWS.at(WUXI, programme, NIGHT)
    police = Place(outlet="wx-police-liangxi", kind="police")
    place = police if "police" in rule.written_report_at else LIANGXI
    for reported in (replace(a_call, under=rule), replace(sign, under=rule, place=place)):
        facts = loss_desk.decide(reported, loss_desk.fold([issued]))
        assert facts
        assert {fact.electronic_form for fact in facts} == {form}  # type: ignore[union-attr]


def test_an_electronic_form_stops_or_stays_and_nothing_else() -> None:
    def edit(rules: Any) -> None:
        rules["electronic_form"] = [{"from": date(2012, 3, 10), "basis": "x", "value": "sleeps"}]

    with pytest.raises(PackUnfit, match="electronic_form"):
        amended(edit)
