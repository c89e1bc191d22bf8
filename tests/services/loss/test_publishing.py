"""What leaves the loss desk, to the letter, and what deliberately does not."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from services.loss.contracts import TELLS
from services.loss.domain.bylaw import ElectronicForm
from services.loss.domain.events import Cooling, Event, StopHastened
from services.loss.publishing import tell
from tests.services.loss.desk_drawer import (
    BANK,
    CARD,
    COVERED,
    HOLDING,
    HOUR,
    NIGHT,
    NOON,
    called,
    called_sternly,
    cancelled,
    contradicted,
    declined,
    issued,
    kept,
    lapsed,
    lifted,
    objected,
    reissue,
    signed_after_call,
    succeeded,
    to_be_cancelled,
    to_be_lifted,
    warned,
    worn,
)

OF_THE_CARD = {"holding_id": HOLDING, "card_id": CARD}
STOPPED = [{"function": function, "from_at": "2026-09-28T15:15:00Z"} for function in COVERED]
ONE_CLOCK: dict[str, Any] = {"ends_card_at": None, "captured": [], "electronic_form": ""}
ALL_WAKE: dict[str, Any] = {"functions": [], "cooling": []}
FREE = {"fee_fen": 0, "fee_approval": ""}
purse_captured = StopHastened(holding_id=HOLDING, card_id=CARD, function="epurse", at=NOON, signed=True)
some_woke = replace(lapsed, functions=("bank_debit",))
cools = replace(lifted, cooling=(Cooling(function="epurse", until=HOUR),))
TOLD: list[tuple[Event, str, dict[str, Any]]] = [
    (
        called,
        "CardStopped",
        {"at": "2026-09-28T15:15:00Z", "kind": "pre_report", "functions": STOPPED, "until": "2026-10-10T16:00:00Z"}
        | ONE_CLOCK,
    ),
    (
        called_sternly,
        "CardStopped",
        {"at": "2026-09-28T15:15:00Z", "kind": "pre_report", "functions": STOPPED, "until": None}
        | ONE_CLOCK
        | {"ends_card_at": "2026-10-10T16:00:00Z"},
    ),
    (
        signed_after_call,
        "CardStopped",
        {"at": "2026-09-29T01:00:00Z", "kind": "written_report", "functions": STOPPED, "until": None} | ONE_CLOCK,
    ),
    (
        replace(signed_after_call, electronic_form=ElectronicForm.STAYS),
        "CardStopped",
        ONE_CLOCK
        | {"at": "2026-09-29T01:00:00Z", "kind": "written_report", "functions": STOPPED, "until": None}
        | {"electronic_form": "stays"},
    ),
    (lapsed, "CardWoken", {"at": "2026-10-10T16:00:00Z", "why": "lapsed"} | ALL_WAKE),
    (lifted, "CardWoken", {"at": "2026-09-29T04:00:00Z", "why": "lifted"} | ALL_WAKE),
    (warned, "LapseApproaching", {"at": "2026-10-09T16:00:00Z", "lapses_at": "2026-10-10T16:00:00Z"}),
    (kept, "CallKept", {"at": "2026-09-28T15:15:00Z"}),
    (
        purse_captured,
        "CardStopped",
        ONE_CLOCK
        | {
            "at": "2026-09-29T04:00:00Z",
            "kind": "written_report",
            "functions": [{"function": "epurse", "from_at": "2026-09-29T04:00:00Z"}],
            "until": None,
            "captured": ["epurse"],
        },
    ),
    (
        some_woke,
        "CardWoken",
        {"at": "2026-10-10T16:00:00Z", "why": "lapsed"} | ALL_WAKE | {"functions": ["bank_debit"]},
    ),
    (
        cools,
        "CardWoken",
        {"at": "2026-09-29T04:00:00Z", "why": "lifted"}
        | ALL_WAKE
        | {"cooling": [{"function": "epurse", "from_at": "2026-10-10T16:00:00Z"}]},
    ),
    (
        reissue,
        "ReissueOrdered",
        {"at": "2026-09-29T04:00:00Z", "outlet": BANK.outlet, "warned": False} | FREE,
    ),
    (
        replace(reissue, warned=True, fee_fen=3500, fee_approval="price 2014-20"),
        "ReissueOrdered",
        {"at": "2026-09-29T04:00:00Z", "outlet": BANK.outlet, "warned": True}
        | {"fee_fen": 3500, "fee_approval": "price 2014-20"},
    ),
    (worn, "ReplacementOrdered", {"at": "2026-09-29T04:00:00Z", "outlet": BANK.outlet, "reason": "stained"} | FREE),
    (
        contradicted,
        "EndorsementContradicted",
        {"at": "2026-09-29T01:00:00Z", "reported_at": "2026-09-28T15:15:00Z"},
    ),
    (cancelled, "CancellationOrdered", {"at": "2026-09-29T04:00:00Z", "reason": "moved_away"}),
]
NOT_TOLD = [issued, succeeded, declined, to_be_lifted, to_be_cancelled, objected]


@pytest.mark.parametrize(("fact", "name", "data"), TOLD, ids=lambda part: part if isinstance(part, str) else "")
def test_a_fact_is_told(fact: Event, name: str, data: dict[str, Any]) -> None:
    contract = tell(fact)
    assert contract is not None
    assert contract.type_name() == f"loss.{name}.v1"
    assert json.loads(contract.model_dump_json()) == OF_THE_CARD | data


@pytest.mark.parametrize("fact", NOT_TOLD)
def test_what_issuance_said_first_and_what_is_only_proposed_is_not_told(fact: Event) -> None:
    assert tell(fact) is None


def test_every_fact_has_its_contract_or_is_deliberately_not_told() -> None:
    told, silent = {type(fact) for fact, *_ in TOLD}, {type(fact) for fact in NOT_TOLD}
    assert told | silent == set(get_args(Event))
    assert not told & silent


def test_every_contract_is_told_of_some_fact() -> None:
    assert {type(tell(fact)) for fact, *_ in TOLD} == set(TELLS)


def test_when_the_card_was_lost_and_what_was_shown_stay_here() -> None:
    said = tell(replace(signed_after_call, lost_at=NIGHT))
    assert said == tell(signed_after_call)
    assert said is not None
    assert "id_card" not in said.model_dump_json()
