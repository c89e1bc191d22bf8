"""One person has one card under one programme; a new one begins in the instant in which the old one ends."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.kernel import Clash, Decider, Due, Forbidden, Missing
from libs.kernel.calendar import shanghai_day
from libs.kernel.foureyes import TwoPeople
from services.ids import PersonId, card_id
from services.issuance.domain.batch.commands import PlasticGone, SeatTaken, SeatVoid
from services.issuance.domain.bylaw import Activation, IssuanceBylaw, Opens
from services.issuance.domain.functions import OPENED_AT
from services.issuance.domain.holding.collection import (
    CardUnknown,
    at_the_counter,
    close_case,
    destroy,
    mail,
    may_take,
    remind,
    send_on,
)
from services.issuance.domain.holding.commands import (
    Activate,
    ApproveIssue,
    ClaimCard,
    CloseCase,
    Command,
    DestroyCard,
    EndCard,
    EndorseCard,
    ExpireCard,
    GiveUpWaiting,
    GiveWay,
    HandOver,
    JoinHolding,
    LeaveHolding,
    MailCard,
    NoteArrival,
    NoteProduced,
    NoteSpoiled,
    NoteVerdict,
    OpenFunction,
    OrderNewCard,
    PassHoldingOn,
    ProposeIssue,
    RemindHolder,
    RemindToEndorse,
    SendOn,
    TakeBackEndorsement,
    TakeSeat,
    WithdrawOrder,
)
from services.issuance.domain.holding.endorsing import endorse, expire, remind_to_endorse, take_back
from services.issuance.domain.holding.events import (
    CardActivated,
    CardApproved,
    CardArrived,
    CardCancelled,
    CardDeclined,
    CardDestroyed,
    CardEndorsed,
    CardHandedOver,
    CardOrdered,
    CardProduced,
    CardReplaced,
    CardReserved,
    CardSpoiled,
    CardUnclaimed,
    EndorsementTakenBack,
    Event,
    FingerprintMismatched,
    FunctionOpened,
    HoldingEmptied,
    HoldingJoined,
    HoldingPassedOn,
    Kind,
    OlderUntil,
    PlasticRecalled,
    ReissueJoined,
    SeatDeclined,
    VerdictNoted,
)
from services.issuance.domain.holding.joining import (
    HELD_ALREADY,
    MERGED_AWAY,
    give_way,
    join,
    leave,
    pass_on,
    with_emptied,
)
from services.issuance.domain.holding.override import approve_issue, in_spite_of_a_refusal, propose_issue
from services.issuance.domain.holding.state import (
    AtOutlet,
    Good,
    Holding,
    InHand,
    InWork,
    NothingComing,
    Plastic,
    Queued,
    Verdict,
    Waiting,
    evolve,
)
from services.issuance.domain.holding.turning import grants_of, turned

NOT_COLLECTED = "the new card was not collected in time"
"""Why a new card that lay at its outlet too long takes nobody's place."""
UNDER_WAY = "another application for this card is under way"
HELD = "the holder has this card already; report it lost or exchange it"
ONE_CARD = frozenset({UNDER_WAY, HELD, HELD_ALREADY, MERGED_AWAY})
"""Why none is made where a person would have two of one programme."""


class NotInHand(Clash):
    """Card {card_id} has not been handed over; it can be activated when it is in its holder's hand."""


class CardEnded(Clash):
    """Card {card_id} has ended for good."""


class FunctionUnknown(Missing):
    """This card has no function {function}."""


class FunctionOpenedElsewhere(Forbidden):
    """The function {function} is opened at: {places}."""


class FunctionNotGranted(Forbidden):
    """The function {function} cannot be opened: {because}."""


class CardNotActive(Clash):
    """Card {card_id} does not work yet; its functions are opened when it does."""


class TooLateToWithdraw(Clash):
    """The card is being made already; it can be refused when it arrives."""


class NothingOrdered(Clash):
    """No card is on its way that could be withdrawn."""


def decide(command: Command, holding: Holding) -> Sequence[Event]:
    return with_emptied(command.holding_id, _decide(command, holding), holding)


