"""Two people put the books right: by a new entry, within bounds, with a reason and its evidence."""

import asyncio
from dataclasses import replace
from functools import partial

import hypothesis as laws
import pytest
from hypothesis import strategies as st

from libs.kernel import ProposalId
from libs.kernel.foureyes import (
    NOBODY,
    FourEyes,
    Hand,
    HandUnnamed,
    ProposalLapsed,
    ProposalOvertaken,
    ProposalUnknown,
    SameHand,
)
from libs.kernel.ids import derived, written
from libs.ledger.entry import Booking, Entry, Post, Posting
from libs.ledger.memory import MemoryLedger
from libs.testing import conversation
from libs.testing.clocks import StandingClock
from services.wallet.booking import book_adjustment
from services.wallet.domain import chart
from services.wallet.domain.adjustment.commands import (
    ApproveAdjustment,
    DeclineAdjustment,
    ProposeCorrection,
    ProposeWriteOff,
)
from services.wallet.domain.adjustment.decider import (
    PROPOSALS_STAND_FOR,
    AdjustmentUnknown,
    CorrectionOutOfBounds,
    PileSmaller,
    adjustments,
)
from services.wallet.domain.adjustment.events import AdjustmentDeclined, AdjustmentMade, AdjustmentProposed
from services.wallet.domain.money import AmountUnfit, ReferenceReused
from services.wallet.domain.naming import adjustment_id, holding_of_money
from services.wallet.publishing import tell_of_adjustment
from tests.services.wallet.purse_drawer import HERS, MORNING, NIGHT, OURS, ZHOUSHAN

given = partial(conversation.given, adjustments)

ANNA, BO = Hand("anna"), Hand("bo")
PROPOSAL = ProposalId("p-1")
PILE_ID = written(ZHOUSHAN, derived("suspense", ZHOUSHAN, "taps"))
HER_CASE, PILE_CASE = adjustment_id(HERS, "a-1"), adjustment_id(PILE_ID, "w-1")
A_MONTH_LATER = MORNING + PROPOSALS_STAND_FOR

correct = ProposeCorrection(
    adjustment_id=HER_CASE, holding_id=HERS, against=chart.suspense(ZHOUSHAN, "taps"), amount_fen=182,
    reason="charged twice", evidence="F-1", most_fen=OURS.account_cap_fen, proposal_id=PROPOSAL, by=ANNA, at=MORNING,
    stands_fen=OURS.account_cap_fen,
)  # fmt: skip
write_off = ProposeWriteOff(
    adjustment_id=PILE_CASE, city=ZHOUSHAN, pile="taps", amount_fen=500, stands_fen=-900, reason="a terminal is gone",
    evidence="F-2", proposal_id=PROPOSAL, by=ANNA, at=MORNING,
)  # fmt: skip
approve = ApproveAdjustment(adjustment_id=HER_CASE, proposal_id=PROPOSAL, to="account", by=BO, at=NIGHT, stands_fen=182)
approve_pile = replace(approve, adjustment_id=PILE_CASE, stands_fen=-900)

proposed = AdjustmentProposed(
    adjustment_id=HER_CASE, account=chart.online(HERS), against=chart.suspense(ZHOUSHAN, "taps"), amount_fen=182,
    reason="charged twice", evidence="F-1", most_fen=OURS.account_cap_fen, proposal_id=PROPOSAL, by=ANNA,
    until=A_MONTH_LATER, at=MORNING,
)  # fmt: skip
made = AdjustmentMade(
    adjustment_id=HER_CASE, account=chart.online(HERS), against=chart.suspense(ZHOUSHAN, "taps"), amount_fen=182,
    cap_fen=OURS.account_cap_fen, proposal_id=PROPOSAL, eyes=FourEyes(proposed_by=ANNA, approved_by=BO), at=NIGHT,
)  # fmt: skip
decline = DeclineAdjustment(adjustment_id=HER_CASE, proposal_id=PROPOSAL, reason="it was charged once", by=BO, at=NIGHT)
declined = AdjustmentDeclined(
    adjustment_id=HER_CASE, proposal_id=PROPOSAL, reason="it was charged once", by=BO, at=NIGHT
)
pile_proposed = replace(
    proposed, adjustment_id=PILE_CASE, account=chart.suspense(ZHOUSHAN, "taps"), against=chart.issuer_loss(ZHOUSHAN),
    amount_fen=500, reason="a terminal is gone", evidence="F-2", most_fen=100_000_000,
)  # fmt: skip
pile_made = replace(
    made, adjustment_id=PILE_CASE, account=pile_proposed.account, against=pile_proposed.against, amount_fen=500,
    cap_fen=100_000_000,
)  # fmt: skip


