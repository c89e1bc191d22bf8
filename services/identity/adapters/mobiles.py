"""Telephone numbers as people write them, in the one form in which they can be called."""

import re
from typing import Any

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType

from libs.kernel import Unfit

_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
_CHINA: Any = PhoneMetadata.metadata_for_region("CN")
_CHINESE = re.compile(_CHINA.mobile.national_number_pattern)
"""Mobile numbers of the mainland, as the library knows them; nothing else there has eleven digits and begins with 1."""


class MobileUnfit(Unfit):
    """This is no number of a mobile telephone; one from outside the mainland begins with + and its country code."""


def e164(text: str) -> str:
    """The number in international form, for example `+8613800138000`; without a country code it is Chinese.

    Raises MobileUnfit.
    """
    if len(text) == 11 and text.isascii() and text.isdigit() and text[0] == "1":
        if not _CHINESE.fullmatch(text):  # A fortieth of what it takes to ask for everything that it could be.
            raise MobileUnfit
        return f"+86{text}"
    return _e164(text)


def _e164(text: str) -> str:
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        raise MobileUnfit from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise MobileUnfit
    if phonenumbers.number_type(number) not in _MOBILE:
        raise MobileUnfit
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(number: str) -> str:
    """`+86138****5678`."""
    return f"{number[:-8]}****{number[-4:]}"
