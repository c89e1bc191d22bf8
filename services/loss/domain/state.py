"""How things can stand with the card of a holding, and when which of its functions was stopped."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias, assert_never

from libs.kernel import ProposalId, Proposals, state, value
from services.ids import CardId, ordinal_of
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

NO_COOLING: Mapping[str, datetime] = MappingProxyType({})

Proposal = LiftProposed | CancellationProposed
"""What waits at this desk for a second person."""


@state
class Unknown:
    """No card of this holding has come to our ears."""


@state
class InUse:
    """The card is in its holder's hand; `replacing` while a new one is being made for another reason than loss."""

    card_id: CardId
    replacing: bool = False


@value
class Hold:
    """A function that a report has stopped, and the report's clock: it wakes alone, at its own hour.

    `signed` tells a written report from a call; `since` is when the report was made; `outlet` is where it was signed.
    A hold without `lapses_at` lasts until it is lifted; one that `ends_card` takes the card with it at its hour.
    """

    function: str
    from_: datetime
    since: datetime
    signed: bool
    outlet: str = ""
    lapses_at: datetime | None = None
    provisional: bool = False
    ends_card: bool = False
    announced: bool = False
    or_captured: bool = False

    @property
    def stop(self) -> Stop:
        return Stop(function=self.function, from_=self.from_, or_captured=self.or_captured)


@state
class Resting:
    """Calls have stopped functions of the card, each until its own hour."""

    card_id: CardId
    holds: tuple[Hold, ...]

    @property
    def since(self) -> datetime:
        """When the first of the calls came that still stop something."""
        return min(hold.since for hold in self.holds)

    @property
    def next(self) -> Hold:
        """The hold whose hour strikes first."""
        return min(self.holds, key=lambda hold: (hold.lapses_at is None, hold.lapses_at))

    @property
    def lapses_at(self) -> datetime | None:
        """The first hour that will strike."""
        return self.next.lapses_at


@state
class Lost:
    """The holder has signed for functions of the card; others may still rest from a call."""

    card_id: CardId
    holds: tuple[Hold, ...]

    @property
    def since(self) -> datetime:
        """When the holder signed."""
        return min(hold.since for hold in self.holds if hold.signed)

    @property
    def outlet(self) -> str:
        """Where the holder signed first."""
        return min((hold for hold in self.holds if hold.signed), key=lambda hold: hold.since).outlet

    @property
    def lapses_at(self) -> datetime | None:
        """The first hour that will strike, if any was set."""
        return min((hold.lapses_at for hold in self.holds if hold.lapses_at is not None), default=None)


@state
class Superseded:
    """A new card was applied for; the report cannot be lifted any more, and no hour ends it."""

    card_id: CardId
    holds: tuple[Hold, ...]

    @property
    def since(self) -> datetime:
        """When the holder signed."""
        return Lost(card_id=self.card_id, holds=self.holds).since

    @property
    def outlet(self) -> str:
        """Where the holder signed."""
        return Lost(card_id=self.card_id, holds=self.holds).outlet


@state
class Ended:
    """The card has ended for good."""

    card_id: CardId
    at: datetime
    reason: str


Card: TypeAlias = Unknown | InUse | Resting | Lost | Superseded | Ended


