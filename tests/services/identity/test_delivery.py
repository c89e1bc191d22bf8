"""What a department delivers: each row is counted once, and what was put aside is settled once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Due, Sealed
from libs.testing import conversation
from services.identity.domain.delivery.commands import ForgetRecords, SettleRecord, TakeRecords
from services.identity.domain.delivery.decider import DeliveryUnknown, RecordNotAside, delivery_desk
from services.identity.domain.delivery.events import (
    Aside,
    Count,
    RecordsAnnounced,
    RecordSettled,
    RecordsTaken,
    Settled,
)

given = partial(conversation.given, delivery_desk)
MORNING = datetime(2026, 9, 7, 1, 0, tzinfo=UTC)
NAMED: dict[str, Any] = {"delivery_id": "D", "city": "330900", "department": "hrss", "name": "2026-09-07"}

row_2 = Aside(row=2, code="person-unknown", detail="Nobody is registered here.", box=Sealed(box="v1.k.x"))
three_rows = TakeRecords(
    **NAMED, first_row=1, last_row=3, aside=(row_2,), announced=None, kept_days=90, at=MORNING
)  # fmt: skip
three_came = RecordsTaken(
    **NAMED, first_row=1, last_row=3, aside=(row_2,), so_far=Count(received=3, faulty=1, waiting=1), at=MORNING,
    forgotten_at=MORNING + timedelta(days=90),
)  # fmt: skip
try_row_2 = SettleRecord(delivery_id="D", row=2, outcome=Settled.TAKEN, reason="registered since", at=MORNING)
row_2_taken = RecordSettled(
    delivery_id="D", city="330900", department="hrss", row=2, outcome=Settled.TAKEN, reason="registered since",
    so_far=Count(received=3, faulty=1, waiting=0), at=MORNING,
)  # fmt: skip


def test_rows_come_and_a_faulty_one_is_put_aside() -> None:
    given().when(three_rows).then(three_came)


def test_rows_that_come_again_are_not_counted_again() -> None:
    given(three_came).when(three_rows).then()
    one_more = replace(three_rows, last_row=4, aside=(row_2, replace(row_2, row=4)))
    fourth = replace(
        three_came, first_row=4, last_row=4, aside=(replace(row_2, row=4),),
        so_far=Count(received=4, faulty=2, waiting=2),
    )  # fmt: skip
    given(three_came).when(one_more).then(fourth)


@pytest.mark.requirement("R15")
def test_what_was_announced_and_has_not_come_is_missing() -> None:
    announced = RecordsAnnounced(**NAMED, count=5, at=MORNING)
    given().when(replace(three_rows, announced=5)).then(three_came, announced)
    given(three_came, announced).when(replace(three_rows, announced=5)).then()

    assert delivery_desk.fold([three_came, announced]).missing == 2


@pytest.mark.requirement("R15")
def test_a_row_that_has_not_come_below_one_that_has_is_missing_though_nobody_announced_it() -> None:
    fifth = replace(three_rows, first_row=5, last_row=5, aside=(), numbered=True)
    came = replace(
        three_came, first_row=5, last_row=5, aside=(), so_far=Count(received=1, faulty=0, waiting=0, highest=5),
        numbered=True,
    )  # fmt: skip
    given().when(fifth).then(came)
    assert delivery_desk.fold([came]).missing == 4
    given(came).when(fifth).then()

    by_place = replace(came, so_far=Count(received=1, faulty=0, waiting=0), numbered=False)
    assert delivery_desk.fold([by_place]).missing == 0, "a place on a topic is no number of its sender"


def test_a_record_that_was_put_aside_is_settled_once() -> None:
    given(three_came).when(try_row_2).then(row_2_taken)
    given(three_came, row_2_taken).when(try_row_2).then()
    given(three_came, row_2_taken).when(replace(try_row_2, outcome=Settled.DISCARDED)).then()


def test_only_what_was_put_aside_can_be_settled() -> None:
    given(three_came).when(replace(try_row_2, row=3)).refused(RecordNotAside)
    given().when(try_row_2).refused(DeliveryUnknown)


def test_what_was_put_aside_is_not_kept_for_ever() -> None:
    assert list(delivery_desk.due(three_came)) == [Due(three_came.forgotten_at, ForgetRecords(delivery_id="D"))]
    assert list(delivery_desk.due(replace(three_came, aside=()))) == []
    given(three_came).when(ForgetRecords(delivery_id="D")).then()


@for_all(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 15)), max_size=12))
def test_whatever_overlaps_every_row_is_counted_once(pages: list[tuple[int, int]]) -> None:
    """Pages come twice and in any order; what lies below the highest row and has not come is missing."""
    delivery = delivery_desk.initial
    for first, more in pages:
        faulty = tuple(replace(row_2, row=row) for row in range(first, first + more + 1) if row % 7 == 0)
        asked = replace(three_rows, first_row=first, last_row=first + more, aside=faulty, numbered=True)
        for fact in delivery_desk.decide(asked, delivery):
            delivery = delivery_desk.evolve(delivery, fact)
            if isinstance(fact, RecordsTaken):
                assert fact.so_far == delivery.count

    came = {row for first, more in pages for row in range(first, first + more + 1)}
    assert delivery.received == len(came)
    assert set(delivery.aside) == {row for row in came if row % 7 == 0}
    assert delivery.missing == max(came, default=0) - len(came)
