"""Card numbers are given out in rows and never twice."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Due
from libs.kernel.checkdigits import luhn
from libs.kernel.ids import derived
from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.ids import batch_id
from services.issuance.domain.series.commands import TakeNumbers
from services.issuance.domain.series.decider import (
    BATCH_MAX,
    NUMBERS_MAX,
    BatchTooLarge,
    NothingToProduce,
    NumbersExhausted,
    card_number,
    series,
)
from services.issuance.domain.series.events import NumbersTaken
from tests.services.issuance.card_drawer import (
    BATCH,
    DRAWN,
    HALL,
    HOLDING,
    NEXT_BATCH,
    OTHER_HOLDING,
    ZHOUSHAN,
    obey,
    open_batch,
)

take = TakeNumbers(
    series="330900-01", batch_id=BATCH, programme="citizen-card", outlet=HALL, holdings=(HOLDING, OTHER_HOLDING),
    at=DRAWN,
)  # fmt: skip
taken = NumbersTaken(
    series="330900-01", batch_id=BATCH, programme="citizen-card", outlet=HALL, first=1,
    holdings=(HOLDING, OTHER_HOLDING), at=DRAWN,
)  # fmt: skip
take_more = replace(take, batch_id=NEXT_BATCH, holdings=(HOLDING,))


def given(*facts: NumbersTaken) -> Given:
    return given_at(series, *facts)


def test_a_batch_takes_its_numbers_in_a_row() -> None:
    given().when(take).then(taken)
    given(taken).when(take_more).then(replace(taken, batch_id=NEXT_BATCH, first=3, holdings=(HOLDING,)))


def test_a_batch_takes_its_numbers_once() -> None:
    given(taken).when(take).then()


def test_numbers_that_were_taken_open_their_batch() -> None:
    assert list(series.due(taken)) == [Due(DRAWN, open_batch)]


def test_a_batch_has_somebody_to_make_cards_for_and_not_too_many() -> None:
    given().when(replace(take, holdings=())).refused(NothingToProduce)
    given().when(replace(take, holdings=(HOLDING,) * (BATCH_MAX + 1))).refused(BatchTooLarge)
    assert series.decide(replace(take, holdings=(HOLDING,) * BATCH_MAX), series.initial)


def test_a_series_is_used_up_to_its_last_number_and_no_further() -> None:
    nearly = replace(taken, first=NUMBERS_MAX - 2)
    given(nearly).when(replace(take_more, holdings=(HOLDING, OTHER_HOLDING))).refused(NumbersExhausted)
    given(nearly).when(take_more).then(replace(taken, batch_id=NEXT_BATCH, first=NUMBERS_MAX, holdings=(HOLDING,)))
    assert len(card_number("330900-01", NUMBERS_MAX)) == 19
    full = replace(nearly, batch_id=NEXT_BATCH, first=NUMBERS_MAX, holdings=(HOLDING,))
    given(nearly, full).when(replace(take_more, batch_id=BATCH)).refused(NumbersExhausted)


def test_a_number_is_area_and_programme_and_sequence_and_check_digit() -> None:
    assert card_number("330900-01", 1) == "3309000100000000012"[:18] + luhn("330900010000000001")
    assert card_number("320200-03", 42).startswith("320200030000000042")


@for_all(st.integers(1, NUMBERS_MAX))
def test_a_number_has_19_digits_and_checks_itself(nth: int) -> None:
    number = card_number("330900-01", nth)
    assert len(number) == 19
    assert number.isdigit()
    assert luhn(number[:-1]) == number[-1]


@for_all(st.lists(st.integers(0, 600), max_size=20))
def test_no_number_is_given_out_twice(sizes: list[int]) -> None:
    state, given_out = series.initial, list[int]()
    for nth, size in enumerate(sizes):
        command = replace(
            take, batch_id=batch_id(ZHOUSHAN, derived(nth)), holdings=(HOLDING,) * size, at=DRAWN + timedelta(hours=nth)
        )
        before = state.next
        state = obey(series, state, command)
        given_out += range(before, state.next)
        assert obey(series, state, command) == state
    assert given_out == list(range(1, state.next))
