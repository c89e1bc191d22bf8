"""What lies in issuance's drawer: two cities' real bylaws, and named facts at fixed moments."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

from libs.kernel import Decider, Refused
from libs.kernel.calendar import SHANGHAI
from libs.kernel.ids import derived
from libs.runtime.citypack import load_packs
from services.ids import application_id, batch_id, card_id, holding_id, person_id
from services.issuance.adapters.bylaws import IssuanceBylaws
from services.issuance.domain.application import commands as paper_commands
from services.issuance.domain.application import events as paper
from services.issuance.domain.applying import Way
from services.issuance.domain.batch import commands as batch_commands
from services.issuance.domain.batch import events as batch
from services.issuance.domain.batch.commands import ReturnRow
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.holding import commands as holding_commands
from services.issuance.domain.holding import events as holding
from services.issuance.domain.holding.events import FunctionGrant, Kind
from services.issuance.domain.series.decider import card_number

ZHOUSHAN, WUXI = "330900", "320200"
PACKS = load_packs(Path(__file__).parents[3] / "deploy")
BYLAWS = IssuanceBylaws(PACKS)

LI, WANG = (person_id(ZHOUSHAN, derived(name)) for name in ("Li", "Wang"))
HOLDING, OTHER_HOLDING = (holding_id(person, "citizen-card") for person in (LI, WANG))
PAPER, SECOND_PAPER = (application_id(HOLDING, derived(nth)) for nth in (1, 2))
CARD, NEXT_CARD = card_id(HOLDING, 1), card_id(HOLDING, 2)
BATCH, NEXT_BATCH = (batch_id(ZHOUSHAN, derived(nth)) for nth in (1, 2))
NUMBER, OTHER_NUMBER, THIRD_NUMBER = (card_number("330900-01", nth) for nth in (1, 2, 3))
IDENT, OTHER_IDENT = "A" * 32, "B" * 32
HALL, BANK = "zs-hall", "zs-icbc-dinghai"


def shanghai(month: int, day: int, hour: int = 0, minute: int = 0, year: int = 2026) -> datetime:
    """A moment on the clock of the city's hall, in UTC; hour 24 is the end of the day."""
    return (datetime(year, month, day, tzinfo=SHANGHAI) + timedelta(hours=hour, minutes=minute)).astimezone(UTC)


def under(city: str = ZHOUSHAN) -> IssuanceBylaw:
    """The bylaw that holds in a city."""
    return BYLAWS.at(city, "citizen-card" if city == ZHOUSHAN else "social-security-card", ASKED)


ASKED = shanghai(9, 1, 10)
TAKEN_IN = shanghai(9, 1, 11)
PROMISED = shanghai(10, 8, 24)  # one month, and the National Day holiday postpones it
DRAWN = shanghai(9, 10, 9)
MADE = shanghai(9, 20, 9)
ARRIVED = shanghai(10, 8, 9)
KEPT_UNTIL = shanghai(4, 6, 24, year=2027)
FETCHED = shanghai(10, 9, 10)
LATER = shanghai(11, 2, 9)
OLD_CARD_UNTIL = shanghai(10, 9, 24, year=2027)
VALID_TO = shanghai(10, 9, 24, year=2036)
SECOND = timedelta(seconds=1)

OURS = under()
BY_THE_HOLDER = under(WUXI)

# --- the paper ---

submitted = paper.ApplicationSubmitted(
    application_id=PAPER, holding_id=HOLDING, person_id=LI, programme="citizen-card", outlet=HALL,
    documents=("id_card",), portrait="vault:1", agent=None, receipt="7QK2-9XWM-4T0R", at=ASKED,
)  # fmt: skip
supplement_asked = paper.SupplementAsked(
    application_id=PAPER, person_id=LI, reason="portrait", until=shanghai(10, 1, 24), at=TAKEN_IN
)
supplemented = paper.ApplicationSupplemented(
    application_id=PAPER, documents=("household_book",), portrait="vault:2", at=TAKEN_IN
)
accepted = paper.ApplicationAccepted(
    application_id=PAPER, holding_id=HOLDING, person_id=LI, programme="citizen-card", outlet=HALL,
    promised_by=PROMISED, provisional=False, at=TAKEN_IN,
)  # fmt: skip
rejected = paper.ApplicationRejected(application_id=PAPER, person_id=LI, reason="not the person", at=TAKEN_IN)
withdrawn = paper.ApplicationWithdrawn(application_id=PAPER, reason="moved", at=TAKEN_IN)

