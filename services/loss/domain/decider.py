"""A call is enough to stop a card, and never to kill it; a signature holds until it is lifted or a new card works."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Forbidden, Missing, TwoPeople, Unfit
from libs.kernel.foureyes import ProposalUnknown, named
from services.ids import CardId, holding_of
from services.loss.domain.bylaw import BeyondLimit, Clock, Covered, Fee, LiftAt, LiftRule, LossBylaw, OnLapse
from services.loss.domain.commands import (
    AnnounceLapse,
    ApproveProposal,
    CancelCard,
    Command,
    DeclineNewCard,
    DeclineProposal,
    EnterCard,
    LapseLoss,
    LiftLoss,
    NoteCapture,
    NoteEndorsement,
    OrderReissue,
    OrderReplacement,
    PreReportLoss,
    ReportLoss,
    SucceedCard,
)
from services.loss.domain.events import (
    CallKept,
    CancellationProposed,
    CardCancelled,
    CardEntered,
    CardSucceeded,
    Cooling,
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
from services.loss.domain.state import Desk, Ended, Hold, InUse, Lost, Resting, Superseded, Unknown, evolve

COUNTED_OVER = timedelta(days=30)

RAN_OUT = ("report lapsed unsigned", "written report ran out")
"""Why a card ends where a report does: nobody asked for it, it is the city's rule."""


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


class NotReportable(Clash):
    """Cards of this programme bear no name, and what they hold is as good as cash: their loss cannot be reported."""


class NothingToReport(Clash):
    """None of these functions can be reported lost: {functions}. In this city these can: {reportable}."""


class ProofNotAccepted(Forbidden):
    """In this city a caller shows who she is by: {proofs}; without that, the holder signs at an outlet."""


class CardNotShown(Forbidden):
    """Here a report is lifted for whoever shows the card that was found; bring it along."""


class InPersonOnly(Forbidden):
    """Here a report is lifted for the holder in person, and for nobody in her place."""


class TooManyReissues(Clash):
    """{count} new cards were ordered in place of lost ones within 30 days, and this city allows no more; come later."""


class ReasonNotKnown(Unfit):
    """This is no reason for that here; choose one of: {reasons}."""


class ChangeFirst(Clash):
    """This change is made at another office first: {office}. Bring the reference that it gives you."""


class ProofOfKinNeeded(Forbidden):
    """A card is given back by its holder or a close relative ({kin}), who shows one of: {proofs}."""


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
    """What the clocks have done by this moment, one hour after another, whether or not their timers have run."""
    struck: list[Event] = []
    while isinstance(desk.card, Resting | Lost):
        hours = [hold.lapses_at for hold in desk.holds if hold.lapses_at is not None and hold.lapses_at <= at]
        if not hours:
            break
        card_id = desk.card.card_id
        facts = lapse(LapseLoss(holding_id=holding_of(card_id), card_id=card_id, lapses_at=min(hours)), desk)
        for fact in facts:
            desk = evolve(desk, fact)
        struck += facts
        if not facts:
            break
    return struck


def _decide(
    command: EnterCard | PreReportLoss | ReportLoss | NoteCapture | LiftLoss | ApproveProposal | DeclineProposal
    | OrderReissue | OrderReplacement | DeclineNewCard | SucceedCard | CancelCard | NoteEndorsement,
    desk: Desk,
) -> Sequence[Event]:  # fmt: skip
    match command:
        case EnterCard():
            return enter(command, desk)
        case PreReportLoss():
            return pre_report(command, desk)
        case ReportLoss():
            return report(command, desk)
        case NoteCapture():
            return note_capture(command, desk)
        case LiftLoss():
            return lift(command, desk)
        case ApproveProposal():
            return approve(command, desk)
        case DeclineProposal():
            return decline_proposal(command, desk)
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
        case NoteEndorsement():
            return note_endorsement(command, desk)
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
    kept, under = desk.kept_call(asked.card_id), asked.under
    if kept is None or under is None or not under.reportable:
        return []
    call = PreReportLoss(
        holding_id=asked.holding_id,
        card_id=asked.card_id,
        at=max(kept.at, asked.at),
        verified_by="",
        under=under,
        lost_at=kept.lost_at,
    )
    # A call that has lapsed unheard stops nothing.
    running = [clock for clock in under.clocks if under.ends(clock.term.window, kept.at).at > asked.at]
    return [_stopped_by_call(call, clock, clock.covers, {}) for clock in running]


