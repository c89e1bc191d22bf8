"""What a refusal says in Chinese has the details that the refusal has, whichever service says no."""

import string
from pathlib import Path

import pytest

from libs.kernel import Refused, refusal_code
from libs.runtime.citypack import CityPack, load_packs
from libs.runtime.cli import SERVICES
from libs.testing.refusals import refusals_of

PACKS = list(load_packs(Path(__file__).parents[2] / "deploy"))
PACKAGES = ("libs.kernel", "libs.web", *(f"services.{one}" for one in SERVICES))
ALL = sorted(
    {kind for package in PACKAGES for kind in refusals_of(package)},
    key=lambda kind: (kind.__module__, kind.__name__),
)


def details(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_a_chinese_sentence_names_no_detail_that_its_refusal_lacks(pack: CityPack) -> None:
    lacking = {
        f"{kind.__module__}.{kind.__name__}": extra
        for kind in ALL
        if (sentence := pack.named("refusal", refusal_code(kind)).zh) != refusal_code(kind)
        and (extra := details(sentence) - details(kind.__doc__ or ""))
    }
    assert lacking == {}


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_a_chinese_sentence_is_of_a_refusal_that_somebody_can_hear(pack: CityPack) -> None:
    codes = {refusal_code(kind) for kind in ALL}
    spoken = set(pack.words.get("refusal", {})) | set(pack.files["city"].get("words", {}).get("refusal", {}))
    assert spoken
    assert spoken <= codes


def test_every_service_refuses_something() -> None:
    assert all(issubclass(kind, Refused) for kind in ALL)
    assert {kind.__module__.split(".")[1] for kind in ALL} >= set(SERVICES)
