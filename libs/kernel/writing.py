"""Numbers as people type them, and as we keep them."""

import unicodedata

_DROPPED = {"Zs", "Zl", "Zp", "Cc", "Cf", "Pd", "Ps", "Pe"}  # spaces, controls, dashes and brackets
_ASCII_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def normalised(text: str) -> str:
    """A number as we keep it: plain digits and capitals, without spaces, dashes and brackets."""
    if text.isascii() and text.isalnum():
        return text.upper()  # As most are typed; a roll has millions of them.
    plain = "".join(unicodedata.normalize("NFKC", char) for char in text)
    return "".join(c for c in plain if unicodedata.category(c) not in _DROPPED).translate(_ASCII_UPPER)
