"""Whoever asks why is told by which rule: of a deadline, a fee, a refusal."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.testing.town import Town
from tests.platform import AUDITOR, CENTRE, CLERK, HALL, HRSS, PORTRAIT, Open, applied, id_card, registered

STRANGER = {"name": "何远", "mobile": "13800005678", "language": "zh"}


@pytest.fixture(scope="module")
async def a_town(open_town: Open) -> AsyncIterator[Town]:
    async with open_town() as opened:
        yield opened


def rules(told: dict[str, Any]) -> list[str]:
    return [ground["rule"] for ground in told["grounds"]]


async def test_a_promise_and_a_price_are_explained_by_the_rules_of_the_day_of_acceptance(a_town: Town) -> None:
    person = await registered(a_town, CLERK, HRSS)
    await a_town.drain()
    taken = await applied(a_town, CLERK, person, "citizen-card")
    path = f"/v1/applications/{taken['application_id']}/why"
    deadline = await a_town.get(CLERK, path, about="deadline")
    assert deadline["decision"] == "deadline"
    assert len(rules(deadline)) == 1
    assert rules(deadline)[0] in (
        "citizen-card/programme.issuance.promise",
        "citizen-card/issuance.card.channel_promises",
    )
    assert deadline["grounds"][0]["edition"]
    assert deadline["text"]["zh"].startswith("期限：最迟于")
    fee = await a_town.get(CLERK, path, about="fee")
    assert (fee["decision"], rules(fee)) == ("fee", ["citizen-card/issuance.card.fees"])
    assert fee["said"]["en"] == "the card is free of charge"
    assert deadline == await a_town.get(AUDITOR, path, about="deadline")
    assert (await a_town.get(CLERK, path, about="refusal", expect=404))["code"] == "not-decided"


async def test_a_refusal_cites_the_row_that_decided_and_what_is_missing(a_town: Town) -> None:
    shown = STRANGER | {"document": id_card(district="110101")}
    person = (await a_town.post(CLERK, "/v1/persons", shown))["person_id"]
    await a_town.drain()
    paper = (await applied(a_town, HALL, person, "citizen-card"))["application_id"]
    await a_town.drain()
    told = await a_town.get(HALL, f"/v1/applications/{paper}/why", about="refusal")
    judged = await a_town.get(HALL, f"/v1/persons/{person}/entitlements/citizen-card/why")
    assert told["decision"] == "refusal"
    same = ("rule", "valid_from", "recorded_on", "edition")
    (ours,), (theirs,) = told["grounds"], judged["grounds"]
    assert [ours[one] for one in same] == [theirs[one] for one in same], "the very entry by which identity has judged"
    assert told["missing"] == judged["missing"] != []


async def test_what_a_clerk_turns_down_is_told_in_the_clerk_s_words_and_cites_no_rule(a_town: Town) -> None:
    person = await registered(a_town, CLERK, HRSS)
    await a_town.drain()
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    paper = (await a_town.post(CLERK, "/v1/applications", papers))["application_id"]
    path = f"/v1/applications/{paper}/why"
    assert (await a_town.get(CLERK, path, about="deadline", expect=404))["code"] == "not-decided"
    await a_town.post(CLERK, f"/v1/applications/{paper}/rejections", {"reason": "not the person on the card"})
    told = await a_town.get(CENTRE, path, about="refusal")
    assert told["said"]["en"].endswith("not the person on the card")
    assert told["grounds"] == []