@value
class Stopped:
    """A stretch of time in which a function of a card was stopped; open-ended while `until` is None.

    `unsigned` says that `until` is the hour at which a report runs out that nobody has signed for (R55). `reported_at`
    is when the holder had done her part.
    """

    card_id: CardId
    function: str
    reported_at: datetime
    from_: datetime
    until: datetime | None
    unsigned: bool = False

    def of(self, card: CardId, function: str) -> bool:
        return (card, function) == (self.card_id, self.function)

    def covers(self, card: CardId, function: str, at: datetime) -> bool:
        return self.of(card, function) and at >= self.from_ and (self.until is None or at < self.until)


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
    """All that the loss desk knows about one holding.

    `calls` are the pre-reports of its present card, `reissues` the new cards ordered in place of lost ones.
    """

    card: Card = Unknown()
    programme: str = ""
    kept: tuple[Kept, ...] = ()
    calls: tuple[datetime, ...] = ()
    history: tuple[Stopped, ...] = ()
    endings: tuple[Ending, ...] = ()
    reissues: tuple[datetime, ...] = ()
    proposals: Proposals[Proposal] = Proposals()
    contradicted: frozenset[tuple[CardId, datetime]] = frozenset()
    """Endorsements of which issuance was told that the card was reported lost by then."""

    @property
    def holds(self) -> tuple[Hold, ...]:
        """What stops functions of the present card."""
        return () if isinstance(self.card, Unknown | InUse | Ended) else self.card.holds

    def stopped(self, card: CardId, function: str, at: datetime) -> bool:
        """Whether a report had stopped this function at this instant; a late timer changes nothing here."""
        return any(stretch.covers(card, function, at) for stretch in self.history)

    def reported(self, card: CardId, at: datetime) -> datetime | None:
        """Since when a report had stopped anything of this card at this instant, if one had."""
        held = [one.reported_at for one in self.history if one.covers(card, one.function, at)]
        return min(held, default=None)

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
            return replace(
                desk,
                card=InUse(card_id=fact.card_id),
                programme=fact.programme,
                calls=(),
                proposals=desk.proposals.when_changed(),
            )
        case CallKept():
            kept = Kept(card_id=fact.card_id, at=fact.at, lost_at=fact.lost_at)
            return replace(desk, kept=(*desk.kept, kept))
        case LossPreReported():
            holds = (
                Hold(
                    function=stop.function,
                    from_=stop.from_,
                    since=fact.at,
                    signed=False,
                    lapses_at=fact.lapses_at,
                    provisional=fact.provisional,
                    ends_card=fact.ends_card,
                    or_captured=stop.or_captured,
                )
                for stop in fact.stops
            )
            return replace(
                _held(desk, tuple(holds)),
                kept=tuple(kept for kept in desk.kept if kept.card_id != fact.card_id),
                calls=desk.calls if fact.at in desk.calls else (*desk.calls, fact.at),
                history=(*desk.history, *_stretches(fact, None if fact.ends_card else fact.lapses_at, unsigned=True)),
            )
        case LapseAnnounced():
            return _with_holds(
                desk,
                tuple(replace(one, announced=one.announced or one.lapses_at == fact.lapses_at) for one in desk.holds),
            )
        case LossLapsed():
            return _changed(_released(desk, fact.functions))
        case LossReported():
            holds = (
                Hold(
                    function=stop.function,
                    from_=stop.from_,
                    since=fact.at,
                    signed=True,
                    outlet=fact.outlet,
                    lapses_at=fact.lapses_at,
                    provisional=fact.provisional,
                    ends_card=fact.ends_card,
                    or_captured=stop.or_captured,
                )
                for stop in fact.stops
            )
            closed = _closed(desk.history, fact, frozenset(stop.function for stop in fact.stops))
            until = None if fact.ends_card else fact.lapses_at
            held = _held(desk, tuple(holds))
            return _changed(replace(held, history=(*closed, *_stretches(fact, until))))
        case StopHastened():
            holds = (
                replace(one, from_=fact.at, or_captured=False) if one.function == fact.function else one
                for one in desk.holds
            )
            history = tuple(
                replace(one, from_=fact.at) if one.of(fact.card_id, fact.function) and one.from_ > fact.at else one
                for one in desk.history
            )
            return replace(_with_holds(desk, tuple(holds)), history=history)
        case LiftProposed() | CancellationProposed():
            return replace(desk, proposals=desk.proposals.with_new(fact))
        case ProposalDeclined():
            return replace(desk, proposals=desk.proposals.without(fact.proposal_id))
        case EndorsementContradicted():
            return replace(desk, contradicted=desk.contradicted | {(fact.card_id, fact.at)})
        case LossLifted():
            lifted = frozenset(fact.functions or (one.function for one in desk.holds))
            cool = {one.function: one.until for one in fact.cooling}
            history = _closed(desk.history, fact, lifted, cool)
            return _done(replace(_released(desk, fact.functions), history=history), fact.proposal_id)
        case ReissueOrdered():
            holds = (replace(one, lapses_at=None, ends_card=False) for one in desk.holds)
            superseded = Superseded(card_id=fact.card_id, holds=tuple(holds))
            return _changed(replace(desk, card=superseded, reissues=(*desk.reissues, fact.at)))
        case ReplacementOrdered():
            return _changed(replace(desk, card=InUse(card_id=fact.card_id, replacing=True)))
        case NewCardDeclined():
            match desk.card:
                case Superseded(card_id=card_id, holds=kept_holds):
                    return _changed(replace(desk, card=Lost(card_id=card_id, holds=kept_holds)))
                case InUse(card_id=card_id):
                    return _changed(replace(desk, card=InUse(card_id=card_id)))
                case _:
                    return desk
        case CardSucceeded():
            ending = Ending(card_id=fact.old_card_id, at=fact.at)
            in_use = InUse(card_id=fact.card_id)
            return _changed(replace(desk, card=in_use, calls=(), endings=(*desk.endings, ending)))
        case CardCancelled():
            ending = Ending(card_id=fact.card_id, at=fact.at)
            ended = Ended(card_id=fact.card_id, at=fact.at, reason=fact.reason)
            return _done(replace(desk, card=ended, endings=(*desk.endings, ending)), fact.proposal_id)
        case _:
            assert_never(fact)


