"""The counter where two people let a card be made in spite of a refusal (R169)."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from libs.kernel.foureyes import (
    HandUnnamed,
    ProposalId,
    ProposalLapsed,
    ProposalOvertaken,
    ProposalUnknown,
    SameHand,
)
from libs.kernel.ids import city_of, derived, written
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import ApplicationId, HoldingId, IdMistyped, holding_of_application
from services.issuance.domain.application.decider import ApplicationUnknown
from services.issuance.domain.application.state import Absent, Accepted
from services.issuance.domain.holding.commands import ApproveIssue, ProposeIssue
from services.issuance.domain.holding.override import CardThereAlready, NothingRefused
from services.issuance.domain.holding.state import Holding
from services.issuance.routes.bodies import ApplicationPath, IssueProposalPath, ReasonBody
from services.issuance.routes.hands import Hands
from services.issuance.views import coming_word


class IssueView(BaseModel):
    """How a card stands that was refused, and what waits for another person."""

    application_id: str
    holding_id: str
    coming: str
    """The card on its way, in a word; `nothing` while nobody has approved it."""
    because: str
    """What the verdict says."""
    proposal_id: str = ""
    proposed_until: datetime | None = None


def override(routes: APIRouter, hands: Hands) -> None:
    """Open this counter."""
    applications, holdings = hands.desks["application"], hands.desks["holding"]

    @routes.post(
        "/v1/applications/{application_id}/issue-proposals",
        status_code=201,
        responses=refusals(IdMistyped, ApplicationUnknown, NothingRefused, CardThereAlready, HandUnnamed),
        dependencies=[allowed("issuance:propose-issue")],
    )
    async def propose_a_card_in_spite_of_a_refusal(
        application_id: ApplicationPath, said: ReasonBody, call: Call
    ) -> IssueView:
        """The verdict says no, and a clerk says why the card should be made; another person must see that too."""
        holding = holding_of_application(application_id)
        call.allow(city=city_of(holding))
        paper = (await applications.standing(application_id)).state
        if isinstance(paper, Absent):
            raise ApplicationUnknown
        if not isinstance(paper, Accepted):
            raise NothingRefused(application_id=application_id)
        proposal = ProposalId(written(city_of(holding), derived("issue", call.command_id)))

        def ask(_now: Holding, at: datetime) -> ProposeIssue:
            return ProposeIssue(
                holding_id=holding,
                application_id=ApplicationId(application_id),
                outlet=paper.paper.outlet,
                unit=paper.paper.unit,
                way=paper.paper.way,
                reason=said.reason,
                proposal_id=proposal,
                by=call.hand,
                at=at,
            )

        receipt = await call.handle(holdings, holding, ask, city=city_of(holding), reason=said.reason)
        return _view(application_id, holding, receipt.state)

    @routes.post(
        "/v1/applications/{application_id}/issue-proposals/{proposal_id}/approvals",
        status_code=201,
        responses=refusals(IdMistyped, HandUnnamed, ProposalUnknown, ProposalOvertaken, ProposalLapsed, SameHand),
        dependencies=[allowed("issuance:approve-issue")],
    )
    async def approve_a_card_in_spite_of_a_refusal(
        application_id: ApplicationPath, proposal_id: IssueProposalPath, call: Call
    ) -> IssueView:
        """Another person answers for it too: the card goes into the next batch."""
        holding = holding_of_application(application_id)

        def ask(_now: Holding, at: datetime) -> ApproveIssue:
            return ApproveIssue(holding_id=holding, proposal_id=ProposalId(proposal_id), by=call.hand, at=at)

        receipt = await call.handle(holdings, holding, ask, city=city_of(holding))
        return _view(application_id, holding, receipt.state)


def _view(application_id: str, holding_id: HoldingId, holding: Holding) -> IssueView:
    proposal = holding.proposals.waiting[-1] if holding.proposals.waiting else None
    return IssueView(
        application_id=application_id if proposal is None else proposal.application_id,
        holding_id=holding_id,
        coming=coming_word(holding.coming),
        because=holding.verdicts[-1].because if holding.verdicts else "",
        proposal_id=proposal.proposal_id if proposal else "",
        proposed_until=proposal.until if proposal else None,
    )
