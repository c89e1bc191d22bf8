"""Money on one card, over real HTTP on PostgreSQL: paid in, held, taken, given back, stopped with the card."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from libs.kernel.ids import derived
from libs.testing.town import Town
from libs.web.tokens import Caller
from services.ids import card_id, holding_id, person_id
from tests.platform import CENTRE, CLERK, HALL, HOTLINE, ICBC, VENDOR, ZHOUSHAN, Open, a_card_in_use, approved, produced

BUS = Caller("till-1", "merchant", ZHOUSHAN, outlet="zs-bus")
SHOP = Caller("till-2", "merchant", ZHOUSHAN, outlet="zs-shop")
SIGNED = {"document": "id_card"}


async def a_wallet(town: Town, fen: int = 0) -> str:
    """A card in use whose wallet is open, with so much on it."""
    _, card = await a_card_in_use(town)
    await town.post(HALL, f"/v1/cards/{card}/purses", SIGNED)
    if fen:
        await pay_in(town, card, fen, "first")
    return card


async def pay_in(town: Town, card: str, fen: int, receipt: str, expect: int = 201) -> dict[str, Any]:
    body = {"amount_fen": fen, "origin": "cash", "reference": receipt}
    return await town.post(HALL, f"/v1/cards/{card}/top-ups", body, expect=expect)


async def pay(
    town: Town, card: str, fen: int, sale: str, who: Caller = BUS, *, capture: bool = True, expect: int = 201
) -> dict[str, Any]:
    body = {"card_id": card, "amount_fen": fen, "reference": sale, "capture": capture}
    return await town.post(who, "/v1/payments", body, expect=expect)


async def a_new_card(town: Town, card: str) -> str:
    """The lost card's successor, in its holder's hand."""
    await town.post(ICBC, f"/v1/cards/{card}/written-reports", SIGNED)
    await town.post(ICBC, f"/v1/cards/{card}/reissues", SIGNED)
    await town.drain()
    await produced(town, "citizen-card", CENTRE, VENDOR, at=ICBC)
    new = card.replace(".1", ".2")
    await town.post(ICBC, f"/v1/cards/{new}/hand-overs", SIGNED)
    await town.drain()
    return new


async def money(town: Town, card: str) -> tuple[int, int]:
    """What is there, and what of it is held."""
    seen = await town.get(HALL, f"/v1/cards/{card}/purse")
    assert seen["available_fen"] == seen["balance_fen"] - seen["held_fen"]
    return seen["balance_fen"], seen["held_fen"]


@pytest.mark.requirement("R94", "R95")
async def test_a_wallet_is_off_until_it_is_opened_and_then_takes_money_in_and_pays(town: Town) -> None:
    _, card = await a_card_in_use(town)
    assert (await town.get(HALL, f"/v1/cards/{card}/purse"))["status"] == "not_opened"
    refused = await pay_in(town, card, 5_000, "r-1", expect=409)
    assert refused["code"] == "wallet-not-opened"
    opened = await town.post(ICBC, f"/v1/cards/{card}/purses", SIGNED)
    assert (opened["status"], opened["balance_fen"], opened["account_cap_fen"]) == ("open", 0, 500_000)
    assert (await pay_in(town, card, 5_000, "r-1"))["status"] == "confirmed"
    sale = await pay(town, card, 182, "s-1")
    assert (sale["status"], sale["captured_fen"]) == ("captured", 182)
    assert await money(town, card) == (4_818, 0)


async def test_a_wallet_is_opened_once_and_the_card_desk_hears_of_it(town: Town) -> None:
    _, card = await a_card_in_use(town)
    refused = await town.post(HALL, f"/v1/cards/{card}/function-openings", {"function": "epurse"}, expect=403)
    assert (refused["code"], "with the wallet" in refused["detail"]) == ("function-opened-elsewhere", True)
    assert "open the card's wallet" in await purse_function(town, card)
    await town.post(ICBC, f"/v1/cards/{card}/purses", SIGNED)
    await town.drain()
    assert "not opened" not in await purse_function(town, card)


async def purse_function(town: Town, card: str) -> str:
    """What the card desk says of the card's purse."""
    functions = (await town.get(HALL, f"/v1/cards/{card}"))["functions"]
    return next(str(one["because"]) for one in functions if one["function"] == "epurse")


