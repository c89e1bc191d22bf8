"""What leaves identity, to the letter."""

import json
from dataclasses import replace

import pytest

from services.identity.domain.events import Event, PersonalDataRevealed
from services.identity.publishing import tell
from services.ids import holding_id
from tests.services.identity.test_decider import CLOSED, LI, NOON, erased, judged, lives_here, reachable, registered


def told(fact: Event) -> tuple[str, dict[str, object]]:
    contract = tell(fact)
    assert contract is not None
    return contract.type_name(), json.loads(contract.model_dump_json())


def test_that_a_person_is_known_is_told_and_not_who_it_is() -> None:
    name, data = told(registered)
    assert (name, data) == (
        "identity.PersonRegistered.v1",
        {"person_id": LI, "at": "2026-10-08T01:00:00Z", "birth": CLOSED.birth.box},
    )


def test_where_messages_go_is_told_in_a_sealed_envelope() -> None:
    name, data = told(reachable)
    assert name == "identity.ContactGiven.v1"
    assert (data["mobile"], data["language"]) == (CLOSED.mobile.box, "zh")


def test_a_verdict_is_told_with_its_reasons() -> None:
    name, data = told(judged)
    assert name == "identity.EntitlementJudged.v1"
    assert data == {
        "person_id": LI,
        "holding_id": holding_id(LI, "citizen-card"),
        "programme": "citizen-card",
        "granted": True,
        "rule": "hukou",
        "article": "city order 36",
        "facts_used": ["hukou (police)"],
        "missing": [],
        "functions": [{"function": "transit", "granted": True, "because": "open to all"}],
        "bylaws": "edition-1",
        "outlet": "",
        "roll_id": None,
        "at": "2026-10-08T04:00:00Z",
        "may_apply": True,
        "basis": "has a registered household in Zhoushan",
        "text": "",
        "ground": "",
        "holds_until": None,
        "used": [],
        "also": [],
    }


def test_a_refusal_says_what_is_missing() -> None:
    refused = replace(judged, verdict=replace(judged.verdict, granted=False, missing=("hukou",)))
    assert told(refused)[1]["missing"] == ["hukou"]


def test_an_erasure_is_told_without_its_reason() -> None:
    assert told(erased) == ("identity.PersonErased.v1", {"person_id": LI, "at": "2026-10-08T04:00:00Z"})


@pytest.mark.parametrize("fact", [lives_here, PersonalDataRevealed(person_id=LI, at=NOON, reason="correction")])
def test_what_departments_say_and_who_has_looked_stays_here(fact: Event) -> None:
    assert tell(fact) is None
