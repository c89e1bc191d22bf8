"""A day held against others' files, over real HTTP: every fen explained, or in suspense until it is worked off."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.cli import main
from libs.testing.town import Town
from libs.web.tokens import Caller
from services.wallet.adapters.statement_files import Statement, read, write
from services.wallet.domain.reconciliation.matching import Line
from tests.journeys.test_money import BUS, a_wallet, pay
from tests.platform import AUDITOR, CENTRE, CLERK, HALL, HOTLINE, WX_CENTRE, ZHOUSHAN, Open

ANNA, BO = replace(CENTRE, id="anna"), replace(CENTRE, id="bo")
MONDAY, TUESDAY = date(2026, 9, 7), date(2026, 9, 8)
REGISTER = f"/v1/cities/{ZHOUSHAN}/differences"


@pytest.fixture
async def city(open_town: Open) -> AsyncIterator[Town]:
    async with open_town() as town:
        yield town


def a_file(number: int, day: date, lines: Iterable[tuple[str, int]], sender: str = "zs-bus", kind: str = "") -> str:
    said = tuple(Line(reference=reference, fen=fen, day=day, posted=day) for reference, fen in lines)
    return write(Statement(kind=kind or "merchant-settlement", sender=sender, number=number, day=day, lines=said))


async def bring(town: Town, who: Caller, text: str, address: str = "") -> tuple[int, dict[str, Any]]:
    _, _, kind, sender, number, _ = text.splitlines()[0].split(",")
    answer = await town.call(
        who, "PUT", address or f"/v1/statement-files/{kind}/{sender}/{number}", content=text.encode()
    )
    return answer.status_code, answer.json()


async def reconciled(town: Town, day: date) -> dict[str, Any]:
    """The day's outcome, after the hour at which the city reconciles it."""
    await town.advance(f"{day + timedelta(days=1)}T05:00:00+08:00")
    await town.house.measure()
    await town.drain()
    found: dict[str, Any] = await town.get(AUDITOR, f"/v1/cities/{ZHOUSHAN}/reconciliations/{day}")
    for one in found["parties"]:
        assert sum(part["fen"] for part in one["classes"].values()) == one["difference_fen"], one
    return found


def of(report: dict[str, Any], sender: str, source: str = "merchant-settlement") -> dict[str, Any]:
    [party] = [one for one in report["parties"] if (one["sender"], one["source"]) == (sender, source)]
    return dict(party)


async def stands(town: Town, account: str) -> int:
    return (await town.house.platform.ledger("wallet").balances([account]))[account].balance_fen