@pytest.mark.requirement("R94")
async def test_a_wallet_is_opened_at_a_hall_or_a_bank_and_with_a_document_that_the_city_takes(town: Town) -> None:
    _, card = await a_card_in_use(town)
    refused = await town.post(CLERK, f"/v1/cards/{card}/purses", SIGNED, expect=403)
    assert (refused["code"], "bank, hall" in refused["detail"]) == ("wrong-place", True)
    refused = await town.post(HALL, f"/v1/cards/{card}/purses", {"document": "passport"}, expect=422)
    assert refused["code"] == "document-not-accepted"


async def test_what_was_said_twice_happened_once(town: Town) -> None:
    card = await a_wallet(town)
    first, again = [await pay_in(town, card, 5_000, "r-1") for _ in range(2)]
    assert first == again
    sale, same = [await pay(town, card, 100, "s-1") for _ in range(2)]
    assert sale == same
    refund = {"amount_fen": 40, "reference": "back-1"}
    for _ in range(2):
        await town.post(BUS, f"/v1/payments/{sale['payment_id']}/refunds", refund)
    assert await money(town, card) == (4_940, 0)
    for refused in (
        await pay_in(town, card, 5_001, "r-1", expect=422),
        await pay(town, card, 101, "s-1", expect=422),
        await town.post(BUS, f"/v1/payments/{sale['payment_id']}/refunds", refund | {"amount_fen": 41}, expect=422),
    ):
        assert refused["code"] == "reference-reused"
    assert await money(town, card) == (4_940, 0)


async def test_held_money_is_taken_in_parts_and_the_rest_is_free_again(town: Town) -> None:
    card = await a_wallet(town, 10_000)
    held = await pay(town, card, 6_000, "s-1", capture=False)
    assert await money(town, card) == (10_000, 6_000)
    assert (await pay(town, card, 4_001, "s-2", SHOP, expect=409))["code"] == "funds-short"
    payment = f"/v1/payments/{held['payment_id']}"
    await town.post(BUS, f"{payment}/captures", {"amount_fen": 1_000, "final": False})
    assert await money(town, card) == (9_000, 5_000)
    refused = await town.post(BUS, f"{payment}/captures", {"amount_fen": 5_001}, expect=409)
    assert (refused["code"], "5000 fen" in refused["detail"]) == ("more-than-held", True)
    await town.post(BUS, f"{payment}/captures", {"amount_fen": 2_000})
    assert await money(town, card) == (7_000, 0)
    refused = await town.post(BUS, f"{payment}/captures", {"amount_fen": 1}, expect=409)
    assert refused["code"] == "hold-closed"
    await town.post(BUS, f"{payment}/refunds", {"amount_fen": 3_000, "reference": "b-1"})
    refused = await town.post(BUS, f"{payment}/refunds", {"amount_fen": 1, "reference": "b-2"}, expect=409)
    assert refused["code"] == "more-than-captured"
    assert await money(town, card) == (10_000, 0)


async def test_a_merchant_lets_go_and_touches_no_sale_of_another(town: Town) -> None:
    card = await a_wallet(town, 10_000)
    sale = f"/v1/payments/{(await pay(town, card, 6_000, 's-1', capture=False))['payment_id']}"
    for act in ("captures", "refunds", "cancellations"):
        body = {} if act == "cancellations" else {"amount_fen": 1} | ({"reference": "x"} if act == "refunds" else {})
        await town.post(SHOP, f"{sale}/{act}", body, expect=403)
    await town.get(SHOP, sale, expect=403)
    assert (await town.post(BUS, f"{sale}/cancellations"))["status"] == "cancelled"
    assert await money(town, card) == (10_000, 0)
    stranger = replace(BUS, outlet="zs-nobody")
    assert (await pay(town, card, 1, "s-9", stranger, expect=422))["code"] == "merchant-unknown"


@pytest.mark.parametrize("fen", [0, -1, 12.5, 1.0, True, "100", 100_000_001, 10**30, None])
async def test_what_is_no_amount_is_refused_and_says_how_one_is_written(town: Town, fen: Any) -> None:
    card = f"{ZHOUSHAN}-0000000000000000.1"
    for who, path, body in (
        (HALL, f"/v1/cards/{card}/top-ups", {"origin": "cash", "reference": "r"}),
        (BUS, "/v1/payments", {"card_id": card, "reference": "s"}),
    ):
        refused = await town.post(who, path, body | {"amount_fen": fen}, expect=422)
        assert [fault["pointer"] for fault in refused["errors"]] == ["/amount_fen"]


