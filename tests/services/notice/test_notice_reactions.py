"""Every step that concerns a holder makes one notice, and says what she needs to know."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import get_type_hints

import pytest

from libs.messaging.contract import Contract
from services.ids import IdMistyped, card_id
from services.issuance.contracts import (
    ApplicationRejected,
    CardCancelled,
    CardEndorsed,
    CardExpired,
    CardMailed,
    CardReplaced,
    CardSentOn,
    CardUnclaimed,
    CollectionReminded,
    EndorsementReminded,
    EndorsementTakenBack,
    NewCardDeclined,
    ReviewOverdue,
    SupplementAsked,
)
from services.loss.contracts import CardWoken, LapseApproaching
from services.notice.domain.commands import TellHolder
from services.notice.domain.events import Details, Step
from services.notice.domain.naming import holding_of_notice, notice_id
from services.notice.reactions import REACTIONS, WHENEVER
from tests.services.notice.town import APPLICATION, CARD, HOLDING, LI, MORNING, arrived, stopped

UNTIL = MORNING + timedelta(days=5)
OF_LI = {"holding_id": HOLDING, "person_id": LI, "at": MORNING}

supplement = SupplementAsked(application_id=APPLICATION, reason="照片不清晰", until=UNTIL, **OF_LI)
rejected = ApplicationRejected(application_id=APPLICATION, reason="not resident", **OF_LI)
declined = NewCardDeclined(old_card_id=CARD, reason="not entitled", **OF_LI)
overdue = ReviewOverdue(application_id=APPLICATION, holding_id=HOLDING, authority="police", at=MORNING)
reminded = CollectionReminded(card_id=CARD, outlet="zs-dinghai", kept_until=UNTIL, **OF_LI)
sent_on = CardSentOn(card_id=CARD, outlet="zs-hall", kept_until=UNTIL, **OF_LI)
mailed = CardMailed(card_id=CARD, tracking="EX123456789CN", **OF_LI)
unclaimed = CardUnclaimed(card_id=CARD, **OF_LI)
replaced = CardReplaced(
    old_card_id=CARD, card_id=card_id(HOLDING, 2), programme="citizen-card", valid_to=UNTIL, **OF_LI
)
expired = CardExpired(card_id=CARD, **OF_LI)
rests = CardExpired(card_id=CARD, endorsable=True, grace_until=UNTIL, **OF_LI)
year_nearly_full = EndorsementReminded(card_id=CARD, valid_to=UNTIL, **OF_LI)
endorsed = CardEndorsed(card_id=CARD, programme="residence-permit", since=date(2025, 10, 8), valid_to=UNTIL, **OF_LI)
taken_back = EndorsementTakenBack(card_id=CARD, valid_to=UNTIL, **OF_LI)
cancelled = CardCancelled(card_id=CARD, reason="own_request", **OF_LI)
near = LapseApproaching(holding_id=HOLDING, card_id=CARD, at=MORNING, lapses_at=UNTIL)
lapsed = CardWoken(holding_id=HOLDING, card_id=CARD, at=MORNING, why="lapsed")


def told_of(told: Contract) -> list[TellHolder]:
    return list(WHENEVER[type(told)](told))


@pytest.mark.parametrize(
    ("told", "step", "details"),
    [
        (supplement, Step.SUPPLEMENT_ASKED, Details(until=UNTIL, reason="照片不清晰")),
        (rejected, Step.APPLICATION_REJECTED, Details(reason="not resident")),
        (declined, Step.NEW_CARD_DECLINED, Details(reason="not entitled")),
        (arrived, Step.CARD_ARRIVED, Details(outlet="zs-dinghai", until=arrived.kept_until)),
        (overdue, Step.REVIEW_OVERDUE, Details()),
        (reminded, Step.COLLECTION_REMINDED, Details(outlet="zs-dinghai", until=UNTIL)),
        (sent_on, Step.CARD_SENT_ON, Details(outlet="zs-hall", until=UNTIL)),
        (mailed, Step.CARD_MAILED, Details(tracking="EX123456789CN")),
        (unclaimed, Step.CARD_UNCLAIMED, Details()),
        (replaced, Step.CARD_REPLACED, Details()),
        (expired, Step.CARD_EXPIRED, Details()),
        (rests, Step.ENDORSEMENT_MISSED, Details(until=UNTIL)),
        (year_nearly_full, Step.ENDORSEMENT_NEAR, Details(until=UNTIL)),
        (endorsed, Step.CARD_ENDORSED, Details(until=UNTIL)),
        (taken_back, Step.ENDORSEMENT_TAKEN_BACK, Details(until=UNTIL)),
        (cancelled, Step.CARD_CANCELLED, Details()),
        (stopped, Step.CARD_RESTS, Details(until=stopped.until)),
        (stopped.model_copy(update={"until": None}), Step.CARD_STOPPED, Details()),
        (near, Step.LAPSE_NEAR, Details(until=UNTIL)),
        (lapsed, Step.REPORT_LAPSED, Details()),
        (lapsed.model_copy(update={"why": "lifted"}), Step.REPORT_LIFTED, Details()),
    ],
    ids=lambda part: part if isinstance(part, Step) else "",
)
def test_a_step_is_told(told: Contract, step: Step, details: Details) -> None:
    [command] = told_of(told)
    assert (command.step, command.details, command.holding_id, command.at) == (step, details, HOLDING, MORNING)
    assert holding_of_notice(command.notice_id) == HOLDING
    again = type(told).model_validate_json(told.model_dump_json())
    assert told_of(again) == [command]


def test_nobody_writes_to_the_dead() -> None:
    assert told_of(cancelled.model_copy(update={"reason": "death"})) == []


def test_the_next_report_on_the_same_card_is_another_notice() -> None:
    later = stopped.model_copy(update={"at": MORNING + timedelta(days=9)})
    assert told_of(later)[0].notice_id != told_of(stopped)[0].notice_id


def test_every_reminder_is_told() -> None:
    second = reminded.model_copy(update={"at": MORNING + timedelta(days=30)})
    assert told_of(second)[0].notice_id != told_of(reminded)[0].notice_id


def test_each_reaction_is_written_beside_the_contract_that_it_takes() -> None:
    assert {get_type_hints(reaction)["told"] for reaction in REACTIONS} == set(WHENEVER)
    for contract, reaction in WHENEVER.items():
        assert get_type_hints(reaction) == {"told": contract, "return": Iterator[TellHolder]}


def test_a_mistyped_number_of_a_notice_is_refused() -> None:
    good = notice_id(HOLDING, Step.CARD_ARRIVED)
    for bad in (good[:-1], good.replace(".N", ".A"), good.replace("-", ""), CARD, ""):
        with pytest.raises(IdMistyped):
            holding_of_notice(bad)
