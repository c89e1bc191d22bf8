"""How two people put an account right or rule on a tap, for the test of the house that lets one person try."""

from dataclasses import replace

from libs.kernel import ProposalId
from libs.testing.twopeople import ONE, OTHER, Conversation
from services.wallet.domain.taps.tap import Class, Ruling
from tests.services.wallet import test_tap_case as cases
from tests.services.wallet.test_adjustment import A_MONTH_LATER, approve, correct, decline, write_off

ANOTHER = ProposalId("another")

CONVERSATIONS = (
    Conversation(
        act="adjust a wallet",
        given=(),
        said=(replace(correct, by=ONE), replace(approve, by=OTHER)),
        also=(
            write_off,
            replace(write_off, proposal_id=ANOTHER, at=A_MONTH_LATER),
            replace(correct, amount_fen=-182),
            replace(correct, proposal_id=ANOTHER, at=A_MONTH_LATER),
            replace(approve, to="payable"),
            decline,
            replace(approve, proposal_id=ANOTHER, stands_fen=900),
            replace(approve, proposal_id=ANOTHER, at=A_MONTH_LATER),
        ),
        objection=decline,
    ),
    Conversation(
        act="rule on a tap",
        given=(),
        said=(replace(cases.charge, by=ONE), replace(cases.approve, by=OTHER)),
        also=(
            replace(cases.charge, ruling=Ruling.ISSUER, proposal_id=ANOTHER),
            replace(cases.charge, case_id=cases.OTHER_CASE, proposal_id=ANOTHER),
            replace(cases.charge, standing=Class.STALE, ruling=Ruling.REJECT),
            replace(cases.approve, proposal_id=ANOTHER),
            cases.decline,
            replace(cases.approve, standing=Class.STALE),
        ),
        objection=cases.decline,
    ),
)
