"""What lies in the drawer of the loss desk: two cities' real bylaws, and named facts at fixed moments."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

from libs.kernel import FourEyes, ProposalId, Refused
from libs.kernel.calendar import SHANGHAI
from libs.kernel.ids import derived
from libs.runtime.citypack import load_packs
from libs.testing.conversation import Asked, Given
from libs.testing.conversation import given as given_at
from libs.testing.twopeople import ONE, OTHER
from services.ids import card_id, holding_id, person_id
from services.loss.adapters.bylaws import LossBylaws
from services.loss.domain.bylaw import Grounds, LossBylaw, OnLapse
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
    NoteEndorsement,
    OrderReissue,
    OrderReplacement,
    Place,
    PreReportLoss,
    ReportLoss,
    SucceedCard,
)
from services.loss.domain.decider import loss_desk
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
)
from services.loss.domain.state import Desk

ZHOUSHAN, WUXI = "330900", "320200"
BYLAWS = LossBylaws(load_packs(Path(__file__).parents[3] / "deploy"))

LI = person_id(ZHOUSHAN, derived("Li"))
HOLDING = holding_id(LI, "citizen-card")
CARD, NEXT_CARD, THIRD_CARD = (card_id(HOLDING, nth) for nth in (1, 2, 3))


def shanghai(month: int, day: int, hour: int = 0, minute: int = 0, year: int = 2026) -> datetime:
    """A moment on the clock of the city's hall, in UTC; hour 24 is the end of the day."""
    return (datetime(year, month, day, tzinfo=SHANGHAI) + timedelta(hours=hour, minutes=minute)).astimezone(UTC)


def under(city: str = ZHOUSHAN, at: datetime | None = None) -> LossBylaw:
    """The bylaw that holds in a city."""
    return BYLAWS.at(city, "", at or NIGHT)


SPRING = shanghai(3, 2, 9)
NIGHT = shanghai(9, 28, 23, 15)
MORNING = shanghai(9, 29, 9)
NOON = shanghai(9, 29, 12)
EVENING = shanghai(9, 29, 18)
HOUR = shanghai(10, 10, 24)  # five working days after NIGHT, the National Day holiday between them
AUTUMN = shanghai(11, 2, 9)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

LIFTING, CANCELLING = ProposalId("lifting"), ProposalId("cancelling")
EYES = FourEyes(proposed_by=ONE, approved_by=OTHER)

OURS = replace(under(), grounds=Grounds())  # Which edition and which articles is another test's business.
STERN = replace(OURS, on_lapse=OnLapse.CANCEL)  # as in Shaoguan: what nobody signs for is cancelled
BANK = Place(outlet="zs-icbc-dinghai", kind="bank")
OTHER_BANK = Place(outlet="zs-icbc-putuo", kind="bank")
HALL = Place(outlet="zs-hall", kind="hall")
HOTLINE = Place(outlet="", kind="hotline")

COVERED = ("social_security", "medical", "rural_medical", "identity_query", "bank_debit")


def stops(from_: datetime) -> tuple[Stop, ...]:
    return tuple(Stop(function=function, from_=from_) for function in COVERED)


