"""Check digits: small sums that tell a slip of the pen from another number."""

_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORTH = {char: nth for nth, char in enumerate(_ALPHANUMERIC)}


def luhn(digits: str) -> str:
    """The Luhn digit (ISO/IEC 7812) that completes a row of digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


def mod_11_2(digits: str) -> str:
    """The check character of ISO 7064 MOD 11-2 (`0`-`9`, `X`), as GB 11643 puts it behind seventeen digits."""
    rest = 0
    for digit in digits:
        rest = (rest + int(digit)) * 2 % 11
    return "0123456789X"[(12 - rest) % 11]


def mod_37_36(text: str) -> str:
    """The check character of ISO 7064 MOD 37,36 that completes a text of `0`-`9` and `A`-`Z`."""
    rest = 36
    for char in text:
        rest = (rest + _WORTH[char]) % 36 or 36
        rest = rest * 2 % 37
    return _ALPHANUMERIC[(37 - rest) % 36]


def mrz(text: str) -> str:
    """The 7-3-1 check digit of ICAO 9303 for a field of a machine-readable zone (`<` counts as zero)."""
    return str(sum((0 if c == "<" else _WORTH[c]) * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)
