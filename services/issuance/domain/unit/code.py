"""The codes of units: the organisation code (GB 11714) and the unified social credit code (GB 32100)."""

import re

from libs.kernel import Unfit
from libs.kernel.checkdigits import gb_11714, gb_32100
from libs.kernel.writing import normalised

_CHARS_MAX = 40


class UnitCodeMisshapen(Unfit):
    """A unit's code has 9 characters (organisation code) or 18 (credit code); copy it from the certificate."""


class UnitCodeFails(Unfit):
    """The last character of this code does not fit the others. Compare it; if the certificate says so, propose it."""


def read(text: str) -> tuple[str, bool]:
    """The code as we keep it, and whether its check character fits. Raises UnitCodeMisshapen.

    Capitals, full-width digits, spaces and dashes do not matter. A few codes that were really given out fail their own
    check, so a misfit is for people to judge.
    """
    code = normalised(text[:_CHARS_MAX])
    if re.fullmatch(r"[0-9A-Z]{8}[0-9X]", code):
        return code, gb_11714(code[:-1]) == code[-1]
    if re.fullmatch(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}", code):
        return code, gb_32100(code[:-1]) == code[-1]
    raise UnitCodeMisshapen
