"""Every kind of document with every slip: refused with its place and what to do, and nothing is half done."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.kernel.checkdigits import mod_11_2, mrz
from libs.runtime.cli import build_services
from libs.runtime.house import House
from libs.testing.town import Town, memory_platform, town_settings, within_earshot
from services.identity.domain.documents import Kind
from tests.platform import BEGINS, CLERK

CITIZENS = (Kind.ID_CARD, Kind.HOUSEHOLD_BOOK, Kind.RESIDENCE_PERMIT)
BEGINNINGS = dict.fromkeys(CITIZENS, "330102") | {
    Kind.RESIDENCE_PERMIT_HMT: "810000",
    Kind.FOREIGNER_PERMANENT_RESIDENCE: "933840",
}
"""The first six digits, of all kinds whose numbers are built like a citizen's."""


def number(kind: Kind, born: str = "19900101") -> str:
    """A number of this kind that checks, and ends in an X where one can be found."""
    bodies = [f"{BEGINNINGS[kind]}{born}{sequence:03}" for sequence in range(1, 100)]
    return next((body + "X" for body in bodies if mod_11_2(body) == "X"), bodies[0] + mod_11_2(bodies[0]))


def another_check(right: str) -> str:
    return right[:-1] + ("1" if right[-1] != "1" else "2")


SLIPS: list[tuple[str, Kind, str, str, str]] = [
    (slip, kind, wrong, code, remedy)
    for kind in BEGINNINGS
    for slip, wrong, code, remedy in (
        ("check", another_check(number(kind)), "check-character-wrong", "Compare it with the document"),
        ("future", number(kind, "20991231"), "birth-date-ahead", "compare its digits with the document"),
        ("no such day", number(kind, "19900231"), "birth-date-unreal", "compare its digits with the document"),
        ("too old", number(kind, "18500101"), "birth-date-too-long-ago", "compare its digits with the document"),
        ("cut short", number(kind)[:-1], "number-misshapen", "copy it from the document"),
        ("a letter", number(kind)[:8] + "O" + number(kind)[9:], "number-misshapen", "copy it from the document"),
    )
] + [
    ("check of 2017", Kind.FOREIGNER_PERMANENT_RESIDENCE, another_check("FRA11009001011" + mrz("FRA11009001011")),
     "check-character-wrong", "Compare it with the document"),
    ("no such day, 2017", Kind.FOREIGNER_PERMANENT_RESIDENCE, "FRA11009002311" + mrz("FRA11009002311"),
     "birth-date-unreal", "compare its digits with the document"),
    ("too short", Kind.PASSPORT, "E123", "number-misshapen", "copy it from the document"),
    ("no digit", Kind.PASSPORT, "PASSPORT", "number-misshapen", "copy it from the document"),
    ("too short", Kind.HK_MACAU_PERMIT, "H123456", "number-misshapen", "copy it from the document"),
    ("another kind", Kind.HK_MACAU_PERMIT, "X12345678", "kind-mistaken", "choose the document"),
    ("too short", Kind.TAIWAN_PERMIT, "1234567", "number-misshapen", "copy it from the document"),
]  # fmt: skip
GOOD = {kind: number(kind) for kind in BEGINNINGS} | {
    Kind.PASSPORT: "E12345678",
    Kind.HK_MACAU_PERMIT: "H12345678",
    Kind.TAIWAN_PERMIT: "12345678",
}
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


@pytest.fixture(scope="module")
async def counter(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    platform = memory_platform(town_settings(tmp_path_factory.mktemp("home")), BEGINS)
    async with within_earshot(House(platform, build_services(platform, ["identity"]))) as town:
        yield town


def shown(kind: Kind, typed: str) -> dict[str, Any]:
    issuer = {"issuer": "USA"} if kind is Kind.PASSPORT else {}
    birth = {} if kind in BEGINNINGS else {"birth": "1990-01-01"}
    document = {"kind": kind.value, "number": typed} | issuer
    return {"document": document, "name": "林小舟", "mobile": "13800005678"} | birth


async def written(town: Town) -> int:
    return sum((await town.house.households[0].store.ends()).values())


@pytest.mark.parametrize(("slip", "kind", "typed", "code", "remedy"), SLIPS, ids=[f"{s[1]}: {s[0]}" for s in SLIPS])
async def test_a_slip_is_told_with_its_place_and_what_to_do(
    counter: Town, slip: str, kind: Kind, typed: str, code: str, remedy: str
) -> None:
    before = await written(counter)
    told = await counter.post(CLERK, "/v1/persons", shown(kind, typed), expect=422)
    assert told["code"] == code, slip
    assert "number" in told["detail"]
    assert remedy in told["detail"]
    assert typed not in str(told)
    assert await written(counter) == before


@pytest.mark.parametrize("kind", Kind)
async def test_small_letters_and_full_width_digits_are_read_as_they_are_meant(counter: Town, kind: Kind) -> None:
    right = GOOD[kind]
    ids = {
        (await counter.post(CLERK, "/v1/persons", shown(kind, typed)))["person_id"]
        for typed in (right, right.lower(), right.translate(WIDE), right.lower().translate(WIDE), f" {right} ")
    }
    assert len(ids) == 1


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in BEGINNINGS])
@pytest.mark.parametrize(
    ("birth", "code", "remedy"),
    [
        ("2099-12-31", "birth-date-implausible", "compare it with the document"),
        ("1850-01-01", "birth-date-implausible", "compare it with the document"),
        ("1990-02-31", "request-invalid", "there is no such day"),
        ("", "request-invalid", "/birth"),
        (None, "birth-date-needed", "birth"),
    ],
)
async def test_a_birthday_that_the_number_does_not_tell_is_asked_for_and_looked_at(
    counter: Town, kind: Kind, birth: str | None, code: str, remedy: str
) -> None:
    before = await written(counter)
    typed = shown(kind, GOOD[kind]) | {"birth": birth}
    told = await counter.post(CLERK, "/v1/persons", typed, expect=422)
    assert (told["code"], remedy in str(told)) == (code, True), told
    assert await written(counter) == before


def test_no_kind_is_forgotten() -> None:
    assert {slip[1] for slip in SLIPS} == set(Kind) == set(GOOD)
    assert sum(right.endswith("X") for right in GOOD.values()) == len(BEGINNINGS)