way_chosen = paper.WayChosen(application_id=PAPER, way=Way.MAIL, at=ASKED)
review_asked = paper.ReviewAsked(
    application_id=PAPER, person_id=LI, authority="police", review_by=shanghai(10, 1, 24), provisional=False,
    at=TAKEN_IN,
)  # fmt: skip
review_questioned = paper.ReviewQuestioned(
    application_id=PAPER, person_id=LI, reason="birth", until=shanghai(10, 1, 24), at=TAKEN_IN
)
review_passed = paper.ReviewPassed(
    application_id=PAPER, holding_id=HOLDING, person_id=LI, programme="citizen-card", outlet=HALL, unit="",
    way=Way.COUNTER, at=DRAWN,
)  # fmt: skip
review_refused = paper.ReviewRefused(application_id=PAPER, person_id=LI, reason="not registered here", at=DRAWN)
review_overdue = paper.ReviewOverdue(application_id=PAPER, authority="police", at=shanghai(10, 1, 24))

submit = paper_commands.SubmitApplication(
    application_id=PAPER, holding_id=HOLDING, person_id=LI, programme="citizen-card", outlet=HALL,
    documents=("id_card",), portrait="vault:1", agent=None, receipt="7QK2-9XWM-4T0R", at=ASKED, under=OURS,
)  # fmt: skip
ask_supplement = paper_commands.AskSupplement(application_id=PAPER, reason="portrait", at=TAKEN_IN, under=OURS)
supplement = paper_commands.SupplementApplication(
    application_id=PAPER, documents=("household_book",), portrait="vault:2", at=TAKEN_IN
)
accept = paper_commands.AcceptApplication(application_id=PAPER, at=TAKEN_IN, under=OURS)
reject = paper_commands.RejectApplication(application_id=PAPER, reason="not the person", at=TAKEN_IN)
choose_way = paper_commands.ChooseWay(application_id=PAPER, way=Way.MAIL, at=ASKED, under=OURS)
answer_review = paper_commands.AnswerReview(application_id=PAPER, verdict="approve", reason="", at=DRAWN, under=OURS)
review_late = paper_commands.NoteReviewOverdue(application_id=PAPER, review_by=shanghai(10, 1, 24))
withdraw = paper_commands.WithdrawApplication(application_id=PAPER, reason="moved", at=TAKEN_IN)
no_answer = paper_commands.WithdrawUnanswered(application_id=PAPER, until=shanghai(10, 1, 24))

# --- the holding ---