async def test_only_yuan_are_taken(town: Town) -> None:
    card = await a_wallet(town, 1_000)
    body = {"card_id": card, "amount_fen": 100, "reference": "s", "currency": "USD"}
    refused = await town.post(BUS, "/v1/payments", body, expect=422)
    assert refused["errors"][0]["pointer"] == "/currency"
    await town.post(BUS, "/v1/payments", body | {"currency": "CNY"})


async def test_the_city_bounds_a_top_up_and_what_an_account_may_hold(town: Town) -> None:
    card = await a_wallet(town, 400_000)
    assert (await pay_in(town, card, 99, "small", expect=422))["code"] == "top-up-out-of-bounds"
    await pay(town, card, 300_000, "held", capture=False)
    assert (await pay_in(town, card, 100_001, "much", expect=409))["code"] == "above-the-cap"
    await pay_in(town, card, 100_000, "just")
    assert await money(town, card) == (500_000, 300_000)


async def test_a_top_up_is_taken_back_by_its_own_counter_while_it_is_there(town: Town) -> None:
    card = await a_wallet(town)
    paid = (await pay_in(town, card, 5_000, "r-1"))["top_up_id"]
    back = {"reason": "the wrong card"}
    await town.post(ICBC, f"/v1/top-ups/{paid}/reversals", back, expect=403)
    sale = await pay(town, card, 1, "s-1", capture=False)
    assert (await town.post(HALL, f"/v1/top-ups/{paid}/reversals", back, expect=409))["code"] == "funds-short"
    await town.post(BUS, f"/v1/payments/{sale['payment_id']}/cancellations")
    assert (await town.post(HALL, f"/v1/top-ups/{paid}/reversals", back))["status"] == "reversed"
    assert (await town.post(HALL, f"/v1/top-ups/{paid}/reversals", back))["status"] == "reversed"
    assert await money(town, card) == (0, 0)
    assert (await pay_in(town, card, 5_000, "r-1", expect=409))["code"] == "already-reversed"


async def test_sixty_four_tills_at_once_never_overdraw_one_card(town: Town) -> None:
    card = await a_wallet(town, 10_000)
    body = {"card_id": card, "amount_fen": 300, "capture": True}
    answers = await asyncio.gather(
        *(town.call(BUS, "POST", "/v1/payments", json=body | {"reference": f"c-{nth}"}) for nth in range(64))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 33, 409: 31}
    assert await money(town, card) == (100, 0)


@pytest.mark.requirement("R96")
async def test_a_call_stops_the_money_and_a_lapse_releases_it_at_its_hour(open_town: Open) -> None:
    async with open_town() as town:
        card = await a_wallet(town, 10_000)
        held = await pay(town, card, 1_000, "s-1", capture=False)
        called = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
        await town.drain()
        seen = await town.get(HALL, f"/v1/cards/{card}/purse")
        assert (seen["status"], seen["frozen_until"]) == ("frozen", called["lapses_at"])
        assert (await pay(town, card, 1, "s-2", expect=409))["code"] == "money-stopped"
        assert (await pay_in(town, card, 100, "r-2", expect=409))["code"] == "money-stopped"
        await town.post(BUS, f"/v1/payments/{held['payment_id']}/captures", {"amount_fen": 1_000})
        await town.post(BUS, f"/v1/payments/{held['payment_id']}/refunds", {"amount_fen": 1_000, "reference": "b"})
        seen = await town.get(HALL, f"/v1/cards/{card}/purse")
        assert (seen["balance_fen"], seen["status"]) == (9_000, "frozen"), "a refund waits while the card is lost"
        lapses = called["lapses_at"]
        await town.advance(an_hour_before(lapses))
        assert (await pay(town, card, 1, "s-3", expect=409))["code"] == "money-stopped"
        await town.advance(lapses)
        assert (await pay(town, card, 1, "s-4"))["status"] == "captured"


