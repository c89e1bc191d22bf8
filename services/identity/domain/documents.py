"""Identity documents as values: what a number says of its holder, and when two documents are the same person's."""

import re
from datetime import date
from enum import StrEnum
from typing import assert_never

from libs.kernel import Unfit, value
from libs.kernel.checkdigits import mod_11_2, mrz
from libs.kernel.writing import normalised

_TEXT_CHARS_MAX = 64
_AGE_YEARS_MAX = 150
_HMT_AREAS = ("810000", "820000", "830000")


class Kind(StrEnum):
    """The documents by which the city knows a person."""

    ID_CARD = "id_card"  # 居民身份证
    HOUSEHOLD_BOOK = "household_book"  # 户口簿, bears the citizen number
    RESIDENCE_PERMIT = "residence_permit"  # 居住证, bears the citizen number
    RESIDENCE_PERMIT_HMT = "residence_permit_hmt"  # 港澳台居民居住证
    FOREIGNER_PERMANENT_RESIDENCE = "foreigner_permanent_residence"  # 外国人永久居留身份证
    PASSPORT = "passport"  # 外国护照
    HK_MACAU_PERMIT = "hk_macau_permit"  # 港澳居民来往内地通行证
    TAIWAN_PERMIT = "taiwan_permit"  # 台湾居民来往大陆通行证


class Sex(StrEnum):
    """The sex that a number tells: odd sequences are male."""

    FEMALE = "female"
    MALE = "male"


@value
class Document:
    """A document whose number can be right; that it is genuine is for the clerk and the issuing authority to say.

    `match_key` is equal for two documents of one person wherever the numbers alone can tell (a renewed travel permit,
    a citizen's ID card and household book). Different keys do not prove different persons: a renewed passport and a
    foreigner's cards of 2017 and 2023 have nothing in common. `birth` and `sex` are what the number says, if it does.
    """

    kind: Kind
    number: str
    match_key: str
    birth: date | None = None
    sex: Sex | None = None

    def __repr__(self) -> str:
        """A document in a log or a trace shows no more than a mask."""
        return f"Document({self.kind}, {mask(self.number)})"


class NumberMisshapen(Unfit):
    """The number of {kind} has {form}; copy it from the document as it is printed there."""


class CheckCharacterWrong(Unfit):
    """This number has a slip in it: its last character does not fit the others. Compare it with the document."""


class KindMistaken(Unfit):
    """This looks like {looks_like}, not like the number of {kind}; choose the document that it is printed on."""


class BirthDateUnreal(Unfit):
    """The birth date in this number is not in the calendar; compare its digits with the document."""


class BirthDateAhead(Unfit):
    """The birth date in this number is still to come; compare its digits with the document."""


class BirthDateTooLongAgo(Unfit):
    """The birth date in this number is more than 150 years ago; compare its digits with the document."""


class IssuerMisshapen(Unfit):
    """The state that issued a passport is named by its letters in the passport's lowest lines, for example USA."""


_NAMES = {
    Kind.ID_CARD: "an ID card",
    Kind.HOUSEHOLD_BOOK: "a household book",
    Kind.RESIDENCE_PERMIT: "a residence permit",
    Kind.RESIDENCE_PERMIT_HMT: "a residence permit for Hong Kong, Macau and Taiwan residents",
    Kind.FOREIGNER_PERMANENT_RESIDENCE: "a foreigner's permanent residence card",
    Kind.PASSPORT: "a passport",
    Kind.HK_MACAU_PERMIT: "a travel permit for Hong Kong and Macau residents",
    Kind.TAIWAN_PERMIT: "a travel permit for Taiwan residents",
}
_CITIZEN_FORM = "eighteen digits, the last of which may be an X"
_FORMS = {
    Kind.ID_CARD: _CITIZEN_FORM,
    Kind.HOUSEHOLD_BOOK: _CITIZEN_FORM,
    Kind.RESIDENCE_PERMIT: _CITIZEN_FORM,
    Kind.RESIDENCE_PERMIT_HMT: "eighteen digits that begin with 810000, 820000 or 830000, the last may be an X",
    Kind.FOREIGNER_PERMANENT_RESIDENCE: "eighteen digits that begin with 9, or three letters and twelve digits",
    Kind.PASSPORT: "five to nine letters and digits",
    Kind.HK_MACAU_PERMIT: "an H or M and eight digits, or ten on an old permit",
    Kind.TAIWAN_PERMIT: "eight digits, or ten and perhaps a letter on an old permit",
}


def read(kind: Kind, text: str, on: date, issuer: str = "") -> Document:
    """The document of this kind that somebody typed, as of a day.

    `issuer` is the state that issued a passport (letters as in its machine-readable zone): numbers repeat between
    states, so two passports match only with the same issuer. Area, province and country codes are not looked up: old
    ones stay valid, and the check character catches the slips. Raises NumberMisshapen, CheckCharacterWrong,
    KindMistaken, BirthDateUnreal, BirthDateAhead, BirthDateTooLongAgo, IssuerMisshapen.
    """
    if len(text) > _TEXT_CHARS_MAX:
        raise _misshapen(kind)
    number = normalised(text)
    try:
        return _read(kind, number, on, normalised(issuer[:_TEXT_CHARS_MAX]))
    except IssuerMisshapen:
        raise
    except Unfit as refusal:
        if looks_like := _looks_like(number, on):
            raise KindMistaken(looks_like=looks_like, kind=_NAMES[kind]) from None
        raise refusal from None


