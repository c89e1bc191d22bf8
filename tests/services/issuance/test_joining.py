"""One person under two entries of the register has one card of a product, whichever entry it was ordered for."""

from dataclasses import replace

import pytest

from libs.kernel import Due
from libs.kernel.ids import derived
from libs.testing.conversation import given
from services.identity.contracts import PersonsMerged, PersonsParted
from services.ids import application_id, holding_id
from services.issuance.domain.holding.commands import GiveWay, JoinHolding, LeaveHolding, PassHoldingOn
from services.issuance.domain.holding.decider import due, holdings
from services.issuance.domain.holding.events import (
    CardCancelled,
    CardDeclined,
    HoldingEmptied,
    HoldingJoined,
    HoldingLeft,
    HoldingPassedOn,
    Kind,
)
from services.issuance.domain.holding.joining import HELD_ALREADY, MERGED_AWAY
from services.issuance.domain.holding.override import CardThereAlready
from services.issuance.reactions import (
    when_a_merge_is_taken_back_return_their_holdings,
    when_persons_are_merged_pass_their_holdings_on,
)
from tests.services.issuance.card_drawer import (
    AT_OUTLET,
    CARD,
    HALL,
    HOLDING,
    IN_USE,
    IN_WORK,
    LATER,
    LI,
    OTHER_HOLDING,
    WANG,
    claim,
    end_card,
    entitled,
    note_verdict,
    order_reissue,
    ordered,
    recalled,
    reissue_ordered,
)
from tests.services.issuance.test_override import propose

# Li's entry was merged into Wang's, whose own holding leads from now on.
pass_on = PassHoldingOn(holding_id=HOLDING, person_id=WANG, programme="citizen-card", lead=OTHER_HOLDING, at=LATER)
passed_on = HoldingPassedOn(
    holding_id=HOLDING, person_id=WANG, programme="citizen-card", lead=OTHER_HOLDING, before=None, holds=True, at=LATER
)
empty_passed_on = replace(passed_on, holds=False)
returned = replace(passed_on, person_id=LI, lead=None, before=OTHER_HOLDING)
join = JoinHolding(holding_id=OTHER_HOLDING, other=HOLDING, at=LATER)
joined = HoldingJoined(holding_id=OTHER_HOLDING, other=HOLDING, gives_way=False, at=LATER)
left = HoldingLeft(holding_id=OTHER_HOLDING, other=HOLDING, at=LATER)

WANGS_PAPER = application_id(OTHER_HOLDING, derived(3))
wangs_verdict = replace(entitled, holding_id=OTHER_HOLDING, person_id=WANG)
wangs_claim = replace(claim, holding_id=OTHER_HOLDING, application_id=WANGS_PAPER, person_id=WANG, at=LATER)
wangs_order = replace(ordered, holding_id=OTHER_HOLDING, application_id=WANGS_PAPER, person_id=WANG, at=LATER)
wangs_decline = CardDeclined(
    holding_id=OTHER_HOLDING, person_id=WANG, kind=Kind.FIRST, application_id=WANGS_PAPER, old_card_id=None,
    reason=HELD_ALREADY, at=LATER,
)  # fmt: skip


@pytest.mark.requirement("R12")
def test_a_card_in_use_goes_on_as_the_card_of_the_person_who_remains() -> None:
    given(holdings, *IN_USE).when(pass_on).then(passed_on)
    after = holdings.fold([*IN_USE, passed_on])
    assert after.person_id == WANG
    assert after.current is not None
    assert after.current.card_id == CARD
    given(holdings, *IN_USE, passed_on).when(pass_on).then()


def test_the_holding_that_leads_hears_of_it_from_the_city_itself() -> None:
    assert list(due(passed_on)) == [Due(LATER, join)]
    assert list(due(empty_passed_on)) == []
    given(holdings, wangs_verdict).when(join).then(joined)
    given(holdings, wangs_verdict, joined).when(join).then()


@pytest.mark.requirement("R12")
def test_no_second_card_is_ordered_beside_it_by_any_path() -> None:
    beside = (wangs_verdict, joined)
    given(holdings, *beside).when(wangs_claim).then(wangs_decline)
    from_a_roll = replace(note_verdict, holding_id=OTHER_HOLDING, person_id=WANG, outlet=HALL)
    given(holdings, *beside).when(from_a_roll).then()
    refused = replace(wangs_verdict, granted=False, because="moved away", at=LATER)
    in_spite = replace(propose, holding_id=OTHER_HOLDING, application_id=WANGS_PAPER)
    given(holdings, *beside, wangs_decline, refused).when(in_spite).refused(CardThereAlready)


@pytest.mark.requirement("R12")
def test_nothing_is_ordered_for_an_entry_that_was_merged() -> None:
    given(holdings, empty_passed_on).when(claim).then(
        CardDeclined(
            holding_id=HOLDING, person_id=LI, kind=Kind.FIRST, application_id=claim.application_id, old_card_id=None,
            reason=MERGED_AWAY, at=claim.at,
        )
    )  # fmt: skip


