"""How a written report is lifted and a card is cancelled: by two people, and by whatever one could say besides."""

from dataclasses import replace

from libs.kernel import ProposalId
from libs.testing.twopeople import OTHER, Conversation
from tests.services.loss.desk_drawer import (
    CANCELLING,
    HOUR,
    LIFTING,
    NOON,
    STERN,
    a_call,
    apply_anew,
    approve_cancellation,
    approve_lift,
    cancel,
    decline,
    enter_card,
    exchange,
    issued,
    lift,
    object_to_lift,
    sign,
    signed,
    succeed,
    the_clock,
)

ANOTHER = ProposalId("another")
object_to_cancellation = replace(object_to_lift, proposal_id=CANCELLING)
WHATEVER = (
    enter_card,
    a_call,
    replace(a_call, at=NOON, under=STERN),
    sign,
    lift,
    replace(lift, proposal_id=ANOTHER, by=OTHER),
    replace(lift, at=HOUR, proposal_id=ANOTHER),
    approve_lift,
    replace(approve_lift, proposal_id=ANOTHER),
    replace(approve_lift, at=HOUR),
    object_to_lift,
    object_to_cancellation,
    cancel,
    replace(cancel, proposal_id=LIFTING),
    replace(cancel, proposal_id=ANOTHER, by=OTHER),
    approve_cancellation,
    apply_anew,
    exchange,
    decline,
    succeed,
    the_clock,
)

CONVERSATIONS = (
    Conversation(
        act="lift a written report",
        given=(issued, signed),
        said=(lift, approve_lift),
        also=WHATEVER,
        objection=object_to_lift,
    ),
    Conversation(
        act="cancel a card",
        given=(issued,),
        said=(cancel, approve_cancellation),
        also=WHATEVER,
        objection=object_to_cancellation,
    ),
)
