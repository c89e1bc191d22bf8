"""How people rule on taps that nobody books silently: once, and two of them wherever money moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from libs.kernel import Hand, ProposalId
from libs.kernel.foureyes import FourEyes, HandUnnamed, ProposalLapsed, ProposalOvertaken, ProposalUnknown, SameHand
from libs.testing import conversation
from services.wallet import publishing
from services.wallet.contracts import TapRuled as Told
from services.wallet.domain.naming import counter_id, record_of, tap_case_id
from services.wallet.domain.tapcase.commands import ApproveRuling, CarryOutRuling, DeclineRuling, RuleOnTap
from services.wallet.domain.tapcase.decider import (
    AlreadyRuled,
    CardDidNotSign,
    CounterChargedAlready,
    MerchantNotKnown,
    NoCaseAnyMore,
    PurseNotKnown,
    tap_cases,
)
from services.wallet.domain.tapcase.events import Event, RulingDeclined, RulingProposed, TapRuled
from services.wallet.domain.taps.tap import BOOKED_BY_RULE, PARKED, Class, Ruling

MORNING = datetime(2026, 9, 28, 2, 0, tzinfo=UTC)
A_MONTH_LATER = MORNING + timedelta(days=31)
COUNTER = counter_id("330900", 3309000100000000011, 7)
CASE = tap_case_id("330900", "zs-bus", 12, 204)
OTHER_CASE = tap_case_id("330900", "zs-bus", 13, 1)
MEI, JUN = Hand("mei"), Hand("jun")
FIRST = ProposalId("first")

charge = RuleOnTap(
    counter_id=COUNTER, case_id=CASE, standing=Class.CONFLICT, payee_known=True, purse_known=True, amount_fen=182,
    ruling=Ruling.BOOK, reason="the driver's list shows it", evidence="F-7", proposal_id=FIRST, by=MEI, at=MORNING,
)  # fmt: skip
approve = ApproveRuling(
    counter_id=COUNTER, case_id=CASE, standing=Class.CONFLICT, proposal_id=FIRST, by=JUN, at=MORNING
)
proposed = RulingProposed(
    counter_id=COUNTER, case_id=CASE, standing=Class.CONFLICT, amount_fen=182, ruling=Ruling.BOOK,
    reason="the driver's list shows it", evidence="F-7", proposal_id=FIRST, by=MEI,
    until=MORNING + timedelta(days=30), at=MORNING,
)  # fmt: skip
ruled = TapRuled(
    counter_id=COUNTER, case_id=CASE, standing=Class.CONFLICT, amount_fen=182, ruling=Ruling.BOOK,
    reason="the driver's list shows it", evidence="F-7", proposal_id=FIRST, by=MEI, at=MORNING,
    eyes=FourEyes(proposed_by=MEI, approved_by=JUN),
)  # fmt: skip
decline = DeclineRuling(
    counter_id=COUNTER, case_id=CASE, proposal_id=FIRST, reason="that list is of another day", by=JUN, at=MORNING
)
declined = RulingDeclined(
    counter_id=COUNTER, case_id=CASE, proposal_id=FIRST, reason="that list is of another day", by=JUN, at=MORNING
)
forged = replace(charge, standing=Class.BAD_CRYPTOGRAM, ruling=Ruling.REJECT)


given = partial(conversation.given, tap_cases)


def decided(asked: RuleOnTap) -> list[Event]:
    """What follows where nothing has happened yet."""
    return list(tap_cases.decide(asked, tap_cases.initial))


def test_who_wants_the_holder_to_pay_proposes_and_another_approves() -> None:
    given().when(charge).then(proposed)
    given(proposed).when(approve).then(ruled)


def test_nobody_approves_their_own_proposal_or_one_that_has_lapsed_or_was_never_made() -> None:
    given(proposed).when(replace(approve, by=MEI)).refused(SameHand)
    given(proposed).when(replace(approve, at=A_MONTH_LATER)).refused(ProposalLapsed)
    given().when(approve).refused(ProposalUnknown)
    given(proposed).when(replace(approve, case_id=OTHER_CASE)).refused(ProposalUnknown)
    given().when(replace(charge, by=Hand(""))).refused(HandUnnamed)


@pytest.mark.requirement("R169")
def test_one_no_is_enough_and_what_was_declined_is_approved_by_nobody() -> None:
    given(proposed).when(decline).then(declined)
    given(proposed).when(replace(decline, by=MEI)).then(replace(declined, by=MEI))
    given(proposed, declined).when(decline).then()
    given(proposed, declined).when(approve).refused(ProposalOvertaken)


def test_what_was_declined_can_be_proposed_anew_but_the_old_proposal_stays_dead() -> None:
    anew = replace(proposed, proposal_id=ProposalId("second"))
    given(proposed, declined).when(charge).then()
    given(proposed, declined).when(replace(charge, proposal_id=ProposalId("second"))).then(anew)
    given(proposed, declined, anew).when(approve).refused(ProposalOvertaken)
    given(proposed, declined, anew).when(replace(approve, proposal_id=ProposalId("second"))).then(
        replace(ruled, proposal_id=ProposalId("second"))
    )


def test_nobody_objects_unnamed_or_too_late_or_to_what_was_never_proposed_for_this_case() -> None:
    given(proposed).when(replace(decline, by=Hand(""))).refused(HandUnnamed)
    given(proposed, ruled).when(decline).refused(ProposalOvertaken)
    given().when(decline).refused(ProposalUnknown)
    given(proposed).when(replace(decline, case_id=OTHER_CASE)).refused(ProposalUnknown)


def test_an_approval_answers_what_its_giver_saw() -> None:
    given(proposed).when(replace(approve, standing=Class.BOOKED)).refused(ProposalOvertaken)


@pytest.mark.parametrize("standing", [*sorted(PARKED), Class.BAD_CRYPTOGRAM])
def test_what_moves_no_money_is_thrown_out_by_one_person(standing: Class) -> None:
    (fact,) = decided(replace(charge, standing=standing, ruling=Ruling.REJECT))
    assert isinstance(fact, TapRuled)
    assert fact.eyes is None


@pytest.mark.parametrize("standing", [Class.CONFLICT, Class.OVER_CEILING])
@pytest.mark.parametrize("ruling", Ruling)
def test_whatever_moves_money_takes_two(standing: Class, ruling: Ruling) -> None:
    (fact,) = decided(replace(charge, standing=standing, ruling=ruling))
    assert isinstance(fact, RulingProposed)


def test_a_ruling_stands_and_said_twice_it_is_said_once() -> None:
    given(proposed).when(charge).then()
    given(proposed, ruled).when(charge).then()
    given(proposed, ruled).when(approve).then()
    given(proposed, ruled).when(replace(charge, ruling=Ruling.REJECT)).refused(AlreadyRuled)
    given(proposed, ruled).when(CarryOutRuling(counter_id=COUNTER, case_id=CASE, ruling=Ruling.BOOK, at=MORNING)).then()


def test_a_counter_charges_its_card_once() -> None:
    again = replace(charge, case_id=OTHER_CASE, proposal_id=ProposalId("second"))
    given(proposed, ruled).when(again).refused(CounterChargedAlready)
    given(proposed, ruled).when(replace(again, ruling=Ruling.ISSUER)).then(
        replace(proposed, case_id=OTHER_CASE, proposal_id=ProposalId("second"), ruling=Ruling.ISSUER)
    )


def test_of_two_proposals_about_one_counter_the_later_stands() -> None:
    later = replace(proposed, case_id=OTHER_CASE, proposal_id=ProposalId("second"))
    given(proposed).when(replace(charge, case_id=OTHER_CASE, proposal_id=ProposalId("second"))).then(later)
    given(proposed, later).when(approve).refused(ProposalOvertaken)


def test_who_did_not_sign_does_not_pay_and_nobody_is_paid_who_is_not_known() -> None:
    given().when(replace(forged, ruling=Ruling.BOOK)).refused(CardDidNotSign)
    given().when(replace(charge, purse_known=False)).refused(PurseNotKnown)
    given().when(replace(charge, payee_known=False)).refused(MerchantNotKnown)
    given().when(replace(charge, payee_known=False, ruling=Ruling.ISSUER)).refused(MerchantNotKnown)


@pytest.mark.parametrize("standing", sorted(BOOKED_BY_RULE))
def test_what_the_rules_have_booked_is_no_case(standing: Class) -> None:
    given().when(replace(charge, standing=standing)).refused(NoCaseAnyMore)


def test_the_books_follow_at_once() -> None:
    (due,) = tap_cases.due(ruled)
    assert due.at == ruled.at
    assert due.command == CarryOutRuling(counter_id=COUNTER, case_id=CASE, ruling=Ruling.BOOK, at=MORNING)
    assert list(tap_cases.due(proposed)) == []
    assert list(tap_cases.due(declined)) == []


def test_a_ruling_is_told_without_its_reason_and_a_proposal_to_nobody() -> None:
    told = publishing.tell_of_tap_case(ruled)
    assert isinstance(told, Told)
    assert "driver" not in told.model_dump_json()
    assert publishing.tell_of_tap_case(proposed) is None
    assert publishing.tell_of_tap_case(declined) is None


@pytest.mark.parametrize("text", ["", "330900", "330900-zs-bus-0-1", "330900-zs-bus-1-0", "330900-ZS-1-1", "x-zs-1-1"])
def test_what_names_no_record_is_seen(text: str) -> None:
    assert record_of(text) is None


def test_a_case_is_named_after_the_line_of_its_file() -> None:
    assert CASE == "330900-zs-bus-12-204"
    assert record_of(CASE) == ("330900", "zs-bus", 12, 204)
