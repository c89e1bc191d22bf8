"""Every piece of plastic is somewhere, and the counts always agree."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from libs.kernel import Due, Refused
from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.issuance.adapters import return_files
from services.issuance.domain.batch.commands import Command, ReturnRow
from services.issuance.domain.batch.decider import (
    AlreadyReturned,
    BatchUnknown,
    CardNotInBatch,
    CardTwice,
    CountDiffers,
    CountWrong,
    IdentMissing,
    NothingOrdered,
    NotInProduction,
    NotOnItsWay,
    StillForming,
    StillInWork,
    WrongOutlet,
    batches,
)
from services.issuance.domain.batch.events import Event
from services.issuance.domain.batch.state import Batch, Piece
from services.issuance.views import BatchView
from tests.services.issuance.card_drawer import (
    BANK,
    BATCH,
    HOLDING,
    IDENT,
    IN_DRAWER,
    IN_TRANSIT,
    NUMBER,
    OTHER_HOLDING,
    OTHER_IDENT,
    OTHER_NUMBER,
    PRODUCING,
    THIRD_NUMBER,
    after_all,
    bad_row,
    dispatch,
    dispatched,
    failed,
    filled,
    gone,
    left,
    note_arrival,
    note_produced,
    note_spoiled,
    obey,
    open_batch,
    opened,
    other_filled,
    other_voided,
    read_return,
    receive,
    received,
    returned,
    row,
    seat_taken,
    seat_void,
    send,
    sent,
    take_seat,
    voided,
)

other_row = replace(bad_row, ident=OTHER_IDENT, atr="3B", box="7/2", failed_step="", reason="")


def given(*facts: Event) -> Given:
    return given_at(batches, *facts)


def after(*facts: Event) -> Batch:
    return batches.fold(facts)


def of(*rows: ReturnRow) -> Command:
    """A return file with these lines."""
    return replace(read_return, rows=rows, declared=len(rows))


def test_a_batch_offers_every_holding_its_seat() -> None:
    given().when(open_batch).then(opened)
    given(opened).when(open_batch).then()
    assert list(batches.due(opened)) == [
        Due(opened.at, take_seat),
        Due(opened.at, replace(take_seat, holding_id=OTHER_HOLDING, seat=2, card_number=OTHER_NUMBER)),
    ]


def test_a_seat_is_taken_or_left_once() -> None:
    given(opened).when(seat_taken).then(filled)
    given(opened).when(seat_void).then(voided)
    for past in (filled, voided):
        given(opened, past).when(seat_taken).then()
        given(opened, past).when(seat_void).then()


def test_a_batch_is_sent_when_every_seat_is_answered() -> None:
    given(opened, filled).when(send).refused(StillForming)
    given(opened, voided, other_voided).when(send).refused(NothingOrdered)
    given(opened, filled, other_voided).when(send).then(sent)
    given(opened, filled, other_filled).when(send).then(sent)
    given(*PRODUCING).when(send).then()


def test_a_return_file_is_read_whole() -> None:
    given(*PRODUCING).when(read_return).then(returned)
    batch = after(*PRODUCING, returned)
    assert (batch.ordered, batch.good, batch.count(Piece.SPOILED), batch.count(Piece.IN_WORK)) == (2, 1, 1, 0)


def test_the_holdings_are_told_what_came_of_their_cards() -> None:
    spoiled = replace(note_spoiled, holding_id=OTHER_HOLDING, seat=2)
    assert [due.command for due in batches.due(returned)] == [note_produced, spoiled]
    assert [due.command for due in batches.due(received)] == [replace(note_arrival, under=None)]


def test_the_same_file_twice_changes_nothing() -> None:
    given(*PRODUCING, returned).when(read_return).then()


def test_a_file_with_the_wrong_count_is_not_read() -> None:
    given(*PRODUCING).when(replace(read_return, declared=3)).refused(CountWrong)
    given(*PRODUCING).when(replace(read_return, rows=(row,))).refused(CountWrong)


def test_an_unknown_card_is_not_read() -> None:
    given(*PRODUCING).when(of(row, replace(bad_row, card_number=THIRD_NUMBER))).refused(CardNotInBatch)
    given(opened, filled, other_voided, sent).when(of(row, other_row)).refused(CardNotInBatch)


def test_a_chip_or_a_card_that_stands_twice_is_not_read() -> None:
    given(*PRODUCING).when(of(row, replace(other_row, ident=IDENT))).refused(CardTwice)
    given(*PRODUCING).when(of(row, replace(row, line=3, ident=OTHER_IDENT))).refused(CardTwice)
    first = replace(returned, failed=())
    given(*PRODUCING, first).when(of(replace(other_row, ident=IDENT))).refused(CardTwice)


def test_a_good_card_has_a_chip() -> None:
    given(*PRODUCING).when(of(replace(row, ident=""))).refused(IdentMissing)


def test_a_card_does_not_come_back_twice_with_another_fate() -> None:
    for changed in (replace(row, ident=OTHER_IDENT), replace(row, ident="", failed_step="chip", reason="dead")):
        given(*PRODUCING, returned).when(of(changed)).refused(AlreadyReturned)
    given(*PRODUCING, returned).when(of(other_row)).refused(AlreadyReturned)
    given(*PRODUCING, returned).when(of(replace(bad_row, reason="bent"))).refused(AlreadyReturned)


def test_the_line_is_the_one_in_the_file() -> None:
    for astray in (3, 7):
        wrong = of(row, replace(bad_row, line=astray, card_number=THIRD_NUMBER))
        with pytest.raises(CardNotInBatch) as refused:
            batches.decide(wrong, after(*PRODUCING))
        assert refused.value.details == {"line": astray}


def test_cards_may_come_back_in_several_files() -> None:
    first, second = replace(returned, failed=()), replace(returned, made=())
    given(*PRODUCING).when(of(row)).then(first)
    given(*PRODUCING, first).when(dispatch).refused(StillInWork)
    given(*PRODUCING, first).when(of(replace(bad_row, line=2))).then(second)
    given(*PRODUCING, first).when(read_return).then(second)
    assert after(*PRODUCING, first, second) == after(*PRODUCING, returned)


def test_a_file_is_read_only_while_the_batch_is_made() -> None:
    given().when(read_return).refused(BatchUnknown)
    for past in ((opened,), IN_TRANSIT, IN_DRAWER):
        given(*past).when(read_return).refused(NotInProduction)


def test_the_good_cards_leave_when_nothing_is_in_work() -> None:
    given(*PRODUCING, returned).when(dispatch).then(dispatched)
    for past in (IN_TRANSIT, IN_DRAWER):
        given(*past).when(dispatch).then()
    given(*PRODUCING).when(dispatch).refused(StillInWork)
    given(opened).when(dispatch).refused(NotInProduction)


def test_spoiled_cards_never_reach_an_outlet() -> None:
    given(*IN_TRANSIT).when(receive).then(received)
    given(*IN_DRAWER).when(receive).then()


def test_an_outlet_counts_its_own_cards_and_all_of_them() -> None:
    given(*IN_TRANSIT).when(replace(receive, outlet=BANK)).refused(WrongOutlet)
    for counted in (0, 2):
        given(*IN_TRANSIT).when(replace(receive, counted=counted)).refused(CountDiffers)
    for past in ((opened,), PRODUCING):
        given(*past).when(receive).refused(NotOnItsWay)


def test_what_is_not_there_is_not_decided() -> None:
    for command in (send, dispatch, receive):
        given().when(command).refused(BatchUnknown)
    given().when(gone).then()


def test_a_card_leaves_the_drawer_once() -> None:
    given(*IN_DRAWER).when(gone).then(left)
    given(*IN_DRAWER, left).when(gone).then()
    assert after(*IN_DRAWER, left).seats[0].piece is Piece.HANDED_OVER
    given(*IN_DRAWER).when(replace(gone, seat=2)).then()


def test_a_card_that_nobody_wants_any_more_is_recalled_as_soon_as_it_is_at_hand() -> None:
    unwanted, recalled = replace(gone, how="recalled"), replace(left, how="recalled")
    for past in ((opened,), (opened, filled), PRODUCING, (*PRODUCING, returned), IN_TRANSIT, IN_DRAWER):
        given(*past).when(unwanted).then(recalled)
        given(*past, recalled).when(unwanted).then()
    early = after(opened, recalled, filled, other_filled, sent, returned, dispatched, received)
    assert early.seats[0].piece is Piece.RECALLED
    assert after(*IN_TRANSIT, recalled, received) == after(*PRODUCING, recalled, returned, dispatched, received)
    assert after(*IN_DRAWER, recalled).seats[0].piece is Piece.RECALLED
    both = replace(returned, made=(), failed=(replace(failed, seat=1, holding_id=HOLDING), failed))
    spoilt = after(*PRODUCING, recalled, both, dispatched, replace(received, seats=()))
    assert spoilt.seats[0].piece is Piece.SPOILED


def test_the_order_for_the_vendor_bears_no_name() -> None:
    assert return_files.order_file(after(opened, filled, other_voided, sent)) == (
        f"sequence,card_number,holding\n1,{NUMBER},{HOLDING}\ntotal,1\n"
    )


seats = st.integers(1, 2)
rows = st.one_of(
    st.builds(
        replace,
        st.sampled_from([row, other_row]),
        ident=st.sampled_from([IDENT, OTHER_IDENT, ""]),
        line=st.integers(2, 9),
    ),
    st.builds(replace, st.sampled_from([bad_row, replace(bad_row, card_number=NUMBER)]), reason=st.just("dead")),
    st.just(replace(row, card_number=THIRD_NUMBER)),
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.just(open_batch),
    st.builds(replace, st.just(seat_taken), seat=seats),
    st.builds(replace, st.just(seat_void), seat=seats),
    st.just(send),
    st.lists(rows, min_size=1, max_size=3).flatmap(
        lambda some: st.integers(len(some), len(some) + 1).map(
            lambda declared: replace(read_return, rows=tuple(some), declared=declared)
        )
    ),
    st.just(dispatch),
    st.builds(replace, st.just(receive), counted=st.integers(0, 2), outlet=st.sampled_from([receive.outlet, BANK])),
    st.builds(replace, st.just(gone), seat=seats, how=st.sampled_from(["handed_over", "recalled"])),
)
BEGINNINGS: list[list[Command]] = [[open_batch], [open_batch, seat_taken, replace(seat_taken, seat=2), send]]
pasts = st.tuples(st.sampled_from(BEGINNINGS), st.lists(commands, max_size=12)).map(
    lambda parts: [*parts[0], *parts[1]]
)


@for_all(pasts)
def test_ordered_is_good_and_spoiled_and_in_work_at_every_moment(past: list[Command]) -> None:
    batch = batches.initial
    for command in past:
        batch = obey(batches, batch, command)
        view = BatchView.of(BATCH, batch)
        assert view.ordered == view.good + view.spoiled + view.in_work
        pieces = [seat.piece for seat in batch.seats]
        assert len(pieces) == view.ordered + pieces.count(Piece.OFFERED) + pieces.count(Piece.VOID)
        idents = [seat.ident for seat in batch.seats if seat.ident]
        assert len(idents) == len(set(idents))


@for_all(pasts, commands)
def test_any_command_may_be_said_twice(past: list[Command], command: Command) -> None:
    once = obey(batches, after_all(batches, past), command)
    assert obey(batches, once, command) == once


@for_all(pasts)
def test_what_is_out_of_work_never_goes_back_into_it(past: list[Command]) -> None:
    def step(batch: Batch, command: Command) -> Batch:
        after: Batch = obey(batches, batch, command)
        done = {Piece.GOOD, Piece.SPOILED, Piece.HANDED_OVER, Piece.RECALLED, Piece.VOID}
        for was, now in zip(batch.seats, after.seats, strict=False):
            assert was.piece not in done or now.piece in done
            assert was.piece is not Piece.SPOILED or now.piece is Piece.SPOILED
        return after

    reduce(step, past, batches.initial)


@for_all(pasts)
def test_facts_fold_to_where_the_batch_stands(past: list[Command]) -> None:
    batch: Batch = batches.initial
    facts: list[Event] = []
    for command in past:
        news: Sequence[Event] = []
        try:
            news = batches.decide(command, batch)
        except Refused:
            continue
        batch = batches.fold(news, batch)
        facts += news
    assert batches.fold(facts) == batch
