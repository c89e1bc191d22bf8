"""How the functions of a card stand: each opened where the city says, suspended and resumed without a new card."""

from dataclasses import replace

import pytest

from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.issuance.domain.bylaw import CatalogueEntry, IssuanceBylaw, Opens
from services.issuance.domain.functions import Place
from services.issuance.domain.holding.collection import CardUnknown
from services.issuance.domain.holding.commands import Command, OpenFunction
from services.issuance.domain.holding.decider import (
    CardEnded,
    CardNotActive,
    FunctionNotGranted,
    FunctionOpenedElsewhere,
    FunctionUnknown,
    holdings,
)
from services.issuance.domain.holding.events import Event, FunctionGrant, Standing
from services.issuance.domain.holding.state import Holding
from services.issuance.domain.usability import usability
from services.issuance.views import card_view
from tests.services.issuance.card_drawer import (
    AT_OUTLET,
    CARD,
    FETCHED,
    GRANTS,
    HOLDING,
    IDENT,
    IN_HAND,
    IN_USE,
    LATER,
    NEXT_AT_OUTLET,
    NEXT_CARD,
    OURS,
    SECOND,
    activate,
    cancelled,
    next_handed_over,
    note_verdict,
    opened_purse,
    reserved,
)

PURSE = FunctionGrant(function="epurse", granted=True, because="open to all")
BANKED = FunctionGrant(function="bank_debit", granted=True, because="no restriction")
ALL = (*GRANTS, PURSE, BANKED)
open_purse = OpenFunction(holding_id=HOLDING, card_id=CARD, function="epurse", place=Place.WALLET, at=LATER, under=OURS)
judged = replace(note_verdict, functions=ALL, at=LATER, under=OURS)


def given(*facts: Event) -> Given:
    return given_at(holdings, *facts)


def after(*commands: Command, start: tuple[Event, ...] = IN_USE) -> Holding:
    holding = holdings.fold(start)
    for command in commands:
        holding = holdings.fold(holdings.decide(command, holding), holding)
    return holding


def standings(holding: Holding) -> dict[str, Standing]:
    return {one.function: one.standing for one in holding.functions}


@pytest.mark.requirement("R147")
def test_each_function_is_recorded_as_it_stands_when_the_card_begins_to_work() -> None:
    assert standings(holdings.fold(AT_OUTLET)) == {}
    stands = standings(holdings.fold(IN_USE))
    assert (stands["medical"], stands["rural_medical"]) == (Standing.ENABLED, Standing.UNAVAILABLE)
    assert stands["epurse"] is Standing.UNAVAILABLE  # Identity says nothing of it.


@pytest.mark.requirement("R147")
def test_a_function_that_the_holder_activates_works_from_then_on_and_that_is_recorded() -> None:
    catalogue = tuple(
        replace(one, opens=Opens.BY_THE_HOLDER) if one.function == "medical" else one for one in OURS.catalogue
    )
    third: IssuanceBylaw = replace(OURS, catalogue=catalogue)
    holding = after(replace(activate, under=third), start=IN_HAND)
    assert standings(holding)["medical"] is Standing.AVAILABLE
    before = {one.function: one for one in usability(CARD, FETCHED, holding, (), third.catalogue)}
    assert before["medical"].because == "not opened: the holder activates it herself"
    by_herself = replace(open_purse, function="medical", place=Place.HOLDER, under=third)
    holding = after(replace(activate, under=third), by_herself, start=IN_HAND)
    assert standings(holding)["medical"] is Standing.ENABLED
    now = {one.function: one.usable for one in usability(CARD, LATER, holding, (), third.catalogue)}
    earlier = {one.function: one.usable for one in usability(CARD, LATER - SECOND, holding, (), third.catalogue)}
    assert (earlier["medical"], now["medical"]) == (False, True)


@pytest.mark.requirement("R94")
def test_the_purse_is_opened_at_a_counter_and_once() -> None:
    holding = after(judged)
    assert standings(holding)["epurse"] is Standing.AVAILABLE
    first, turned = holdings.decide(open_purse, holding)
    assert first == opened_purse
    assert {one.function: one.standing for one in turned.functions}["epurse"] is Standing.ENABLED  # type: ignore[union-attr]
    assert holdings.decide(open_purse, after(judged, open_purse)) == []
    assert holdings.decide(replace(open_purse, function="medical"), holding) == []  # It came with the card.


@pytest.mark.requirement("R93")
def test_the_debit_function_is_opened_at_the_bank_only() -> None:
    at_the_hall = replace(open_purse, function="bank_debit")
    for place in (Place.OUTLET, Place.HOLDER):
        with pytest.raises(FunctionOpenedElsewhere, match="at the bank"):
            holdings.decide(replace(at_the_hall, place=place), after(judged))
    holding = after(judged, replace(at_the_hall, place=Place.BANK))
    assert standings(holding)["bank_debit"] is Standing.ENABLED