@pytest.mark.requirement("R169")
def test_an_account_is_put_right_when_another_person_has_looked() -> None:
    given().when(correct).then(proposed)
    given(proposed).when(approve).then(made)
    given(proposed, made).when(approve).then()
    given(proposed, made).when(correct).then()


@pytest.mark.requirement("R169")
def test_nobody_adjusts_alone_or_without_a_name() -> None:
    given(proposed).when(replace(approve, by=ANNA)).refused(SameHand)
    given(proposed).when(replace(approve, by=NOBODY)).refused(HandUnnamed)
    given().when(replace(correct, by=NOBODY)).refused(HandUnnamed)
    given().when(replace(write_off, by=NOBODY)).refused(HandUnnamed)


def test_nothing_is_approved_that_was_not_proposed_or_waited_too_long() -> None:
    given().when(approve).refused(AdjustmentUnknown)
    given(proposed).when(replace(approve, proposal_id=ProposalId("p-9"))).refused(ProposalUnknown)
    given(proposed).when(replace(approve, at=A_MONTH_LATER)).refused(ProposalLapsed)
    again = replace(correct, at=A_MONTH_LATER, proposal_id=ProposalId("p-2"))
    anew = replace(proposed, at=A_MONTH_LATER, proposal_id=ProposalId("p-2"), until=A_MONTH_LATER + PROPOSALS_STAND_FOR)
    given(proposed).when(again).then(anew)
    given(proposed, anew).when(replace(approve, at=A_MONTH_LATER)).refused(ProposalOvertaken)


@pytest.mark.requirement("R169")
def test_one_no_is_enough_and_nothing_is_booked_until_it_is_proposed_anew() -> None:
    given(proposed).when(decline).then(declined)
    given(proposed).when(replace(decline, by=ANNA)).then(replace(declined, by=ANNA))
    given(proposed, declined).when(decline).then()
    given(proposed, declined).when(approve).refused(ProposalOvertaken)
    given(proposed, declined).when(correct).then()
    anew = replace(proposed, proposal_id=ProposalId("p-2"))
    given(proposed, declined).when(replace(correct, proposal_id=ProposalId("p-2"))).then(anew)
    given(proposed, declined, anew).when(approve).refused(ProposalOvertaken)
    given(proposed, declined, anew).when(replace(approve, proposal_id=ProposalId("p-2"))).then(
        replace(made, proposal_id=ProposalId("p-2"))
    )
    assert adjustments.fold([proposed, declined]).declined
    assert not adjustments.fold([proposed, declined, anew]).declined
    assert book_adjustment([declined], adjustments.fold([proposed, declined])) == Booking()
    assert tell_of_adjustment(declined) is None


def test_a_write_off_is_declined_in_the_same_way() -> None:
    ours = replace(decline, adjustment_id=PILE_CASE)
    no = replace(declined, adjustment_id=PILE_CASE)
    given(pile_proposed).when(ours).then(no)
    given(pile_proposed, no).when(approve_pile).refused(ProposalOvertaken)


