"""Every step has its words in every language of every city, or the city does not start."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.citypack import CityPack, CityPacks, PackUnfit, load_packs
from services.ids import HoldingId
from services.notice.adapters.texts import PackTexts, local, steps_of
from services.notice.domain.events import Details, Step
from services.notice.domain.naming import notice_id
from services.notice.domain.state import Errand
from tests.services.notice.town import HOLDING, MORNING

PACKS = load_packs(Path(__file__).parents[3] / "deploy")
UNTIL = datetime(2026, 12, 31, 16, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 10, 9, 16, tzinfo=UTC)


def errand(step: Step, city: str = "330900", outlet: str = "zs-hall") -> Errand:
    holding = HoldingId(HOLDING.replace("330900", city))
    details = Details(outlet=outlet, until=UNTIL, reason="照片", tracking="EX123456789CN")
    return Errand(notice_id=notice_id(holding, step), holding_id=holding, step=step, details=details, at=MORNING)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    ("pack", "step"), [pytest.param(pack, step, id=f"{pack.name}-{step}") for pack in PACKS for step in steps_of(pack)]
)
def test_every_step_can_be_told(pack: CityPack, step: Step, language: str) -> None:
    for programme in (*pack.programmes, ""):
        used, text = PackTexts(PACKS).write(errand(step, pack.code), language, programme)
        assert used == language
        assert not {"{", "}", "None"} & set(text.split())
        assert 20 < len(text) < 400


@pytest.mark.requirement("R111")
@pytest.mark.parametrize(
    ("city", "programme", "zh", "en"),
    [
        ("320200", "resident-id", "您的居民身份证已到", "Your resident ID card is ready at"),
        ("320200", "residence-permit", "您的居住证已到", "Your residence permit is ready at"),
        ("320200", "social-security-card", "您的社会保障卡已到", "Your social security card is ready at"),
        ("330100", "foreign-talent-card", "您的外国人才卡已到", "Your foreign talent card is ready at"),
        ("330900", "", "您的卡片已到", "Your card is ready at"),
    ],
)
def test_a_text_calls_the_card_by_the_name_of_its_programme(city: str, programme: str, zh: str, en: str) -> None:
    texts = PackTexts(PACKS)
    assert zh in texts.write(errand(Step.CARD_ARRIVED, city), "zh", programme)[1]
    assert en in texts.write(errand(Step.CARD_ARRIVED, city), "en", programme)[1]


@pytest.mark.parametrize("pack", list(PACKS), ids=lambda pack: pack.name)
def test_no_text_names_a_programme_that_may_be_another_one(pack: CityPack) -> None:
    names = {pack.named("programme", one)[language] for one in pack.programmes for language in ("zh", "en")}
    for step, said in pack.files["notices"].items():
        for text in said.values():
            body = text.partition("】")[2] or text.partition("]")[2]
            assert not [name for name in names if name in body], step


def test_a_programme_without_a_name_is_a_fault_of_the_pack() -> None:
    pack = replace(PACKS["330900"], words={})
    with pytest.raises(PackUnfit, match="citizen-card has no name; add it in zh and en"):
        PackTexts(CityPacks([pack]))


def test_an_outlet_bears_its_name_in_the_language_of_the_text() -> None:
    texts = PackTexts(PACKS)
    assert "舟山市民卡服务厅" in texts.write(errand(Step.CARD_ARRIVED), "zh")[1]
    assert "Zhoushan Citizen Card Hall" in texts.write(errand(Step.CARD_ARRIVED), "en")[1]
    assert "zs-closed" in texts.write(errand(Step.CARD_ARRIVED, outlet="zs-closed"), "en")[1]


def test_whoever_waits_for_the_post_is_told_the_number_of_the_item() -> None:
    for language in ("zh", "en"):
        assert "EX123456789CN" in PackTexts(PACKS).write(errand(Step.CARD_MAILED), language)[1]


def test_a_city_that_endorses_no_card_needs_no_words_for_it_and_another_does() -> None:
    assert steps_of(PACKS["320200"]) - steps_of(PACKS["330900"]) == {
        Step.ENDORSEMENT_NEAR, Step.ENDORSEMENT_MISSED, Step.CARD_ENDORSED, Step.ENDORSEMENT_TAKEN_BACK,
    }  # fmt: skip
    pack = PACKS["320200"]
    texts = {step: said for step, said in pack.files["notices"].items() if step != "card-endorsed"}
    with pytest.raises(PackUnfit, match="card-endorsed has no text in zh"):
        PackTexts(CityPacks([replace(pack, files=dict(pack.files) | {"notices": texts})]))


def test_a_moment_of_another_year_bears_its_year() -> None:
    told = replace(errand(Step.CARD_ENDORSED, "320200"), details=Details(until=NEXT_YEAR))
    zh, en = (PackTexts(PACKS).write(told, language, "residence-permit")[1] for language in ("zh", "en"))
    assert zh == "【无锡】您的居住证已于10月8日09:00签注，有效期至2027年10月9日24:00。"
    assert en.endswith("was endorsed at 09:00 on 8 October and is valid until 24:00 on 9 October 2027.")
    assert local(UNTIL, "zh", told_at=MORNING) == "12月31日24:00"  # It is 1 January on the clock.


def test_midnight_belongs_to_the_day_that_it_ends() -> None:
    assert local(UNTIL, "zh") == "12月31日24:00"
    assert local(UNTIL, "en") == "24:00 on 31 December"
    assert local(MORNING, "zh") == "10月8日09:00"


def without(step: str) -> Callable[[dict[str, Any]], None]:
    return lambda texts: texts.pop(step)


def mute(texts: dict[str, Any]) -> None:
    del texts["card-arrived"]["en"]


def misspelt(texts: dict[str, Any]) -> None:
    texts["card-arrived"]["zh"] = "请于{untill}前领取"


def ignorant(texts: dict[str, Any]) -> None:
    texts["card-expired"]["en"] = "Fetch it at {outlet}."


def foreign(texts: dict[str, Any]) -> None:
    texts["card-arived"] = {"zh": "…", "en": "…"}


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (without("lapse-near"), "lapse-near has no text in zh; lapse-near has no text in en"),
        (mute, "card-arrived has no text in en"),
        (misspelt, "card-arrived in zh names untill"),
        (ignorant, "card-expired in en names outlet"),
        (foreign, "card-arived is no step"),
        (dict.clear, "card-arrived has no text in zh"),
    ],
)
def test_a_city_that_lacks_a_text_does_not_start(spoil: Callable[[dict[str, Any]], Any], fault: str) -> None:
    pack = PACKS["330900"]
    texts = deepcopy(pack.files["notices"])
    spoil(texts)
    with pytest.raises(PackUnfit, match=f"zhoushan: notices.yaml: .*{fault}"):
        PackTexts(CityPacks([replace(pack, files={**pack.files, "notices": texts})]))


def test_a_city_without_texts_does_not_start() -> None:
    pack = PACKS["330900"]
    files = {name: data for name, data in pack.files.items() if name != "notices"}
    with pytest.raises(PackUnfit, match="the file is missing or empty"):
        PackTexts(CityPacks([replace(pack, files=files)]))
