"""A call is enough to stop a card, and never to kill it; a signature holds until it is lifted or a new card works."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Forbidden, Missing, Unfit
from services.ids import CardId, holding_of
from services.loss.domain.bylaw import Covered, LiftAt, LossBylaw, OnLapse
from services.loss.domain.commands import (
    AnnounceLapse,
    CancelCard,
    Command,
    DeclineNewCard,
    EnterCard,
    LapseLoss,
    LiftLoss,
    OrderReissue,
    OrderReplacement,
    Place,
    PreReportLoss,
    ReportLoss,
    SucceedCard,
)
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
from services.loss.domain.state import Desk, Ended, InUse, Lost, Resting, Superseded, Unknown, evolve

PRE_REPORTS_COUNTED_OVER = timedelta(days=30)


class CardUnknown(Missing):
    """We have not heard of card {card_id}; check the number, or try again in a minute if it was just handed over."""


class CardEnded(Clash):
    """Card {card_id} has ended for good; look for the holder's present card."""


class TooManyCalls(Clash):
    """This card was reported by telephone {count} times within 30 days; the holder must now sign at an outlet."""


class AlreadyReissued(Clash):
    """A new card was applied for in place of card {card_id}; the old one can never be used again."""


class NotReported(Clash):
    """The loss of card {card_id} has not been reported; sign a written report first."""


class NotSigned(Clash):
    """The loss of card {card_id} was only reported by telephone; sign a written report first."""


class CannotBeLifted(Clash):
    """In this city a written report cannot be lifted; apply for a new card."""


class LiftElsewhere(Clash):
    """In this city a written report is lifted where it was signed: outlet {outlet}."""


class ReportedLost(Clash):
    """Card {card_id} is reported lost; apply for a reissue, or lift the report if it was found."""


class WrongPlace(Forbidden):
    """This is not done at a {kind}; go to one of: {kinds}."""


class DocumentNotAccepted(Unfit):
    """This document is not accepted for that; bring one of: {documents}."""


class AffairsOpen(Clash):
    """The card cannot be cancelled while these affairs are open: {affairs}. Settle them first."""


def decide(command: Command, desk: Desk) -> Sequence[Event]:
    match command:
        case LapseLoss():
            return lapse(command, desk)
        case AnnounceLapse():
            return announce_lapse(command, desk)
    overdue = struck_by(command.at, desk)
    for fact in overdue:
        desk = evolve(desk, fact)
    return [*overdue, *_decide(command, desk)]


def struck_by(at: datetime, desk: Desk) -> Sequence[Event]:
    """What the clock has done by this moment, whether or not its timer has run."""
    match desk.card:
        case Resting(lapses_at=lapses_at, card_id=card_id) if at >= lapses_at:
            return lapse(LapseLoss(holding_id=holding_of(card_id), card_id=card_id, lapses_at=lapses_at), desk)
    return []


def _decide(
    command: EnterCard | PreReportLoss | ReportLoss | LiftLoss | OrderReissue | OrderReplacement
    | DeclineNewCard | SucceedCard | CancelCard,
    desk: Desk,
) -> Sequence[Event]:  # fmt: skip
    match command:
        case EnterCard():
            return enter(command, desk)
        case PreReportLoss():
            return pre_report(command, desk)
        case ReportLoss():
            return report(command, desk)
        case LiftLoss():
            return lift(command, desk)
        case OrderReissue():
            return order_reissue(command, desk)
        case OrderReplacement():
            return order_replacement(command, desk)
        case DeclineNewCard():
            return decline_new_card(command, desk)
        case SucceedCard():
            return succeed(command, desk)
        case CancelCard():
            return cancel(command, desk)
        case _:
            assert_never(command)


def enter(asked: EnterCard, desk: Desk) -> Sequence[Event]:
    """From now on this card can be lost; a call that came before it acts at once."""
    if desk.heard_of(asked.card_id) or not isinstance(desk.card, Unknown | Ended):
        return []
    entered = CardEntered(holding_id=asked.holding_id, card_id=asked.card_id, programme=asked.programme, at=asked.at)
    return [entered, *kept_call(asked, desk)]


def kept_call(asked: EnterCard | SucceedCard, desk: Desk) -> Sequence[Event]:
    """Whoever called before the card was heard of here is heard now, and the effect is dated by the call."""
    kept = desk.kept_call(asked.card_id)
    if kept is None or asked.under is None or asked.under.pre_report_ends(kept.at).at <= asked.at:
        return []  # A call that has lapsed unheard stops nothing.
    call = PreReportLoss(
        holding_id=asked.holding_id,
        card_id=asked.card_id,
        at=max(kept.at, asked.at),
        under=asked.under,
        lost_at=kept.lost_at,
    )
    return [_stopped_by_call(call)]