def _decide(command: Command, holding: Holding) -> Sequence[Event]:
    match command:
        case PassHoldingOn():
            return pass_on(command, holding)
        case JoinHolding():
            return join(command, holding)
        case LeaveHolding():
            return leave(command, holding)
        case GiveWay():
            return give_way(command, holding)
        case NoteVerdict():
            return note_verdict(command, holding)
        case ClaimCard():
            return claim(command, holding)
        case ProposeIssue():
            return propose_issue(command, holding)
        case ApproveIssue():
            return approve_issue(command, holding)
        case OrderNewCard():
            return order_new_card(command, holding)
        case WithdrawOrder():
            return withdraw(command, holding)
        case TakeSeat():
            return take_seat(command, holding)
        case NoteProduced():
            return note_produced(command, holding)
        case NoteSpoiled():
            return note_spoiled(command, holding)
        case NoteArrival():
            return note_arrival(command, holding)
        case RemindHolder():
            return remind(command, holding)
        case GiveUpWaiting():
            return give_up_waiting(command, holding)
        case DestroyCard():
            return destroy(command, holding)
        case SendOn():
            return send_on(command, holding)
        case MailCard():
            return mail(command, holding)
        case CloseCase():
            return close_case(command, holding)
        case OpenFunction():
            return open_function(command, holding)
        case HandOver():
            return hand_over(command, holding)
        case Activate():
            return activate(command, holding)
        case EndCard():
            return end(command, holding)
        case ExpireCard():
            return expire(command, holding)
        case EndorseCard():
            return endorse(command, holding)
        case TakeBackEndorsement():
            return take_back(command, holding)
        case RemindToEndorse():
            return remind_to_endorse(command, holding)
        case _:
            assert_never(command)


def note_verdict(asked: NoteVerdict, holding: Holding) -> Sequence[Event]:
    """An order that was waiting for this verdict is decided by it; who stands on a roll need not order (R41)."""
    if holding.lead is not None and asked.person_id != holding.person_id:
        return []  # Said of the merged entry before it was merged, and heard after.
    last = _latest(holding)
    now = Verdict(
        granted=asked.granted,
        because=asked.because,
        functions=asked.functions,
        at=asked.at,
        facts=asked.facts,
        may_apply=asked.may_apply,
        used=asked.used,
        ground=asked.ground,
        edition=asked.edition,
        missing=asked.missing,
    )
    is_news = last is None or replace(now, at=last.at) != last
    noted = VerdictNoted(
        holding_id=asked.holding_id,
        person_id=asked.person_id,
        programme=asked.programme,
        granted=asked.granted,
        because=asked.because,
        functions=asked.functions,
        at=asked.at,
        facts=asked.facts,
        may_apply=asked.may_apply,
        ground=asked.ground,
        edition=asked.edition,
        missing=asked.missing,
        used=asked.used,
    )
    match holding.coming:
        case Waiting(order=order) if is_news and now.allows(order.kind):
            return [
                noted,
                CardApproved(
                    holding_id=asked.holding_id,
                    person_id=asked.person_id,
                    programme=asked.programme,
                    kind=order.kind,
                    application_id=order.application_id,
                    outlet=order.outlet,
                    at=asked.at,
                ),
            ]
        case Waiting(order=order) if is_news:
            return [
                noted,
                CardDeclined(
                    holding_id=asked.holding_id,
                    person_id=asked.person_id,
                    kind=order.kind,
                    application_id=order.application_id,
                    old_card_id=order.old_card_id,
                    reason=asked.because,
                    at=asked.at,
                ),
            ]
        case NothingComing() if asked.outlet and now.allows(Kind.FIRST) and _free(holding):
            return [*([noted] if is_news else []), _without_application(asked)]
    if not is_news:
        return []
    heard = evolve(holding, noted)
    current = heard.current
    return [noted, *(turned(heard, current.card_id, asked.under, asked.at) if current and asked.under else ())]


def _free(holding: Holding) -> bool:
    """Whether the person has no card of this product, under whichever entry."""
    return holding.current is None and holding.lead is None and not holding.beside


def _without_application(asked: NoteVerdict) -> CardOrdered:
    return CardOrdered(
        holding_id=asked.holding_id,
        person_id=asked.person_id,
        programme=asked.programme,
        kind=Kind.FIRST,
        application_id=None,
        old_card_id=None,
        outlet=asked.outlet,
        approved=True,
        at=asked.at,
    )