GRANTS = (
    FunctionGrant(function="medical", granted=True, because="insured"),
    FunctionGrant(function="transit", granted=True, because="open to all"),
    FunctionGrant(function="rural_medical", granted=False, because="not in the rural scheme"),
)
entitled = holding.VerdictNoted(
    holding_id=HOLDING, person_id=LI, programme="citizen-card", granted=True, because="city order 36",
    functions=GRANTS, at=ASKED, facts=("hukou",),
)  # fmt: skip
not_entitled = replace(entitled, granted=False, because="not resident", functions=(), at=LATER)
ordered = holding.CardOrdered(
    holding_id=HOLDING, person_id=LI, programme="citizen-card", kind=Kind.FIRST, application_id=PAPER,
    old_card_id=None, outlet=HALL, approved=True, at=TAKEN_IN,
)  # fmt: skip
waiting = replace(ordered, approved=False)
approved = holding.CardApproved(
    holding_id=HOLDING, person_id=LI, programme="citizen-card", kind=Kind.FIRST, application_id=PAPER, outlet=HALL,
    at=DRAWN,
)  # fmt: skip
declined = holding.CardDeclined(
    holding_id=HOLDING, person_id=LI, kind=Kind.FIRST, application_id=PAPER, old_card_id=None, reason="not resident",
    at=LATER,
)  # fmt: skip
reserved = holding.CardReserved(
    holding_id=HOLDING, application_id=PAPER, card_id=CARD, card_number=NUMBER, batch_id=BATCH, seat=1, at=DRAWN
)
seat_declined = holding.SeatDeclined(holding_id=HOLDING, batch_id=NEXT_BATCH, seat=1, at=DRAWN)
produced = holding.CardProduced(holding_id=HOLDING, application_id=PAPER, card_id=CARD, ident=IDENT, at=MADE)
spoiled = holding.CardSpoiled(holding_id=HOLDING, application_id=PAPER, card_id=CARD, reason="chip: dead", at=MADE)
arrived = holding.CardArrived(
    holding_id=HOLDING, person_id=LI, application_id=PAPER, card_id=CARD, outlet=HALL, kept_until=KEPT_UNTIL,
    at=ARRIVED,
)  # fmt: skip
unclaimed = holding.CardUnclaimed(
    holding_id=HOLDING, person_id=LI, application_id=PAPER, card_id=CARD, at=KEPT_UNTIL, batch_id=BATCH, seat=1
)
handed_over = holding.CardHandedOver(
    holding_id=HOLDING, person_id=LI, application_id=PAPER, card_id=CARD, batch_id=BATCH, seat=1, outlet=HALL,
    document="id_card", agent_document="", at=FETCHED,
)  # fmt: skip
activated = holding.CardActivated(
    holding_id=HOLDING, person_id=LI, card_id=CARD, programme="citizen-card", valid_to=VALID_TO, at=FETCHED,
    older=(holding.OlderUntil(scheme="medical_insurance_card", until=OLD_CARD_UNTIL),),
)  # fmt: skip
recalled = holding.PlasticRecalled(holding_id=HOLDING, card_id=CARD, batch_id=BATCH, seat=1, at=KEPT_UNTIL)
turned = holding.FunctionsTurned(
    holding_id=HOLDING,
    card_id=CARD,
    functions=tuple(
        holding.FunctionState(
            function=entry.function,
            standing=holding.Standing.ENABLED if grant and grant.granted else holding.Standing.UNAVAILABLE,
            because=grant.because if grant else "the holder's entitlement does not name this function",
        )
        for entry in OURS.catalogue
        for grant in [next((one for one in GRANTS if one.function == entry.function), None)]
    ),
    at=FETCHED,
)
opened_purse = holding.FunctionOpened(holding_id=HOLDING, card_id=CARD, function="epurse", place="wallet", at=LATER)
reminded = holding.CollectionReminded(
    holding_id=HOLDING, person_id=LI, application_id=PAPER, card_id=CARD, outlet=HALL, kept_until=KEPT_UNTIL,
    at=shanghai(11, 7, 24),
)  # fmt: skip
sent_on = holding.CardSentOn(
    holding_id=HOLDING, person_id=LI, application_id=PAPER, card_id=CARD, outlet=BANK, kept_until=KEPT_UNTIL, at=FETCHED
)
mailed = holding.CardMailed(
    holding_id=HOLDING, person_id=LI, application_id=PAPER, card_id=CARD, tracking="EA123456789CN", at=FETCHED
)
mismatched = holding.FingerprintMismatched(holding_id=HOLDING, card_id=CARD, outlet=HALL, at=FETCHED)
case_closed = holding.CaseClosed(holding_id=HOLDING, card_id=CARD, finding="injured_finger", at=FETCHED)
destroyed = holding.CardDestroyed(
    holding_id=HOLDING, card_id=CARD, batch_id=BATCH, seat=1, at=shanghai(7, 5, 24, year=2027)
)
expired = holding.CardExpired(holding_id=HOLDING, person_id=LI, card_id=CARD, at=VALID_TO)
endorsed = holding.CardEndorsed(
    holding_id=HOLDING, person_id=LI, card_id=CARD, programme="citizen-card", outlet=HALL, since=date(2026, 10, 9),
    valid_to=shanghai(10, 9, 24, year=2037), at=VALID_TO,
)  # fmt: skip
endorsement_taken_back = holding.EndorsementTakenBack(
    holding_id=HOLDING, person_id=LI, card_id=CARD, valid_to=VALID_TO, endorsed_at=VALID_TO, reported_at=VALID_TO,
    at=VALID_TO,
)  # fmt: skip
cancelled = holding.CardCancelled(holding_id=HOLDING, person_id=LI, card_id=CARD, reason="moved_away", at=LATER)

