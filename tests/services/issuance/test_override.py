"""A card in spite of a refusal: two people answer for it, and nobody alone (R169)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel.foureyes import NOBODY, FourEyes, Hand, HandUnnamed, ProposalId, ProposalOvertaken, SameHand
from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from libs.testing.town import Town
from services.issuance.domain.applying import Way
from services.issuance.domain.holding.commands import ApproveIssue, ProposeIssue
from services.issuance.domain.holding.decider import holdings
from services.issuance.domain.holding.events import Event, IssueProposed
from services.issuance.domain.holding.override import PROPOSALS_STAND_FOR, CardThereAlready, NothingRefused
from services.issuance.publishing import tell_of_holding
from tests.platform import CENTRE, CLERK, HALL, PORTRAIT, Open, id_card
from tests.services.issuance.card_drawer import (
    HALL as AT_HALL,
)
from tests.services.issuance.card_drawer import (
    HOLDING,
    IN_USE,
    LATER,
    PAPER,
    SECOND_PAPER,
    declined,
    entitled,
    not_entitled,
    note_verdict,
    ordered,
)

REFUSED = (not_entitled, declined)
WHY = "her papers are with the court; the department will follow"
PROPOSAL = ProposalId("a-proposal")
SOON = LATER + timedelta(days=1)
propose = ProposeIssue(
    holding_id=HOLDING, application_id=PAPER, outlet=AT_HALL, unit="", way=Way.COUNTER, reason=WHY,
    proposal_id=PROPOSAL, by=Hand("clerk-1"), at=LATER,
)  # fmt: skip
proposed = IssueProposed(
    holding_id=HOLDING, application_id=PAPER, outlet=AT_HALL, unit="", way=Way.COUNTER, reason=WHY,
    proposal_id=PROPOSAL, by=Hand("clerk-1"), until=LATER + PROPOSALS_STAND_FOR, at=LATER,
)  # fmt: skip
approve = ApproveIssue(holding_id=HOLDING, proposal_id=PROPOSAL, by=Hand("centre-1"), at=SOON)
ordered_by_two = replace(
    ordered, at=SOON, proposal_id=PROPOSAL, eyes=FourEyes(proposed_by=Hand("clerk-1"), approved_by=Hand("centre-1"))
)


def given(*facts: Event) -> Given:
    return given_at(holdings, *facts)


@pytest.mark.requirement("R169")
def test_what_the_verdict_refuses_is_made_when_two_people_answer_for_it() -> None:
    given(*REFUSED).when(propose).then(proposed)
    given(*REFUSED, proposed).when(replace(propose, proposal_id=ProposalId("another"))).then()
    given(*REFUSED, proposed).when(replace(approve, by=Hand("clerk-1"))).refused(SameHand)
    given(*REFUSED, proposed).when(replace(approve, by=NOBODY)).refused(HandUnnamed)
    given(*REFUSED, proposed).when(approve).then(ordered_by_two)
    given(*REFUSED, proposed, ordered_by_two).when(approve).then()


def test_only_what_was_refused_can_be_proposed() -> None:
    given().when(propose).refused(NothingRefused)
    given(entitled).when(propose).refused(NothingRefused)
    given(*REFUSED).when(replace(propose, application_id=SECOND_PAPER)).refused(NothingRefused)
    given(*REFUSED, replace(entitled, at=SOON)).when(propose).refused(NothingRefused)
    given(entitled, ordered).when(propose).refused(CardThereAlready)
    given(*IN_USE, not_entitled).when(propose).refused(CardThereAlready)


def test_another_verdict_overtakes_what_was_proposed() -> None:
    """The approval answers what its giver saw: if the department has spoken since, she looks again."""
    another = replace(not_entitled, because="moved away", at=SOON)
    given(*REFUSED, proposed, another).when(approve).refused(ProposalOvertaken)


def test_a_card_made_in_spite_of_the_verdict_has_no_function_that_the_verdict_denies() -> None:
    """Two people answer for the card; what it is good for is still asked of each function's own conditions."""
    after = holdings.fold((*REFUSED, proposed, ordered_by_two))
    assert after.verdicts[-1].functions == ()
    assert not holdings.decide(replace(note_verdict, granted=False, because="not resident", functions=()), after)


def test_the_city_is_told_of_the_card_and_not_of_the_proposal() -> None:
    assert tell_of_holding(proposed) is None
    told = tell_of_holding(ordered_by_two)
    assert told is not None
    assert told.model_dump()["application_id"] == PAPER


# --- over HTTP ---


@pytest.fixture(scope="module")
async def a_town(open_town: Open) -> AsyncIterator[Town]:
    async with open_town() as opened:
        yield opened


@pytest.mark.requirement("R169")
async def test_over_http_one_proposes_and_another_approves(a_town: Town) -> None:
    stranger = {"document": id_card(district="110101"), "name": "何远", "mobile": "13800005678", "language": "zh"}
    person = (await a_town.post(CLERK, "/v1/persons", stranger))["person_id"]
    await a_town.drain()
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    paper = (await a_town.post(HALL, "/v1/applications", papers))["application_id"]
    path, why = f"/v1/applications/{paper}/issue-proposals", {"reason": WHY}
    assert (await a_town.post(HALL, path, why, expect=409))["code"] == "nothing-refused"
    await a_town.post(HALL, f"/v1/applications/{paper}/acceptances")
    await a_town.drain()
    waits = await a_town.post(HALL, path, why)
    assert (waits["coming"], waits["application_id"]) == ("nothing", paper)
    approvals = f"{path}/{waits['proposal_id']}/approvals"
    assert (await a_town.post(HALL, approvals, expect=403))["code"] == "same-hand"
    done = await a_town.post(CENTRE, approvals)
    assert (done["coming"], done["proposal_id"]) == ("approved", "")
    assert (await a_town.post(CLERK, path, why, expect=409))["code"] == "card-there-already"