def claim(asked: ClaimCard, holding: Holding) -> Sequence[Event]:
    """At most one card counts and at most one is on its way (INV-7); the answer travels, for nobody is on the line."""
    if asked.application_id in holding.claims:
        return []
    if not isinstance(holding.coming, NothingComing):
        return [_declined(asked, UNDER_WAY)]
    if holding.current is not None:
        return [_declined(asked, HELD)]
    if holding.beside:
        return [_declined(asked, HELD_ALREADY)]
    if holding.lead is not None:
        return [_declined(asked, MERGED_AWAY)]
    verdict = _latest(holding)
    if verdict is not None and not verdict.allows(Kind.FIRST):
        return [_declined(asked, verdict.because)]
    return [
        CardOrdered(
            holding_id=asked.holding_id,
            person_id=asked.person_id,
            programme=asked.programme,
            kind=Kind.FIRST,
            application_id=asked.application_id,
            old_card_id=None,
            outlet=asked.outlet,
            approved=verdict is not None,
            at=asked.at,
            unit=asked.unit,
            way=asked.way,
        )
    ]


def order_new_card(asked: OrderNewCard, holding: Holding) -> Sequence[Event]:
    """The old card gives up its place only when the new one works."""
    current = holding.current
    if holding.person_id is None or current is None or current.card_id != asked.old_card_id:
        return []  # It has a successor already, or was cancelled meanwhile; the loss desk has been told.
    if not isinstance(holding.coming, NothingComing):  # The one that is on its way already will do.
        if (holding.coming.order.kind, asked.kind) != (Kind.REPLACEMENT, Kind.REISSUE):
            return []
        return [ReissueJoined(holding_id=asked.holding_id, old_card_id=asked.old_card_id, at=asked.at)]
    verdict = _latest(holding)
    if verdict is not None and not verdict.granted:
        return [
            CardDeclined(
                holding_id=asked.holding_id,
                person_id=holding.person_id,
                kind=asked.kind,
                application_id=None,
                old_card_id=asked.old_card_id,
                reason=verdict.because,
                at=asked.at,
            )
        ]
    return [
        CardOrdered(
            holding_id=asked.holding_id,
            person_id=holding.person_id,
            programme=holding.programme,
            kind=asked.kind,
            application_id=None,
            old_card_id=asked.old_card_id,
            outlet=asked.outlet,
            approved=verdict is not None,
            at=asked.at,
        )
    ]


def withdraw(asked: WithdrawOrder, holding: Holding) -> Sequence[Event]:
    """An application takes back its own card, and no other."""
    if isinstance(holding.coming, NothingComing) or holding.coming.order.application_id != asked.application_id:
        raise NothingOrdered
    match holding.coming:
        case Waiting(order=order) | Queued(order=order):
            return [
                CardDeclined(
                    holding_id=asked.holding_id,
                    person_id=_person(holding),
                    kind=order.kind,
                    application_id=order.application_id,
                    old_card_id=order.old_card_id,
                    reason=asked.reason,
                    at=asked.at,
                )
            ]
        case InWork() | Good() | AtOutlet() | InHand():
            raise TooLateToWithdraw
        case _:
            assert_never(holding.coming)


def take_seat(asked: TakeSeat, holding: Holding) -> Sequence[Event]:
    """A seat is taken once: a second batch that offers one is told so."""
    match holding.coming:
        case Queued(order=order):
            valid_to, valid_by = _printed(asked, holding)
            return [
                CardReserved(
                    holding_id=asked.holding_id,
                    application_id=order.application_id,
                    card_id=card_id(asked.holding_id, holding.numbered + 1),
                    card_number=asked.card_number,
                    batch_id=asked.batch_id,
                    seat=asked.seat,
                    at=asked.at,
                    valid_to=valid_to,
                    valid_by=valid_by,
                )
            ]
        case InWork(plastic=plastic) | Good(plastic=plastic) | AtOutlet(plastic=plastic) | InHand(plastic=plastic) if (
            _sits(plastic, asked)
        ):
            return []
    return [
        SeatDeclined(holding_id=asked.holding_id, batch_id=asked.batch_id, seat=asked.seat, at=asked.at),
    ]


def _printed(asked: TakeSeat, holding: Holding) -> tuple[datetime | None, str]:
    """Until when it is valid, as printed on the card, and by which rule; nothing where it counts from the hand-over."""
    if asked.under is None or not asked.under.validity.personal:
        return None, ""
    verdict = _latest(holding)
    return asked.under.validity.valid_to(asked.at, asked.age, verdict.used if verdict else ())


