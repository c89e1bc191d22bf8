"""How a card reaches its holder, and what becomes of one that nobody fetches."""

from dataclasses import replace
from typing import Any

import pytest

from libs.kernel import Due
from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.issuance.domain.applying import Applying, Way
from services.issuance.domain.batch.commands import PlasticGone
from services.issuance.domain.batch.decider import batches
from services.issuance.domain.batch.state import Piece
from services.issuance.domain.bylaw import IssuanceBylaw
from services.issuance.domain.collecting import By, Collecting
from services.issuance.domain.holding.collection import (
    ArrangedOtherwise,
    CardElsewhere,
    CardUnknown,
    CaseOpen,
    CollectedWhereAppliedFor,
    FingerprintNeeded,
    NotByMail,
    NoticeNotShown,
    NotInThePost,
    NotThisUnitsCard,
    ReceiptNeeded,
    ReceiptWrong,
    UnitNotAllowed,
)
from services.issuance.domain.holding.commands import (
    CloseCase,
    DestroyCard,
    GiveUpWaiting,
    MailCard,
    RemindHolder,
    SendOn,
)
from services.issuance.domain.holding.decider import holdings
from services.issuance.domain.holding.events import Event
from services.issuance.domain.holding.state import AtOutlet
from services.issuance.domain.papers import PapersMissing, Shown, Whose
from tests.services.issuance.card_drawer import (
    ASKED,
    AT_OUTLET,
    BANK,
    BATCH,
    BYLAWS,
    CARD,
    FETCHED,
    GOOD,
    HALL,
    HOLDING,
    IN_DRAWER,
    IN_USE,
    KEPT_UNTIL,
    LATER,
    NEXT_AT_OUTLET,
    OTHER_HOLDING,
    OURS,
    WUXI,
    activated,
    arrived,
    cancelled,
    case_closed,
    destroyed,
    entitled,
    hand_over,
    handed_over,
    mailed,
    mismatched,
    note_arrival,
    ordered,
    produced,
    recalled,
    reminded,
    replaced,
    reserved,
    sent_on,
    shanghai,
    turned,
    unclaimed,
)

UNIT = "91350100M000100Y43"
LETTER = (Shown(kind="introduction_letter", whose=Whose.UNIT, copy=True), Shown(kind="id_card", whose=Whose.DELEGATE))
mail_card = MailCard(holding_id=HOLDING, card_id=CARD, outlet=HALL, tracking="EA123456789CN", at=FETCHED, under=OURS)
send_on = SendOn(holding_id=HOLDING, card_id=CARD, outlet=HALL, to=BANK, at=FETCHED, under=OURS)
close_case = CloseCase(holding_id=HOLDING, card_id=CARD, finding="injured_finger", at=FETCHED)


def given(*facts: Event) -> Given:
    return given_at(holdings, *facts)


def at_outlet(**order: Any) -> tuple[Event, ...]:
    """A card at the hall, ordered like this."""
    return (entitled, replace(ordered, **order), reserved, produced, arrived)


def rules(**some: Any) -> IssuanceBylaw:
    return replace(OURS, collecting=Collecting(**some))


# --- by whom ---


@pytest.mark.requirement("R85")
def test_in_zhoushan_a_holder_shows_a_valid_document_and_the_collection_notice() -> None:
    assert OURS.collecting.notice
    given(*AT_OUTLET).when(hand_over).then(handed_over, activated, turned)
    given(*AT_OUTLET).when(replace(hand_over, notice=False)).refused(NoticeNotShown)


@pytest.mark.requirement("R86")
def test_in_zhoushan_an_agent_shows_originals_and_copies_of_both_documents() -> None:
    both = (Shown(kind="id_card", copy=True), Shown(kind="id_card", whose=Whose.AGENT, copy=True))
    agent = replace(hand_over, agent_document="id_card", taker=By.AGENT)
    by_agent = replace(handed_over, agent_document="id_card", taker=By.AGENT)
    given(*AT_OUTLET).when(replace(agent, papers=both)).then(by_agent, activated, turned)
    for papers in ((), both[:1], both[1:]):
        given(*AT_OUTLET).when(replace(agent, papers=papers)).refused(PapersMissing)


@pytest.mark.requirement("R84")
def test_a_unit_s_delegate_collects_that_unit_s_cards_with_a_letter_and_no_others() -> None:
    delegate = replace(hand_over, taker=By.UNIT, unit=UNIT, papers=LETTER)
    given(*at_outlet(unit=UNIT)).when(delegate).then(replace(handed_over, taker=By.UNIT, unit=UNIT), activated, turned)
    given(*at_outlet(unit=UNIT)).when(replace(delegate, papers=LETTER[:1])).refused(PapersMissing)
    for other in (at_outlet(unit="91110000600037341L"), AT_OUTLET):
        given(*other).when(delegate).refused(NotThisUnitsCard)
    given(*at_outlet(unit=UNIT)).when(replace(delegate, unit="")).refused(NotThisUnitsCard)
    given(*at_outlet(unit=UNIT)).when(replace(delegate, under=rules())).refused(UnitNotAllowed)