IN_WORK: tuple[holding.Event, ...] = (entitled, ordered, reserved)
GOOD: tuple[holding.Event, ...] = (*IN_WORK, produced)
AT_OUTLET: tuple[holding.Event, ...] = (*GOOD, arrived)
IN_HAND: tuple[holding.Event, ...] = (*AT_OUTLET, handed_over)
IN_USE: tuple[holding.Event, ...] = (*IN_HAND, activated, turned)

reissue_ordered = replace(ordered, kind=Kind.REISSUE, application_id=None, old_card_id=CARD, outlet=BANK, at=LATER)
exchange_ordered = replace(reissue_ordered, kind=Kind.REPLACEMENT)
joined = holding.ReissueJoined(holding_id=HOLDING, old_card_id=CARD, at=LATER)
next_reserved = replace(
    reserved, application_id=None, card_id=NEXT_CARD, card_number=OTHER_NUMBER, batch_id=NEXT_BATCH, at=LATER
)
next_produced = replace(produced, application_id=None, card_id=NEXT_CARD, at=LATER)
next_arrived = replace(
    arrived, application_id=None, card_id=NEXT_CARD, outlet=BANK, kept_until=shanghai(5, 1, 24, year=2027), at=LATER
)
next_handed_over = replace(
    handed_over, application_id=None, card_id=NEXT_CARD, batch_id=NEXT_BATCH, outlet=BANK, at=LATER
)
replaced = holding.CardReplaced(
    holding_id=HOLDING, person_id=LI, old_card_id=CARD, card_id=NEXT_CARD, programme="citizen-card",
    valid_to=shanghai(11, 2, 24, year=2036), at=LATER,
)  # fmt: skip
next_turned = replace(turned, card_id=NEXT_CARD, at=LATER)
NEXT_AT_OUTLET: tuple[holding.Event, ...] = (*IN_USE, reissue_ordered, next_reserved, next_produced, next_arrived)
REPLACED: tuple[holding.Event, ...] = (*NEXT_AT_OUTLET, next_handed_over, replaced, next_turned)

note_verdict = holding_commands.NoteVerdict(
    holding_id=HOLDING, person_id=LI, programme="citizen-card", granted=True, because="city order 36",
    functions=GRANTS, at=ASKED, facts=("hukou",),
)  # fmt: skip
claim = holding_commands.ClaimCard(
    holding_id=HOLDING, application_id=PAPER, person_id=LI, programme="citizen-card", outlet=HALL, at=TAKEN_IN
)
order_reissue = holding_commands.OrderNewCard(
    holding_id=HOLDING, old_card_id=CARD, kind=Kind.REISSUE, outlet=BANK, at=LATER
)
withdraw_order = holding_commands.WithdrawOrder(
    holding_id=HOLDING, application_id=PAPER, reason="not resident", at=LATER
)
take_seat = holding_commands.TakeSeat(holding_id=HOLDING, batch_id=BATCH, seat=1, card_number=NUMBER, at=DRAWN)
note_produced = holding_commands.NoteProduced(holding_id=HOLDING, batch_id=BATCH, seat=1, ident=IDENT, at=MADE)
note_spoiled = holding_commands.NoteSpoiled(holding_id=HOLDING, batch_id=BATCH, seat=1, reason="chip: dead", at=MADE)
note_arrival = holding_commands.NoteArrival(
    holding_id=HOLDING, batch_id=BATCH, seat=1, outlet=HALL, at=ARRIVED, under=OURS
)
give_up = holding_commands.GiveUpWaiting(holding_id=HOLDING, card_id=CARD, kept_until=KEPT_UNTIL)
hand_over = holding_commands.HandOver(
    holding_id=HOLDING, card_id=CARD, outlet=HALL, document="id_card", agent_document="", at=FETCHED, under=OURS
)
activate = holding_commands.Activate(holding_id=HOLDING, card_id=CARD, at=FETCHED, under=OURS)
end_card = holding_commands.EndCard(holding_id=HOLDING, card_id=CARD, reason="moved_away", at=LATER)
expire = holding_commands.ExpireCard(holding_id=HOLDING, card_id=CARD, valid_to=VALID_TO)

