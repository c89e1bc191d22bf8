"""Which facts of the loss desk the city is told, and in which words."""

from libs.messaging.contract import Contract
from services.loss import contracts as told
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
    Stop,
    StopHastened,
)


def tell(fact: Event) -> Contract | None:
    match fact:
        case LossPreReported():
            return told.CardStopped(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                kind="pre_report",
                functions=_functions(fact.stops),
                until=None if fact.ends_card else fact.lapses_at,
                ends_card_at=fact.lapses_at if fact.ends_card else None,
                electronic_form=fact.electronic_form.value,
            )
        case LossReported():
            return told.CardStopped(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                kind="written_report",
                functions=_functions(fact.stops),
                until=None if fact.ends_card else fact.lapses_at,
                ends_card_at=fact.lapses_at if fact.ends_card else None,
                electronic_form=fact.electronic_form.value,
            )
        case StopHastened():
            return told.CardStopped(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                kind="written_report" if fact.signed else "pre_report",
                until=fact.until,
                functions=[told.StoppedFunction(function=fact.function, from_at=fact.at)],
                captured=[fact.function],
            )
        case LossLapsed():
            return told.CardWoken(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                why="lapsed",
                functions=list(fact.functions),
            )
        case LossLifted():
            return told.CardWoken(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                why="lifted",
                functions=list(fact.functions),
                cooling=[told.WokenFunction(function=one.function, from_at=one.until) for one in fact.cooling],
            )
        case LapseAnnounced():
            return told.LapseApproaching(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, lapses_at=fact.lapses_at
            )
        case CallKept():
            return told.CallKept(holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at)
        case ReissueOrdered():
            return told.ReissueOrdered(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                outlet=fact.outlet,
                warned=fact.warned,
                fee_fen=fact.fee_fen,
                fee_approval=fact.fee_approval,
            )
        case ReplacementOrdered():
            return told.ReplacementOrdered(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                outlet=fact.outlet,
                reason=fact.reason,
                fee_fen=fact.fee_fen,
                fee_approval=fact.fee_approval,
            )
        case CardCancelled():
            return told.CancellationOrdered(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, reason=fact.reason
            )
        case EndorsementContradicted():
            return told.EndorsementContradicted(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, reported_at=fact.reported_at
            )
        case CardEntered() | CardSucceeded() | NewCardDeclined():
            return None  # Issuance said so first.
        case LiftProposed() | CancellationProposed() | ProposalDeclined():
            return None  # Nothing has happened yet.


def _functions(stops: tuple[Stop, ...]) -> list[told.StoppedFunction]:
    return [told.StoppedFunction(function=stop.function, from_at=stop.from_) for stop in stops]
