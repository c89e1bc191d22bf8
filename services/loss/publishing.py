"""Which facts of the loss desk the city is told, and in which words."""

from libs.messaging.contract import Contract
from services.loss import contracts as told
from services.loss.domain.events import (
    CallKept,
    CardCancelled,
    CardEntered,
    CardSucceeded,
    Event,
    LapseAnnounced,
    LossLapsed,
    LossLifted,
    LossPreReported,
    LossReported,
    NewCardDeclined,
    ReissueOrdered,
    ReplacementOrdered,
    Stop,
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
            )
        case LossReported():
            return told.CardStopped(
                holding_id=fact.holding_id,
                card_id=fact.card_id,
                at=fact.at,
                kind="written_report",
                functions=_functions(fact.stops),
            )
        case LossLapsed():
            return told.CardWoken(holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, why="lapsed")
        case LossLifted():
            return told.CardWoken(holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, why="lifted")
        case LapseAnnounced():
            return told.LapseApproaching(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, lapses_at=fact.lapses_at
            )
        case CallKept():
            return told.CallKept(holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at)
        case ReissueOrdered():
            return told.ReissueOrdered(holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, outlet=fact.outlet)
        case ReplacementOrdered():
            return told.ReplacementOrdered(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, outlet=fact.outlet, reason=fact.reason
            )
        case CardCancelled():
            return told.CancellationOrdered(
                holding_id=fact.holding_id, card_id=fact.card_id, at=fact.at, reason=fact.reason
            )
        case CardEntered() | CardSucceeded() | NewCardDeclined():
            return None  # Issuance said so first.


def _functions(stops: tuple[Stop, ...]) -> list[told.StoppedFunction]:
    return [told.StoppedFunction(function=stop.function, from_at=stop.from_) for stop in stops]
