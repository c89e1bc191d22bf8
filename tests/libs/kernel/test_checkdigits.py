"""Check digits against the published examples, and against every slip of one character."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.checkdigits import luhn, mod_11_2, mod_37_36, mrz

DIGITS = "0123456789"
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALGORITHMS = [(luhn, DIGITS), (mod_11_2, DIGITS), (mod_37_36, ALPHANUMERIC), (mrz, DIGITS)]


@pytest.mark.parametrize(
    ("check", "text", "digit"),
    [
        (luhn, "7992739871", "3"),
        (luhn, "411111111111111", "1"),
        (mod_11_2, "11010519491231002", "X"),
        (mod_11_2, "91112419810803002", "4"),
        (mod_11_2, "000000012095650", "X"),  # ISNI
        (mod_37_36, "A12425GABC1234002", "M"),  # GRid
        (mrz, "L898902C3", "6"),  # ICAO 9303, part 4
        (mrz, "740812", "2"),
        (mrz, "120415", "9"),
        (mrz, "ZE184226B<<<<<", "1"),
    ],
)
def test_the_published_examples_hold(check: Callable[[str], str], text: str, digit: str) -> None:
    assert check(text) == digit


@pytest.mark.parametrize(("check", "alphabet"), ALGORITHMS)
@given(data=st.data())
def test_every_single_slip_is_caught(check: Callable[[str], str], alphabet: str, data: st.DataObject) -> None:
    text = data.draw(st.text(alphabet, min_size=1, max_size=24))
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from(alphabet.replace(text[place], "")))
    assert check(text[:place] + wrong + text[place + 1 :]) != check(text)


@given(st.text(DIGITS, min_size=2, max_size=24), st.data())
def test_mod_11_2_catches_every_exchange_of_neighbours(text: str, data: st.DataObject) -> None:
    exchanged = with_neighbours_exchanged(text, data)
    assert exchanged == text or mod_11_2(exchanged) != mod_11_2(text)


@given(st.text(ALPHANUMERIC, min_size=2, max_size=24), st.data())
def test_mod_37_36_misses_only_neighbours_that_are_neighbours_in_the_alphabet(text: str, data: st.DataObject) -> None:
    exchanged = with_neighbours_exchanged(text, data)
    moved = [ALPHANUMERIC.index(char) for char, before in zip(exchanged, text, strict=True) if char != before]
    if moved and abs(moved[0] - moved[1]) not in (1, 35):
        assert mod_37_36(exchanged) != mod_37_36(text)


def with_neighbours_exchanged(text: str, data: st.DataObject) -> str:
    place = data.draw(st.integers(0, len(text) - 2))
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