@pytest.mark.requirement("R96", "R62", "R63")
async def test_a_new_card_takes_the_account_over_and_the_old_one_pays_nothing(open_town: Open) -> None:
    async with open_town() as town:
        card = await a_wallet(town, 10_000)
        await town.post(ICBC, f"/v1/cards/{card}/written-reports", SIGNED)
        await town.post(ICBC, f"/v1/cards/{card}/reissues", SIGNED)
        await town.drain()
        await produced(town, "citizen-card", CENTRE, VENDOR, at=ICBC)
        new = card.replace(".1", ".2")
        assert (await pay(town, card, 1, "s-1", expect=409))["code"] == "money-stopped"
        await town.post(ICBC, f"/v1/cards/{new}/hand-overs", SIGNED)
        await town.drain()
        assert (await pay(town, card, 1, "s-2", expect=409))["code"] == "not-the-present-card"
        assert (await pay(town, new, 1, "s-3"))["status"] == "captured"
        assert await money(town, new) == (9_999, 0)


async def test_a_hold_expires_at_its_own_hour(open_town: Open) -> None:
    async with open_town() as town:
        card = await a_wallet(town, 10_000)
        held = await pay(town, card, 6_000, "s-1", capture=False)
        await town.advance(an_hour_before(held["expires_at"]))
        assert await money(town, card) == (10_000, 6_000)
        await town.advance(held["expires_at"])
        await town.drain()
        assert await money(town, card) == (10_000, 0)
        late = await town.post(BUS, f"/v1/payments/{held['payment_id']}/captures", {"amount_fen": 1}, expect=409)
        assert (late["code"], "expired" in late["detail"]) == ("hold-closed", True)


def an_hour_before(moment: str) -> str:
    return (datetime.fromisoformat(moment) - timedelta(hours=1)).isoformat()


def a_load(fen: int, reference: str, counter: int, balance_fen: int = 0) -> dict[str, Any]:
    return {
        "amount_fen": fen, "origin": "cash", "reference": reference, "counter": counter, "balance_fen": balance_fen,
    }  # fmt: skip


@pytest.mark.requirement("R95")
async def test_a_chip_is_loaded_in_two_steps_and_what_nobody_knew_is_read_from_it(town: Town) -> None:
    card = await a_wallet(town)
    loads = f"/v1/cards/{card}/loads"
    first = (await town.post(HALL, loads, a_load(5_000, "l-1", 0)))["load_id"]
    assert (await town.get(HALL, f"/v1/cards/{card}/purse"))["purse_fen"] == 0, "paid, and not yet on the chip"
    done = await town.post(HALL, f"/v1/loads/{first}/outcomes", {"outcome": "loaded", "counter": 1})
    assert done["status"] == "confirmed"
    assert (await town.get(HALL, f"/v1/cards/{card}/purse"))["purse_fen"] == 5_000
    second = (await town.post(ICBC, loads, a_load(2_000, "l-2", 1, 5_000)))["load_id"]
    await town.post(ICBC, f"/v1/loads/{second}/outcomes", {"outcome": "unknown"})
    met = await town.post(BUS, f"/v1/cards/{card}/contacts", {"counter": 2})
    assert [(load["status"], load["amount_fen"]) for load in met["loads"]] == [
        ("confirmed", 5_000), ("confirmed", 2_000),
    ]  # fmt: skip
    assert (await town.get(HALL, f"/v1/cards/{card}/purse"))["purse_fen"] == 7_000
    much = await town.post(HALL, loads, a_load(93_001, "l-3", 2, 7_000), expect=409)
    assert (much["code"], "93000 fen" in much["detail"]) == ("above-the-purse-cap", True)
    strange = await town.post(HALL, loads, a_load(100, "l-2", 2, 7_000), expect=201)
    assert strange["status"] == "pending", "another counter's receipts have numbers of their own"


