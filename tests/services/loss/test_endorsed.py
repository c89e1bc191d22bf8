"""A report and an endorsement cross: the stream that knows of both says which was first."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.services.loss.desk_drawer import (
    CARD,
    HOUR,
    MORNING,
    NEXT_CARD,
    NIGHT,
    NOON,
    called,
    contradicted,
    given,
    issued,
    lapsed,
    lifted,
    note_endorsement,
    signed,
)

MOMENT = timedelta(milliseconds=1)


@pytest.mark.requirement("R136")
def test_a_card_that_was_reported_lost_when_it_was_endorsed_is_told() -> None:
    given(issued, called).when(note_endorsement).then(contradicted)
    given(issued, called).when(replace(note_endorsement, at=NIGHT)).then(replace(contradicted, at=NIGHT))
    given(issued, signed).when(replace(note_endorsement, at=NOON)).then(
        replace(contradicted, at=NOON, reported_at=MORNING)
    )


def test_a_call_that_came_after_it_contradicts_nothing() -> None:
    given(issued).when(note_endorsement).then()
    given(issued, called).when(replace(note_endorsement, at=NIGHT - MOMENT)).then()


def test_a_report_that_was_over_by_then_contradicts_nothing() -> None:
    given(issued, called, lapsed).when(replace(note_endorsement, at=HOUR)).then()
    given(issued, signed, lifted).when(replace(note_endorsement, at=NOON)).then()


def test_a_report_that_was_lifted_since_contradicts_it_all_the_same() -> None:
    before = replace(contradicted, at=NOON - MOMENT, reported_at=MORNING)
    given(issued, signed, lifted).when(replace(note_endorsement, at=NOON - MOMENT)).then(before)


def test_it_is_told_once_and_of_this_card_alone() -> None:
    given(issued, called, contradicted).when(note_endorsement).then()
    given(issued, called).when(replace(note_endorsement, card_id=NEXT_CARD)).then()
    given().when(note_endorsement).then()
    assert contradicted.card_id == CARD