@pytest.mark.requirement("R125", "R127")
def test_a_first_id_card_is_handed_over_against_its_receipt_and_the_holder_s_finger() -> None:
    wuxi = BYLAWS.at(WUXI, "resident-id", ASKED)
    assert (wuxi.collecting.receipt, wuxi.collecting.fingerprint) == (True, True)
    rule = rules(receipt=True, fingerprint=True)
    comes = replace(hand_over, under=rule, receipt="right", fingerprint="match")
    given(*AT_OUTLET).when(comes).then(replace(handed_over, fingerprint="match"), activated, turned)
    given(*AT_OUTLET).when(replace(comes, receipt="")).refused(ReceiptNeeded)
    given(*AT_OUTLET).when(replace(comes, receipt="wrong")).refused(ReceiptWrong)
    for finger in ("", "unreadable"):
        given(*AT_OUTLET).when(replace(comes, fingerprint=finger)).refused(FingerprintNeeded)
    agent = replace(comes, taker=By.AGENT, agent_document="id_card", fingerprint="")
    given(*AT_OUTLET).when(agent).then(
        replace(handed_over, taker=By.AGENT, agent_document="id_card"), activated, turned
    )
    given(*AT_OUTLET).when(replace(agent, receipt="")).refused(ReceiptNeeded)


@pytest.mark.requirement("R125")
def test_a_finger_that_is_not_the_holder_s_keeps_the_card_and_opens_a_case() -> None:
    wrong = replace(hand_over, under=rules(fingerprint=True), fingerprint="mismatch")
    given(*AT_OUTLET).when(wrong).then(mismatched)
    right = replace(wrong, fingerprint="match")
    given(*AT_OUTLET, mismatched).when(right).refused(CaseOpen)
    given(*AT_OUTLET, mismatched).when(close_case).then(case_closed)
    given(*AT_OUTLET, mismatched, case_closed).when(close_case).then()
    given(*AT_OUTLET, mismatched, case_closed).when(right).then(
        replace(handed_over, fingerprint="match"), activated, turned
    )
    given(*GOOD).when(close_case).refused(CardUnknown)


@pytest.mark.requirement("R126")
def test_what_was_arranged_on_application_is_how_the_card_goes() -> None:
    frozen = replace(OURS, applying=Applying(ways=frozenset(Way), way_frozen=True), collecting=Collecting(mail=True))
    agent = replace(hand_over, under=frozen, taker=By.AGENT, agent_document="id_card")
    given(*at_outlet(way=Way.COUNTER)).when(agent).refused(ArrangedOtherwise)
    given(*at_outlet(way=Way.AGENT)).when(replace(hand_over, under=frozen)).refused(ArrangedOtherwise)
    given(*at_outlet(way=Way.AGENT)).when(agent).then(
        replace(handed_over, taker=By.AGENT, agent_document="id_card"), activated, turned
    )
    by_post = (*at_outlet(way=Way.MAIL), mailed)
    given(*at_outlet(way=Way.MAIL)).when(mail_card).then(mailed)
    given(*by_post).when(mail_card).then()
    given(*AT_OUTLET).when(mail_card).refused(NotByMail)
    signed = replace(hand_over, under=frozen, taker=By.MAIL)
    given(*by_post).when(signed).then(replace(handed_over, taker=By.MAIL), activated, turned)
    given(*at_outlet(way=Way.MAIL)).when(signed).refused(NotInThePost)


# --- where and when ---


@pytest.mark.requirement("R88")
def test_elsewhere_a_card_is_refused_or_sent_on_as_the_city_says() -> None:
    given(*AT_OUTLET).when(replace(hand_over, outlet=BANK)).refused(CardElsewhere)
    assert not OURS.collecting.elsewhere
    given(*AT_OUTLET).when(send_on).refused(CollectedWhereAppliedFor)
    allowed = replace(send_on, under=BYLAWS.at(WUXI, "social-security-card", ASKED))
    given(*AT_OUTLET).when(allowed).then(sent_on)
    given(*AT_OUTLET, sent_on).when(allowed).then()
    there = replace(hand_over, outlet=BANK)
    given(*AT_OUTLET, sent_on).when(there).then(replace(handed_over, outlet=BANK), activated, turned)
    given(*AT_OUTLET, sent_on).when(hand_over).refused(CardElsewhere)


@pytest.mark.requirement("R91")
def test_in_zhoushan_a_card_is_open_for_use_when_it_is_received() -> None:
    holding = holdings.fold([*AT_OUTLET, handed_over, activated, turned])
    assert holding.current is not None
    assert holding.current.active(FETCHED)