def test_nobody_objects_unnamed_or_too_late_or_to_what_was_never_proposed() -> None:
    given(proposed).when(replace(decline, by=NOBODY)).refused(HandUnnamed)
    given(proposed, made).when(decline).refused(ProposalOvertaken)
    given().when(decline).refused(AdjustmentUnknown)
    given(proposed).when(replace(decline, proposal_id=ProposalId("p-9"))).refused(ProposalUnknown)


def test_a_reference_names_one_adjustment_and_no_other() -> None:
    given(proposed).when(correct).then()
    given(proposed).when(replace(correct, amount_fen=183)).refused(ReferenceReused)
    given(proposed).when(replace(correct, against=chart.issuer_loss(ZHOUSHAN))).refused(ReferenceReused)
    given(proposed, made).when(replace(correct, amount_fen=-182)).refused(ReferenceReused)
    given(pile_proposed).when(replace(write_off, amount_fen=501)).refused(ReferenceReused)


def test_what_is_put_right_is_bounded_by_the_cap_and_by_the_pile() -> None:
    most = OURS.account_cap_fen
    given().when(replace(correct, amount_fen=most)).then(replace(proposed, amount_fen=most))
    for fen in (most + 1, -most - 1):
        given().when(replace(correct, amount_fen=fen)).refused(CorrectionOutOfBounds)
    for fen in (0, 100_000_001, -100_000_001):
        given().when(replace(correct, amount_fen=fen)).refused(AmountUnfit)
    for fen in (0, -1, 100_000_001):
        given().when(replace(write_off, amount_fen=fen)).refused(AmountUnfit)
    given().when(replace(write_off, amount_fen=901)).refused(PileSmaller)
    given().when(replace(write_off, stands_fen=0)).refused(PileSmaller)


def test_a_holder_is_given_no_more_out_of_a_pile_than_lies_there() -> None:
    given().when(replace(correct, stands_fen=182)).then(proposed)
    for stands_fen in (181, 0, -182):
        given().when(replace(correct, stands_fen=stands_fen)).refused(PileSmaller)
        given(proposed).when(replace(correct, stands_fen=stands_fen)).then()
        given(proposed).when(replace(approve, stands_fen=stands_fen)).refused(PileSmaller)
        given(proposed).when(replace(approve, stands_fen=stands_fen, to="payable")).refused(PileSmaller)
        given(proposed, made).when(replace(approve, stands_fen=stands_fen)).then()


def test_what_is_taken_from_a_holder_or_paid_by_the_issuer_asks_no_pile() -> None:
    given().when(replace(correct, amount_fen=-182, stands_fen=0)).then(replace(proposed, amount_fen=-182))
    loss = chart.issuer_loss(ZHOUSHAN)
    given().when(replace(correct, against=loss, stands_fen=0)).then(replace(proposed, against=loss))


def test_the_pile_that_is_looked_at_is_the_one_that_is_written_off_or_pays() -> None:
    taps = chart.suspense(ZHOUSHAN, "taps")
    assert adjustments.fold([]).pile is None
    assert (adjustments.fold([proposed]).pile, adjustments.fold([pile_proposed]).pile) == (taps, taps)
    assert adjustments.fold([replace(proposed, against=chart.issuer_loss(ZHOUSHAN))]).pile is None


@laws.given(lies_fen=st.integers(0, 1_000), asked=st.lists(st.integers(1, 1_000), max_size=8))
def test_however_many_are_given_from_one_pile_at_once_it_never_turns_round(lies_fen: int, asked: list[int]) -> None:
    """All were approved while the whole pile lay there: what was seen is old, and the books judge once more."""
    pile, owed = chart.suspense(ZHOUSHAN, "taps"), chart.refund(HERS)

    async def all_at_once() -> tuple[int, int]:
        books = MemoryLedger(StandingClock(NIGHT))
        if lies_fen:
            legs = Posting(chart.issuer_loss(ZHOUSHAN), -lies_fen), Posting(pile, lies_fen)
            await books.post(Post("found", MORNING, Entry("found", "suspense", legs)))
        for nth, fen in enumerate(asked):
            fact = replace(made, adjustment_id=adjustment_id(HERS, f"a-{nth}"), account=owed, amount_fen=fen)
            booking = book_adjustment([fact], adjustments.fold([fact]))
            assert booking is not None
            await books.post(Post(fact.adjustment_id, NIGHT, *booking.entries))
        found = await books.balances([pile, owed])
        return found[pile].balance_fen, found[owed].balance_fen

    left, given_fen = asyncio.run(all_at_once())
    rest = lies_fen
    for fen in asked:
        rest -= fen if fen <= rest else 0
    assert (left, given_fen) == (rest, lies_fen - rest)