def note_produced(asked: NoteProduced, holding: Holding) -> Sequence[Event]:
    match holding.coming:
        case InWork(order=order, plastic=plastic) if _sits(plastic, asked):
            return [
                CardProduced(
                    holding_id=asked.holding_id,
                    application_id=order.application_id,
                    card_id=plastic.card_id,
                    ident=asked.ident,
                    at=asked.at,
                )
            ]
    return []


def note_spoiled(asked: NoteSpoiled, holding: Holding) -> Sequence[Event]:
    match holding.coming:
        case InWork(order=order, plastic=plastic) if _sits(plastic, asked):
            return [
                CardSpoiled(
                    holding_id=asked.holding_id,
                    application_id=order.application_id,
                    card_id=plastic.card_id,
                    reason=asked.reason,
                    at=asked.at,
                )
            ]
    return []


def note_arrival(asked: NoteArrival, holding: Holding) -> Sequence[Event]:
    match holding.coming:
        case Good(order=order, plastic=plastic) if _sits(plastic, asked) and asked.under is not None:
            return [
                CardArrived(
                    holding_id=asked.holding_id,
                    person_id=_person(holding),
                    application_id=order.application_id,
                    card_id=plastic.card_id,
                    outlet=asked.outlet,
                    kept_until=asked.under.kept_until(asked.at),
                    at=asked.at,
                    remind_at=asked.under.reminders(asked.at),
                    destroy_at=asked.under.destroyed_at(asked.at),
                )
            ]
    return []


def give_up_waiting(asked: GiveUpWaiting, holding: Holding) -> Sequence[Event]:
    """Nobody came: the plastic goes back, and a report that was waiting for this card can be lifted again."""
    match holding.coming:
        case AtOutlet(order=order, plastic=plastic, kept_until=until, tracking="") if (plastic.card_id, until) == (
            asked.card_id,
            asked.kept_until,
        ):
            unclaimed = CardUnclaimed(
                holding_id=asked.holding_id,
                person_id=_person(holding),
                application_id=order.application_id,
                card_id=plastic.card_id,
                at=until,
                batch_id=plastic.batch_id,
                seat=plastic.seat,
                destroy_at=holding.coming.destroy_at,
            )
            declined = CardDeclined(
                holding_id=asked.holding_id,
                person_id=_person(holding),
                kind=order.kind,
                application_id=order.application_id,
                old_card_id=order.old_card_id,
                reason=NOT_COLLECTED,
                at=until,
            )
            return [unclaimed, _recalled(plastic, asked, until), *([declined] if order.old_card_id else [])]
    return []


def hand_over(asked: HandOver, holding: Holding) -> Sequence[Event]:
    """Two clerks may reach for one card in the same millisecond: this stream hands it over once."""
    there = at_the_counter(asked, holding)
    may_take(asked, there)
    if asked.fingerprint == "mismatch":
        return [
            FingerprintMismatched(holding_id=asked.holding_id, card_id=asked.card_id, outlet=asked.outlet, at=asked.at)
        ]
    handed_over = CardHandedOver(
        holding_id=asked.holding_id,
        person_id=_person(holding),
        application_id=there.order.application_id,
        card_id=asked.card_id,
        batch_id=there.plastic.batch_id,
        seat=there.plastic.seat,
        outlet=asked.outlet,
        document=asked.document,
        agent_document=asked.agent_document,
        at=asked.at,
        taker=asked.taker,
        unit=asked.unit,
        fingerprint=asked.fingerprint,
    )
    if asked.under.activation is Activation.AT_HAND_OVER:
        return [handed_over, *_begins(asked, asked.under, evolve(holding, handed_over))]
    return [handed_over]


def activate(asked: Activate, holding: Holding) -> Sequence[Event]:
    match holding.coming:
        case InHand(plastic=plastic) if plastic.card_id == asked.card_id:
            return _begins(asked, asked.under, holding)
    life = holding.life_of(asked.card_id)
    if life is not None and life.ended_at is None:
        return []
    if life is not None:
        raise CardEnded(card_id=asked.card_id)
    match holding.coming:
        case InWork(plastic=plastic) | Good(plastic=plastic) | AtOutlet(plastic=plastic) if (
            plastic.card_id == asked.card_id
        ):
            raise NotInHand(card_id=asked.card_id)
    raise CardUnknown(card_id=asked.card_id)