@pytest.mark.requirement("R71")
def test_whom_identity_does_not_grant_a_function_it_is_not_opened() -> None:
    restricted = replace(BANKED, granted=False, because="the bank has restricted this holder")
    holding = after(replace(judged, functions=(*GRANTS, restricted)))
    with pytest.raises(FunctionNotGranted, match="restricted"):
        holdings.decide(replace(open_purse, function="bank_debit", place=Place.BANK), holding)


@pytest.mark.requirement("R72", "R73", "R112")
def test_a_function_is_suspended_and_resumed_without_a_new_card() -> None:
    unpaid = replace(judged, functions=(replace(GRANTS[0], granted=False, because="not paid"), *ALL[1:]))
    suspended = after(judged, unpaid)
    assert standings(suspended)["medical"] is Standing.SUSPENDED
    assert standings(suspended)["transit"] is Standing.ENABLED
    resumed = after(judged, unpaid, replace(judged, because="paid again"))
    assert standings(resumed)["medical"] is Standing.ENABLED
    assert resumed.current is not None
    assert resumed.current.card_id == CARD


@pytest.mark.requirement("R112")
def test_what_was_opened_is_suspended_with_the_entitlement_and_comes_back_with_it() -> None:
    none_at_all = replace(judged, granted=False, functions=(), because="the work permit has ended")
    holding = after(judged, open_purse, none_at_all)
    assert set(standings(holding).values()) == {Standing.SUSPENDED, Standing.UNAVAILABLE}
    assert standings(holding)["epurse"] is Standing.SUSPENDED
    assert standings(after(judged, open_purse, none_at_all, judged))["epurse"] is Standing.ENABLED


def test_a_verdict_that_changes_no_function_turns_none() -> None:
    assert len(holdings.decide(replace(judged, functions=GRANTS, because="moved"), holdings.fold(IN_USE))) == 1
    assert len(holdings.decide(replace(judged, under=None), holdings.fold(IN_USE))) == 1
    assert len(holdings.decide(judged, holdings.fold(AT_OUTLET))) == 1


def test_on_a_new_card_a_function_is_open_still_or_must_be_opened_again_as_the_city_says() -> None:
    again = replace(
        OURS,
        catalogue=tuple(
            CatalogueEntry(function=one.function, opens=one.opens, reopens=one.function == "bank_debit")
            for one in OURS.catalogue
        ),
    )
    banked = replace(open_purse, function="bank_debit", place=Place.BANK)
    begun = after(judged, open_purse, banked)
    coming = holdings.fold([*NEXT_AT_OUTLET[len(IN_USE) :], next_handed_over], begun)
    activate_next = replace(activate, card_id=NEXT_CARD, at=LATER, under=again)
    holding = holdings.fold(holdings.decide(activate_next, coming), coming)
    assert holding.current is not None
    assert holding.current.card_id == NEXT_CARD
    assert (standings(holding)["epurse"], standings(holding)["bank_debit"]) == (Standing.ENABLED, Standing.AVAILABLE)


def test_only_a_card_that_works_has_functions_to_open() -> None:
    given(*AT_OUTLET).when(open_purse).refused(CardNotActive)
    given().when(open_purse).refused(CardUnknown)
    given(*IN_USE, cancelled).when(open_purse).refused(CardEnded)
    given(*IN_USE).when(replace(open_purse, function="flying")).refused(FunctionUnknown)
    assert standings(holdings.fold([*IN_USE, cancelled])) == {}


@pytest.mark.requirement("R13")
def test_a_card_record_bears_its_chip_and_its_functions() -> None:
    holding = holdings.fold(IN_USE)
    functions = usability(CARD, FETCHED, holding, (), OURS.catalogue)
    view = card_view(HOLDING, CARD, holding, FETCHED, functions)
    assert view is not None
    assert (view.chip_id, view.card_number) == (IDENT, reserved.card_number)
    assert [one.function for one in view.functions] == [one.function for one in OURS.catalogue]
    assert {one.function: one.standing for one in view.functions}["medical"] == "enabled"


def test_a_wallet_is_opened_once_and_not_at_the_card_desk_as_well() -> None:
    holding = after(judged)
    for place in (Place.OUTLET, Place.BANK, Place.HOLDER):
        with pytest.raises(FunctionOpenedElsewhere, match="with the wallet"):
            holdings.decide(replace(open_purse, place=place), holding)


def test_a_city_may_still_have_a_function_opened_at_its_outlets() -> None:
    catalogue = tuple(
        replace(one, opens=Opens.AT_AN_OUTLET) if one.function == "epurse" else one for one in OURS.catalogue
    )
    at_the_hall = replace(open_purse, place=Place.OUTLET, under=replace(OURS, catalogue=catalogue))
    assert holdings.decide(at_the_hall, after(judged))