@pytest.mark.requirement("R63", "R68")
async def test_an_old_chips_money_comes_to_the_new_card_once_and_what_is_left_is_paid_out(open_town: Open) -> None:
    async with open_town() as town:
        card = await a_wallet(town, 10_000)
        load = (await town.post(HALL, f"/v1/cards/{card}/loads", a_load(3_000, "l-1", 0)))["load_id"]
        await town.post(HALL, f"/v1/loads/{load}/outcomes", {"outcome": "loaded", "counter": 1})
        new = await a_new_card(town, card)
        assert await money(town, new) == (10_000, 0), "the chip cools: late taps may still come"
        await town.advance("2026-10-20T12:00:00+08:00")
        assert await money(town, new) == (13_000, 0)
        await pay(town, new, 500, "s-1")
        moved = SIGNED | {"reason": "moved_away"}
        waiting = await town.post(ICBC, f"/v1/cards/{new}/cancellations", moved, expect=202)
        await approved(town, CENTRE, f"/v1/cards/{new}", waiting)
        await town.drain()
        assert (await pay(town, new, 1, "s-2", expect=409))["code"] == "money-stopped"
        left = await town.post(HALL, f"/v1/cards/{new}/pay-outs", SIGNED)
        assert (left["cash_fen"], left["bank_fen"], left["voucher_fen"], left["fee_fen"]) == (12_500, 0, 0, 0)
        assert await town.post(HALL, f"/v1/cards/{new}/pay-outs", SIGNED) == left
        assert (await town.get(HALL, f"/v1/cards/{new}/statement"))["balance_fen"] == 0


async def test_a_load_that_nobody_knows_about_goes_back_at_its_last_hour(open_town: Open) -> None:
    async with open_town() as town:
        card = await a_wallet(town)
        load = (await town.post(HALL, f"/v1/cards/{card}/loads", a_load(3_000, "l-1", 0)))["load_id"]
        await town.post(HALL, f"/v1/loads/{load}/outcomes", {"outcome": "unknown"})
        await town.advance("2026-11-10T12:00:00+08:00")
        met = await town.post(HALL, f"/v1/cards/{card}/contacts", {"counter": 0})
        assert [load["status"] for load in met["loads"]] == ["reversed"]


async def test_a_statement_is_read_page_by_page_and_as_a_file(town: Town) -> None:
    card = await a_wallet(town, 10_000)
    for nth in range(4):
        await pay(town, card, nth + 1, f"s-{nth}", SHOP)
    first = await town.get(HALL, f"/v1/cards/{card}/statement", limit="5")
    rest = await town.get(HALL, f"/v1/cards/{card}/statement", limit="5", after=first["next"])
    amounts = [line["amount_fen"] for line in (*first["lines"], *rest["lines"])]
    assert (amounts, rest["next"]) == ([10_000, 0, -1, 0, -2, 0, -3, 0, -4], "")
    file = await town.call(HALL, "GET", f"/v1/cards/{card}/statement.csv", params={"limit": "2"})
    head, top_up, *_ = file.text.splitlines()
    assert head == "at,kind,reference,amount_fen,held_fen,others"
    assert top_up.endswith(",10000,0,channel:330900/zs-hall")
    assert file.headers["link"].endswith('; rel="next"')
    hers = await town.get(SHOP, "/v1/cities/330900/merchants/zs-shop/statement", limit="500")
    assert {line["kind"] for line in hers["lines"]} == {"payment"}
    await town.get(SHOP, "/v1/cities/330900/merchants/zs-bus/statement", expect=403)
    assert (await town.get(HALL, f"/v1/cards/{card}/statement", after="x", expect=422))["code"] == "cursor-unreadable"


async def test_money_stops_when_the_books_drift_and_moves_again_when_they_are_mended(open_town: Open) -> None:
    async with open_town(books_full_audit_s=0.1) as town:
        card = await a_wallet(town, 10_000)
        connection = await asyncpg.connect(town.settings.database_url)
        await connection.execute("update wallet.account set balance_fen = balance_fen + 1")
        await asyncio.sleep(2.5)
        assert (await pay(town, card, 1, "s-1", expect=503))["code"] == "money-halted"
        assert 'citycard_books_drift_fen{service="wallet"} 1.0' in (await town.web.get("/metrics")).text
        await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
        await town.drain()
        assert (await town.get(HALL, f"/v1/cards/{card}/purse"))["status"] == "frozen", "a report is heard all the same"
        await connection.execute("update wallet.account set balance_fen = balance_fen - 1")
        await connection.close()
        await asyncio.sleep(2.5)
        assert (await pay(town, card, 1, "s-1", expect=409))["code"] == "money-stopped"


ANNA, BO = (Caller(name, "centre", ZHOUSHAN) for name in ("centre-anna", "centre-bo"))
CHARGED_TWICE = {
    "direction": "to_holder", "amount_fen": 182, "reason": "charged twice", "evidence": "F-2026-1", "reference": "a-1",
}  # fmt: skip