@pytest.mark.requirement("R61", "R62", "R109")
def test_a_new_card_has_another_number_and_ends_the_old_one_in_the_same_instant() -> None:
    holding = holdings.fold([*NEXT_AT_OUTLET, replace(handed_over, card_id=replaced.card_id, at=LATER), replaced])
    old, new = holding.lives
    assert old.card_number != new.card_number
    assert (old.ended_at, new.active_from) == (LATER, LATER)
    for at in (FETCHED, LATER, KEPT_UNTIL):
        assert [old.active(at), new.active(at)].count(True) == 1


@pytest.mark.requirement("R68")
def test_after_a_cancellation_nothing_works_and_the_number_is_not_used_again() -> None:
    holding = holdings.fold([*IN_USE, cancelled])
    assert (holding.current, holding.functions, holding.opened) == (None, (), ())
    again = holdings.fold([*IN_USE, cancelled, ordered, replace(reserved, card_id=replaced.card_id)])
    assert again.numbered == 2


# --- nobody comes ---


def test_a_card_that_arrives_has_its_reminders_and_its_end_counted_at_once() -> None:
    keeping = rules(remind_days=(30, 400 - 250), destroyed_after_days=90)
    (fact,) = holdings.decide(replace(note_arrival, under=keeping), holdings.fold(GOOD))
    hours = [shanghai(11, 7, 24), shanghai(3, 7, 24, year=2027)]
    assert [due.at for due in holdings.due(fact)] == [*hours, KEPT_UNTIL]
    assert fact == replace(arrived, remind_at=tuple(hours), destroy_at=shanghai(7, 5, 24, year=2027))


def test_a_holder_is_reminded_at_its_hour_unless_she_has_come() -> None:
    reminder = RemindHolder(holding_id=HOLDING, card_id=CARD, at=reminded.at)
    given(*AT_OUTLET).when(reminder).then(reminded)
    given(*AT_OUTLET, reminded).when(reminder).then()
    for past in (IN_USE, GOOD, (*AT_OUTLET, mailed)):
        given(*past).when(reminder).then()


def test_a_card_in_the_post_is_not_called_back() -> None:
    give_up = GiveUpWaiting(holding_id=HOLDING, card_id=CARD, kept_until=KEPT_UNTIL)
    given(*at_outlet(way=Way.MAIL), mailed).when(give_up).then()


def test_what_nobody_fetched_goes_back_and_after_a_further_period_is_destroyed() -> None:
    hour = destroyed.at
    past = (*GOOD, replace(arrived, destroy_at=hour))
    back = replace(unclaimed, destroy_at=hour)
    give_up = GiveUpWaiting(holding_id=HOLDING, card_id=CARD, kept_until=KEPT_UNTIL)
    given(*past).when(give_up).then(back, recalled)
    destroy = DestroyCard(holding_id=HOLDING, card_id=CARD, batch_id=BATCH, seat=1, at=hour)
    assert list(holdings.due(back)) == [Due(hour, destroy)]
    assert list(holdings.due(unclaimed)) == []
    given(*past, back, recalled).when(destroy).then(destroyed)
    given(*past, back, recalled, destroyed).when(destroy).then()
    given(*past).when(destroy).then()
    gone = PlasticGone(batch_id=BATCH, seat=1, how="destroyed", at=hour)
    assert list(holdings.due(destroyed)) == [Due(hour, gone)]


def test_a_destroyed_card_still_counts_among_those_that_were_good() -> None:
    past: list[Any] = list(IN_DRAWER)
    for how in ("recalled", "destroyed"):
        past += batches.decide(PlasticGone(batch_id=BATCH, seat=1, how=how, at=LATER), batches.fold(past))
    batch = batches.fold(past)
    assert (batch.seats[0].piece, batch.good, batch.ordered) == (Piece.DESTROYED, 1, 2)
    again = PlasticGone(batch_id=BATCH, seat=1, how="destroyed", at=LATER)
    assert batches.decide(again, batch) == []
    assert batches.decide(again, batches.fold(IN_DRAWER)) == []


@pytest.mark.requirement("R43")
def test_cards_that_nobody_applied_for_are_handed_out_in_batches_like_any_other() -> None:
    rolled = at_outlet(application_id=None)
    holding = holdings.fold(rolled)
    assert isinstance(holding.coming, AtOutlet)
    assert (holding.coming.plastic.batch_id, holding.coming.outlet) == (BATCH, HALL)
    given(*rolled).when(hand_over).then(replace(handed_over, application_id=None), activated, turned)
    assert [seat.holding_id for seat in batches.fold(IN_DRAWER).seats] == [HOLDING, OTHER_HOLDING]


@pytest.mark.parametrize("wrong", [{"remind_days": (0,)}, {"remind_days": (1,) * 11}, {"destroyed_after_days": -1}])
def test_the_rules_on_collecting_have_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"reminded|destroyed"):
        Collecting(**wrong)
