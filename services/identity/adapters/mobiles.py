"""Telephone numbers as people write them, in the one form in which they can be called."""

import phonenumbers
from phonenumbers import PhoneNumberType

from libs.kernel import Unfit

_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


class MobileUnfit(Unfit):
    """This is no number of a mobile telephone; one from outside the mainland begins with + and its country code."""


def e164(text: str) -> str:
    """The number in international form, for example `+8613800138000`; without a country code it is Chinese.

    Raises MobileUnfit.
    """
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
