"""Anybody may ask what a trip costs, and is told the rule of its day: the city's vectors, through the real doors."""

from typing import Any

import pytest

from libs.testing.town import Town
from libs.web.tokens import NOBODY
from tests.platform import ZHOUSHAN

BUS = {"city": ZHOUSHAN, "service": "bus"}
CODE = BUS | {"product": "code", "first_top_up_fen": "5000"}
NOON = "2026-09-29T12:00:00+08:00"
RUSH = "2026-09-29T07:30:00+08:00"


async def asked(town: Town, expect: Any = 200, **trip: str) -> dict[str, Any]:
    answer = await town.call(NOBODY, "GET", "/v1/fares/citizen-card", params=BUS | trip)
    assert answer.status_code == expect, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_a_ride_from_the_purse_costs_91_percent_and_says_by_which_rule(town: Town) -> None:
    told = await asked(town, at=NOON)
    assert (told["base_fen"], told["fen"], told["steps"]) == (200, 182, [{"rule": "product", "off_fen": 18}])
    assert [ground["rule"] for ground in told["why"]["grounds"]] == [
        "citizen-card/fares.tariffs#bus",
        "citizen-card/fares.products#purse",
    ]
    assert "应付1.82元" in told["why"]["text"]["zh"]
    assert "1.82 yuan to pay" in told["why"]["text"]["en"]


@pytest.mark.parametrize(
    ("total", "base", "fen"), [("4999", 200, 180), ("5000", 200, 140), ("9999", 200, 140), ("10000", 200, 100)]
)
async def test_the_more_one_has_ridden_this_month_the_less_the_next_trip_costs(
    town: Town, total: str, base: int, fen: int
) -> None:
    told = await asked(town, **CODE, at=NOON, month_total_fen=total)
    assert (told["base_fen"], told["fen"], told["counts_fen"]) == (base, fen, fen)
    assert (await asked(town, **CODE | {"first_top_up_fen": "4999"}, month_total_fen=total))["fen"] == base


async def test_the_second_vehicle_within_the_window_costs_less_once(town: Town) -> None:
    before = {"before_service": "bus", "before_vehicle": "7", "vehicle": "8", "service": "ferry"}
    told = await asked(town, **before, at="2026-09-29T13:30:00+08:00", before_at=NOON)
    assert (told["fen"], told["transferred"]) == (255, True)  # 500 fen, 91 %, less 200.
    late = await asked(town, **before, at="2026-09-29T13:30:01+08:00", before_at=NOON)
    assert (late["fen"], late["transferred"]) == (455, False)
    used = await asked(town, **before, at="2026-09-29T12:30:00+08:00", before_at=NOON, before_transferred="true")
    assert used["fen"] == 455


async def test_a_concession_depends_on_the_hour_of_entry_and_is_never_added_to_a_discount(town: Town) -> None:
    assert (await asked(town, at=NOON, concession="over_70"))["fen"] == 0
    rush = await asked(town, at=RUSH, concession="over_70")
    assert (rush["fen"], rush["steps"]) == (100, [{"rule": "over_70", "off_fen": 100}])
    assert "citizen-card/fares.peak" in [ground["rule"] for ground in rush["why"]["grounds"]]


METRO = {"city": "330100", "service": "metro"}


@pytest.mark.parametrize(("metres", "fen"), [("4000", 200), ("4001", 300), ("9650", 400), ("24001", 700)])
async def test_a_longer_way_by_metro_costs_more(town: Town, metres: str, fen: int) -> None:
    assert (await asked(town, **METRO, at=NOON, distance_m=metres))["base_fen"] == fen


async def test_the_city_s_own_example_of_the_ladder(town: Town) -> None:
    code = METRO | {"product": "code", "first_top_up_fen": "5000", "distance_m": "9650", "at": NOON}
    assert (await asked(town, **code, month_total_fen="4900"))["fen"] == 360
    assert (await asked(town, **code, month_total_fen="5260"))["fen"] == 280


async def test_a_trip_whose_end_nobody_knows_has_a_price_of_its_own_until_the_rider_says_where_it_was(
    town: Town,
) -> None:
    unknown = await asked(town, **METRO, at=NOON)
    assert (unknown["fen"], unknown["incomplete"]) == (900, True)
    assert "行程不完整" in unknown["why"]["text"]["zh"]
    claimed = METRO | {"at": NOON, "distance_m": "9650"}
    told = await asked(town, **claimed, claimed_at="2026-10-29T12:00:00+08:00")
    assert (told["fen"], told["incomplete"]) == (364, False)
    assert (await asked(town, 409, **claimed, claimed_at="2026-10-30T00:00:00+08:00"))["code"] == "claim-too-late"


async def test_a_ride_on_credit_is_taken_once_and_bounded(town: Town) -> None:
    ride = METRO | {"at": NOON, "distance_m": "4000"}
    assert (await asked(town, **ride, balance_fen="0"))["left_fen"] == -182
    assert (await asked(town, 409, **ride, balance_fen="-182"))["code"] == "debt-open"


async def test_what_is_left_afterwards_is_told_if_the_balance_is(town: Town) -> None:
    assert (await asked(town, at=NOON, balance_fen="200"))["left_fen"] == 18


@pytest.mark.parametrize(
    ("trip", "status", "code"),
    [
        (METRO | {"distance_m": "400000"}, 409, "above-the-ceiling"),
        (METRO | {"product": "monthly", "line": "1", "distance_m": "1"}, 409, "line-not-covered"),
        ({"service": "tram"}, 404, "service-without-tariff"),
        ({"product": "iou"}, 404, "product-unknown"),
        ({"distance_m": "-1"}, 422, "distance-impossible"),
        ({"distance_m": "500001"}, 422, "distance-impossible"),
        ({"balance_fen": "181"}, 409, "balance-short"),
        ({"balance_fen": "-1"}, 409, "debt-open"),
        ({"city": "330200"}, 404, "no-fares"),
        ({"at": "1999-01-01T00:00:00+08:00"}, 404, "no-fares"),
        ({"at": "2026-09-29T12:00:00"}, 422, "request-invalid"),
        ({"balance_fen": "1.5"}, 422, "request-invalid"),
        (
            CODE | {"vehicle": "7", "before_service": "bus", "before_vehicle": "7", "before_at": NOON, "at": NOON},
            409,
            "same-vehicle-again",
        ),
    ],
)
async def test_what_has_no_price_is_refused_with_a_reason(
    town: Town, trip: dict[str, str], status: int, code: str
) -> None:
    assert (await asked(town, status, **({"at": NOON} | trip)))["code"] == code


async def test_what_is_no_programme_with_fares_is_told_which_are(town: Town) -> None:
    answer = await town.call(NOBODY, "GET", "/v1/fares/library-card", params=BUS)
    assert (answer.status_code, answer.json()["code"]) == (404, "no-fares")
    assert "citizen-card" in answer.json()["detail"]
