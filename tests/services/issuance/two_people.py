"""What two people do together at issuance, and whatever one of them could say besides."""

from dataclasses import replace

from libs.kernel import ProposalId
from libs.testing.twopeople import ONE, OTHER, Conversation
from services.issuance.domain.unit.decider import PROPOSALS_STAND_FOR
from tests.services.issuance.card_drawer import LATER, SECOND_PAPER, claim, note_verdict, order_reissue, withdraw_order
from tests.services.issuance.test_override import REFUSED
from tests.services.issuance.test_override import approve as approve_issue
from tests.services.issuance.test_override import propose as propose_issue
from tests.services.issuance.test_units import approve, bring
from tests.services.issuance.test_units import propose as proposed_by_a_clerk

ANOTHER = ProposalId("another")
propose = replace(proposed_by_a_clerk, by=ONE)
accept = replace(approve, by=OTHER)
WHATEVER = (
    bring,
    replace(bring, fits=False),
    propose,
    replace(propose, proposal_id=ANOTHER, by=OTHER),
    replace(propose, proposal_id=ANOTHER, at=propose.at + PROPOSALS_STAND_FOR),
    accept,
    replace(accept, proposal_id=ANOTHER),
    replace(accept, at=propose.at + PROPOSALS_STAND_FOR),
)
wants = replace(propose_issue, by=ONE)
agrees = replace(approve_issue, by=OTHER)
no = replace(note_verdict, granted=False, because="not resident", functions=(), at=LATER)
BESIDES = (
    claim,
    replace(claim, application_id=SECOND_PAPER),
    note_verdict,
    no,
    replace(no, because="moved away"),
    replace(no, outlet=propose_issue.outlet),
    replace(no, granted=True, may_apply=False),
    order_reissue,
    withdraw_order,
    wants,
    replace(wants, application_id=SECOND_PAPER),
    replace(wants, proposal_id=ANOTHER, by=OTHER),
    replace(wants, proposal_id=ANOTHER, at=wants.at + PROPOSALS_STAND_FOR),
    agrees,
    replace(agrees, proposal_id=ANOTHER),
    replace(agrees, at=wants.at + PROPOSALS_STAND_FOR),
)
CONVERSATIONS = (
    Conversation(act="issue in spite of a refusal", given=REFUSED, said=(wants, agrees), also=BESIDES),
    Conversation(act="let a unit's code count that fails its check", given=(), said=(propose, accept), also=WHATEVER),
)