def pre_report(asked: PreReportLoss, desk: Desk) -> Sequence[Event]:
    """A call is enough to stop a card, and never enough to kill it; each function rests by a clock of its own."""
    if asked.verified_by and asked.verified_by not in asked.under.caller_proofs:
        raise ProofNotAccepted(asked.under.by("caller_proofs"), proofs=_listed(asked.under.caller_proofs))
    if not desk.heard_of(asked.card_id):
        if desk.kept_call(asked.card_id) is not None:
            return []
        if isinstance(desk.card, InUse) and not desk.card.replacing:
            raise CardUnknown(card_id=asked.card_id)  # Nothing is to follow the card in use: this is a slip of the pen.
        return [CallKept(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, lost_at=asked.lost_at)]
    match _of(asked.card_id, desk):
        case InUse() | Resting() | Lost():
            reached = [(clock, _named(clock.covers, asked.functions)) for clock in asked.under.clocks]
            _check_reportable(asked, [one for _, covers in reached for one in covers])
            held = {hold.function for hold in desk.holds}
            fresh = [(clock, [one for one in covers if one.function not in held]) for clock, covers in reached]
            if not any(covers for _, covers in fresh):
                return []  # Said twice, done once; no hour moves.
            recent = [call for call in desk.calls if asked.at - call < COUNTED_OVER]
            if len(recent) >= asked.under.pre_reports_max:
                raise TooManyCalls(asked.under.by("pre_reports_max_in_30_days"), count=len(recent))
            cooling = _cooling_stops(asked.card_id, asked.at, desk)
            return [_stopped_by_call(asked, clock, covers, cooling) for clock, covers in fresh if covers]
        case Superseded():
            return []
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case other:
            assert_never(other)


def lapse(asked: LapseLoss, desk: Desk) -> Sequence[Event]:
    """The effect is dated by the hour that was set, not by the moment at which somebody looked at the clock."""
    match desk.card:
        case Resting(card_id=card_id, holds=holds) | Lost(card_id=card_id, holds=holds) if card_id == asked.card_id:
            struck = [hold for hold in holds if hold.lapses_at == asked.lapses_at]
        case _:
            return []
    if not struck:
        return []
    if ends := [hold for hold in struck if hold.ends_card]:
        why = RAN_OUT[any(hold.signed for hold in ends)]
        return [CardCancelled(holding_id=asked.holding_id, card_id=card_id, at=asked.lapses_at, reason=why)]
    woken = _unless_all(struck, holds)
    return [LossLapsed(holding_id=asked.holding_id, card_id=card_id, at=asked.lapses_at, functions=woken)]


def announce_lapse(asked: AnnounceLapse, desk: Desk) -> Sequence[Event]:
    """The holder is warned before the card wakes, or ends."""
    match desk.card:
        case Resting(card_id=card_id, holds=holds) | Lost(card_id=card_id, holds=holds) if card_id == asked.card_id:
            if any(hold.lapses_at == asked.lapses_at and not hold.announced for hold in holds):
                return [
                    LapseAnnounced(holding_id=asked.holding_id, card_id=card_id, at=asked.at, lapses_at=asked.lapses_at)
                ]
    return []