def pre_report(asked: PreReportLoss, desk: Desk) -> Sequence[Event]:
    """A call is enough to stop a card, and never enough to kill it."""
    if not desk.heard_of(asked.card_id):
        if desk.kept_call(asked.card_id) is not None:
            return []
        if isinstance(desk.card, InUse) and not desk.card.replacing:
            raise CardUnknown(card_id=asked.card_id)  # Nothing is to follow the card in use: this is a slip of the pen.
        return [CallKept(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, lost_at=asked.lost_at)]
    match _of(asked.card_id, desk):
        case InUse():
            recent = [call for call in desk.calls if asked.at - call < PRE_REPORTS_COUNTED_OVER]
            if len(recent) >= asked.under.pre_reports_max:
                raise TooManyCalls(count=len(recent))
            return [_stopped_by_call(asked)]
        case Resting() | Lost() | Superseded():
            return []  # Said twice, done once; the hour does not move.
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case other:
            assert_never(other)


def lapse(asked: LapseLoss, desk: Desk) -> Sequence[Event]:
    """The effect is dated by the hour that was set, not by the moment at which somebody looked at the clock."""
    match desk.card:
        case Resting(card_id=card_id, lapses_at=hour, ends_card=ends) if (card_id, hour) == (
            asked.card_id,
            asked.lapses_at,
        ):
            if ends:
                return [
                    CardCancelled(
                        holding_id=asked.holding_id, card_id=card_id, at=hour, reason="report lapsed unsigned"
                    )
                ]
            return [LossLapsed(holding_id=asked.holding_id, card_id=card_id, at=hour)]
    return []


def announce_lapse(asked: AnnounceLapse, desk: Desk) -> Sequence[Event]:
    """The holder is warned before the card wakes."""
    match desk.card:
        case Resting(card_id=card_id, lapses_at=hour, announced=False) if (card_id, hour) == (
            asked.card_id,
            asked.lapses_at,
        ):
            return [LapseAnnounced(holding_id=asked.holding_id, card_id=card_id, at=asked.at, lapses_at=hour)]
    return []


def report(asked: ReportLoss, desk: Desk) -> Sequence[Event]:
    """A signature makes it last."""
    _check_counter(asked.place, asked.under.written_report_at, asked.document, asked.under)
    match _of(asked.card_id, desk):
        case InUse() | Resting():
            return [
                LossReported(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    at=asked.at,
                    outlet=asked.place.outlet,
                    document=asked.document,
                    stops=_stops(asked.under.written_report_covers, asked.at, _standing_stops(desk)),
                    lost_at=asked.lost_at,
                )
            ]
        case Lost() | Superseded():
            return []
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case other:
            assert_never(other)


def lift(asked: LiftLoss, desk: Desk) -> Sequence[Event]:
    """What was found works again as before – but a new card, once asked for, is the end of the old one."""
    card = _of(asked.card_id, desk)
    match card:
        case InUse():
            return []
        case Superseded():
            raise AlreadyReissued(card_id=asked.card_id)
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case Resting() | Lost():
            pass
        case other:
            assert_never(other)
    _check_counter(asked.place, asked.under.lift_kinds, asked.document, asked.under)
    if isinstance(card, Lost):
        if asked.under.lift_at is LiftAt.NOWHERE:
            raise CannotBeLifted
        if asked.under.lift_at is LiftAt.ACCEPTING_OUTLET and asked.place.outlet != card.outlet:
            raise LiftElsewhere(outlet=card.outlet)
    return [LossLifted(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, outlet=asked.place.outlet)]


def order_reissue(asked: OrderReissue, desk: Desk) -> Sequence[Event]:
    """Lifting and reissuing race in this stream, and exactly one of them wins."""
    _check_counter(asked.place, asked.under.reissue_at, asked.document, asked.under)
    match _of(asked.card_id, desk):
        case Lost():
            return [
                ReissueOrdered(
                    holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, outlet=asked.place.outlet
                )
            ]
        case Superseded():
            return []
        case InUse():
            raise NotReported(card_id=asked.card_id)
        case Resting():
            raise NotSigned(card_id=asked.card_id)
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case other:
            assert_never(other)


def order_replacement(asked: OrderReplacement, desk: Desk) -> Sequence[Event]:
    """A worn card goes on working until its successor does."""
    _check_counter(asked.place, asked.under.reissue_at, asked.document, asked.under)
    match _of(asked.card_id, desk):
        case InUse(replacing=True):
            return []
        case InUse():
            return [
                ReplacementOrdered(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    at=asked.at,
                    outlet=asked.place.outlet,
                    reason=asked.reason,
                )
            ]
        case Resting() | Lost() | Superseded():
            raise ReportedLost(card_id=asked.card_id)
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case other:
            assert_never(other)


