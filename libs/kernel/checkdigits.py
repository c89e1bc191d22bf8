"""Check digits: small sums that tell a slip of the pen from another number."""

_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORTH = {char: nth for nth, char in enumerate(_ALPHANUMERIC)}
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # without I, O, S, V and Z
_NEXT = [  # MOD 37,36: from the rest so far and a character to the next rest; written out, for ids are many.
    {char: ((rest + nth) % 36 or 36) * 2 % 37 for nth, char in enumerate(_ALPHANUMERIC)} for rest in range(37)
]


def luhn(digits: str) -> str:
    """The Luhn digit (ISO/IEC 7812) that completes a row of digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


def mod_11_2(digits: str) -> str:
    """The check character of ISO 7064 MOD 11-2 (`0`-`9`, `X`), as GB 11643 puts it behind seventeen digits."""
    total = 0  # Worked out at the end, not digit by digit: 17 digits make no large number.
    for digit in digits:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total) % 11]


def mod_37_36(text: str) -> str:
    """The check character of ISO 7064 MOD 37,36 that completes a text of `0`-`9` and `A`-`Z`."""
    rest = 36
    for char in text:
        rest = _NEXT[rest][char]
    return _ALPHANUMERIC[(37 - rest) % 36]


def mrz(text: str) -> str:
    """The 7-3-1 check digit of ICAO 9303 for a field of a machine-readable zone (`<` counts as zero)."""
    return str(sum((0 if c == "<" else _WORTH[c]) * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)


def gb_11714(body: str) -> str:
    """The check character of an organisation code (GB 11714) behind its eight characters: weights 3 7 9 10 5 8 4 2."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    rest = sum(_ALPHANUMERIC.index(char) * weight for char, weight in zip(body, weights, strict=True)) % 11
    return "0X987654321"[rest]


def gb_32100(body: str) -> str:
    """The check character of a unified social credit code (GB 32100) behind its seventeen: weights 3^i mod 31.

    A sum that leaves no rest gives `0`, not the thirty-first character that there is not.
    """
    total = sum(_CREDIT.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return _CREDIT[-total % 31]
