"""What leaves issuance, and what deliberately does not."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from libs.messaging.contract import Contract
from services.issuance.contracts import TELLS, UnitApplied
from services.issuance.domain.application import events as paper
from services.issuance.domain.batch import events as batch
from services.issuance.domain.holding import events as holding
from services.issuance.domain.holding.events import HoldingEmptied, HoldingJoined, HoldingLeft, HoldingPassedOn
from services.issuance.domain.series.events import NumbersTaken
from services.issuance.publishing import (
    receipt_hash,
    tell_of_application,
    tell_of_batch,
    tell_of_holding,
    tell_of_series,
)
from tests.services.issuance.card_drawer import (
    BATCH,
    CARD,
    DRAWN,
    HALL,
    HOLDING,
    LATER,
    LI,
    NEXT_CARD,
    NUMBER,
    OTHER_HOLDING,
    PAPER,
    VALID_TO,
    WANG,
    accepted,
    activated,
    approved,
    arrived,
    cancelled,
    case_closed,
    declined,
    destroyed,
    dispatched,
    endorsed,
    entitled,
    expired,
    filled,
    handed_over,
    joined,
    left,
    mailed,
    mismatched,
    opened,
    opened_purse,
    ordered,
    produced,
    recalled,
    received,
    reissue_ordered,
    rejected,
    reminded,
    replaced,
    reserved,
    returned,
    review_asked,
    review_overdue,
    review_passed,
    review_questioned,
    review_refused,
    seat_declined,
    sent,
    sent_on,
    spoiled,
    submitted,
    supplement_asked,
    supplemented,
    turned,
    unclaimed,
    voided,
    waiting,
    way_chosen,
    withdrawn,
)
from tests.services.issuance.test_override import proposed

OF_PAPER = {"application_id": PAPER, "holding_id": HOLDING}
OF_CARD = {"holding_id": HOLDING, "card_id": CARD}
OF_LI = {"person_id": LI}
TOLD: list[tuple[Any, str, dict[str, Any]]] = [
    (
        submitted,
        "ApplicationSubmitted",
        OF_PAPER
        | OF_LI
        | {"programme": "citizen-card", "outlet": HALL, "receipt_hash": receipt_hash("7QK2-9XWM-4T0R")}
        | {"channel": "hall", "unit": ""},
    ),
    (way_chosen, "DeliveryChosen", OF_PAPER | {"way": "mail"}),
    (
        replace(supplement_asked, portrait=("glasses",)),
        "SupplementAsked",
        OF_PAPER | OF_LI | {"reason": "portrait", "until": "2026-10-01T16:00:00Z", "portrait": ["glasses"]},
    ),
    (supplemented, "ApplicationSupplemented", OF_PAPER),
    (
        accepted,
        "ApplicationAccepted",
        OF_PAPER
        | OF_LI
        | {"promised_by": "2026-10-08T16:00:00Z", "provisional": False, "fee_fen": 0, "fee_approval": ""},
    ),
    (
        review_asked,
        "ReviewAsked",
        OF_PAPER | OF_LI | {"authority": "police", "review_by": "2026-10-01T16:00:00Z"},
    ),
    (
        review_questioned,
        "SupplementAsked",
        OF_PAPER | OF_LI | {"reason": "birth", "until": "2026-10-01T16:00:00Z", "portrait": []},
    ),
    (review_passed, "ReviewPassed", OF_PAPER),
    (review_refused, "ApplicationRejected", OF_PAPER | OF_LI | {"reason": "not registered here"}),
    (review_overdue, "ReviewOverdue", OF_PAPER | {"authority": "police"}),
    (rejected, "ApplicationRejected", OF_PAPER | OF_LI | {"reason": "not the person"}),
    (withdrawn, "ApplicationWithdrawn", OF_PAPER | {"reason": "moved"}),
    (waiting, "CardWaiting", OF_PAPER),
    (ordered, "CardApproved", OF_PAPER | OF_LI | {"programme": "citizen-card", "outlet": HALL, "kind": "first"}),
    (approved, "CardApproved", OF_PAPER | OF_LI | {"programme": "citizen-card", "outlet": HALL, "kind": "first"}),
    (
        declined,
        "NewCardDeclined",
        OF_PAPER | OF_LI | {"kind": "first", "old_card_id": None, "reason": "not resident"},
    ),
    (
        reserved,
        "CardReserved",
        OF_PAPER | OF_CARD | {"card_number": NUMBER, "batch_id": BATCH, "valid_to": None, "valid_by": ""},
    ),
    (produced, "CardProduced", OF_PAPER | OF_CARD),
    (spoiled, "CardSpoiled", OF_PAPER | OF_CARD | {"reason": "chip: dead"}),
    (
        arrived,
        "CardArrived",
        OF_PAPER | OF_CARD | OF_LI | {"outlet": HALL, "kept_until": "2027-04-06T16:00:00Z"},
    ),
    (unclaimed, "CardUnclaimed", OF_PAPER | OF_CARD | OF_LI),
    (handed_over, "CardHandedOver", OF_PAPER | OF_CARD | OF_LI | {"outlet": HALL, "taker": "holder"}),
    (
        reminded,
        "CollectionReminded",
        OF_PAPER | OF_CARD | OF_LI | {"outlet": HALL, "kept_until": "2027-04-06T16:00:00Z"},
    ),
    (
        sent_on,
        "CardSentOn",
        OF_PAPER | OF_CARD | OF_LI | {"outlet": "zs-icbc-dinghai", "kept_until": "2027-04-06T16:00:00Z"},
    ),
    (mailed, "CardMailed", OF_PAPER | OF_CARD | OF_LI | {"tracking": "EA123456789CN"}),
    (mismatched, "CaseOpened", OF_CARD | {"kind": "fingerprint", "outlet": HALL}),
    (case_closed, "CaseClosed", OF_CARD | {"finding": "injured_finger"}),
    (destroyed, "CardDestroyed", OF_CARD),
    (opened_purse, "FunctionOpened", OF_CARD | {"function": "epurse", "place": "wallet"}),
    (
        replace(turned, functions=turned.functions[1:2]),
        "FunctionsTurned",
        OF_CARD | {"functions": [{"function": "medical", "standing": "enabled", "because": "insured"}]},
    ),
    (
        activated,
        "CardActivated",
        OF_CARD
        | OF_LI
        | {
            "programme": "citizen-card",
            "valid_to": "2036-10-09T16:00:00Z",
            "older": [{"scheme": "medical_insurance_card", "until": "2027-10-09T16:00:00Z"}],
        },
    ),
    (
        replaced,
        "CardReplaced",
        OF_CARD
        | OF_LI
        | {"old_card_id": CARD, "card_id": NEXT_CARD, "programme": "citizen-card", "valid_to": "2036-11-02T16:00:00Z"},
    ),
    (cancelled, "CardCancelled", OF_CARD | OF_LI | {"reason": "moved_away"}),
    (expired, "CardExpired", OF_CARD | OF_LI | {"endorsable": False, "grace_until": None}),
    (
        holding.EndorsementReminded(holding_id=HOLDING, person_id=LI, card_id=CARD, valid_to=VALID_TO, at=LATER),
        "EndorsementReminded",
        OF_CARD | OF_LI | {"valid_to": "2036-10-09T16:00:00Z"},
    ),
    (
        endorsed,
        "CardEndorsed",
        OF_CARD | OF_LI | {"programme": "citizen-card", "since": "2026-10-09", "valid_to": "2037-10-09T16:00:00Z"},
    ),
    (
        holding.EndorsementTakenBack(
            holding_id=HOLDING,
            person_id=LI,
            card_id=CARD,
            valid_to=VALID_TO,
            endorsed_at=LATER,
            reported_at=LATER,
            at=LATER,
        ),
        "EndorsementTakenBack",
        OF_CARD | OF_LI | {"valid_to": "2036-10-09T16:00:00Z"},
    ),
    (
        HoldingPassedOn(
            holding_id=HOLDING,
            person_id=WANG,
            programme="citizen-card",
            lead=OTHER_HOLDING,
            before=None,
            holds=True,
            at=LATER,
        ),
        "HoldingPassedOn",
        {"holding_id": HOLDING, "person_id": WANG, "programme": "citizen-card", "lead": OTHER_HOLDING},
    ),
    (opened, "BatchOpened", {"batch_id": BATCH, "programme": "citizen-card", "outlet": HALL, "seats": 2}),
    (returned, "BatchReturned", {"batch_id": BATCH, "good": 1, "spoiled": 1}),
    (received, "BatchReceived", {"batch_id": BATCH, "outlet": HALL, "count": 1}),
]
taken = NumbersTaken(
    series="330900-01", batch_id=BATCH, programme="citizen-card", outlet=HALL, first=1, holdings=(HOLDING,), at=DRAWN
)
NOT_TOLD = [
    HoldingJoined(holding_id=OTHER_HOLDING, other=HOLDING, gives_way=False, at=LATER),
    HoldingLeft(holding_id=OTHER_HOLDING, other=HOLDING, at=LATER),
    HoldingEmptied(holding_id=HOLDING, lead=OTHER_HOLDING, at=LATER),
    entitled, proposed, joined, seat_declined, recalled, filled, voided, sent, dispatched, left, taken,
]  # fmt: skip
FACTS = {*get_args(paper.Event), *get_args(holding.Event), *get_args(batch.Event), NumbersTaken}


def tell(fact: Any) -> Contract | None:
    if isinstance(fact, get_args(paper.Event)):
        return tell_of_application(fact)
    if isinstance(fact, get_args(holding.Event)):
        return tell_of_holding(fact)
    if isinstance(fact, get_args(batch.Event)):
        return tell_of_batch(fact)
    return tell_of_series(fact)


def words(fact: Any) -> dict[str, Any]:
    contract = tell(fact)
    assert contract is not None
    said: dict[str, Any] = json.loads(contract.model_dump_json())
    return said


@pytest.mark.parametrize(("fact", "name", "data"), TOLD, ids=lambda part: part if isinstance(part, str) else "")
def test_a_fact_is_told(fact: Any, name: str, data: dict[str, Any]) -> None:
    contract = tell(fact)
    assert contract is not None
    assert contract.type_name() == f"issuance.{name}.v1"
    said = words(fact)
    assert said.pop("at") == fact.at.isoformat().replace("+00:00", "Z")
    assert said == data


@pytest.mark.parametrize("fact", NOT_TOLD, ids=lambda fact: type(fact).__name__)
def test_what_concerns_nobody_else_stays_here(fact: Any) -> None:
    assert tell(fact) is None


def test_every_fact_has_its_contract_or_is_deliberately_not_told() -> None:
    told, silent = {type(fact) for fact, *_ in TOLD}, {type(fact) for fact in NOT_TOLD}
    assert told | silent == FACTS
    assert not told & silent


def test_every_contract_is_told_of_some_fact() -> None:
    units = {UnitApplied}  # Told of in the units' own tests.
    assert {type(tell(fact)) for fact, *_ in TOLD} | units == set(TELLS)


def test_a_new_card_in_place_of_another_says_so() -> None:
    assert (words(reissue_ordered)["kind"], words(reissue_ordered)["application_id"]) == ("reissue", None)
    no = words(replace(declined, kind=holding.Kind.REISSUE, application_id=None, old_card_id=CARD))
    assert (no["kind"], no["old_card_id"]) == ("reissue", CARD)


def test_the_receipt_and_what_was_shown_stay_here() -> None:
    for fact, *_ in TOLD:
        text = json.dumps(words(fact))
        for secret in ("7QK2-9XWM-4T0R", "id_card", "vault:", "AAAAAAAA"):
            assert secret not in text
