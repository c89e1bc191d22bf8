"""What a trip costs: the city's published examples, and what must hold for every trip."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import Refused
from libs.kernel.calendar import SHANGHAI
from libs.runtime.citypack import CityPack, CityPacks, PackUnfit, load_packs
from services.wallet.adapters.fares import FareBylaws
from services.wallet.domain.fares.bylaw import Concession, FareBylaw, Tariff
from services.wallet.domain.fares.fare import (
    AboveTheCeiling,
    BalanceShort,
    Before,
    Boarding,
    ClaimTooLate,
    DebtOpen,
    DistanceImpossible,
    LineNotCovered,
    ProductUnknown,
    Rider,
    SameVehicleAgain,
    ServiceWithoutTariff,
    base_fare,
    clear_debt,
    correct,
    percent_of,
    price,
    ride,
)

HERE = Path(__file__).parent
HANGZHOU = Path("deploy/cities/hangzhou/citizen-card/fares.yaml")
PACKS = load_packs(Path("deploy"))
CALENDAR = next(iter(PACKS)).calendar
HANGZHOU_FILE: dict[str, Any] = yaml.safe_load(HANGZHOU.read_text())


def hangzhou(change: Callable[[dict[str, Any]], None] = lambda _fares: None) -> FareBylaws:
    fares = yaml.safe_load(HANGZHOU.read_text())
    change(fares)
    pack = CityPack(
        name="hangzhou",
        code="330100",
        title={},
        hash="",
        folder=HERE,
        files={"city": {}, "card/fares": fares},
        calendar=CALENDAR,
    )
    return FareBylaws(CityPacks([pack]))


MONDAY_10 = datetime(2026, 9, 28, 10, tzinfo=SHANGHAI)
UNDER: FareBylaw = hangzhou().at("330100", "card", MONDAY_10)

bus = Boarding(service="bus", line="K7", vehicle="bus-1", at=MONDAY_10)
metro = Boarding(service="metro", line="1", vehicle="gate-9", at=MONDAY_10, distance_m=9_650)
purse = Rider(product="purse")
code = Rider(product="code", first_top_up_fen=5_000)


def at(hour: int, minute: int = 0, day: int = 28) -> datetime:
    return datetime(2026, 9, day, hour, minute, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("metres", "fen"),
    [
        (0, 200), (1, 200), (4_000, 200), (4_001, 300), (8_000, 300), (8_001, 400), (9_650, 400), (12_000, 400),
        (12_001, 500), (18_000, 500), (24_000, 600), (24_001, 700), (32_000, 700), (32_001, 800),
    ],
)  # fmt: skip
def test_the_metro_costs_two_yuan_to_four_kilometres_and_then_by_begun_stretches(metres: int, fen: int) -> None:
    assert base_fare(UNDER.tariffs["metro"], metres) == fen


def test_the_purse_pays_ninety_one_percent() -> None:
    assert price(bus, purse, UNDER).fen == 182
    assert percent_of(200, 91) == 182


def test_half_a_fen_is_rounded_up() -> None:
    assert percent_of(50, 91) == 46  # 45.5
    assert percent_of(1, 50) == 1
    assert percent_of(49, 91) == 45  # 44.59


def test_the_running_total_before_this_trip_decides_its_step() -> None:
    first = price(metro, replace(code, month_total_fen=4_900), UNDER)
    assert (first.fen, first.counts_fen) == (360, 360)
    second = price(metro, replace(code, month_total_fen=4_900 + first.counts_fen), UNDER)
    assert second.fen == 280


@pytest.mark.parametrize(("total", "fen"), [(0, 360), (4_999, 360), (5_000, 280), (9_999, 280), (10_000, 200)])
def test_the_ladder_steps_at_fifty_and_at_a_hundred(total: int, fen: int) -> None:
    assert price(metro, replace(code, month_total_fen=total), UNDER).fen == fen


def test_an_excluded_line_is_neither_discounted_nor_counted() -> None:
    trip = price(replace(bus, line="tourist-1"), replace(code, month_total_fen=20_000), UNDER)
    assert (trip.fen, trip.steps, trip.counts_fen) == (200, (), 0)


def test_who_first_topped_up_by_less_than_fifty_does_not_climb_the_ladder() -> None:
    assert price(bus, replace(code, first_top_up_fen=4_999), UNDER).fen == 200


def test_the_monthly_area_pays_half_and_only_on_listed_lines() -> None:
    monthly = Rider(product="monthly")
    assert price(bus, monthly, UNDER).fen == 100
    with pytest.raises(LineNotCovered):
        price(replace(bus, line="15"), monthly, UNDER)


@pytest.mark.parametrize(("gap_min", "off"), [(2, 0), (3, 1), (90, 1), (91, 0)])
def test_the_second_vehicle_is_cheaper_from_three_to_ninety_minutes(gap_min: int, off: int) -> None:
    before = Before(service="bus", vehicle="bus-2", at=bus.at - timedelta(minutes=gap_min))
    fare = price(bus, replace(purse, before=before), UNDER)
    assert fare.fen == (0 if off else 182)  # 1.82 is less than 2 CNY, so all of it is off.
    assert fare.transferred is bool(off)


def test_a_transfer_takes_at_most_two_yuan_off_a_longer_way() -> None:
    before = Before(service="bus", vehicle="bus-2", at=metro.at - timedelta(minutes=20))
    fare = price(metro, replace(purse, before=before), UNDER)
    assert [(step.rule, step.off_fen) for step in fare.steps] == [("product", 36), ("transfer", 200)]
    assert fare.fen == 164


def test_a_transfer_is_given_once_and_never_between_metro_trips() -> None:
    used = Before(service="bus", vehicle="bus-2", at=bus.at - timedelta(minutes=20), transferred=True)
    assert price(bus, replace(purse, before=used), UNDER).fen == 182
    rail = Before(service="metro", vehicle="gate-1", at=metro.at - timedelta(minutes=20))
    assert price(metro, replace(purse, before=rail), UNDER).fen == 364


def test_the_same_code_is_not_read_twice_on_one_vehicle_within_five_minutes() -> None:
    soon = Before(service="bus", vehicle="bus-1", at=bus.at - timedelta(minutes=4, seconds=59))
    with pytest.raises(SameVehicleAgain):
        price(bus, replace(code, before=soon), UNDER)
    assert price(bus, replace(code, before=replace(soon, at=bus.at - timedelta(minutes=5))), UNDER).fen == 180


def test_one_purse_may_pay_for_several_people_on_one_bus() -> None:
    a_moment_ago = Before(service="bus", vehicle="bus-1", at=bus.at - timedelta(seconds=3))
    assert price(bus, replace(purse, before=a_moment_ago), UNDER).fen == 182


@pytest.mark.parametrize(
    ("moment", "fen"),
    [
        (at(6, 59), 0), (at(7), 200), (at(8, 29), 200), (at(8, 30), 0), (at(17), 200), (at(18, 30), 0),
        (at(7, 30, day=27), 0),  # A Sunday that nobody works.
    ],
)  # fmt: skip
def test_over_seventy_rides_free_off_peak_and_for_half_in_peak(moment: datetime, fen: int) -> None:
    elder = replace(purse, concession=Concession.OVER_70)
    assert price(replace(metro, at=moment), elder, UNDER).fen == fen


def test_a_weekend_that_is_worked_has_its_peak() -> None:
    worked = sorted(CALENDAR.years[2026].days_worked)[0]
    moment = datetime(worked.year, worked.month, worked.day, 7, 30, tzinfo=SHANGHAI)
    assert price(replace(metro, at=moment), replace(purse, concession=Concession.OVER_70), UNDER).fen == 200


@pytest.mark.parametrize("who", [Concession.OVER_60, Concession.PUPIL])
def test_sixty_to_sixty_nine_and_pupils_pay_half_at_any_hour(who: Concession) -> None:
    assert price(replace(metro, at=at(7, 30)), replace(purse, concession=who), UNDER).fen == 200
    assert price(metro, replace(purse, concession=who), UNDER).fen == 200


def test_a_concession_and_a_product_do_not_add_up() -> None:
    pupil = replace(code, concession=Concession.PUPIL, month_total_fen=10_000)
    assert price(metro, pupil, UNDER).fen == 200


def test_a_trip_whose_end_nobody_recorded_is_an_entry_of_its_own() -> None:
    fare = price(replace(metro, distance_m=None), purse, UNDER)
    assert (fare.fen, fare.incomplete, fare.counts_fen) == (900, True, 0)


def test_an_incomplete_trip_is_corrected_when_its_end_becomes_known_in_time() -> None:
    entry = price(replace(metro, distance_m=None), purse, UNDER)
    assert correct(entry, metro, purse, metro.at + timedelta(days=30), UNDER).fen == 364
    with pytest.raises(ClaimTooLate):
        correct(entry, metro, purse, metro.at + timedelta(days=31), UNDER)


def test_a_complete_trip_is_not_corrected() -> None:
    fare = price(metro, purse, UNDER)
    assert correct(fare, replace(metro, distance_m=1), purse, metro.at, UNDER) == fare


def test_one_ride_may_end_below_zero_and_the_debt_comes_first() -> None:
    assert ride(100, 400, UNDER) == -300
    with pytest.raises(DebtOpen):
        ride(-300, 1, UNDER)
    assert clear_debt(-300, 5_000) == (300, 4_700)
    assert clear_debt(-300, 200) == (200, 0)
    assert clear_debt(700, 200) == (0, 200)


def test_the_ride_on_credit_is_bounded() -> None:
    assert ride(0, 1_000, UNDER) == -1_000
    with pytest.raises(BalanceShort):
        ride(0, 1_001, UNDER)
    with pytest.raises(BalanceShort):
        ride(199, 200, replace(UNDER, credit_max_fen=0))


def test_a_free_ride_is_possible_even_in_debt() -> None:
    assert ride(-300, 0, UNDER) == -300


def test_no_trip_costs_more_than_the_ceiling() -> None:
    with pytest.raises(AboveTheCeiling):
        price(replace(metro, distance_m=200_000), purse, UNDER)


@pytest.mark.parametrize("metres", [-1, 500_001])
def test_an_impossible_way_is_not_priced(metres: int) -> None:
    with pytest.raises(DistanceImpossible):
        price(replace(metro, distance_m=metres), purse, UNDER)


def test_what_the_tables_do_not_know_is_refused_by_name() -> None:
    with pytest.raises(ServiceWithoutTariff, match="balloon"):
        price(replace(bus, service="balloon"), purse, UNDER)
    with pytest.raises(ProductUnknown, match="shells"):
        price(bus, Rider(product="shells"), UNDER)


def test_a_new_edition_judges_only_its_own_time() -> None:
    early = datetime(2022, 1, 1, tzinfo=UTC)
    assert "code" not in hangzhou().at("330100", "card", early).products
    assert hangzhou().at("330100", "card", early).transfer is None


def test_every_city_has_fares_that_can_be_read() -> None:
    FareBylaws(PACKS).check()


def test_the_ceilings_of_a_city_are_told_with_their_days() -> None:
    assert ("metro", hangzhou()._dated["330100", "card"]["tariffs"][0].from_, 2_000) in hangzhou().ceilings(
        "330100", "card"
    )


@pytest.mark.parametrize(
    ("where", "wrong", "says"),
    [
        ("bus", {"base_fen": 200, "ceiling_fen": 100}, "between 0 and its ceiling"),
        ("bus", {"base_fen": 200, "ceiling_fen": 200_000}, "at most at 100000"),
        ("bus", {"base_fen": 200, "ceiling_fen": 300, "incomplete_fen": 400}, "an incomplete trip"),
        ("bus", {"base_fen": 200, "ceiling_fen": 300, "bands": [{"every_m": 1, "add_fen": 1, "until_m": 5}]}, "no end"),
    ],
)
def test_a_mistyped_tariff_is_refused_when_the_pack_is_checked(where: str, wrong: dict[str, Any], says: str) -> None:
    def mistype(fares: dict[str, Any]) -> None:
        fares["tariffs"][0]["value"][where] = wrong

    with pytest.raises(PackUnfit, match=says):
        hangzhou(mistype).check()


def test_an_hour_without_quotes_is_refused_with_the_remedy() -> None:
    def bare(fares: dict[str, Any]) -> None:
        fares["peak"][0]["value"][0]["from"] = 420

    with pytest.raises(PackUnfit, match="in quotes"):
        hangzhou(bare)


boardings = st.builds(
    Boarding,
    service=st.sampled_from(["bus", "metro"]),
    line=st.sampled_from(["K7", "tourist-1", "1"]),
    vehicle=st.sampled_from(["a", "b"]),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001
    distance_m=st.none() | st.integers(0, 60_000),
)
riders = st.builds(
    Rider,
    product=st.sampled_from(["purse", "code", "monthly"]),
    concession=st.sampled_from(Concession),
    month_total_fen=st.integers(0, 30_000),
    first_top_up_fen=st.integers(0, 10_000),
    before=st.none(),
)


@given(boardings, riders, st.none() | st.integers(0, 120), st.booleans())
def test_a_fare_is_never_below_zero_nor_above_its_ceiling_and_its_steps_add_up(
    trip: Boarding, rider: Rider, gap_min: int | None, transferred: bool
) -> None:
    if gap_min is not None:
        before = Before(service="bus", vehicle="a", at=trip.at - timedelta(minutes=gap_min), transferred=transferred)
        rider = replace(rider, before=before)
    try:
        fare = price(trip, rider, UNDER)
    except Refused:
        return
    assert 0 <= fare.fen <= UNDER.tariffs[trip.service].ceiling_fen
    assert fare.fen == fare.base_fen - sum(step.off_fen for step in fare.steps)
    assert all(step.off_fen > 0 for step in fare.steps)


@given(st.integers(0, 60_000), st.integers(0, 60_000))
def test_a_longer_way_is_never_cheaper(one: int, other: int) -> None:
    tariff: Tariff = UNDER.tariffs["metro"]
    short, long = sorted((one, other))
    assert base_fare(tariff, short) <= base_fare(tariff, long)


@given(st.integers(-1_000, 100_000), st.integers(0, 2_000))
def test_a_ride_never_goes_below_the_bound(balance: int, fare: int) -> None:
    try:
        left = ride(balance, fare, UNDER)
    except Refused:
        return
    assert left >= -UNDER.credit_max_fen
    assert balance - left == fare
