"""One person, two entries of the register: found by one, merged by another, and everybody hears of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libs.runtime.cli import SERVICES, build_services
from libs.runtime.house import House
from libs.testing.town import Town, memory_platform, pass_until, town_settings, within_earshot
from tests.platform import (
    BEGINS,
    CENTRE,
    CLERK,
    HALL,
    HRSS,
    PORTRAIT,
    a_card_in_use,
    id_card,
    registered,
)

OTHER_CENTRE = replace(CENTRE, id="centre-2")


class Hamlet(Town):
    """A town in memory, whose `drain` lets everybody take their steps."""

    async def drain(self) -> None:
        city = self.house.platform.city
        await pass_until(self.house, city.now() + timedelta(minutes=1))


@pytest.fixture
async def hamlet(tmp_path: Path) -> AsyncIterator[Hamlet]:
    platform = memory_platform(town_settings(tmp_path), BEGINS)
    house = House(platform, build_services(platform, list(SERVICES)))
    async with within_earshot(house) as town:
        yield Hamlet(town.web, town.house, town.app)


async def merged(town: Hamlet, person: str, into: str) -> None:
    proposal = {"into": into, "reason": "old_and_new_form", "reference": "F-2026-17"}
    waiting = await town.post(CLERK, f"/v1/persons/{person}/merge-proposals", proposal, expect=202)
    approval = {"proposal_id": waiting["proposals"][0]["proposal_id"]}
    await town.post(CENTRE, f"/v1/persons/{person}/approvals", approval)
    await town.drain()


@pytest.mark.requirement("R12", "R169")
async def test_two_people_merge_two_entries_and_the_card_goes_along(hamlet: Hamlet) -> None:
    town, old, new = hamlet, id_card(), id_card()
    person, card = await a_card_in_use(town, document=old)
    remains = await registered(town, CLERK, HRSS, document=new)
    await town.drain()
    proposal = {"into": remains, "reason": "registered_twice", "reference": "F-2026-17"}
    waiting = await town.post(CENTRE, f"/v1/persons/{person}/merge-proposals", proposal, expect=202)
    approval = {"proposal_id": waiting["proposals"][0]["proposal_id"]}
    alone = await town.post(CENTRE, f"/v1/persons/{person}/approvals", approval, expect=403)
    assert alone["code"] == "same-hand"
    await town.post(OTHER_CENTRE, f"/v1/persons/{person}/approvals", approval)
    await town.drain()

    # Whoever comes with the old id or the old document is told where she stands now.
    assert (await town.get(CLERK, f"/v1/persons/{person}"))["merged_into"] == remains
    revealed = await town.post(CENTRE, f"/v1/persons/{person}/reveals", {"reason": "holder_asks"}, expect=409)
    assert (revealed["code"], remains in revealed["detail"]) == ("merged-away", True)
    assert (await town.post(CLERK, "/v1/persons/searches", old, expect=200))["person_id"] == remains
    shown = {"document": old, "name": "林小舟", "mobile": "13800005678"}
    assert (await town.post(CLERK, "/v1/persons", shown))["person_id"] == remains

    # The card is hers, and no second one is made for either entry.
    holdings = (await town.get(CENTRE, "/v1/holdings", person_id=remains))["holdings"]
    assert [one["current_card_id"] for one in holdings if one["cards"]] == [card]
    assert {one["person_id"] for one in holdings} == {remains}
    papers = {"programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    held = await town.post(HALL, "/v1/applications", papers | {"person_id": remains}, expect=409)
    assert held["code"] == "already-holds"
    gone = await town.post(HALL, "/v1/applications", papers | {"person_id": person}, expect=409)
    assert (gone["code"], remains in gone["detail"]) == ("applicant-merged", True)

    # What a department says under either document turns the functions of the card that she has.
    ended = {"fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1", "ended": True}
    assert medical(await town.get(CLERK, f"/v1/cards/{card}"))
    for document in (old, new):
        said = await town.post(HRSS, "/v1/facts", ended | {"document": document})
        assert said["person_id"] == remains
    await town.drain()
    assert not medical(await town.get(CLERK, f"/v1/cards/{card}"))


@pytest.mark.requirement("R12")
async def test_two_persons_who_both_have_a_card_are_not_merged_and_both_cards_are_named(hamlet: Hamlet) -> None:
    one, card = await a_card_in_use(hamlet)
    other, another = await a_card_in_use(hamlet)
    proposal = {"into": other, "reason": "registered_twice", "reference": "F-1"}
    refused = await hamlet.post(CENTRE, f"/v1/persons/{one}/merge-proposals", proposal, expect=409)
    assert refused["code"] == "two-cards"
    [ground] = refused["why"]["grounds"]
    assert ground["rule"].endswith("/issuance.applying.cards_per_person")
    assert card in refused["detail"]
    assert another in refused["detail"]


async def test_a_merge_that_was_a_mistake_is_taken_back_by_two(hamlet: Hamlet) -> None:
    town = hamlet
    person, card = await a_card_in_use(town)
    remains = await registered(town, CLERK, HRSS)
    await town.drain()
    await merged(town, person, remains)
    mistake = {"reason": "two_persons", "reference": "F-2"}
    waiting = await town.post(CENTRE, f"/v1/persons/{person}/parting-proposals", mistake, expect=202)
    [proposal] = waiting["proposals"]
    assert (proposal["act"], proposal["into"]) == ("part", remains)
    await town.post(OTHER_CENTRE, f"/v1/persons/{person}/approvals", {"proposal_id": proposal["proposal_id"]})
    await town.drain()
    alone = await town.get(CLERK, f"/v1/persons/{person}")
    assert (alone["merged_into"], len(alone["facts"])) == (None, 1)
    assert (await town.get(CLERK, f"/v1/persons/{remains}"))["also"] == []
    [own] = [one for one in (await town.get(CENTRE, "/v1/holdings", person_id=person))["holdings"] if one["cards"]]
    assert (own["person_id"], own["current_card_id"]) == (person, card)
    assert medical(await town.get(CLERK, f"/v1/cards/{card}"))


async def test_whoever_looks_may_say_no(hamlet: Hamlet) -> None:
    one, other = [await registered(hamlet, CLERK, HRSS) for _ in range(2)]
    await hamlet.drain()
    proposal = {"into": other, "reason": "registered_twice", "reference": "F-1"}
    waiting = await hamlet.post(CLERK, f"/v1/persons/{one}/merge-proposals", proposal, expect=202)
    named = {"proposal_id": waiting["proposals"][0]["proposal_id"]}
    assert (await hamlet.get(CENTRE, f"/v1/persons/{one}/entry"))["proposals"] == waiting["proposals"]
    assert (await hamlet.post(CENTRE, f"/v1/persons/{one}/objections", named))["proposals"] == []
    late = await hamlet.post(OTHER_CENTRE, f"/v1/persons/{one}/approvals", named, expect=409)
    assert late["code"] == "proposal-overtaken"
    nobody = {"into": one, "reason": "registered_twice", "reference": "F-1"}
    themselves = await hamlet.post(CLERK, f"/v1/persons/{one}/merge-proposals", nobody, expect=409)
    assert themselves["code"] == "survivor-unfit"


def medical(card: dict[str, object]) -> bool:
    functions = card["functions"]
    assert isinstance(functions, list)
    return bool(next(one for one in functions if one["function"] == "medical")["usable"])


@pytest.mark.requirement("R35", "R111")
async def test_a_renewed_passport_is_corrected_by_the_centre_at_an_outlet_s_request(hamlet: Hamlet) -> None:
    """Base data are the centre's; a passport is a document like any other, with a Latin name and no citizen number."""
    old = {"kind": "passport", "number": "X1234567", "issuer": "FRA"}
    new = old | {"number": "Y7654321"}
    shown = {"document": old, "name": "Anne Lefevre", "birth": "1990-04-01", "mobile": "13800005678", "language": "en"}
    person = (await hamlet.post(CLERK, "/v1/persons", shown))["person_id"]
    await hamlet.drain()
    told = {"document": new, "name": "Anne Lefèvre", "proof": "passport", "reference": "P-2026-9"}
    asked = await hamlet.post(CLERK, f"/v1/persons/{person}/corrections", told)
    [waiting] = asked["corrections"]
    assert (waiting["changes"], waiting["outlet"]) == (["name", "number"], "zs-dinghai")
    path = f"/v1/persons/{person}/corrections/{waiting['correction_id']}"
    assert (await hamlet.post(CLERK, f"{path}/acceptances", expect=403))["code"] == "not-allowed"
    seen = await hamlet.post(CENTRE, f"{path}/reveals")
    assert (seen["name"], seen["number"]) == ("Anne Lefèvre", "Y7654321")
    assert (await hamlet.post(CENTRE, f"{path}/acceptances"))["corrections"] == []
    await hamlet.drain()
    revealed = await hamlet.post(CENTRE, f"/v1/persons/{person}/reveals", {"reason": "correction"})
    assert (revealed["name"], revealed["number"], revealed["document"]) == ("Anne Lefèvre", "Y7654321", "passport")
    for document in (old, new):
        assert (await hamlet.post(CLERK, "/v1/persons/searches", document, expect=200))["person_id"] == person
    assert (await hamlet.get(CLERK, f"/v1/persons/{person}"))["language"] == "en"


async def test_a_document_of_somebody_else_corrects_nothing(hamlet: Hamlet) -> None:
    document = id_card()
    other = await registered(hamlet, CLERK, HRSS, document=document)
    person = await registered(hamlet, CLERK, HRSS)
    told = {"document": document, "proof": "id_card", "reference": "I-1"}
    asked = await hamlet.post(CLERK, f"/v1/persons/{person}/corrections", told)
    path = f"/v1/persons/{person}/corrections/{asked['corrections'][0]['correction_id']}"
    taken = await hamlet.post(CENTRE, f"{path}/acceptances", expect=409)
    assert (taken["code"], other in taken["detail"]) == ("document-of-another", True)
    assert (await hamlet.post(CENTRE, f"{path}/refusals", {"reason": "proof_insufficient"}))["corrections"] == []