def test_its_verdicts_are_those_of_the_person_who_remains() -> None:
    stale = replace(note_verdict, granted=False, because="said before", at=LATER)
    given(holdings, *IN_USE, passed_on).when(stale).then()
    facts = holdings.decide(replace(stale, person_id=WANG), holdings.fold([*IN_USE, passed_on]))
    assert [type(fact).__name__ for fact in facts] == ["VerdictNoted"]


def test_a_lost_card_is_replaced_where_it_was() -> None:
    given(holdings, *IN_USE, passed_on).when(order_reissue).then(replace(reissue_ordered, person_id=WANG))


def test_when_it_has_ended_a_card_may_be_ordered_again() -> None:
    ended = CardCancelled(holding_id=HOLDING, person_id=WANG, card_id=CARD, reason="moved_away", at=LATER)
    emptied = HoldingEmptied(holding_id=HOLDING, lead=OTHER_HOLDING, at=LATER)
    given(holdings, *IN_USE, passed_on).when(end_card).then(ended, emptied)
    assert list(due(emptied)) == [Due(LATER, LeaveHolding(holding_id=OTHER_HOLDING, other=HOLDING, at=LATER))]
    given(holdings, wangs_verdict, joined).when(LeaveHolding(holding_id=OTHER_HOLDING, other=HOLDING, at=LATER)).then(
        left
    )
    given(holdings, wangs_verdict, joined, left).when(wangs_claim).then(wangs_order)


@pytest.mark.requirement("R12")
def test_an_order_made_in_the_very_moment_of_the_merge_is_declined() -> None:
    given(holdings, wangs_verdict, wangs_order).when(join).then(wangs_decline, joined)


@pytest.mark.requirement("R12")
def test_if_both_have_a_card_all_the_same_the_merged_entry_s_gives_way() -> None:
    wangs = tuple(replace(fact, holding_id=OTHER_HOLDING) for fact in IN_USE)
    gives_way = replace(joined, gives_way=True)
    given(holdings, *wangs).when(join).then(gives_way)
    given(holdings, *wangs, gives_way).when(join).then()
    assert list(due(gives_way)) == [Due(LATER, GiveWay(holding_id=HOLDING, at=LATER))]
    give_way = GiveWay(holding_id=HOLDING, at=LATER)
    emptied = HoldingEmptied(holding_id=HOLDING, lead=OTHER_HOLDING, at=LATER)
    ended = CardCancelled(holding_id=HOLDING, person_id=WANG, card_id=CARD, reason="merged", at=LATER)
    given(holdings, *IN_USE, passed_on).when(give_way).then(ended, emptied)
    no_more = replace(wangs_decline, holding_id=HOLDING, application_id=ordered.application_id, recalled=True)
    given(holdings, *AT_OUTLET, passed_on).when(give_way).then(replace(recalled, at=LATER), no_more, emptied)
    given(holdings, entitled, ordered, passed_on).when(give_way).then(no_more, emptied)
    after = holdings.fold([*IN_WORK, passed_on, replace(recalled, at=LATER), no_more, emptied])
    assert holdings.decide(give_way, after) == []
    given(holdings, *IN_USE).when(give_way).then()


def test_a_merge_that_was_taken_back_gives_the_holding_back() -> None:
    give_back = replace(pass_on, person_id=LI, lead=None)
    given(holdings, *IN_USE, passed_on).when(give_back).then(returned)
    assert list(due(returned)) == [Due(LATER, LeaveHolding(holding_id=OTHER_HOLDING, other=HOLDING, at=LATER))]
    given(holdings, *IN_USE, passed_on, returned).when(give_back).then()
    assert holdings.fold([*IN_USE, passed_on, returned]).current == holdings.fold(IN_USE).current


def test_every_product_of_every_merged_entry_is_passed_on() -> None:
    told = PersonsMerged(person_id=WANG, merged=[LI], programmes=["citizen-card", "library"], at=LATER)
    commands = list(when_persons_are_merged_pass_their_holdings_on(told))
    assert commands == [
        pass_on,
        replace(
            pass_on,
            holding_id=holding_id(LI, "library"),
            programme="library",
            lead=holding_id(WANG, "library"),
        ),
    ]


def test_who_had_been_merged_before_stays_with_the_entry_that_parts() -> None:
    third = "330900-THIRD"
    told = PersonsParted(person_id=WANG, parted=[LI, third], programmes=["citizen-card"], at=LATER)
    own, other = when_a_merge_is_taken_back_return_their_holdings(told)
    assert own == replace(pass_on, person_id=LI, lead=None)
    assert (other.person_id, other.lead) == (LI, HOLDING)  # type: ignore[union-attr]
