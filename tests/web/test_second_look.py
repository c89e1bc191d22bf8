"""Two pairs of eyes at the doors: one person completes nothing alone, whatever role she comes in (R169)."""

from dataclasses import replace

import pytest

from libs.testing.town import Town
from tests.platform import CENTRE, CLERK, HALL, HOTLINE, ICBC, a_card_in_use, approved

SIGNED = {"document": "id_card"}
ALONE = (ICBC, replace(CLERK, id=ICBC.id), replace(CENTRE, id=ICBC.id))


@pytest.mark.requirement("R169", "R57")
async def test_one_person_lifts_no_written_report_in_whatever_role(town: Town) -> None:
    _, card = await a_card_in_use(town)
    path = f"/v1/cards/{card}"
    await town.post(ICBC, f"{path}/written-reports", SIGNED)
    waiting = await town.post(ICBC, f"{path}/lifts", SIGNED, expect=202)
    assert waiting["status"] == "reported"
    [proposal] = waiting["proposals"]
    for again in (ICBC, replace(HALL, id=ICBC.id)):
        told = await town.post(again, f"{path}/lifts", SIGNED, expect=202)
        assert told["proposals"] == [proposal], "asking again proposes nothing new"
    for who in ALONE:
        refused = await town.post(who, f"{path}/approvals", {"proposal_id": proposal["proposal_id"]}, expect=403)
        assert refused["code"] == "same-hand"
    assert (await town.get(CLERK, f"{path}/loss"))["status"] == "reported"
    await town.post(HOTLINE, f"{path}/approvals", {"proposal_id": proposal["proposal_id"]}, expect=403)
    assert (await approved(town, HALL, path, waiting))["status"] == "in_use"
    assert (await town.post(HALL, f"{path}/approvals", {"proposal_id": proposal["proposal_id"]}))["status"] == "in_use"


@pytest.mark.requirement("R169", "R64", "R65")
async def test_one_person_cancels_no_card_and_another_may_object(town: Town) -> None:
    _, card = await a_card_in_use(town)
    path, said = f"/v1/cards/{card}", SIGNED | {"reason": "moved_away"}
    waiting = await town.post(ICBC, f"{path}/cancellations", said, expect=202)
    look = {"proposal_id": waiting["proposals"][0]["proposal_id"]}
    assert (await town.post(ICBC, f"{path}/approvals", look, expect=403))["code"] == "same-hand"
    assert (await town.post(HALL, f"{path}/objections", look))["proposals"] == []
    assert (await town.post(CENTRE, f"{path}/approvals", look, expect=409))["code"] == "proposal-overtaken"
    unknown = {"proposal_id": "somebody's"}
    assert (await town.post(CENTRE, f"{path}/approvals", unknown, expect=404))["code"] == "proposal-unknown"
    waiting = await town.post(ICBC, f"{path}/cancellations", said, expect=202)
    assert (await approved(town, CENTRE, path, waiting))["status"] == "ended"


@pytest.mark.requirement("R57")
async def test_a_mere_call_is_lifted_by_one_person_at_once(town: Town) -> None:
    _, card = await a_card_in_use(town)
    await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    assert (await town.post(HALL, f"/v1/cards/{card}/lifts", SIGNED))["status"] == "in_use"


@pytest.mark.requirement("R54", "R56")
async def test_who_bears_a_use_is_answered_with_the_rule_in_both_languages(town: Town) -> None:
    _, card = await a_card_in_use(town)
    stopped = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    path = f"/v1/cards/{card}/liability"
    after = await town.get(CLERK, path, function="medical", at=stopped["stopped_at"])
    assert (after["rule"], after["borne_by"], after["since"]) == ("after_effect", "issuer", stopped["stopped_at"])
    cash = await town.get(CLERK, path, function="epurse", at=stopped["stopped_at"])
    assert (cash["rule"], cash["borne_by"]) == ("not_reportable", "holder")
    assert after["because_zh"].endswith("。")
    assert after["edition"] == cash["edition"] != ""
