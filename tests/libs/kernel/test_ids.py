"""Ids that a person can read out on the telephone."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.ids import city_of, derived, well_written, written

WRITTEN = "330900-[0-9A-HJKMNP-TV-Z]{15}[0-9A-Z]"


def test_the_same_parts_make_the_same_id() -> None:
    assert derived("card", 1) == derived("card", "1") == UUID(str(derived("card", 1)))


def test_parts_do_not_run_into_each_other() -> None:
    assert derived("ab", "c") != derived("a", "bc") != derived("abc")


@given(st.uuids())
def test_a_written_id_is_well_written_and_names_its_city(seed: UUID) -> None:
    text = written("330900", seed)
    assert re.fullmatch(WRITTEN, text)
    assert well_written(text)
    assert city_of(text) == "330900"


@given(st.uuids(), st.uuids())
def test_two_seeds_make_two_ids(one: UUID, other: UUID) -> None:
    assert (written("330900", one) == written("330900", other)) == (one.int >> 53 == other.int >> 53)


@given(st.uuids(), st.integers(7, 22), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_a_slip_of_the_pen_is_noticed(seed: UUID, place: int, char: str) -> None:
    text = written("330900", seed)
    slipped = text[:place] + char + text[place + 1 :]
    assert well_written(slipped) == (slipped == text)


@pytest.mark.parametrize(
    "text", ["", "330900", "330900-", "-4K7MZQ0V5T8WX2N3", "3309-4K7MZQ0V5T8WX2N3", "330900-" + "é" * 16]
)
def test_what_we_never_wrote_is_not_well_written(text: str) -> None:
    assert not well_written(text)
