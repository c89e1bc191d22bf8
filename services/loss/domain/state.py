"""How things can stand with the card of a holding, and when which of its functions was stopped."""

from dataclasses import replace
from datetime import datetime
from typing import TypeAlias, assert_never

from libs.kernel import state, value
from services.ids import CardId, ordinal_of
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


@state
class Unknown:
    """No card of this holding has come to our ears."""


@state
class InUse:
    """The card is in its holder's hand; `replacing` while a new one is being made for another reason than loss."""

    card_id: CardId
    replacing: bool = False


@state
class Resting:
    """A call has stopped the card until `lapses_at`."""

    card_id: CardId
    since: datetime
    lapses_at: datetime
    provisional: bool
    ends_card: bool
    announced: bool = False


@state
class Lost:
    """The holder has signed; the card is stopped until the report is lifted or a new card works."""

    card_id: CardId
    since: datetime
    outlet: str


@state
class Superseded:
    """A new card was applied for; the report cannot be lifted any more."""

    card_id: CardId
    since: datetime
    outlet: str


@state
class Ended:
    """The card has ended for good."""

    card_id: CardId
    at: datetime
    reason: str


Card: TypeAlias = Unknown | InUse | Resting | Lost | Superseded | Ended


@value
class Stopped:
    """A stretch of time in which functions of a card were stopped; open-ended while `until` is None."""

    card_id: CardId
    stops: tuple[Stop, ...]
    until: datetime | None

    def covers(self, card: CardId, function: str, at: datetime) -> bool:
        if card != self.card_id or (self.until is not None and at >= self.until):
            return False
        return any(stop.function == function and at >= stop.from_ for stop in self.stops)


@value
class Kept:
    """A call that waits for its card."""

    card_id: CardId
    at: datetime
    lost_at: datetime | None


@value
class Ending:
    """A card that is no more, and since when."""

    card_id: CardId
    at: datetime


@state
class Desk:
    """All that the loss desk knows about one holding. `calls` are the pre-reports of its present card."""

    card: Card = Unknown()
    programme: str = ""
    kept: tuple[Kept, ...] = ()
    calls: tuple[datetime, ...] = ()
    history: tuple[Stopped, ...] = ()
    endings: tuple[Ending, ...] = ()

    def stopped(self, card: CardId, function: str, at: datetime) -> bool:
        """Whether a report had stopped this function at this instant; a late timer changes nothing here."""
        return any(stretch.covers(card, function, at) for stretch in self.history)

    def ended(self, card: CardId, at: datetime) -> bool:
        """Whether this card had ended for good at this instant."""
        return any(ending.card_id == card and at >= ending.at for ending in self.endings)

    def kept_call(self, card: CardId) -> Kept | None:
        """The call that waits for this card."""
        return next((kept for kept in self.kept if kept.card_id == card), None)

    def heard_of(self, card: CardId) -> bool:
        """Whether this card has come to our ears, itself or through a younger one."""
        return not isinstance(self.card, Unknown) and ordinal_of(card) <= ordinal_of(self.card.card_id)

    def succeeded(self, card: CardId) -> bool:
        """Whether a younger card has taken this one's place."""
        return not isinstance(self.card, Unknown) and ordinal_of(card) < ordinal_of(self.card.card_id)


def evolve(desk: Desk, fact: Event) -> Desk:
    match fact:
        case CardEntered():
            return replace(desk, card=InUse(card_id=fact.card_id), programme=fact.programme, calls=())
        case CallKept():
            kept = Kept(card_id=fact.card_id, at=fact.at, lost_at=fact.lost_at)
            return replace(desk, kept=(*desk.kept, kept))
        case LossPreReported():
            resting = Resting(
                card_id=fact.card_id,
                since=fact.at,
                lapses_at=fact.lapses_at,
                provisional=fact.provisional,
                ends_card=fact.ends_card,
            )
            stretch = Stopped(card_id=fact.card_id, stops=fact.stops, until=None if fact.ends_card else fact.lapses_at)
            still_kept = tuple(kept for kept in desk.kept if kept.card_id != fact.card_id)
            return replace(
                desk, card=resting, kept=still_kept, calls=(*desk.calls, fact.at), history=(*desk.history, stretch)
            )
        case LapseAnnounced():
            assert isinstance(desk.card, Resting)
            return replace(desk, card=replace(desk.card, announced=True))
        case LossLapsed():
            return replace(desk, card=InUse(card_id=fact.card_id))
        case LossReported():
            lost = Lost(card_id=fact.card_id, since=fact.at, outlet=fact.outlet)
            stretch = Stopped(card_id=fact.card_id, stops=fact.stops, until=None)
            return replace(desk, card=lost, history=(*_closed(desk.history, fact), stretch))
        case LossLifted():
            return replace(desk, card=InUse(card_id=fact.card_id), history=_closed(desk.history, fact))
        case ReissueOrdered():
            assert isinstance(desk.card, Lost)
            superseded = Superseded(card_id=fact.card_id, since=desk.card.since, outlet=desk.card.outlet)
            return replace(desk, card=superseded)
        case ReplacementOrdered():
            return replace(desk, card=InUse(card_id=fact.card_id, replacing=True))
        case NewCardDeclined():
            match desk.card:
                case Superseded(card_id=card_id, since=since, outlet=outlet):
                    return replace(desk, card=Lost(card_id=card_id, since=since, outlet=outlet))
                case InUse(card_id=card_id):
                    return replace(desk, card=InUse(card_id=card_id))
                case _:
                    return desk
        case CardSucceeded():
            ending = Ending(card_id=fact.old_card_id, at=fact.at)
            return replace(desk, card=InUse(card_id=fact.card_id), calls=(), endings=(*desk.endings, ending))
        case CardCancelled():
            ending = Ending(card_id=fact.card_id, at=fact.at)
            ended = Ended(card_id=fact.card_id, at=fact.at, reason=fact.reason)
            return replace(desk, card=ended, endings=(*desk.endings, ending))
        case _:
            assert_never(fact)


def _closed(history: tuple[Stopped, ...], fact: LossReported | LossLifted) -> tuple[Stopped, ...]:
    """The same history, this card's last stretch ended now; an earlier end stays, and so does a predecessor's stop."""
    if not history or history[-1].card_id != fact.card_id:
        return history
    *before, last = history
    until = fact.at if last.until is None else min(last.until, fact.at)
    return (*before, replace(last, until=until))
