"""What two cities have decided about issuing cards, to the hour."""

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from libs.kernel import CalendarUnknown, Deadline
from libs.runtime.citypack import CityPacks, PackUnfit
from services.issuance.adapters.bylaws import IssuanceBylaws, OutletUnknown, ProgrammeUnknown, standard
from services.issuance.domain.bylaw import Activation, Opens, Promise, PromiseUnit
from services.issuance.domain.portrait import ID_CARD, SOCIAL_CARD
from tests.services.issuance.card_drawer import (
    ARRIVED,
    ASKED,
    BYLAWS,
    FETCHED,
    KEPT_UNTIL,
    PACKS,
    PROMISED,
    TAKEN_IN,
    VALID_TO,
    WUXI,
    ZHOUSHAN,
    shanghai,
    under,
)


def test_zhoushan_promises_a_card_in_a_month_and_holidays_postpone_it() -> None:
    assert under(ZHOUSHAN).promised_by(TAKEN_IN) == Deadline(at=shanghai(10, 8, 24))
    assert shanghai(10, 8, 24) == PROMISED
    # The regulation's own example: 10 February 2024 is the first day of the Spring Festival, Sunday the 18th is worked.
    assert under(ZHOUSHAN).promised_by(shanghai(1, 10, 9, year=2024)).at == shanghai(2, 18, 24, year=2024)


def test_a_month_after_the_last_of_january_is_the_last_of_february() -> None:
    assert under(ZHOUSHAN).promised_by(shanghai(1, 29, 9, year=2024)).at == shanghai(2, 29, 24, year=2024)


def test_wuxi_promises_a_card_in_25_working_days() -> None:
    # 21 days in September (Sunday the 20th is worked, the 25th is off), then 8, 9, 10 and 12 October.
    assert under(WUXI).promised_by(TAKEN_IN) == Deadline(at=shanghai(10, 12, 24))


def test_the_hour_of_the_day_does_not_matter() -> None:
    for city in (ZHOUSHAN, WUXI):
        last = shanghai(9, 1, 24) - timedelta(milliseconds=1)
        assert under(city).promised_by(shanghai(9, 1)) == under(city).promised_by(last)


def test_zhoushan_says_when_it_guesses_and_wuxi_does_not_guess() -> None:
    assert under(ZHOUSHAN).promised_by(shanghai(12, 10, 9)).provisional
    assert not under(ZHOUSHAN).promised_by(shanghai(11, 10, 9)).provisional
    with pytest.raises(CalendarUnknown):
        under(WUXI).promised_by(shanghai(12, 10, 9))


def test_a_promise_in_calendar_days() -> None:
    days = replace(under(), promise=Promise(count=30, unit=PromiseUnit.DAYS))
    assert days.promised_by(TAKEN_IN) == Deadline(at=shanghai(10, 1, 24))
    rolled = replace(under(), promise=Promise(count=30, unit=PromiseUnit.DAYS, roll_to_working_day=True))
    assert rolled.promised_by(TAKEN_IN) == Deadline(at=shanghai(10, 8, 24))


@pytest.mark.parametrize(("count", "unit"), [(0, PromiseUnit.DAYS), (401, PromiseUnit.DAYS), (2, PromiseUnit.MONTHS)])
def test_a_promise_has_limits(count: int, unit: PromiseUnit) -> None:
    with pytest.raises(ValueError, match="a promise counts"):
        Promise(count=count, unit=unit)


def test_a_card_is_valid_for_ten_years_to_the_end_of_the_day() -> None:
    for city in (ZHOUSHAN, WUXI):
        assert under(city).valid_to(FETCHED) == VALID_TO
    assert under().valid_to(shanghai(2, 29, 10, year=2028)) == shanghai(2, 28, 24, year=2038)


def test_a_card_is_kept_for_180_days_and_an_answer_awaited_for_30() -> None:
    assert under().kept_until(ARRIVED) == KEPT_UNTIL
    assert under().supplement_until(TAKEN_IN) == shanghai(10, 1, 24)


