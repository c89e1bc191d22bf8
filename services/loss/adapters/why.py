"""What can be asked "why?" at the loss desk, fact by fact."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from libs.kernel import Missing
from libs.kernel.why import Why
from services.ids import CardId
from services.loss.adapters import answers
from services.loss.adapters.answers import Case
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.events import (
    CallKept,
    CancellationProposed,
    CardCancelled,
    CardEntered,
    CardSucceeded,
    EndorsementContradicted,
    Event,
    LapseAnnounced,
    LiftProposed,
    LossLapsed,
    LossLifted,
    LossPreReported,
    LossReported,
    NewCardDeclined,
    ProposalDeclined,
    ReissueOrdered,
    ReplacementOrdered,
    StopHastened,
)

About = Literal["block", "deadline", "release", "new_card", "ending", "fee", "liability"]

EXPLAINED: Mapping[type, tuple[About, ...]] = {
    LossPreReported: ("block", "deadline", "liability"),
    LossReported: ("block", "deadline", "fee", "liability"),
    StopHastened: ("block", "liability"),
    LossLapsed: ("release",),
    LiftProposed: ("release",),
    LossLifted: ("release", "block"),
    ProposalDeclined: ("release", "ending"),
    ReissueOrdered: ("new_card", "fee"),
    ReplacementOrdered: ("new_card", "fee"),
    CancellationProposed: ("ending",),
    CardCancelled: ("ending", "liability"),
    CardSucceeded: ("ending", "liability"),
}
"""Each fact by which the city stops, frees, ends, charges or sets an hour, and what is asked about it.

A fact of the loss desk stands here, or in one of the two lists below, or the tests fail.
"""

EXPLAINED_ELSEWHERE: Mapping[type, str] = {
    LapseAnnounced: "follows from LossPreReported or LossReported: /v1/cards/{card_id}/why?about=deadline",
    EndorsementContradicted: "issuance takes the endorsement back: /v1/cards/{card_id}/issue/why?about=validity",
    NewCardDeclined: "issuance decided: /v1/applications/{application_id}/why?about=refusal",
}
"""Decisions whose explanation stands with the one from which they follow."""

NOTHING_DECIDED: frozenset[type] = frozenset({CardEntered, CallKept})
"""A card came into somebody's hand, or a call came before its card: the city has stopped, freed and charged nothing."""


class NotDecided(Missing):
    """The loss desk has decided nothing that still stands about the {about} of card {card_id}."""


_ANSWERS: Mapping[About, Callable[[Case], Why | None]] = {
    "block": answers.block,
    "deadline": answers.deadline,
    "release": answers.release,
    "new_card": answers.new_card,
    "ending": answers.ending,
    "fee": answers.fee,
    "liability": answers.liability,
}


def why(
    about: About, card_id: CardId, story: Sequence[Event], at: datetime, bylaws: LossBylaws, function: str = ""
) -> Why:
    """What had been decided last by this moment. Raises NotStopped, FunctionNotNamed or NotDecided."""
    answer = _ANSWERS[about](Case.of(card_id, function, at, story, bylaws))
    if answer is None:
        raise NotDecided(about=about.replace("_", " "), card_id=card_id)
    return answer