def report(asked: ReportLoss, desk: Desk) -> Sequence[Event]:
    """A signature makes it last, for as long as the city says."""
    _check_counter(asked, asked.under.written_report_at, "written_report_at")
    match _of(asked.card_id, desk):
        case InUse() | Resting() | Lost():
            covers = _named(asked.under.written_report_covers, asked.functions)
            _check_reportable(asked, covers)
            signed = {hold.function for hold in desk.holds if hold.signed}
            called = {
                function: stop
                for function, stop in _standing_stops(desk).items()
                if not asked.functions or function in asked.functions
            }
            fresh = [one for one in covers if one.function not in signed]
            stops = _stops(fresh, asked.at, called, _cooling_stops(asked.card_id, asked.at, desk), asked.under)
            return [_signed(asked, stops)] if stops else []
        case Superseded():
            return []
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case other:
            assert_never(other)


def note_capture(asked: NoteCapture, desk: Desk) -> Sequence[Event]:
    """A purse that a terminal has captured is stopped from now on, and not only when its year is over."""
    if asked.card_id != getattr(desk.card, "card_id", None):
        return []
    match next((hold for hold in desk.holds if hold.function == asked.function), None):
        case Hold(or_captured=True) as hold if hold.from_ > asked.at:
            return [
                StopHastened(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    function=asked.function,
                    at=asked.at,
                    signed=hold.signed,
                    until=None if hold.ends_card else hold.lapses_at,
                )
            ]
    return []


def lift(asked: LiftLoss, desk: Desk) -> Sequence[Event]:
    """What was found works again as before – but a new card, once asked for, is the end of the old one.

    A call is lifted at once. What was signed for is proposed to be lifted, and lifted when another person approves.
    """
    card = _of(asked.card_id, desk)
    match card:
        case InUse():
            return []
        case Superseded():
            raise AlreadyReissued(asked.under.by("lift"), card_id=asked.card_id)
        case Ended():
            raise CardEnded(card_id=asked.card_id)
        case Resting() | Lost():
            pass
        case other:
            assert_never(other)
    held = [hold for hold in card.holds if not asked.functions or hold.function in asked.functions]
    if not held:
        return []
    signed = [hold for hold in held if hold.signed]
    for rule in [asked.under.lift_rule(signed=kind) for kind in sorted({hold.signed for hold in held})]:
        _check_lift(asked, rule, signed)
    functions = _unless_all(held, card.holds)
    if not signed:
        return [
            LossLifted(
                holding_id=asked.holding_id,
                card_id=asked.card_id,
                at=asked.at,
                outlet=asked.place.outlet,
                functions=functions,
                cooling=_cooling(functions, asked.at, desk, asked.under),
                grounds=asked.under.grounds,
            )
        ]
    named(asked.by)
    if desk.proposals.known(asked.proposal_id) or desk.proposals.open(LiftProposed, asked.at):
        return []
    return [
        LiftProposed(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            at=asked.at,
            proposal_id=asked.proposal_id,
            by=asked.by,
            until=asked.under.ends(asked.under.proposals_stand, asked.at).at,
            outlet=asked.place.outlet,
            functions=functions,
            grounds=asked.under.grounds,
        )
    ]


def approve(asked: ApproveProposal, desk: Desk) -> Sequence[Event]:
    """It happens now, as it was proposed; whatever has changed since has overtaken the proposal."""
    approved = desk.proposals.approved(asked.proposal_id, asked.by, asked.at)
    if approved is None:
        return []
    proposal, eyes = approved
    if proposal.card_id != asked.card_id:
        raise ProposalUnknown(proposal_id=asked.proposal_id)
    match proposal:
        case LiftProposed():
            return [
                LossLifted(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    at=asked.at,
                    outlet=proposal.outlet,
                    functions=proposal.functions,
                    cooling=_cooling(proposal.functions, asked.at, desk, asked.under),
                    proposal_id=proposal.proposal_id,
                    eyes=eyes,
                    grounds=asked.under.grounds,
                )
            ]
        case CancellationProposed():
            return [
                CardCancelled(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    at=asked.at,
                    reason=proposal.reason,
                    relation=proposal.relation,
                    relation_proof=proposal.relation_proof,
                    proposal_id=proposal.proposal_id,
                    eyes=eyes,
                    grounds=asked.under.grounds,
                )
            ]
        case other:
            assert_never(other)