def test_zhoushan_activates_at_the_counter_and_wuxi_leaves_it_to_the_holder() -> None:
    assert (under(ZHOUSHAN).activation, under(WUXI).activation) == (Activation.AT_HAND_OVER, Activation.BY_THE_HOLDER)


def test_which_documents_each_city_accepts() -> None:
    ours, theirs = under(ZHOUSHAN), under(WUXI)
    assert ours.documents == {"id_card", "household_book", "residence_permit", "temporary_residence_permit"}
    assert ours.collection_documents == {"id_card", "household_book", "residence_permit"}
    assert theirs.documents == {"id_card", "household_book", "passport"}
    assert theirs.collection_documents == {"id_card", "passport"}


def test_the_purse_and_the_bank_are_opened_apart() -> None:
    for city in (ZHOUSHAN, WUXI):
        opens = {entry.function: entry.opens for entry in under(city).catalogue}
        assert opens.pop("epurse") is Opens.WITH_THE_WALLET
        assert opens.pop("bank_debit") is Opens.AT_THE_BANK
        assert set(opens.values()) == {Opens.WITH_THE_CARD}


def test_each_city_has_its_portrait_standard() -> None:
    assert (standard(under(ZHOUSHAN)), standard(under(WUXI))) == (ID_CARD, SOCIAL_CARD)


def test_programmes_series_and_outlets() -> None:
    assert BYLAWS.programmes(ZHOUSHAN) == ["citizen-card"]
    assert BYLAWS.series(ZHOUSHAN, "citizen-card") == "330900-01"
    assert BYLAWS.series(WUXI, "social-security-card") == "320200-03"
    assert BYLAWS.outlet(ZHOUSHAN, "zs-hall") == "zs-hall"


def test_what_a_city_does_not_have_is_refused() -> None:
    for ask in (
        lambda: BYLAWS.at(ZHOUSHAN, "social-security-card", ASKED),
        lambda: BYLAWS.series(WUXI, "citizen-card"),
    ):
        with pytest.raises(ProgrammeUnknown):
            ask()
    for city, outlet in ((ZHOUSHAN, "wx-hall"), ("999999", "zs-hall"), (ZHOUSHAN, "")):
        with pytest.raises(OutletUnknown):
            BYLAWS.outlet(city, outlet)


def amended(edit: Any) -> IssuanceBylaws:
    """Zhoushan's bylaws with other words in them."""
    packs = []
    for pack in PACKS:
        files: Any = deepcopy(dict(pack.files))
        if pack.code == ZHOUSHAN:
            edit(files["citizen-card/programme"])
        packs.append(replace(pack, files=files))
    return IssuanceBylaws(CityPacks(packs))


def test_a_new_value_holds_from_its_day_and_the_old_one_before() -> None:
    def hand_out_only(programme: Any) -> None:
        entry = {"from": date(2027, 1, 1), "basis": "city order 99", "value": "by_the_holder"}
        programme["issuance"]["activation"].append(entry)

    bylaws, midnight = amended(hand_out_only), shanghai(12, 31, 24)
    before = bylaws.at(ZHOUSHAN, "citizen-card", midnight - timedelta(milliseconds=1))
    assert before.activation is Activation.AT_HAND_OVER
    assert bylaws.at(ZHOUSHAN, "citizen-card", midnight).activation is Activation.BY_THE_HOLDER


def test_a_pack_that_cannot_be_understood_is_not_served() -> None:
    with pytest.raises(PackUnfit, match=r"zhoushan: citizen-card/programme.yaml, issuance.activation"):
        amended(lambda programme: programme["issuance"]["activation"][0].update(value="by_magic"))
    with pytest.raises(PackUnfit, match=r"has no issuance.kept_days"):
        amended(lambda programme: programme["issuance"].pop("kept_days"))
