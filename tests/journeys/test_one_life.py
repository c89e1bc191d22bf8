"""Whole lives over real HTTP: what `make demo` tells, with every word of it checked."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from libs.testing.town import Town, a_millisecond_before
from libs.web.tokens import NOBODY, Caller
from tests.platform import (
    CENTRE,
    CLERK,
    HALL,
    HOTLINE,
    HRSS,
    ICBC,
    PORTRAIT,
    SHANGHAI,
    VENDOR,
    WUXI,
    WX_BINHU,
    WX_CENTRE,
    WX_HALL,
    WX_HOTLINE,
    WX_HRSS,
    WX_LIANGXI,
    WX_VENDOR,
    Open,
    applied,
    approved,
    id_card,
    produced,
    registered,
)

STOPPED_BY_A_REPORT = {"social_security", "medical", "identity_query"}  # Whatever else she has, she never opened.


@pytest.fixture
async def quiet_town(open_town: Open) -> AsyncIterator[Town]:
    """A town in which nobody else lives and city time belongs to one story."""
    async with open_town() as opened:
        yield opened


async def test_a_card_lives_from_its_application_to_its_replacement(quiet_town: Town) -> None:
    town = quiet_town
    lin = id_card()

    # She is registered; nothing is known of her, and the verdict says what is missing.
    shown = {"document": lin, "name": "林小舟", "mobile": "13800005678", "language": "zh"}
    person = (await town.post(CLERK, "/v1/persons", shown))["person_id"]
    assert (await town.post(HALL, "/v1/persons", shown))["person_id"] == person, "the same document, the same person"
    await town.drain()
    before = await verdict_on(town, person)
    assert not before["granted"]
    assert before["article"]
    assert "insured_employee" in before["missing"]

    # A department's fact makes her eligible, with the rule and the fact that it rests on.
    fact = {"document": lin, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "HRSS-2024-118-20"}
    assert (await town.post(HRSS, "/v1/facts", fact))["holds"]
    await town.drain()
    after = await verdict_on(town, person)
    assert after["granted"]
    assert after["missing"] == []
    assert any("insured_employee" in used and "hrss" in used for used in after["facts_used"])
    assert after["rule"] != before["rule"]

    # She applies with documents and a portrait; a clerk accepts; one month, and past the holidays.
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    application = (await town.post(CLERK, "/v1/applications", papers))["application_id"]
    accepted = await town.post(CLERK, f"/v1/applications/{application}/acceptances")
    assert accepted["status"] == "accepted"
    assert at(accepted["promised_by"]) == datetime(2026, 10, 9, tzinfo=SHANGHAI)  # 1 October, rolled to 8 October 24:00
    holding, receipt = accepted["holding_id"], accepted["receipt"]

    # The first card is spoiled and made again; the counts agree at every step.
    spoiled = await produced(town, "citizen-card", CENTRE, VENDOR, at=CLERK, spoiled="ink")
    assert counts(spoiled) == (1, 0, 1, 0)
    assert (await progress(town, receipt))["status"] == "being_made_again"
    await town.advance("2026-09-14T10:00:00+08:00")
    good = await produced(town, "citizen-card", CENTRE, VENDOR, at=CLERK)
    assert counts(good) == (1, 1, 0, 0)
    card = f"{holding}.2"
    assert (await progress(town, receipt))["status"] == "ready_for_collection"
    assert await told(town, holding) == ["card-arrived"]
    await town.get(NOBODY, "/v1/progress/7QK2-9XWM-4T0R", expect=404)
    await town.get(CLERK, f"/v1/cards/{holding}.1", expect=404)

    # She collects, which activates.
    await town.advance("2026-09-21T14:05:00+08:00")
    assert (await town.get(CLERK, f"/v1/cards/{card}"))["status"] == "at_outlet"
    in_hand = await town.post(CLERK, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
    assert in_hand["status"] == "active"
    assert at(in_hand["active_from"]) >= datetime(2026, 9, 21, 14, 5, tzinfo=SHANGHAI)
    assert at(in_hand["valid_to"]) == datetime(2036, 9, 22, tzinfo=SHANGHAI)  # Ten years, to the end of the day.
    await town.drain()
    works = await usable(town, card)
    assert works >= STOPPED_BY_A_REPORT | {"transit"}
    assert not works & {"epurse", "bank_debit"}, "she has opened neither"

    # At night she telephones: the card stops, to the millisecond.
    await town.advance("2026-09-28T23:15:00+08:00")
    stopped = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "service_password"})
    assert at(stopped["stopped_at"]).microsecond % 1000 == 0
    hour = "2026-10-11T00:00:00+08:00"  # Five working days: 1 to 7 October off, Saturday 10 October worked.
    assert at(stopped["lapses_at"]) == at(hour)
    again = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    assert again == stopped, "said twice, done once"
    await town.drain()
    assert await usable(town, card) == works - STOPPED_BY_A_REPORT
    assert await usable(town, card, a_millisecond_before(stopped["stopped_at"])) == works
    assert await usable(town, card, stopped["stopped_at"]) == works - STOPPED_BY_A_REPORT

    # Nobody signs, and it lapses at its hour.
    await town.advance("2026-10-10T23:59:59+08:00")
    assert await usable(town, card) == works - STOPPED_BY_A_REPORT
    await town.advance(hour)
    assert await usable(town, card) == works
    assert await usable(town, card, a_millisecond_before(hour)) == works - STOPPED_BY_A_REPORT
    assert await usable(town, card, hour) == works

    # She telephones again, signs, and asks for a new card; lifting is now refused.
    await town.advance("2026-10-12T08:40:00+08:00")
    await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "service_password"})
    await town.advance("2026-10-12T15:20:00+08:00")
    signature = {"document": "id_card"}
    early = await town.post(ICBC, f"/v1/cards/{card}/reissues", signature, expect=409)
    assert early["code"] == "not-signed"
    await town.post(ICBC, f"/v1/cards/{card}/written-reports", signature)
    assert (await town.post(ICBC, f"/v1/cards/{card}/reissues", signature))["status"] == "superseded"
    refused = await town.post(HALL, f"/v1/cards/{card}/lifts", signature, expect=409)
    assert refused["code"] == "already-reissued"
    assert card in refused["detail"]

    # In the same instant in which the new card works the old one has ended for ever.
    await town.advance("2026-10-20T09:00:00+08:00")
    assert counts(await produced(town, "citizen-card", CENTRE, VENDOR, at=ICBC)) == (1, 1, 0, 0)
    new = f"{holding}.3"
    await town.advance("2026-10-22T11:30:00+08:00")
    instant = (await town.post(ICBC, f"/v1/cards/{new}/hand-overs", signature))["active_from"]
    await town.drain()
    just_before = a_millisecond_before(instant)
    assert await usable(town, card, just_before) == works - STOPPED_BY_A_REPORT
    assert await usable(town, new, just_before) == set()
    assert await usable(town, card, instant) == set()
    assert await usable(town, new, instant) == works
    assert (await town.get(CLERK, f"/v1/cards/{card}", at=instant))["status"] == "ended"
    ended = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"}, expect=409)
    assert ended["code"] == "card-ended"
    held = (await town.get(CLERK, "/v1/holdings", person_id=person))["holdings"]
    assert [(one["holding_id"], one["current_card_id"]) for one in held] == [(holding, new)]

    # Each step was told exactly once, and the timeline has it all, in order.
    steps = await told(town, holding)
    assert steps == [
        "card-arrived", "card-rests", "lapse-near", "report-lapsed", "card-rests", "card-stopped", "card-arrived",
        "card-replaced",
    ]  # fmt: skip
    timeline = (await town.get(CLERK, f"/v1/cards/{new}/timeline"))["entries"]
    assert Counter(f"{one['service']}.{one['what']}" for one in timeline) == Counter(
        {
            "identity.EntitlementJudged": 2, "issuance.ApplicationSubmitted": 1, "issuance.ApplicationAccepted": 1,
            "issuance.CardApproved": 2, "issuance.CardReserved": 3, "issuance.CardSpoiled": 1,
            "issuance.CardProduced": 2, "issuance.CardArrived": 2, "issuance.CardHandedOver": 2,
            "issuance.CardActivated": 1, "issuance.CardReplaced": 1, "issuance.FunctionsTurned": 2,
            "loss.CardStopped": 3, "loss.CardWoken": 1,
            "loss.LapseApproaching": 1, "loss.ReissueOrdered": 1, "notice.NoticeSent": len(steps),
        }
    )  # fmt: skip
    moments = [at(one["at"]) for one in timeline]
    assert moments == sorted(moments)
    woken = next(one for one in timeline if one["what"] == "CardWoken")
    assert (at(woken["at"]), woken["actor"]) == (at(hour), "city")


async def test_wuxi_has_other_rules_and_no_other_code(quiet_town: Town) -> None:
    town = quiet_town
    person = await registered(town, WX_HALL, WX_HRSS)
    await town.drain()
    accepted = await applied(town, WX_HALL, person, "social-security-card")
    holding = accepted["holding_id"]
    await town.advance("2026-09-14T10:00:00+08:00")
    await produced(town, "social-security-card", WX_CENTRE, WX_VENDOR, at=WX_HALL)
    card = f"{holding}.1"

    # The hand-over does not activate; the holder does.
    handed = await town.post(WX_HALL, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
    assert (handed["status"], handed["active_from"]) == ("in_hand", None)
    await town.drain()
    assert await usable(town, card, who=WX_HALL) == set()
    holder = Caller("holder-1", "citizen", WUXI, person=person)
    stranger = Caller("holder-2", "citizen", WUXI, person="320200-4K7MZQ0V5T8WX2N3")
    await town.post(stranger, f"/v1/cards/{card}/activations", expect=403)
    assert (await town.post(holder, f"/v1/cards/{card}/activations"))["status"] == "active"
    await town.drain()
    works = await usable(town, card, who=WX_HALL)
    assert "social_security" in works

    # Seven calendar days and not five working ones.
    await town.advance("2026-09-29T22:00:00+08:00")
    stopped = await town.post(WX_HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    assert at(stopped["lapses_at"]) == datetime(2026, 10, 7, tzinfo=SHANGHAI)

    # A written report is lifted only where it was signed.
    signature = {"document": "id_card"}
    found = signature | {"card_shown": True}
    await town.post(WX_LIANGXI, f"/v1/cards/{card}/written-reports", signature)
    elsewhere = await town.post(WX_BINHU, f"/v1/cards/{card}/lifts", found, expect=409)
    assert elsewhere["code"] == "lift-elsewhere"
    assert WX_LIANGXI.outlet in elsewhere["detail"]
    without = await town.post(WX_LIANGXI, f"/v1/cards/{card}/lifts", signature, expect=403)
    assert without["code"] == "card-not-shown"

    # One teller proposes it, and another one lets it happen.
    waiting = await town.post(WX_LIANGXI, f"/v1/cards/{card}/lifts", found, expect=202)
    assert waiting["status"] == "reported"
    alone = {"proposal_id": waiting["proposals"][0]["proposal_id"]}
    refused = await town.post(WX_LIANGXI, f"/v1/cards/{card}/approvals", alone, expect=403)
    assert refused["code"] == "same-hand"
    assert (await approved(town, WX_BINHU, f"/v1/cards/{card}", waiting))["status"] == "in_use"
    await town.drain()
    assert await usable(town, card, who=WX_HALL) == works

    # A worn card works until the new one is activated, and not a millisecond longer.
    await town.advance("2026-10-12T10:00:00+08:00")
    await town.post(WX_BINHU, f"/v1/cards/{card}/replacements", signature | {"reason": "unreadable"})
    await produced(town, "social-security-card", WX_CENTRE, WX_VENDOR, at=WX_BINHU)
    new = f"{holding}.2"
    assert (await town.post(WX_BINHU, f"/v1/cards/{new}/hand-overs", signature))["status"] == "in_hand"
    await town.drain()
    assert await usable(town, card, who=WX_HALL) == works
    assert await usable(town, new, who=WX_HALL) == set()
    instant = (await town.post(holder, f"/v1/cards/{new}/activations"))["active_from"]
    await town.drain()
    just_before = a_millisecond_before(instant)
    assert await usable(town, card, just_before, WX_HALL) == works
    assert await usable(town, new, just_before, WX_HALL) == set()
    assert await usable(town, card, instant, WX_HALL) == set()
    assert await usable(town, new, instant, WX_HALL) == works


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def counts(batch: dict[str, Any]) -> tuple[int, int, int, int]:
    """Ordered, good, spoiled, in work; the first is always the sum of the others."""
    ordered, good, spoiled, in_work = (batch[name] for name in ("ordered", "good", "spoiled", "in_work"))
    assert ordered == good + spoiled + in_work
    return ordered, good, spoiled, in_work


async def verdict_on(town: Town, person: str) -> dict[str, Any]:
    (verdict,) = (await town.get(CLERK, f"/v1/persons/{person}"))["entitlements"]
    return dict(verdict)


async def progress(town: Town, receipt: str) -> dict[str, Any]:
    return dict(await town.get(NOBODY, f"/v1/progress/{receipt}"))


async def usable(town: Town, card: str, instant: str = "", who: Caller = CLERK) -> set[str]:
    """The functions for which this card can be used at an instant, or now."""
    address = f"/v1/cards/{card}"
    found = await (town.get(who, address, at=instant) if instant else town.get(who, address))
    return {one["function"] for one in found["functions"] if one["usable"]}


async def told(town: Town, holding: str) -> list[str]:
    """What the holder's telephone was sent, oldest first; each notice lies there once, however often it was tried."""
    await town.drain()
    notices = await town.get(CLERK, "/v1/notices", holding_id=holding)
    assert {one["status"] for one in notices} == {"sent"}
    ids = [one["notice_id"] for one in notices]
    telephone = (town.settings.home / "sms.jsonl").read_text()
    assert all(telephone.count(f'"{notice_id}"') == 1 for notice_id in ids)
    return [one["step"] for one in reversed(notices)]
