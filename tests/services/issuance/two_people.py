"""How a unit's code comes to count that fails its check: by two people, and by whatever one could say besides."""

from dataclasses import replace

from libs.kernel import ProposalId
from libs.testing.twopeople import ONE, OTHER, Conversation
from services.issuance.domain.unit.decider import PROPOSALS_STAND_FOR
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
CONVERSATIONS = (
    Conversation(act="let a unit's code count that fails its check", given=(), said=(propose, accept), also=WHATEVER),
)
