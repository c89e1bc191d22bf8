"""What can be asked "why?" at the loss desk: of every fact, and of every refusal."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from libs.kernel import Missing, Refused
from libs.kernel.why import Why
from services.ids import CardId
from services.loss.adapters import answers
from services.loss.adapters.answers import Case, FunctionNotNamed, NotStopped
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain import decider
from services.loss.domain.events import (
    CallKept,
    CancellationProposed,
    CardCancelled,
    CardEntered,
    CardSucceeded,
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
    NewCardDeclined: "issuance decided: /v1/applications/{application_id}/why?about=refusal",
}
"""Decisions whose explanation stands with the one from which they follow."""

NOTHING_DECIDED: frozenset[type] = frozenset({CardEntered, CallKept})
"""A card came into somebody's hand, or a call came before its card: the city has stopped, freed and charged nothing."""


class NotDecided(Missing):
    """The loss desk has decided nothing that still stands about the {about} of card {card_id}."""


BY_BYLAW: Mapping[type[Refused], tuple[str, ...]] = {
    decider.ProofNotAccepted: ("caller_proofs",),
    decider.TooManyCalls: ("pre_reports_max_in_30_days",),
    decider.NotReportable: ("reportable",),
    decider.NothingToReport: ("pre_report_covers", "written_report_covers"),
    decider.WrongPlace: ("written_report_at", "lift", "lift_after_call", "reissue_at", "cancel_at"),
    decider.DocumentNotAccepted: ("documents",),
    decider.CannotBeLifted: ("lift", "lift_after_call"),
    decider.LiftElsewhere: ("lift", "lift_after_call"),
    decider.CardNotShown: ("lift", "lift_after_call"),
    decider.InPersonOnly: ("lift", "lift_after_call"),
    decider.AlreadyReissued: ("lift",),
    decider.TooManyReissues: ("reissues",),
    decider.ReasonNotKnown: ("replacement_reasons", "cancel_reasons"),
    decider.ChangeFirst: ("changes_first_at",),
    decider.ProofOfKinNeeded: ("kin",),
    decider.AffairsOpen: ("cancel_at",),
}
"""Each refusal by a rule of the city, and the rules of its `loss.yaml` that it can cite.

A refusal of the loss desk stands here, or in the list below, or the tests fail.
"""

NOT_BY_BYLAW: Mapping[type[Refused], str] = {
    decider.CardUnknown: "nothing to judge: we have not heard of the card",
    decider.CardEnded: "how things stand: the card is no more, and about=ending says why",
    decider.NotReported: "how things stand: a reissue is for a card that was reported lost",
    decider.NotSigned: "how things stand: a reissue is for a loss that was signed for",
    decider.ReportedLost: "how things stand: a lost card is reissued, not replaced; about=block says why it rests",
    NotStopped: "nothing to explain: the function is not stopped",
    NotDecided: "nothing to explain: that was not decided",
    FunctionNotNamed: "the form of the request",
}
"""Each refusal by no rule of a city, and by what instead."""

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