def test_a_pile_moves_towards_nothing_from_either_side_and_never_beyond() -> None:
    given().when(write_off).then(pile_proposed)
    given().when(replace(write_off, stands_fen=900)).then(replace(pile_proposed, amount_fen=-500))
    given(pile_proposed).when(write_off).then()
    given(pile_proposed).when(replace(write_off, stands_fen=900)).then()
    given(pile_proposed).when(approve_pile).then(pile_made)
    for stands_fen in (-499, 0, 900):
        given(pile_proposed).when(replace(approve_pile, stands_fen=stands_fen)).refused(PileSmaller)
    given(pile_proposed, pile_made).when(replace(approve_pile, stands_fen=-400)).then()


def test_what_an_account_cannot_take_waits_and_what_it_lacks_does_not() -> None:
    given(proposed).when(replace(approve, to="payable")).then(replace(made, account=chart.refund(HERS)))
    taken = replace(proposed, amount_fen=-182)
    given(taken).when(replace(approve, to="payable")).then(replace(made, amount_fen=-182))


def test_what_each_fact_means_in_the_books() -> None:
    after = adjustments.fold([proposed])
    booking = book_adjustment([proposed], after)
    assert booking is not None
    assert not booking.entries, "nothing moves on one person's word"
    facts = [made, replace(made, amount_fen=-182), replace(made, account=chart.refund(HERS)), pile_made]
    booking = book_adjustment(facts, after)
    assert booking is not None
    given_back, taken, waiting, written_off = booking.entries
    assert [entry.kind for entry in booking.entries] == ["adjustment", "adjustment", "adjustment", "write-off"]
    assert [entry.reference for entry in booking.entries] == [HER_CASE, HER_CASE, HER_CASE, PILE_CASE]
    guard, least = given_back.postings[0].guard, taken.postings[0].guard
    assert guard is not None
    assert (guard.least_fen, guard.most_fen, guard.in_use) == (None, OURS.account_cap_fen, True)
    pays = given_back.postings[1].guard
    assert pays is not None
    assert (pays.folded, pays.least_fen) == (True, 0), "a pile gives what lies there"
    assert taken.postings[1].guard is None
    assert least is not None
    assert (least.least_fen, least.in_use) == (0, False)
    assert waiting.postings[0].account == chart.refund(HERS)
    assert waiting.postings[0].guard is None
    bound = written_off.postings[0].guard
    assert bound is not None
    assert (bound.folded, bound.least_fen, bound.most_fen) == (True, None, 0), "a pile below nothing rises to nothing"
    assert [(leg.account, leg.amount_fen) for leg in written_off.postings] == [
        (chart.suspense(ZHOUSHAN, "taps"), 500), (chart.issuer_loss(ZHOUSHAN), -500),
    ]  # fmt: skip


def test_the_city_is_told_what_was_booked_and_not_why() -> None:
    told = tell_of_adjustment(made)
    assert told is not None
    assert "charged twice" not in told.model_dump_json()
    assert tell_of_adjustment(proposed) is None


def test_an_adjustment_is_named_after_whose_money_it_moves() -> None:
    assert holding_of_money(HER_CASE) == HERS
    assert adjustment_id(HERS, "a-2") != HER_CASE
