"""A card in spite of a refusal: two people may have it made where the verdict says no (R169).

They answer for the card alone. Each of its functions still asks for its own conditions, and a card that is to take its
place later is judged anew.
"""

from collections.abc import Sequence
from datetime import timedelta

from libs.kernel import Clash
from libs.kernel.foureyes import named
from services.issuance.domain.holding.commands import ApproveIssue, ProposeIssue
from services.issuance.domain.holding.events import CardApproved, CardOrdered, Event, IssueProposed, Kind
from services.issuance.domain.holding.state import Holding, NothingComing

PROPOSALS_STAND_FOR = timedelta(days=30)


class NothingRefused(Clash):
    """No verdict stands against application {application_id}; let it take its way."""


class CardThereAlready(Clash):
    """The holder has a card, or one on its way; nothing has to be made in spite of the verdict."""


def propose_issue(asked: ProposeIssue, holding: Holding) -> Sequence[Event]:
    """A clerk says why this applicant should have the card all the same."""
    named(asked.by)
    if holding.proposals.known(asked.proposal_id) or holding.proposals.open(IssueProposed, asked.at):
        return []
    if holding.current is not None or not isinstance(holding.coming, NothingComing) or holding.beside or holding.lead:
        raise CardThereAlready
    if asked.application_id not in holding.claims or not _refused(holding, Kind.FIRST):
        raise NothingRefused(application_id=asked.application_id)
    return [
        IssueProposed(
            holding_id=asked.holding_id,
            application_id=asked.application_id,
            outlet=asked.outlet,
            unit=asked.unit,
            way=asked.way,
            reason=asked.reason,
            proposal_id=asked.proposal_id,
            by=asked.by,
            until=asked.at + PROPOSALS_STAND_FOR,
            at=asked.at,
        )
    ]


def approve_issue(asked: ApproveIssue, holding: Holding) -> Sequence[Event]:
    """Another has looked too: the card is ordered. Whatever has changed meanwhile has overtaken the proposal."""
    approved = holding.proposals.approved(asked.proposal_id, asked.by, asked.at)
    if approved is None:
        return []
    proposal, eyes = approved
    assert holding.person_id is not None, "a verdict names its person"
    return [
        CardOrdered(
            holding_id=asked.holding_id,
            person_id=holding.person_id,
            programme=holding.programme,
            kind=Kind.FIRST,
            application_id=proposal.application_id,
            old_card_id=None,
            outlet=proposal.outlet,
            approved=True,
            at=asked.at,
            unit=proposal.unit,
            way=proposal.way,
            proposal_id=proposal.proposal_id,
            eyes=eyes,
        )
    ]


def in_spite_of_a_refusal(holding: Holding, fact: CardOrdered | CardApproved) -> bool:
    """Whether this card is made although the verdict says that none may be."""
    return _refused(holding, fact.kind)


def _refused(holding: Holding, kind: Kind) -> bool:
    return bool(holding.verdicts) and not holding.verdicts[-1].allows(kind)
