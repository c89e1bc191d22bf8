"""How two people enact a bylaw, for the test of the house that lets one person try."""

from dataclasses import replace

from libs.kernel import ProposalId
from libs.testing.twopeople import ONE, OTHER, Conversation
from tests.services.office.office_drawer import A_MONTH_LATER, a_first_start, a_proposal, an_approval, founded

CONVERSATIONS = (
    Conversation(
        act="enact a bylaw",
        given=[founded],
        said=[replace(a_proposal, by=ONE), replace(an_approval, by=OTHER)],
        also=[
            a_first_start,
            replace(a_first_start, edition="bb"),
            replace(a_proposal, edition="cc", proposal_id=ProposalId("P2"), at=A_MONTH_LATER),
            replace(an_approval, proposal_id=ProposalId("P2"), at=A_MONTH_LATER),
        ],
    ),
)
