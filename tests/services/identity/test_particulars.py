"""What the counter takes down of a person, and what it sends back."""

from datetime import date

import pytest

from libs.kernel import Unfit
from services.identity.adapters.mobiles import MobileUnfit, e164
from services.identity.domain.documents import Document, Kind, read
from services.identity.domain.particulars import (
    BirthDateImplausible,
    BirthDateMismatch,
    BirthDateNeeded,
    age,
    born,
    mask_name,
)

TODAY = date(2026, 3, 2)


@pytest.fixture
def id_card() -> Document:
    return read(Kind.ID_CARD, "330902198512310024", TODAY)


@pytest.fixture
def passport() -> Document:
    return read(Kind.PASSPORT, "E12345678", TODAY, "USA")


def test_a_number_that_tells_the_birth_date_needs_no_other(id_card: Document) -> None:
    assert born(id_card, None, TODAY) == born(id_card, date(1985, 12, 31), TODAY) == date(1985, 12, 31)


def test_a_birth_date_that_contradicts_the_number_is_refused(id_card: Document) -> None:
    with pytest.raises(BirthDateMismatch):
        born(id_card, date(1985, 12, 30), TODAY)


def test_a_passport_needs_a_birth_date(passport: Document) -> None:
    assert born(passport, date(1990, 1, 1), TODAY) == date(1990, 1, 1)
    with pytest.raises(BirthDateNeeded):
        born(passport, None, TODAY)


@pytest.mark.parametrize("birth", [date(2026, 3, 3), date(1870, 1, 1)])
def test_nobody_is_born_tomorrow_or_150_years_ago(passport: Document, birth: date) -> None:
    with pytest.raises(BirthDateImplausible):
        born(passport, birth, TODAY)


def test_years_are_full_on_the_birthday() -> None:
    assert [age(date(2010, 3, 2), day) for day in (date(2026, 3, 1), TODAY)] == [15, 16]
    assert [age(date(2008, 2, 29), day) for day in (date(2026, 2, 27), date(2026, 2, 28))] == [17, 18]


def test_a_masked_name_tells_the_family_and_no_length() -> None:
    assert [mask_name(name) for name in ("张三", "张三丰")] == ["张**", "张**"]


@pytest.mark.parametrize("written", ["13812345678", "138 1234 5678", "+86 138-1234-5678", "１３８１２３４５６７８"])
def test_a_mobile_is_kept_in_one_form(written: str) -> None:
    assert e164(written) == "+8613812345678"


def test_a_mobile_from_abroad_brings_its_country_code() -> None:
    assert e164("+44 7400 123456") == "+447400123456"


@pytest.mark.parametrize("written", ["", "12345", "0580 2026000", "hello", "+999 123"])
def test_what_gets_no_messages_is_refused_without_being_repeated(written: str) -> None:
    with pytest.raises(MobileUnfit) as refused:
        e164(written)
    assert isinstance(refused.value, Unfit)
    assert not written or written not in str(refused.value)
