"""Ids that a person can read out on the telephone."""

import re
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.ids import city_of, derived, derived_in_line, well_written, written, written_in_line

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


PLACES = st.integers(1, 999_999)


@given(st.uuids(), PLACES)
def test_what_comes_one_after_another_lies_one_after_another(line: UUID, nth: int) -> None:
    assert derived_in_line(line, nth, "row") < derived_in_line(line, nth + 1, "row")
    one, next_ = (written_in_line("330900", line, n, derived("person", line, n)) for n in (nth, nth + 1))
    assert one < next_


@given(st.uuids(), PLACES)
def test_an_id_in_a_line_is_well_written_and_does_not_tell_the_next_one(line: UUID, nth: int) -> None:
    one, next_ = (written_in_line("330900", line, n, derived("person", line, n)) for n in (nth, nth + 1))
    assert well_written(one)
    assert one[14:22] != next_[14:22]  # The last eight characters before the check character: 40 bits of the seed.


@given(st.uuids(), PLACES)
def test_an_id_in_a_line_is_derived_from_all_of_its_parts(line: UUID, nth: int) -> None:
    same, other = derived_in_line(line, nth, "row", 1), derived_in_line(line, nth, "row", 2)
    assert derived_in_line(line, nth, "row", 1) == same != other
    assert same.bytes[:6] == other.bytes[:6]
    assert same.version == 8
    assert same.variant == RFC_4122


def test_places_a_million_apart_differ_by_their_seed() -> None:
    line, far = derived("part"), 2**20 + 7
    assert written_in_line("330900", line, 7, derived(7)) != written_in_line("330900", line, far, derived(far))