async def put_right(town: Town, card: str, **change: Any) -> dict[str, Any]:
    """What Anna proposes and Bo approves."""
    asked = await town.post(ANNA, f"/v1/cards/{card}/adjustments", CHARGED_TWICE | change, expect=202)
    body = {"proposal_id": asked["proposal_id"]}
    return await town.post(BO, f"/v1/adjustments/{asked['adjustment_id']}/approvals", body)


@pytest.mark.requirement("R169")
async def test_an_account_is_put_right_by_two_people_and_once(town: Town) -> None:
    card = await a_wallet(town, 1_000)
    asked = await town.post(ANNA, f"/v1/cards/{card}/adjustments", CHARGED_TWICE, expect=202)
    assert (asked["status"], await money(town, card)) == ("proposed", (1_000, 0))
    approvals, body = f"/v1/adjustments/{asked['adjustment_id']}/approvals", {"proposal_id": asked["proposal_id"]}
    assert (await town.post(ANNA, approvals, body, expect=403))["code"] == "same-hand"
    no = await town.post(BO, approvals.replace("approvals", "objections"), body | {"reason": "look at line 7 again"})
    assert no["status"] == "declined"
    assert (await town.post(BO, approvals, body, expect=409))["code"] == "proposal-overtaken"
    asked = await town.post(ANNA, f"/v1/cards/{card}/adjustments", CHARGED_TWICE, expect=202)
    body = {"proposal_id": asked["proposal_id"]}
    assert asked["status"] == "proposed"
    for _ in range(2):
        assert (await town.post(BO, approvals, body))["status"] == "booked"
    assert await money(town, card) == (1_182, 0)
    await town.post(HALL, f"/v1/cards/{card}/adjustments", CHARGED_TWICE, expect=403)
    refused = await town.post(ANNA, f"/v1/cards/{card}/adjustments", CHARGED_TWICE | {"amount_fen": 1}, expect=422)
    assert refused["code"] == "reference-reused"
    assert (await town.get(BO, f"/v1/adjustments/{asked['adjustment_id']}"))["evidence"] == "F-2026-1"


async def test_what_a_holder_has_spent_is_not_taken_from_her_by_a_correction(town: Town) -> None:
    card = await a_wallet(town, 100)
    taken = {"direction": "from_holder", "amount_fen": 101}
    asked = await town.post(ANNA, f"/v1/cards/{card}/adjustments", CHARGED_TWICE | taken, expect=202)
    body = {"proposal_id": asked["proposal_id"]}
    refused = await town.post(BO, f"/v1/adjustments/{asked['adjustment_id']}/approvals", body, expect=409)
    assert refused["code"] == "funds-short"
    assert await money(town, card) == (100, 0)


@pytest.mark.requirement("R169")
async def test_a_pile_that_nobody_can_explain_is_written_off_by_two_people_and_never_beyond_nothing(town: Town) -> None:
    card = await a_wallet(town, 1_000)
    await put_right(town, card, amount_fen=800, pile="taps", direction="from_holder")
    beyond = CHARGED_TWICE | {"amount_fen": 801, "pile": "taps", "reference": "a-2"}
    refused = await town.post(ANNA, f"/v1/cards/{card}/adjustments", beyond, expect=409)
    assert (refused["code"], "800 fen" in refused["detail"]) == ("pile-smaller", True)
    await put_right(town, card, amount_fen=300, pile="taps", reference="a-3")
    assert await money(town, card) == (500, 0)
    off = {"pile": "taps", "amount_fen": 500, "reason": "a terminal is gone", "evidence": "F-2", "reference": "w-1"}
    much = await town.post(ANNA, "/v1/write-offs", off | {"amount_fen": 501}, expect=409)
    assert (much["code"], "500 fen" in much["detail"]) == ("pile-smaller", True)
    asked = await town.post(ANNA, "/v1/write-offs", off, expect=202)
    assert asked["amount_fen"] == -500
    body = {"proposal_id": asked["proposal_id"]}
    done = await town.post(BO, f"/v1/adjustments/{asked['adjustment_id']}/approvals", body)
    assert (done["status"], done["against"]) == ("booked", f"issuer-loss:{ZHOUSHAN}")
    empty = await town.post(ANNA, "/v1/write-offs", off | {"reference": "w-2", "amount_fen": 1}, expect=409)
    assert empty["code"] == "pile-smaller"
    unnamed = await town.post(ANNA, "/v1/write-offs", off | {"pile": "Taps!", "reference": "w-3"}, expect=422)
    assert unnamed["code"] == "pile-unnamed"


