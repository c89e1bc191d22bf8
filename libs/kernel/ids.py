"""Ids that can be written down: they carry their city, they are derived and not drawn, and they check themselves."""

import hashlib
import re
import uuid

from libs.kernel.checkdigits import mod_37_36

_NAMESPACE = uuid.UUID("5f0c0f5e-6f2b-5b0e-9a52-0d6f3c7a1e11")
_FREE_BITS = ~(0xF000 << 64 | 0xC000 << 48)
_VERSION_5 = 0x5000 << 64 | 0x8000 << 48
_VERSION_8 = 0x8000 << 64
_BEHIND_THE_PLACE = (1 << 76) - 1
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_THREE = [a + b + c for a in _CROCKFORD for b in _CROCKFORD for c in _CROCKFORD]
_WRITTEN = re.compile(f"[0-9]{{6}}-[{_CROCKFORD}]{{15}}[0-9A-Z]")


def derived(*parts: object) -> uuid.UUID:
    """The same parts always make the same id, so that a request said twice names the same thing twice."""
    digest = hashlib.sha1(_NAMESPACE.bytes + "\x1f".join(map(str, parts)).encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big") & _FREE_BITS | _VERSION_5  # As `uuid.uuid5`, at half the price.
    return uuid.UUID(int=number)


def derived_in_line(line: uuid.UUID, nth: int, *parts: object) -> uuid.UUID:
    """As `derived`, for the `nth` of many that come one after another: what comes together lies together.

    An index into which a million of them go is then written at its end, and not on all its pages (decision 0028). The
    first 48 bits are the line's and the place's, 74 are kept of the rest.
    """
    place = line.int >> 112 << 32 | nth & 0xFFFF_FFFF
    return uuid.UUID(int=place << 80 | _VERSION_8 | derived(line, nth, *parts).int & _BEHIND_THE_PLACE)


def written(city: str, seed: uuid.UUID) -> str:
    """An id for people and machines: `<city>-<16 characters>`, the last of them a check character over all the others.

    Example: `330900-4K7MZQ0V5T8WX2N3`. 75 bits are kept of the seed: at 100 million ids the odds of one collision are
    below one in seven million.
    """
    return _spelt(city, seed.int >> 53)


def written_in_line(city: str, line: uuid.UUID, nth: int, seed: uuid.UUID) -> str:
    """As `written`, for the `nth` of many that come one after another.

    15 bits are the line's, 20 the place's (places that lie a million apart share theirs), 40 are kept of the seed: at
    a hundred lines of a million each the odds of one collision are one in seven million.
    """
    return _spelt(city, line.int >> 113 << 60 | (nth & 0xF_FFFF) << 40 | seed.int >> 88)


def _spelt(city: str, number: int) -> str:
    body = "".join([_THREE[number >> shift & 0x7FFF] for shift in range(60, -1, -15)])
    return f"{city}-{body}{mod_37_36(city + body)}"


def well_written(text: str) -> bool:
    """Whether this can be an id at all, or was mistyped."""
    return bool(_WRITTEN.fullmatch(text)) and text[-1] == mod_37_36(text[:6] + text[7:-1])


def city_of(text: str) -> str:
    """The area code (GB/T 2260) of the city that an id belongs to."""
    return text.partition("-")[0]