def _held(desk: Desk, fresh: tuple[Hold, ...]) -> Desk:
    """These functions are held now; what held them before is over."""
    functions = {hold.function for hold in fresh}
    return _with_holds(desk, (*(one for one in desk.holds if one.function not in functions), *fresh))


def _released(desk: Desk, functions: tuple[str, ...]) -> Desk:
    """These functions are held no longer; none at all, if none is named."""
    return _with_holds(desk, tuple(one for one in desk.holds if functions and one.function not in functions))


def _with_holds(desk: Desk, holds: tuple[Hold, ...]) -> Desk:
    """The same desk with these holds: it follows from them whether the card works, rests or is lost."""
    match desk.card:
        case Superseded(card_id=now):
            return replace(desk, card=Superseded(card_id=now, holds=holds))
        case Ended() | Unknown():
            return desk
        case InUse() if not holds:
            return desk  # A worn card that is being replaced goes on being replaced.
        case InUse(card_id=now) | Resting(card_id=now) | Lost(card_id=now):
            if not holds:
                return replace(desk, card=InUse(card_id=now))
            if any(hold.signed for hold in holds):
                return replace(desk, card=Lost(card_id=now, holds=holds))
            return replace(desk, card=Resting(card_id=now, holds=holds))


def _changed(desk: Desk) -> Desk:
    """Things stand otherwise: what was proposed before must be looked at again."""
    return replace(desk, proposals=desk.proposals.when_changed())


def _done(desk: Desk, proposal_id: ProposalId | None) -> Desk:
    """Things stand otherwise, and because somebody has approved it, if this names a proposal."""
    done = desk if proposal_id is None else replace(desk, proposals=desk.proposals.when_done(proposal_id))
    return _changed(done)


def _stretches(
    fact: LossPreReported | LossReported, until: datetime | None, *, unsigned: bool = False
) -> tuple[Stopped, ...]:
    return tuple(
        Stopped(
            card_id=fact.card_id,
            function=stop.function,
            reported_at=fact.at,
            from_=stop.from_,
            until=until,
            unsigned=unsigned and until is not None,
        )
        for stop in fact.stops
    )


def _closed(
    history: tuple[Stopped, ...],
    fact: LossReported | LossLifted,
    functions: frozenset[str],
    cool: Mapping[str, datetime] = NO_COOLING,
) -> tuple[Stopped, ...]:
    """The same history, this card's stretches of these functions ended now, or once they have cooled.

    An earlier end stays, and so does the stop of another card.
    """
    return tuple(
        replace(one, until=cool.get(one.function, fact.at), unsigned=False)
        if one.card_id == fact.card_id and one.function in functions and (one.until is None or one.until > fact.at)
        else one
        for one in history
    )