async def test_a_day_is_held_against_the_merchants_file_and_what_differs_is_worked_off_by_two_people(
    city: Town,
) -> None:
    card = await a_wallet(city, 10_000)
    await city.advance(f"{MONDAY}T10:00:00+08:00")
    agreed, dear, missing = [
        f"{(await pay(city, card, fen, f's-{fen}'))['payment_id']}/capture/1" for fen in (182, 500, 300)
    ]
    text = a_file(1, MONDAY, [(agreed, 182), (dear, 480), ("nobody-knows", 77)])
    status, taken = await bring(city, BUS, text)
    assert (status, taken["lines"], taken["total_fen"], taken["reconciled_with"]) == (200, 3, 739, None)
    assert await bring(city, BUS, text) == (200, taken), "a replayed file is answered as before"
    status, told = await bring(city, BUS, a_file(1, MONDAY, [(agreed, 182)]))
    assert (status, told["code"]) == (409, "statement-altered")

    party = of(await reconciled(city, MONDAY), "zs-bus")
    assert (party["ours_fen"], party["theirs_fen"], party["stale"]) == (982, 739, 0)
    assert party["classes"] == {
        "in_transit": {"count": 2, "fen": 300 - 77},
        "other_amount": {"count": 1, "fen": 20},
    }
    [other] = (await city.get(AUDITOR, REGISTER))["differences"]
    assert (other["reference"], other["why"], other["left_fen"], other["age_days"]) == (dear, "other_amount", 20, 1)
    assert await stands(city, f"merchant:{ZHOUSHAN}/zs-bus") == 962, "what they say, and the rest in suspense"
    assert await stands(city, f"suspense:{ZHOUSHAN}/{other['pile']}") == 20

    # A later file covers the days in between: what is still alone on one side is nobody's guess any more.
    early = await bring(city, BUS, a_file(2, date(2026, 9, 10), [("late", 1)]))
    assert (early[0], "2026-09-10 has not been yet" in early[1]["detail"]) == (422, True)
    await city.advance("2026-09-10T20:00:00+08:00")
    assert (await bring(city, BUS, a_file(2, date(2026, 9, 10), [("late", 1)])))[0] == 200
    party = of(await reconciled(city, date(2026, 9, 10)), "zs-bus")
    assert party["classes"] == {
        "in_transit": {"count": 1, "fen": -1},
        "only_ours": {"count": 1, "fen": 300},
        "only_theirs": {"count": 1, "fen": -77},
        "other_amount": {"count": 1, "fen": 20},
    }
    waiting = {one["reference"]: one for one in (await city.get(AUDITOR, REGISTER))["differences"]}
    assert {name: one["left_fen"] for name, one in waiting.items()} == {dear: 20, missing: 300, "nobody-knows": -77}
    [oldest] = (await city.get(AUDITOR, REGISTER, limit="1"))["differences"]
    assert oldest["age_days"] == 4

    # The other side comes after all; one is put back on the merchant's account, one is borne by the issuer.
    await city.advance("2026-09-11T20:00:00+08:00")
    await bring(city, BUS, a_file(3, date(2026, 9, 11), [(missing, 300)]))
    for one, bears in ((waiting[dear], "party"), (waiting["nobody-knows"], "issuer")):
        path = f"/v1/differences/{one['difference_id']}"
        asked = {"bears": bears, "amount_fen": abs(one["left_fen"]), "reason": "settled", "evidence": "F-1"}
        proposal = await city.post(ANNA, f"{path}/write-offs", asked | {"reference": "w-1"}, expect=202)
        approvals, body = f"/v1/adjustments/{proposal['adjustment_id']}/approvals", {"proposal_id": ""}
        body["proposal_id"] = proposal["proposal_id"]
        assert (await city.post(ANNA, approvals, body, expect=403))["code"] == "same-hand"
        assert (await city.post(BO, approvals, body))["status"] == "booked"
        refused = await city.post(ANNA, f"{path}/write-offs", asked | {"reference": "w-2"}, expect=409)
        assert refused["code"] == "pile-smaller", "a pile is written off once"
        no_word = {"reason": "it is so", "evidence": "F-2"}
        assert (await city.post(ANNA, f"{path}/explanations", no_word, expect=409))["code"] == "money-lies-there"
    party = of(await reconciled(city, date(2026, 9, 11)), "zs-bus")
    assert party["classes"] == {"in_transit": {"count": 1, "fen": -1}, "worked_off": {"count": 2, "fen": 20 - 77}}
    assert (await city.get(AUDITOR, REGISTER))["differences"] == []
    assert await stands(city, f"merchant:{ZHOUSHAN}/zs-bus") == 982 + 77
    assert await stands(city, f"issuer-loss:{ZHOUSHAN}") == -77

    # Our own file says what our books said of the day.
    answer = await city.call(BUS, "GET", f"/v1/cities/{ZHOUSHAN}/settlements/merchant-settlement/zs-bus/{MONDAY}")
    ours = read(answer.text)
    assert (ours.sender, ours.day, ours.total_fen) == ("zs-bus", MONDAY, 982)
    assert {line.reference: line.fen for line in ours.lines} == {agreed: 182, dear: 500, missing: 300}
    await city.get(BUS, f"/v1/cities/{ZHOUSHAN}/settlements/merchant-settlement/zs-shop/{MONDAY}", expect=403)
    await city.get(WX_CENTRE, REGISTER, expect=403)