def decline_new_card(asked: DeclineNewCard, desk: Desk) -> Sequence[Event]:
    """No new card will come: the holder may lift the report again. An answer to an earlier order unlocks nothing."""
    match desk.card:
        case Superseded(card_id=card_id) if (asked.card_id, asked.kind) == (card_id, "reissue"):
            pass
        case InUse(card_id=card_id, replacing=True) if (asked.card_id, asked.kind) == (card_id, "replacement"):
            pass
        case _:
            return []
    return [NewCardDeclined(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, reason=asked.reason)]


def succeed(asked: SucceedCard, desk: Desk) -> Sequence[Event]:
    """The new card has taken the old one's place; what was cancelled before that hour ends with its successor."""
    match desk.card:
        case Unknown() | Ended():
            first = EnterCard(
                holding_id=asked.holding_id,
                card_id=asked.card_id,
                programme=asked.programme,
                at=asked.at,
                under=asked.under,
            )
            return [*enter(first, desk), *cancel_successor(asked, desk)]
        case now if now.card_id == asked.old_card_id:
            succeeded = CardSucceeded(
                holding_id=asked.holding_id, old_card_id=asked.old_card_id, card_id=asked.card_id, at=asked.at
            )
            return [succeeded, *kept_call(asked, desk)]
    return []


def cancel_successor(asked: SucceedCard, desk: Desk) -> Sequence[Event]:
    """A cancellation and a hand-over crossed on their way: the earlier one wins."""
    match desk.card:
        case Ended(card_id=card_id, at=at, reason=reason) if card_id == asked.old_card_id and at <= asked.at:
            return [
                CardCancelled(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, reason=reason),
            ]
    return []


def cancel(asked: CancelCard, desk: Desk) -> Sequence[Event]:
    """Given back for good, once nothing hangs on it any more."""
    _check_counter(asked.place, asked.under.cancel_at, asked.document, asked.under)
    match _of(asked.card_id, desk):
        case Ended():
            return []
        case _:
            if asked.open_affairs:
                raise AffairsOpen(affairs=", ".join(asked.open_affairs))
            return [
                CardCancelled(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, reason=asked.reason),
            ]


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case LossPreReported():
            yield Due(
                fact.warns_at,
                AnnounceLapse(
                    holding_id=fact.holding_id, card_id=fact.card_id, at=fact.warns_at, lapses_at=fact.lapses_at
                ),
            )
            yield Due(
                fact.lapses_at,
                LapseLoss(holding_id=fact.holding_id, card_id=fact.card_id, lapses_at=fact.lapses_at),
            )


loss_desk: Decider[Command, Desk, Event] = Decider(Desk(), decide, evolve, due)


def _of(card_id: CardId, desk: Desk) -> InUse | Resting | Lost | Superseded | Ended:
    """How the card stands that is asked about. Raises CardUnknown, or CardEnded for a predecessor."""
    match desk.card:
        case Unknown():
            raise CardUnknown(card_id=card_id)
        case now if now.card_id == card_id:
            return now
        case _ if not desk.heard_of(card_id):
            raise CardUnknown(card_id=card_id)
        case _:
            raise CardEnded(card_id=card_id)


def _stopped_by_call(asked: PreReportLoss) -> LossPreReported:
    ends = asked.under.pre_report_ends(asked.at)
    return LossPreReported(
        holding_id=asked.holding_id,
        card_id=asked.card_id,
        at=asked.at,
        lapses_at=ends.at,
        provisional=ends.provisional,
        warns_at=max(asked.at, ends.at - timedelta(hours=asked.under.warn_hours_before)),
        ends_card=asked.under.on_lapse is OnLapse.CANCEL,
        stops=_stops(asked.under.pre_report_covers, asked.at, {}),
        lost_at=asked.lost_at,
    )


def _stops(covered: Sequence[Covered], at: datetime, standing: dict[str, datetime]) -> tuple[Stop, ...]:
    """What a report stops and from when; what an earlier report has stopped already stays stopped from then."""
    fresh = {c.function: at + timedelta(hours=c.after_hours) for c in covered}
    both = standing | {function: min(from_, standing.get(function, from_)) for function, from_ in fresh.items()}
    return tuple(Stop(function=function, from_=from_) for function, from_ in both.items())


def _standing_stops(desk: Desk) -> dict[str, datetime]:
    if not isinstance(desk.card, Resting):
        return {}
    return {stop.function: stop.from_ for stop in desk.history[-1].stops}


def _check_counter(place: Place, kinds: frozenset[str], document: str, under: LossBylaw) -> None:
    if place.kind not in kinds:
        raise WrongPlace(kind=place.kind, kinds=", ".join(sorted(kinds)))
    if document not in under.documents:
        raise DocumentNotAccepted(documents=", ".join(sorted(under.documents)))