def open_function(asked: OpenFunction, holding: Holding) -> Sequence[Event]:
    """Each function is opened where the city says, on the card that counts, by a holder who may have it (R147)."""
    life = holding.life_of(asked.card_id)
    if life is None:
        held = not isinstance(holding.coming, NothingComing | Waiting | Queued)
        raise CardNotActive(card_id=asked.card_id) if held else CardUnknown(card_id=asked.card_id)
    if life.ended_at is not None:
        raise CardEnded(card_id=asked.card_id)
    catalogue = () if asked.under is None else asked.under.catalogue
    entry = next((one for one in catalogue if one.function == asked.function), None)
    if entry is None or asked.under is None:
        raise FunctionUnknown(function=asked.function)
    if entry.opens is Opens.WITH_THE_CARD or asked.function in {one.function for one in holding.opened}:
        return []
    if asked.place not in OPENED_AT[entry.opens]:
        places = entry.opens.value.replace("_", " ")
        raise FunctionOpenedElsewhere(asked.under.by("programme.catalogue"), function=asked.function, places=places)
    grant = grants_of(holding).of(asked.function)
    if not grant.granted:
        used = holding.verdicts[-1].used if holding.verdicts else ()
        table = asked.under.by("programme.functions", facts=used)
        raise FunctionNotGranted(table, function=asked.function, because=grant.because)
    opened = FunctionOpened(
        holding_id=asked.holding_id,
        card_id=asked.card_id,
        function=asked.function,
        place=asked.place.value,
        at=asked.at,
    )
    return [opened, *turned(evolve(holding, opened), asked.card_id, asked.under, asked.at)]


def end(asked: EndCard, holding: Holding) -> Sequence[Event]:
    """What was cancelled at the loss desk has ended here too, together with whatever was to take its place."""
    life = holding.life_of(asked.card_id)
    if life is None or life.ended_at is not None:
        return []
    at = max(asked.at, life.active_from)
    cancelled = CardCancelled(
        holding_id=asked.holding_id,
        person_id=_person(holding),
        card_id=asked.card_id,
        reason=asked.reason,
        at=at,
    )
    match holding.coming:
        case InWork(plastic=plastic) | Good(plastic=plastic) | AtOutlet(plastic=plastic):
            return [cancelled, _recalled(plastic, asked, at)]
    return [cancelled]


def due(fact: Event) -> Iterator[Due]:
    match fact:
        case CardReserved():
            yield Due(fact.at, SeatTaken(batch_id=fact.batch_id, seat=fact.seat, at=fact.at))
        case SeatDeclined():
            yield Due(fact.at, SeatVoid(batch_id=fact.batch_id, seat=fact.seat, at=fact.at))
        case CardHandedOver():
            yield Due(fact.at, PlasticGone(batch_id=fact.batch_id, seat=fact.seat, how="handed_over", at=fact.at))
        case PlasticRecalled():
            yield Due(fact.at, PlasticGone(batch_id=fact.batch_id, seat=fact.seat, how="recalled", at=fact.at))
        case CardArrived():
            for hour in fact.remind_at:
                yield Due(hour, RemindHolder(holding_id=fact.holding_id, card_id=fact.card_id, at=hour))
            yield Due(
                fact.kept_until,
                GiveUpWaiting(holding_id=fact.holding_id, card_id=fact.card_id, kept_until=fact.kept_until),
            )
        case CardUnclaimed(destroy_at=datetime() as hour):
            gone = DestroyCard(
                holding_id=fact.holding_id, card_id=fact.card_id, batch_id=fact.batch_id, seat=fact.seat, at=hour
            )
            yield Due(hour, gone)
        case CardDestroyed():
            yield Due(fact.at, PlasticGone(batch_id=fact.batch_id, seat=fact.seat, how="destroyed", at=fact.at))
        case HoldingPassedOn(holds=True):
            if fact.before is not None:
                left = LeaveHolding(holding_id=fact.before, other=fact.holding_id, at=fact.at)
                yield Due(fact.at, left)
            if fact.lead is not None:
                joined = JoinHolding(holding_id=fact.lead, other=fact.holding_id, at=fact.at)
                yield Due(fact.at, joined)
        case HoldingJoined(gives_way=True):
            yield Due(fact.at, GiveWay(holding_id=fact.other, at=fact.at))
        case HoldingEmptied():
            yield Due(fact.at, LeaveHolding(holding_id=fact.lead, other=fact.holding_id, at=fact.at))
        case EndorsementTakenBack():  # Its hour may have struck while the card was valid for longer.
            yield Due(
                fact.valid_to,
                ExpireCard(holding_id=fact.holding_id, card_id=fact.card_id, valid_to=fact.valid_to),
            )
        case CardActivated() | CardReplaced() | CardEndorsed():
            for hour in fact.remind_at:
                yield Due(
                    hour,
                    RemindToEndorse(holding_id=fact.holding_id, card_id=fact.card_id, valid_to=fact.valid_to, at=hour),
                )
            yield Due(
                fact.valid_to,
                ExpireCard(holding_id=fact.holding_id, card_id=fact.card_id, valid_to=fact.valid_to),
            )