async def test_an_operator_brings_files_and_fetches_ours_and_asks_how_a_day_ended(
    city: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = await a_wallet(city, 1_000)
    sale = f"{(await pay(city, card, 182, 's-1'))['payment_id']}/capture/1"
    today, theirs, ours = date(2026, 9, 1), tmp_path / "theirs.csv", tmp_path / "ours.csv"
    with_token = ["--to", str(city.web.base_url), "--token", city.token(CENTRE)]

    async def citycard(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        status = await asyncio.to_thread(main, ["reconcile", *map(str, words), *with_token])
        return status, capsys.readouterr().out

    theirs.write_text(a_file(1, today, [(sale, 180)]).replace("total,1,180", "total,1,182"))
    status, said = await citycard("bring", theirs)
    assert (status, "line 4: it announces 182 fen, and the lines add up to 180" in said) == (2, True)
    assert (await citycard("bring", tmp_path / "nothing.csv"))[0] == 2
    theirs.write_text(a_file(1, today, [(sale, 180)]))
    for _ in range(2):
        status, said = await citycard("bring", theirs)
        assert (status, "1 lines, 180 fen" in said, "the next reconciliation takes it" in said) == (0, True, True)
    theirs.write_text(a_file(1, today, [(sale, 182)]))
    status, said = await citycard("bring", theirs)
    assert (status, "was taken before with another content" in said) == (1, True)
    fetch = ("fetch", ZHOUSHAN, "merchant-settlement", "zs-bus", today, "--out", ours)
    assert (await citycard(*fetch))[0] == 1, "the day is not over"
    await reconciled(city, today)
    status, said = await citycard("report", ZHOUSHAN, today)
    assert status == 1, "something lies in suspense"
    assert "zs-bus (merchant-settlement): ours 182 fen, theirs 180 fen, difference 2 fen" in said
    assert (await citycard(*fetch))[0] == 0
    assert [line.reference for line in read(ours.read_text()).lines] == [sale]
    assert (await citycard("report", ZHOUSHAN, "2026-08-01"))[0] == 2


async def test_what_waits_for_a_holder_is_paid_out_once_and_the_banks_file_confirms_it(city: Town) -> None:
    card = await a_wallet(city)
    for origin, fen in (("bank_account", 4_000), ("cash", 300)):
        body = {"amount_fen": fen, "origin": origin, "reference": origin}
        await city.post(HALL, f"/v1/cards/{card}/top-ups", body)
    sale = await pay(city, card, 4_300, "s-1")
    await city.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    await city.drain()
    await city.post(BUS, f"/v1/payments/{sale['payment_id']}/refunds", {"amount_fen": 4_300, "reference": "b-1"})
    waits = await city.get(HALL, f"/v1/cards/{card}/refunds")
    assert (waits["cash_fen"], waits["bank_fen"], waits["voucher_fen"]) == (300, 4_000, 0)

    path, asked = f"/v1/cards/{card}/refund-pay-outs", {"document": "id_card", "way": "counter", "reference": "p-1"}
    cash, again = [await city.post(HALL, path, asked) for _ in range(2)]
    assert (cash["amount_fen"], again) == (300, cash)
    refused = await city.post(HALL, path, asked | {"reference": "p-2"}, expect=409)
    assert (refused["code"], "4000 fen to be transferred" in refused["detail"]) == ("nothing-waits", True)
    by_bank = asked | {"way": "bank_transfer", "bank": "icbc", "reference": "p-3"}
    assert (await city.post(HALL, path, by_bank | {"bank": "boc"}, expect=422))["code"] == "bank-unknown"
    sent = await city.post(HALL, path, by_bank)
    assert (sent["amount_fen"], sent["channel"]) == (4_000, "icbc")
    assert await stands(city, f"refund:{card.partition('.')[0]}") == 0
    await city.post(CLERK, path, asked | {"reference": "p-4"}, expect=403)

    today = date(2026, 9, 1)
    party = of(await reconciled(city, today), "icbc", "bank")
    assert party["classes"] == {"in_transit": {"count": 1, "fen": 4_000}}
    bank = a_file(1, today, [(sent["pay_out_id"], 4_000)], sender="icbc", kind="bank")
    assert (await bring(city, CENTRE, bank))[0] == 200
    party = of(await reconciled(city, today + timedelta(days=1)), "icbc", "bank")
    assert (party["ours_fen"], party["theirs_fen"], party["classes"]) == (4_000, 4_000, {})