# --- the batch: Li's card and Wang's ---

opened = batch.BatchOpened(
    batch_id=BATCH, programme="citizen-card", outlet=HALL, seats=((HOLDING, NUMBER), (OTHER_HOLDING, OTHER_NUMBER)),
    at=DRAWN,
)  # fmt: skip
filled, other_filled = (batch.SeatFilled(batch_id=BATCH, seat=seat, at=DRAWN) for seat in (1, 2))
voided, other_voided = (batch.SeatVoided(batch_id=BATCH, seat=seat, at=DRAWN) for seat in (1, 2))
sent = batch.BatchSent(batch_id=BATCH, at=DRAWN)
made = batch.Made(seat=1, holding_id=HOLDING, ident=IDENT, atr="3B", box="7/1")
other_made = batch.Made(seat=2, holding_id=OTHER_HOLDING, ident=OTHER_IDENT, atr="3B", box="7/2")
failed = batch.Failed(seat=2, holding_id=OTHER_HOLDING, step="chip", reason="dead")
returned = batch.ReturnRead(batch_id=BATCH, made=(made,), failed=(failed,), at=MADE)
dispatched = batch.BatchDispatched(batch_id=BATCH, at=MADE)
received = batch.BatchReceived(batch_id=BATCH, outlet=HALL, seats=((1, HOLDING),), at=ARRIVED)
left = batch.PlasticLeft(batch_id=BATCH, seat=1, how="handed_over", at=FETCHED)

PRODUCING: tuple[batch.Event, ...] = (opened, filled, other_filled, sent)
IN_TRANSIT: tuple[batch.Event, ...] = (*PRODUCING, returned, dispatched)
IN_DRAWER: tuple[batch.Event, ...] = (*IN_TRANSIT, received)

row = ReturnRow(line=2, card_number=NUMBER, ident=IDENT, atr="3B", box="7/1", failed_step="", reason="")
bad_row = ReturnRow(line=3, card_number=OTHER_NUMBER, ident="", atr="", box="", failed_step="chip", reason="dead")

open_batch = batch_commands.OpenBatch(
    batch_id=BATCH, programme="citizen-card", outlet=HALL, seats=opened.seats, at=DRAWN
)
seat_taken = batch_commands.SeatTaken(batch_id=BATCH, seat=1, at=DRAWN)
seat_void = batch_commands.SeatVoid(batch_id=BATCH, seat=1, at=DRAWN)
send = batch_commands.SendBatch(batch_id=BATCH, at=DRAWN)
read_return = batch_commands.ReadReturn(batch_id=BATCH, rows=(row, bad_row), declared=2, at=MADE)
dispatch = batch_commands.DispatchBatch(batch_id=BATCH, at=MADE)
receive = batch_commands.ReceiveBatch(batch_id=BATCH, outlet=HALL, counted=1, at=ARRIVED)
gone = batch_commands.PlasticGone(batch_id=BATCH, seat=1, how="handed_over", at=FETCHED)


def obey(decider: Decider[Any, Any, Any], state: Any, command: Any) -> Any:
    """How it stands when this was asked; as before, if it was refused."""
    try:
        return decider.fold(decider.decide(command, state), state)
    except Refused:
        return state


def after_all(decider: Decider[Any, Any, Any], commands: Any) -> Any:
    """How it stands after these were asked for, one after another."""
    return reduce(lambda state, command: obey(decider, state, command), commands, decider.initial)