def _begins(asked: HandOver | Activate, under: IssuanceBylaw, holding: Holding) -> list[Event]:
    """The card works, and each of its functions stands as it should; what must be opened anew is closed until then."""
    works = _works(asked, under, holding)
    again = {entry.function for entry in under.catalogue if entry.reopens}
    after = evolve(holding, works)
    after = replace(after, opened=tuple(one for one in after.opened if one.function not in again))
    return [works, *turned(replace(after, functions=()), asked.card_id, under, asked.at, before=after.functions)]


def _works(asked: HandOver | Activate, under: IssuanceBylaw, holding: Holding) -> CardActivated | CardReplaced:
    """The card begins to work; if another one counted until now, that one ends in the same fact.

    A card that is endorsed from year to year is not renewed by being lost: the new one is valid as long as the old.
    """
    plastic = holding.coming.plastic if isinstance(holding.coming, InHand) else None
    valid_to = (plastic.valid_to if plastic else None) or under.valid_to(asked.at)
    if under.endorsing is not None and holding.current is not None:
        valid_to = holding.current.valid_to
    remind_at = under.endorsing.reminders(shanghai_day(valid_to)) if under.endorsing else ()
    remind_at = tuple(hour for hour in remind_at if hour > asked.at)
    if holding.current is None:
        return CardActivated(
            holding_id=asked.holding_id,
            person_id=_person(holding),
            card_id=asked.card_id,
            programme=holding.programme,
            valid_to=valid_to,
            at=asked.at,
            older=tuple(OlderUntil(scheme=scheme, until=until) for scheme, until in under.older_until(asked.at)),
            remind_at=remind_at,
        )
    return CardReplaced(
        holding_id=asked.holding_id,
        person_id=_person(holding),
        old_card_id=holding.current.card_id,
        card_id=asked.card_id,
        programme=holding.programme,
        valid_to=valid_to,
        at=asked.at,
        remind_at=remind_at,
    )


def _recalled(plastic: Plastic, asked: GiveUpWaiting | EndCard, at: datetime) -> PlasticRecalled:
    return PlasticRecalled(
        holding_id=asked.holding_id,
        card_id=plastic.card_id,
        batch_id=plastic.batch_id,
        seat=plastic.seat,
        at=at,
    )


def _declined(asked: ClaimCard, reason: str) -> CardDeclined:
    return CardDeclined(
        holding_id=asked.holding_id,
        person_id=asked.person_id,
        kind=Kind.FIRST,
        application_id=asked.application_id,
        old_card_id=None,
        reason=reason,
        at=asked.at,
    )


def _latest(holding: Holding) -> Verdict | None:
    return holding.verdicts[-1] if holding.verdicts else None


def _person(holding: Holding) -> PersonId:
    assert holding.person_id is not None
    return holding.person_id


def _sits(plastic: Plastic, asked: TakeSeat | NoteProduced | NoteSpoiled | NoteArrival) -> bool:
    return (plastic.batch_id, plastic.seat) == (asked.batch_id, asked.seat)


holdings: Decider[Command, Holding, Event] = Decider(Holding(), decide, evolve, due)

TWO_PEOPLE = (
    TwoPeople(
        act="issue in spite of a refusal",
        decider=holdings,
        facts=(CardOrdered, CardApproved),
        needs=in_spite_of_a_refusal,
    ),
)
