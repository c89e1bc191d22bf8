"""By which bylaws a city is served, and who says so."""

from dataclasses import replace
from functools import partial

import pytest

from libs.kernel import ProposalId
from libs.kernel.foureyes import NOBODY, HandUnnamed, ProposalLapsed, ProposalUnknown, SameHand
from libs.testing import conversation
from services.office.domain.statute.decider import PROPOSALS_STAND_FOR, AnotherProposed, statute_desk
from tests.services.office.office_drawer import (
    A_MONTH_LATER,
    DEPUTY,
    HEAD,
    a_first_start,
    a_proposal,
    an_approval,
    enacted,
    founded,
    proposed,
)

given = partial(conversation.given, statute_desk)


def test_a_city_begins_with_the_bylaws_that_it_has() -> None:
    given().when(a_first_start).then(founded)


def test_a_city_begins_once() -> None:
    given(founded).when(replace(a_first_start, edition="bb")).then()


@pytest.mark.requirement("R169")
def test_a_bylaw_is_enacted_when_another_person_has_approved_it() -> None:
    given(founded).when(a_proposal).then(proposed)
    given(founded, proposed).when(an_approval).then(enacted)


@pytest.mark.requirement("R169")
def test_nobody_enacts_a_bylaw_alone() -> None:
    given(founded, proposed).when(replace(an_approval, by=HEAD)).refused(SameHand)
    given(founded, proposed).when(replace(an_approval, by=NOBODY)).refused(HandUnnamed)
    given(founded).when(replace(a_proposal, by=NOBODY)).refused(HandUnnamed)


def test_what_was_never_proposed_cannot_be_approved() -> None:
    given(founded).when(an_approval).refused(ProposalUnknown)


def test_a_proposal_does_not_wait_for_ever() -> None:
    given(founded, proposed).when(replace(an_approval, at=A_MONTH_LATER)).refused(ProposalLapsed)
    again = replace(a_proposal, at=A_MONTH_LATER, proposal_id=ProposalId("P2"), by=DEPUTY)
    two_months_later = A_MONTH_LATER + PROPOSALS_STAND_FOR
    follows = replace(proposed, at=A_MONTH_LATER, proposal_id=ProposalId("P2"), by=DEPUTY, until=two_months_later)
    given(founded, proposed).when(again).then(follows)


def test_one_edition_is_proposed_at_a_time() -> None:
    another = replace(a_proposal, edition="cc", proposal_id=ProposalId("P2"))
    given(founded, proposed).when(another).refused(AnotherProposed)


def test_said_twice_is_done_once() -> None:
    given(founded, proposed).when(a_proposal).then()
    given(founded, proposed).when(replace(a_proposal, proposal_id=ProposalId("P2"), by=DEPUTY)).then()
    given(founded, proposed, enacted).when(an_approval).then()
    given(founded, proposed, enacted).when(replace(a_proposal, proposal_id=ProposalId("P3"))).then()


def test_only_the_last_edition_is_in_force() -> None:
    statute = statute_desk.fold([founded, proposed, enacted])

    assert statute.allows("bb")
    assert not statute.allows("aa")
    assert [one.edition for one in statute.enacted] == ["aa", "bb"]