@pytest.mark.parametrize("fen", [0, -1, 12.5, 1.0, True, "100", 100_000_001, 10**30, None])
async def test_what_is_no_amount_is_refused_at_every_door_of_the_wallet(town: Town, fen: Any) -> None:
    card = f"{ZHOUSHAN}-0000000000000000.1"
    for who, path, body in (
        (HALL, f"/v1/cards/{card}/loads", {"origin": "cash", "reference": "r", "counter": 0, "balance_fen": 0}),
        (ANNA, f"/v1/cards/{card}/adjustments", CHARGED_TWICE),
        (ANNA, "/v1/write-offs", {"pile": "taps", "reason": "gone", "evidence": "F", "reference": "w"}),
        (BUS, f"/v1/payments/{ZHOUSHAN}-0000000000000000.P0123456789ABCDEF/captures", {}),
        (BUS, f"/v1/payments/{ZHOUSHAN}-0000000000000000.P0123456789ABCDEF/refunds", {"reference": "b"}),
    ):
        refused = await town.post(who, path, body | {"amount_fen": fen}, expect=422)
        assert [fault["pointer"] for fault in refused["errors"]] == ["/amount_fen"], path


async def test_no_door_of_the_wallet_takes_another_currency(town: Town) -> None:
    card = f"{ZHOUSHAN}-0000000000000000.1"
    dollars: dict[str, Any] = {"amount_fen": 100, "currency": "USD"}
    for who, path, body in (
        (HALL, f"/v1/cards/{card}/top-ups", {"origin": "cash", "reference": "r"}),
        (HALL, f"/v1/cards/{card}/loads", {"origin": "cash", "reference": "r", "counter": 0, "balance_fen": 0}),
        (ANNA, f"/v1/cards/{card}/adjustments", CHARGED_TWICE),
        (ANNA, "/v1/write-offs", {"pile": "taps", "reason": "gone", "evidence": "F", "reference": "w"}),
    ):
        refused = await town.post(who, path, body | dollars, expect=422)
        assert [fault["pointer"] for fault in refused["errors"]] == ["/currency"], path


async def test_a_card_that_nobody_knows_has_no_money_and_a_mistyped_one_is_named_so(town: Town) -> None:
    nobodys = card_id(holding_id(person_id(ZHOUSHAN, derived("nobody")), "citizen-card"), 1)
    mistyped = f"{ZHOUSHAN}-0000000000000001.1"
    for card, code, status in ((nobodys, "wallet-not-opened", 409), (mistyped, "id-mistyped", 404)):
        assert (await pay_in(town, card, 100, "r", expect=status))["code"] == code
        assert (await pay(town, card, 100, "s", expect=status))["code"] == code
        path = f"/v1/cards/{card}/adjustments"
        assert (await town.post(ANNA, path, CHARGED_TWICE, expect=status))["code"] == code


async def test_a_holder_sees_her_own_money_and_nobody_elses(town: Town) -> None:
    person, card = await a_card_in_use(town)
    await town.post(HALL, f"/v1/cards/{card}/purses", SIGNED)
    await pay_in(town, card, 1_000, "first")
    holder = Caller("holder-1", "citizen", ZHOUSHAN, person=person)
    assert (await town.get(holder, f"/v1/cards/{card}/purse"))["balance_fen"] == 1_000
    assert [line["amount_fen"] for line in (await town.get(holder, f"/v1/cards/{card}/statement"))["lines"]] == [1_000]
    assert (await town.call(holder, "GET", f"/v1/cards/{card}/statement.csv")).status_code == 200
    await town.post(
        holder, f"/v1/cards/{card}/top-ups", {"amount_fen": 1, "origin": "cash", "reference": "r"}, expect=403
    )
    for stranger in (
        replace(holder, id="stranger-1", person=person_id(ZHOUSHAN, derived("x"))),
        replace(holder, person=""),
    ):
        for path in ("purse", "statement", "statement.csv"):
            assert (await town.call(stranger, "GET", f"/v1/cards/{card}/{path}")).status_code == 403, path
