"""What leaves the loss desk, to the letter, and what deliberately does not."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from services.loss.contracts import TELLS
from services.loss.domain.events import Event
from services.loss.publishing import tell
from tests.services.loss.desk_drawer import (
    BANK,
    CARD,
    COVERED,
    HOLDING,
    NIGHT,
    called,
    called_sternly,
    cancelled,
    declined,
    issued,
    kept,
    lapsed,
    lifted,
    reissue,
    signed_after_call,
    succeeded,
    warned,
    worn,
)

OF_THE_CARD = {"holding_id": HOLDING, "card_id": CARD}
STOPPED = [{"function": function, "from_at": "2026-09-28T15:15:00Z"} for function in COVERED]
TOLD: list[tuple[Event, str, dict[str, Any]]] = [
    (
        called,
        "CardStopped",
        {"at": "2026-09-28T15:15:00Z", "kind": "pre_report", "functions": STOPPED, "until": "2026-10-10T16:00:00Z"},
    ),
    (
        called_sternly,
        "CardStopped",
        {"at": "2026-09-28T15:15:00Z", "kind": "pre_report", "functions": STOPPED, "until": None},
    ),
    (
        signed_after_call,
        "CardStopped",
        {"at": "2026-09-29T01:00:00Z", "kind": "written_report", "functions": STOPPED, "until": None},
    ),
    (lapsed, "CardWoken", {"at": "2026-10-10T16:00:00Z", "why": "lapsed"}),
    (lifted, "CardWoken", {"at": "2026-09-29T04:00:00Z", "why": "lifted"}),
    (warned, "LapseApproaching", {"at": "2026-10-09T16:00:00Z", "lapses_at": "2026-10-10T16:00:00Z"}),
    (kept, "CallKept", {"at": "2026-09-28T15:15:00Z"}),
    (reissue, "ReissueOrdered", {"at": "2026-09-29T04:00:00Z", "outlet": BANK.outlet}),
    (worn, "ReplacementOrdered", {"at": "2026-09-29T04:00:00Z", "outlet": BANK.outlet, "reason": "stained"}),
    (cancelled, "CancellationOrdered", {"at": "2026-09-29T04:00:00Z", "reason": "moved_away"}),
]
NOT_TOLD = [issued, succeeded, declined]


@pytest.mark.parametrize(("fact", "name", "data"), TOLD, ids=lambda part: part if isinstance(part, str) else "")
def test_a_fact_is_told(fact: Event, name: str, data: dict[str, Any]) -> None:
    contract = tell(fact)
    assert contract is not None
    assert contract.type_name() == f"loss.{name}.v1"
    assert json.loads(contract.model_dump_json()) == OF_THE_CARD | data


@pytest.mark.parametrize("fact", NOT_TOLD)
def test_what_issuance_said_first_is_not_told_again(fact: Event) -> None:
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