def mask(number: str) -> str:
    """A number for showing: its holder recognises it, nobody else learns it. Example: `330902********0024`."""
    head, tail = len(number) // 3, len(number) // 4
    return number[:head] + "*" * (len(number) - head - tail) + number[len(number) - tail :]


def _read(kind: Kind, number: str, on: date, issuer: str) -> Document:
    match kind:
        case Kind.ID_CARD | Kind.HOUSEHOLD_BOOK | Kind.RESIDENCE_PERMIT:
            return _citizen(kind, number, on)
        case Kind.RESIDENCE_PERMIT_HMT:
            return _numbered_like_citizens(kind, number, on, namespace="hmt", begins=_HMT_AREAS)
        case Kind.FOREIGNER_PERMANENT_RESIDENCE:
            if re.fullmatch(r"[A-Z]{3}[0-9]{12}", number):
                return _foreigner_of_2017(number, on)
            return _numbered_like_citizens(kind, number, on, namespace="foreigner", begins=("9",))
        case Kind.PASSPORT:
            return _passport(number, issuer)
        case Kind.HK_MACAU_PERMIT:
            return _permit(kind, number, r"([HM][0-9]{8})(?:[0-9]{2})?", "hk_macau")
        case Kind.TAIWAN_PERMIT:
            return _permit(kind, number, r"([0-9]{8})(?:[0-9]{2}[A-Z]?)?", "taiwan")
        case _:
            assert_never(kind)


def _citizen(kind: Kind, number: str, on: date) -> Document:
    """A citizen number (GB 11643); the fifteen digits of before 1999 are read as the eighteen that replaced them."""
    if re.fullmatch(r"[0-9]{15}", number):
        body = f"{number[:6]}19{number[6:]}"
        number = body + mod_11_2(body)
    read = _numbered_like_citizens(kind, number, on, namespace="citizen")
    if number.startswith(("9", *_HMT_AREAS)):
        raise _misshapen(kind)
    return read


def _numbered_like_citizens(
    kind: Kind, number: str, on: date, *, namespace: str, begins: tuple[str, ...] = ("",)
) -> Document:
    """Six characters of origin, eight of birth, three of sequence and the check character of GB 11643."""
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        raise _misshapen(kind)
    if number[-1] != mod_11_2(number[:-1]):
        raise CheckCharacterWrong()
    if not number.startswith(begins):
        raise _misshapen(kind)
    birth = _day(number[6:10], number[10:14])
    if birth > on:
        raise BirthDateAhead()
    if on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day)) > _AGE_YEARS_MAX:
        raise BirthDateTooLongAgo()
    sex = Sex.MALE if int(number[16]) % 2 else Sex.FEMALE
    return Document(kind=kind, number=number, match_key=f"{namespace}:{number}", birth=birth, sex=sex)


def _foreigner_of_2017(number: str, on: date) -> Document:
    """Country, four digits of place, YYMMDD, one digit, 7-3-1 check; of two possible centuries the later is read."""
    if number[-1] != mrz(number[:-1]):
        raise CheckCharacterWrong()
    century = on.year // 100
    birth = _day(f"{century}{number[7:9]}", number[9:13])
    if birth > on:
        birth = _day(f"{century - 1}{number[7:9]}", number[9:13])
    return Document(
        kind=Kind.FOREIGNER_PERMANENT_RESIDENCE, number=number, match_key=f"foreigner:{number}", birth=birth
    )


def _passport(number: str, issuer: str) -> Document:
    if not re.fullmatch(r"(?=.*[0-9])[0-9A-Z]{5,9}", number):
        raise _misshapen(Kind.PASSPORT)
    if not re.fullmatch(r"[A-Z]{0,3}", issuer):
        raise IssuerMisshapen()
    match_key = f"passport:{issuer}:{number}" if issuer else f"passport:{number}"
    return Document(kind=Kind.PASSPORT, number=number, match_key=match_key)


def _permit(kind: Kind, number: str, form: str, namespace: str) -> Document:
    """A travel permit: its first characters are its holder's for life, the rest counts the renewals."""
    if not (found := re.fullmatch(form, number)):
        raise _misshapen(kind)
    return Document(kind=kind, number=number, match_key=f"{namespace}:{found[1]}")


def _looks_like(number: str, on: date) -> str | None:
    """What else this number can be, the most telling form first."""
    for kind in (
        Kind.ID_CARD,
        Kind.RESIDENCE_PERMIT_HMT,
        Kind.FOREIGNER_PERMANENT_RESIDENCE,
        Kind.HK_MACAU_PERMIT,
        Kind.TAIWAN_PERMIT,
    ):
        try:
            _read(kind, number, on, "")
        except Unfit:
            continue
        return f"the number of {_NAMES[kind]}"
    if re.fullmatch(r"[A-Z]{1,2}[0-9]{7,8}", number):
        return f"the number of {_NAMES[Kind.PASSPORT]}"
    if re.fullmatch(r"(?=.{0,16}[A-Z]|.*[A-WYZ])[0-9A-HJ-NPQRTUW-Y]{2}[0-9]{6}[0-9A-HJ-NPQRTUW-Y]{10}", number):
        return "the credit code of a unit, which names no person"  # GB 32100
    return None


def _day(year: str, month_and_day: str) -> date:
    try:
        return date(int(year), int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError:
        raise BirthDateUnreal() from None


def _misshapen(kind: Kind) -> NumberMisshapen:
    return NumberMisshapen(kind=_NAMES[kind], form=_FORMS[kind])
