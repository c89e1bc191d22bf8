"""How two people merge two entries of the register, for the test of the house that lets one person try."""

from dataclasses import replace

from libs.kernel import ProposalId
from libs.testing.twopeople import OTHER, Conversation
from services.identity.domain.commands import StayAsYouWere
from services.identity.domain.merging import PROPOSALS_STAND_FOR
from tests.services.identity.test_decider import LI, a_fact, a_judgement, a_registration, an_erasure
from tests.services.identity.test_merging import (
    BEFORE,
    LATER,
    XU,
    approve,
    approve_parting,
    decline,
    propose,
    propose_parting,
)

ANOTHER = ProposalId("another")

CONVERSATIONS = (
    Conversation(
        act="merge two persons",
        given=BEFORE,
        said=(propose, approve, propose_parting, approve_parting),
        also=(
            a_registration,
            a_fact,
            a_judgement,
            an_erasure,
            decline,
            replace(propose, proposal_id=ANOTHER, by=OTHER),
            replace(propose, proposal_id=ANOTHER, at=propose.at + PROPOSALS_STAND_FOR),
            replace(approve, proposal_id=ANOTHER),
            replace(propose_parting, proposal_id=ANOTHER, by=OTHER),
            StayAsYouWere(person_id=LI, into=XU, at=LATER),
        ),
        objection=decline,
    ),
)