def note_endorsement(asked: NoteEndorsement, desk: Desk) -> Sequence[Event]:
    """Counter and hotline may be asked in the same instant; which was first, only this stream knows."""
    reported_at = desk.reported(asked.card_id, asked.at)
    if reported_at is None or (asked.card_id, asked.at) in desk.contradicted:
        return []
    return [
        EndorsementContradicted(
            holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, reported_at=reported_at
        )
    ]


def decline_proposal(asked: DeclineProposal, desk: Desk) -> Sequence[Event]:
    """One no is enough, whoever says it, as long as nothing has happened; the same can be proposed anew."""
    proposal = desk.proposals.objected(asked.proposal_id, asked.by)
    if proposal is None:
        return []
    return [
        ProposalDeclined(
            holding_id=asked.holding_id,
            card_id=proposal.card_id,
            at=asked.at,
            proposal_id=asked.proposal_id,
            by=asked.by,
        )
    ]


def order_reissue(asked: OrderReissue, desk: Desk) -> Sequence[Event]:
    """Lifting and reissuing race in this stream, and exactly one of them wins."""
    _check_counter(asked, asked.under.reissue_at, "reissue_at")
    match _of(asked.card_id, desk):
        case Lost():
            recent = [at for at in desk.reissues if asked.at - at < COUNTED_OVER]
            limit = asked.under.reissues_max_in_30_days
            beyond = limit is not None and len(recent) >= limit
            if beyond and asked.under.beyond_limit is BeyondLimit.REFUSE:
                raise TooManyReissues(asked.under.by("reissues"), count=len(recent))
            fee = asked.under.fees.get("reissue")
            ordered = ReissueOrdered(
                holding_id=asked.holding_id,
                card_id=asked.card_id,
                at=asked.at,
                outlet=asked.place.outlet,
                warned=beyond,
                fee_fen=_fen(fee),
                fee_approval=_approval(fee),
                grounds=asked.under.grounds,
            )
            return [*_signed_for_good(asked, desk), ordered]
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
    _check_counter(asked, asked.under.reissue_at, "reissue_at")
    match _of(asked.card_id, desk):
        case InUse(replacing=True):
            return []
        case InUse():
            if asked.reason not in asked.under.replacement_reasons:
                raise ReasonNotKnown(
                    asked.under.by("replacement_reasons"), reasons=_listed(asked.under.replacement_reasons)
                )
            office = asked.under.changes_first_at.get(asked.reason)
            if office is not None and not asked.change_reference:
                raise ChangeFirst(asked.under.by("changes_first_at"), office=office)
            fee = asked.under.fees.get("replacement")
            return [
                ReplacementOrdered(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    at=asked.at,
                    outlet=asked.place.outlet,
                    reason=asked.reason,
                    change_reference=asked.change_reference,
                    fee_fen=_fen(fee),
                    fee_approval=_approval(fee),
                    grounds=asked.under.grounds,
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
                CardCancelled(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    at=asked.at,
                    reason=reason,
                    with_card_id=asked.old_card_id,
                ),
            ]
    return []


def cancel(asked: CancelCard, desk: Desk) -> Sequence[Event]:
    """Given back for good, once nothing hangs on it any more and another person has looked."""
    _check_counter(asked, asked.under.cancel_at, "cancel_at")
    match _of(asked.card_id, desk):
        case Ended():
            return []
        case _:
            if asked.reason not in asked.under.cancel_reasons:
                raise ReasonNotKnown(asked.under.by("cancel_reasons"), reasons=_listed(asked.under.cancel_reasons))
            if asked.relation and not (
                asked.relation in asked.under.kin and asked.relation_proof in asked.under.kin_proofs
            ):
                raise ProofOfKinNeeded(
                    asked.under.by("kin"), kin=_listed(asked.under.kin), proofs=_listed(asked.under.kin_proofs)
                )
            if asked.open_affairs:
                raise AffairsOpen(asked.under.by("cancel_at"), affairs=", ".join(asked.open_affairs))
            named(asked.by)
            if desk.proposals.known(asked.proposal_id) or desk.proposals.open(CancellationProposed, asked.at):
                return []
            return [
                CancellationProposed(
                    holding_id=asked.holding_id,
                    card_id=asked.card_id,
                    at=asked.at,
                    proposal_id=asked.proposal_id,
                    by=asked.by,
                    until=asked.under.ends(asked.under.proposals_stand, asked.at).at,
                    outlet=asked.place.outlet,
                    reason=asked.reason,
                    relation=asked.relation,
                    relation_proof=asked.relation_proof,
                    grounds=asked.under.grounds,
                )
            ]


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case LossPreReported() | LossReported() if fact.lapses_at is not None and fact.warns_at is not None:
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


def _lifts_a_signature(desk: Desk, fact: LossLifted) -> bool:
    """A mere call is lifted by one person, at a counter."""
    return any(hold.signed for hold in desk.holds if not fact.functions or hold.function in fact.functions)


def _is_decided_by_people(_desk: Desk, fact: CardCancelled) -> bool:
    """Not where a report ran out, nor where a card ends together with its predecessor, which people gave back."""
    return fact.reason not in RAN_OUT and fact.with_card_id is None


TWO_PEOPLE = (
    TwoPeople(act="lift a written report", decider=loss_desk, facts=(LossLifted,), needs=_lifts_a_signature),
    TwoPeople(act="cancel a card", decider=loss_desk, facts=(CardCancelled,), needs=_is_decided_by_people),
)


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


def _stopped_by_call(
    asked: PreReportLoss, clock: Clock, covers: Sequence[Covered], cooling: Mapping[str, datetime]
) -> LossPreReported:
    ends = asked.under.ends(clock.term.window, asked.at)
    return LossPreReported(
        holding_id=asked.holding_id,
        card_id=asked.card_id,
        at=asked.at,
        lapses_at=ends.at,
        provisional=ends.provisional,
        warns_at=max(asked.at, ends.at - timedelta(hours=clock.term.warn_hours_before)),
        ends_card=clock.term.then is OnLapse.CANCEL,
        stops=_stops(covers, asked.at, {}, cooling, asked.under),
        lost_at=asked.lost_at,
        grounds=asked.under.grounds,
        electronic_form=asked.under.electronic_form,
    )


def _signed(asked: ReportLoss, stops: tuple[Stop, ...]) -> LossReported:
    term, fee = asked.under.written_term, asked.under.fees.get("written_report")
    ends = None if term is None else asked.under.ends(term.window, asked.at)
    warns_at = None
    if term is not None and ends is not None:
        warns_at = max(asked.at, ends.at - timedelta(hours=term.warn_hours_before))
    return LossReported(
        holding_id=asked.holding_id,
        card_id=asked.card_id,
        at=asked.at,
        outlet=asked.place.outlet,
        document=asked.document,
        stops=stops,
        lost_at=asked.lost_at,
        lapses_at=None if ends is None else ends.at,
        provisional=ends is not None and ends.provisional,
        warns_at=warns_at,
        ends_card=term is not None and term.then is OnLapse.CANCEL,
        fee_fen=_fen(fee),
        fee_approval=_approval(fee),
        grounds=asked.under.grounds,
        electronic_form=asked.under.electronic_form,
    )


def _signed_for_good(asked: OrderReissue, desk: Desk) -> Sequence[Event]:
    """Whoever applies for a new card has signed: what would have woken by itself stays stopped until that one works."""
    loose = [hold for hold in desk.holds if hold.lapses_at is not None and not hold.ends_card]
    if not loose:
        return []
    return [
        LossReported(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            at=asked.at,
            outlet=asked.place.outlet,
            document=asked.document,
            stops=tuple(hold.stop for hold in loose),
            lost_at=None,
            grounds=asked.under.grounds,
            electronic_form=asked.under.electronic_form,
        )
    ]


def _stops(
    covered: Sequence[Covered],
    at: datetime,
    standing: Mapping[str, Stop],
    cooling: Mapping[str, datetime],
    under: LossBylaw,
) -> tuple[Stop, ...]:
    """What a report stops and from when; what is stopped already, or has not cooled yet, stays stopped."""
    both = dict(standing)
    for one in covered:
        from_ = cooling.get(one.function) or one.stops_at(at, under.calendar)
        stop = Stop(function=one.function, from_=from_, or_captured=one.or_captured)
        if one.function not in both or stop.from_ < both[one.function].from_:
            both[one.function] = stop
    return tuple(both.values())


def _standing_stops(desk: Desk) -> Mapping[str, Stop]:
    """What calls have stopped so far."""
    return {hold.function: hold.stop for hold in desk.holds if not hold.signed}


def _cooling_stops(card_id: CardId, at: datetime, desk: Desk) -> Mapping[str, datetime]:
    """Functions whose report was lifted and that have not cooled yet: a new report stops them from now on."""
    held = {hold.function for hold in desk.holds}
    return {
        one.function: at for one in desk.history if one.function not in held and one.covers(card_id, one.function, at)
    }


def _named(covers: Sequence[Covered], functions: Sequence[str]) -> list[Covered]:
    """Those that the report concerns: the ones it names, or all."""
    return [one for one in covers if not functions or one.function in functions]


def _unless_all(some: Sequence[Hold], every: Sequence[Hold]) -> tuple[str, ...]:
    """The functions of some holds; none is named when they are all that there are."""
    return () if len(some) == len(every) else tuple(hold.function for hold in some)


def _cooling(functions: Sequence[str], at: datetime, desk: Desk, under: LossBylaw) -> tuple[Cooling, ...]:
    """What was hot-listed stays so until every terminal has heard otherwise."""
    return tuple(
        Cooling(function=hold.function, until=under.ends(under.cooling[hold.function], at).at)
        for hold in desk.holds
        if (not functions or hold.function in functions) and hold.function in under.cooling and hold.from_ <= at
    )


def _check_reportable(asked: PreReportLoss | ReportLoss, covers: Sequence[Covered]) -> None:
    under = asked.under
    if not under.reportable:
        raise NotReportable(under.by("reportable"))
    if not covers:
        every = {one.function for clock in under.clocks for one in clock.covers}
        every |= {one.function for one in under.written_report_covers}
        by = under.by("pre_report_covers", "written_report_covers")
        raise NothingToReport(by, functions=", ".join(asked.functions) or "all", reportable=_listed(every))


def _check_lift(asked: LiftLoss, rule: LiftRule, signed: Sequence[Hold]) -> None:
    _check_counter(asked, rule.kinds, rule.rule)
    by = asked.under.by(rule.rule)
    if rule.where is LiftAt.NOWHERE:
        raise CannotBeLifted(by)
    elsewhere = sorted({hold.outlet for hold in signed} - {asked.place.outlet})
    if rule.where is LiftAt.ACCEPTING_OUTLET and elsewhere:
        raise LiftElsewhere(by, outlet=elsewhere[0])
    if rule.card_needed and not asked.card_shown:
        raise CardNotShown(by)
    if asked.by_agent and not rule.by_agent:
        raise InPersonOnly(by)


def _check_counter(
    asked: ReportLoss | LiftLoss | OrderReissue | OrderReplacement | CancelCard, kinds: frozenset[str], rule: str
) -> None:
    place, under = asked.place, asked.under
    if place.kind not in kinds:
        raise WrongPlace(under.by(rule), kind=place.kind, kinds=_listed(kinds))
    if asked.document not in under.documents:
        raise DocumentNotAccepted(under.by("documents"), documents=_listed(under.documents))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def _fen(fee: Fee | None) -> int:
    return 0 if fee is None else fee.fen


def _approval(fee: Fee | None) -> str:
    return "" if fee is None else fee.approval
