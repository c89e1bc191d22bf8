"""A card goes into one hand, once; where the city says so, it works from then on."""

from dataclasses import replace

import pytest

from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.issuance.domain.bylaw import OlderCard
from services.issuance.domain.holding.collection import (
    AgentNotAllowed,
    AlreadyHandedOver,
    CardElsewhere,
    CardUnknown,
    DocumentNotAccepted,
    NotReadyYet,
)
from services.issuance.domain.holding.decider import CardEnded, NotInHand, holdings
from services.issuance.domain.holding.events import Event
from services.issuance.domain.holding.state import InHand
from services.issuance.domain.papers import Shown, Whose
from tests.services.issuance.card_drawer import (
    AT_OUTLET,
    BANK,
    BY_THE_HOLDER,
    CARD,
    GOOD,
    IN_HAND,
    IN_USE,
    IN_WORK,
    LATER,
    NEXT_AT_OUTLET,
    NEXT_CARD,
    OLD_CARD_UNTIL,
    OURS,
    REPLACED,
    SECOND,
    activate,
    activated,
    cancelled,
    hand_over,
    handed_over,
    next_handed_over,
    next_turned,
    recalled,
    replaced,
    spoiled,
    turned,
    unclaimed,
)

fetch_next = replace(hand_over, card_id=NEXT_CARD, outlet=BANK, at=LATER)
hand_over_only = replace(hand_over, under=BY_THE_HOLDER)
activate_next = replace(activate, card_id=NEXT_CARD, at=LATER)


def given(*facts: Event) -> Given:
    return given_at(holdings, *facts)


def test_in_zhoushan_a_card_works_when_it_is_received() -> None:
    given(*AT_OUTLET).when(hand_over).then(handed_over, activated, turned)


def test_in_wuxi_a_card_works_when_its_holder_activates_it() -> None:
    given(*AT_OUTLET).when(hand_over_only).then(handed_over)
    assert isinstance(holdings.fold(IN_HAND).coming, InHand)
    given(*IN_HAND).when(replace(activate, under=BY_THE_HOLDER)).then(replace(activated, older=()), turned)
    given(*IN_USE).when(activate).then()


def test_a_card_is_handed_over_once() -> None:
    for past in (IN_HAND, IN_USE, REPLACED, (*IN_USE, cancelled)):
        given(*past).when(hand_over).refused(AlreadyHandedOver)


def test_a_card_that_is_not_there_yet_is_not_handed_over() -> None:
    for past in (IN_WORK, GOOD):
        given(*past).when(hand_over).refused(NotReadyYet)


def test_a_card_that_is_nobody_s_is_not_handed_over() -> None:
    for past in ((), (*IN_WORK, spoiled), (*AT_OUTLET, unclaimed, recalled)):
        given(*past).when(hand_over).refused(CardUnknown)
    given(*AT_OUTLET).when(replace(hand_over, card_id=NEXT_CARD)).refused(CardUnknown)


def test_a_card_is_fetched_where_it_was_applied_for() -> None:
    given(*AT_OUTLET).when(replace(hand_over, outlet=BANK)).refused(CardElsewhere)


def test_a_card_is_fetched_with_a_valid_document() -> None:
    given(*AT_OUTLET).when(replace(hand_over, document="passport")).refused(DocumentNotAccepted)
    given(*AT_OUTLET).when(replace(hand_over, document="household_book")).then(
        replace(handed_over, document="household_book"), activated, turned
    )


def test_an_agent_shows_her_own_document_where_the_city_lets_her_come() -> None:
    copies = (Shown(kind="id_card", copy=True), Shown(kind="id_card", whose=Whose.AGENT, copy=True))
    by_agent = replace(hand_over, agent_document="id_card", papers=copies)
    given(*AT_OUTLET).when(by_agent).then(replace(handed_over, agent_document="id_card"), activated, turned)
    given(*AT_OUTLET).when(replace(by_agent, under=replace(OURS, agent_may_collect=False))).refused(AgentNotAllowed)


def test_the_new_card_works_in_the_instant_in_which_the_old_one_ends() -> None:
    given(*NEXT_AT_OUTLET).when(fetch_next).then(next_handed_over, replaced, next_turned)
    given(*NEXT_AT_OUTLET, next_handed_over).when(activate_next).then(replaced, next_turned)


def test_the_medical_card_of_before_goes_on_beside_the_first_card_for_the_city_s_days() -> None:
    [beside] = activated.older
    assert (beside.scheme, beside.until) == ("medical_insurance_card", OLD_CARD_UNTIL)
    assert holdings.fold((*IN_HAND, activated)).lives[0].older == (beside,)
    assert BY_THE_HOLDER.older_until(activated.at) == (), "Wuxi says nothing of older cards"


@pytest.mark.parametrize("days", [-1, 3_661])
def test_an_older_card_goes_on_for_a_bounded_time(days: int) -> None:
    with pytest.raises(ValueError, match="0 to 3,660 days"):
        OlderCard(scheme="medical_insurance_card", days=days)


def test_until_the_new_card_is_activated_the_old_one_counts() -> None:
    current = holdings.fold([*NEXT_AT_OUTLET, next_handed_over]).current
    assert current is not None
    assert current.card_id == CARD
    assert current.active(LATER)


def test_there_is_no_instant_between_the_two() -> None:
    old, new = holdings.fold(REPLACED).lives
    assert (old.active(LATER - SECOND), new.active(LATER - SECOND)) == (True, False)
    assert (old.active(LATER), new.active(LATER)) == (False, True)


def test_a_card_is_activated_in_its_holder_s_hand() -> None:
    for past in (IN_WORK, GOOD, AT_OUTLET):
        given(*past).when(activate).refused(NotInHand)
    given().when(activate).refused(CardUnknown)
    given(*AT_OUTLET, unclaimed, recalled).when(activate).refused(CardUnknown)


def test_what_has_ended_is_not_activated() -> None:
    given(*IN_USE, cancelled).when(activate).refused(CardEnded)
    given(*REPLACED).when(activate).refused(CardEnded)


def test_a_new_card_in_the_hand_dies_with_the_old_one_s_cancellation() -> None:
    given(*NEXT_AT_OUTLET, next_handed_over, cancelled).when(activate_next).refused(CardUnknown)