issued = CardEntered(holding_id=HOLDING, card_id=CARD, programme="citizen-card", at=SPRING)
called = LossPreReported(
    holding_id=HOLDING, card_id=CARD, at=NIGHT, lapses_at=HOUR, provisional=False, warns_at=HOUR - timedelta(days=1),
    ends_card=False, stops=stops(NIGHT), lost_at=None,
)  # fmt: skip
called_sternly = replace(called, ends_card=True)
kept = CallKept(holding_id=HOLDING, card_id=CARD, at=NIGHT, lost_at=None)
warned = LapseAnnounced(holding_id=HOLDING, card_id=CARD, at=called.warns_at, lapses_at=HOUR)
lapsed = LossLapsed(holding_id=HOLDING, card_id=CARD, at=HOUR)
lapsed_sternly = CardCancelled(holding_id=HOLDING, card_id=CARD, at=HOUR, reason="report lapsed unsigned")
signed = LossReported(
    holding_id=HOLDING, card_id=CARD, at=MORNING, outlet=BANK.outlet, document="id_card", stops=stops(MORNING),
    lost_at=None,
)  # fmt: skip
signed_after_call = replace(signed, stops=stops(NIGHT))
to_be_lifted = LiftProposed(
    holding_id=HOLDING, card_id=CARD, at=NOON, proposal_id=LIFTING, by=ONE, until=NOON + DAY, outlet=BANK.outlet
)
objected = ProposalDeclined(holding_id=HOLDING, card_id=CARD, at=NOON, proposal_id=LIFTING, by=OTHER)
lifted = LossLifted(holding_id=HOLDING, card_id=CARD, at=NOON, outlet=BANK.outlet)
lifted_by_two = replace(lifted, proposal_id=LIFTING, eyes=EYES)
contradicted = EndorsementContradicted(holding_id=HOLDING, card_id=CARD, at=MORNING, reported_at=NIGHT)
reissue = ReissueOrdered(holding_id=HOLDING, card_id=CARD, at=NOON, outlet=BANK.outlet)
worn = ReplacementOrdered(holding_id=HOLDING, card_id=CARD, at=NOON, outlet=BANK.outlet, reason="stained")
declined = NewCardDeclined(holding_id=HOLDING, card_id=CARD, at=EVENING, reason="not entitled")
succeeded = CardSucceeded(holding_id=HOLDING, old_card_id=CARD, card_id=NEXT_CARD, at=AUTUMN)
to_be_cancelled = CancellationProposed(
    holding_id=HOLDING, card_id=CARD, at=NOON, proposal_id=CANCELLING, by=ONE, until=NOON + DAY, outlet=BANK.outlet,
    reason="moved_away",
)  # fmt: skip
cancelled = CardCancelled(
    holding_id=HOLDING, card_id=CARD, at=NOON, reason="moved_away", proposal_id=CANCELLING, eyes=EYES
)

enter_card = EnterCard(holding_id=HOLDING, card_id=CARD, programme="citizen-card", at=SPRING, under=OURS)
a_call = PreReportLoss(holding_id=HOLDING, card_id=CARD, at=NIGHT, verified_by="knowledge", under=OURS)
announce = AnnounceLapse(holding_id=HOLDING, card_id=CARD, at=called.warns_at, lapses_at=HOUR)
the_clock = LapseLoss(holding_id=HOLDING, card_id=CARD, lapses_at=HOUR)
sign = ReportLoss(holding_id=HOLDING, card_id=CARD, at=MORNING, place=BANK, document="id_card", under=OURS)
lift = LiftLoss(
    holding_id=HOLDING, card_id=CARD, at=NOON, place=BANK, document="id_card", under=OURS, by=ONE, proposal_id=LIFTING
)
approve_lift = ApproveProposal(holding_id=HOLDING, card_id=CARD, at=NOON, by=OTHER, proposal_id=LIFTING, under=OURS)
object_to_lift = DeclineProposal(holding_id=HOLDING, card_id=CARD, at=NOON, by=OTHER, proposal_id=LIFTING)
apply_anew = OrderReissue(holding_id=HOLDING, card_id=CARD, at=NOON, place=BANK, document="id_card", under=OURS)
exchange = OrderReplacement(
    holding_id=HOLDING, card_id=CARD, at=NOON, place=BANK, document="id_card", reason="stained", under=OURS
)
note_endorsement = NoteEndorsement(holding_id=HOLDING, card_id=CARD, at=MORNING)
decline = DeclineNewCard(holding_id=HOLDING, card_id=CARD, kind="reissue", at=EVENING, reason="not entitled")
succeed = SucceedCard(
    holding_id=HOLDING, old_card_id=CARD, card_id=NEXT_CARD, programme="citizen-card", at=AUTUMN, under=OURS
)
cancel = CancelCard(
    holding_id=HOLDING, card_id=CARD, at=NOON, place=BANK, document="id_card", reason="moved_away", open_affairs=(),
    under=OURS, by=ONE, proposal_id=CANCELLING,
)  # fmt: skip
approve_cancellation = replace(approve_lift, proposal_id=CANCELLING)


def given(*facts: Event) -> Given:
    """Begin at the loss desk with these facts."""
    return given_at(loss_desk, *facts)


def when(command: Command) -> Asked:
    """Somebody asks at an empty desk."""
    return given().when(command)


def after(*facts: Event) -> Desk:
    """How the desk stands after these facts."""
    return loss_desk.fold(facts)


def obey(desk: Desk, command: Command) -> Desk:
    """How the desk stands when this was asked; as before, if it was refused."""
    try:
        return loss_desk.fold(loss_desk.decide(command, desk), desk)
    except Refused:
        return desk


def after_all(*commands: Command) -> Desk:
    """How the desk stands after these were asked for, one after another."""
    return reduce(obey, commands, loss_desk.initial)
