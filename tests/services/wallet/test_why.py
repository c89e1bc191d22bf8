"""Whoever asks the wallet why is told by which rule: opened, stopped, held, waits, charged, ruled."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from libs.kernel.why import Decision, Why, told
from libs.testing.town import Town
from libs.web.tokens import Caller
from services.wallet.adapters.why import (
    EXPLAINED,
    EXPLAINED_ELSEWHERE,
    NOTHING_DECIDED,
    About,
    NoDecisionOnMoney,
    why_of_adjustment,
    why_of_payment,
    why_of_purse,
    why_of_tap_case,
)
from services.wallet.domain.adjustment import events as adjustments
from services.wallet.domain.payment import events as payments
from services.wallet.domain.purse import events as purses
from services.wallet.domain.reconciliation import events as reconciling
from services.wallet.domain.refund import events as refunds
from services.wallet.domain.tapcase import events as cases
from services.wallet.domain.taps.tap import Ruling
from services.wallet.domain.topup import events as top_ups
from tests.platform import AUDITOR, CENTRE, HALL, HOTLINE, ZHOUSHAN, a_card_in_use
from tests.services.wallet import purse_drawer as drawer
from tests.services.wallet import test_adjustment as adjusting
from tests.services.wallet import test_payment as paying
from tests.services.wallet import test_tap_case as ruling
from tests.services.wallet.test_refusals import PACKS

PACK = PACKS[ZHOUSHAN]
MATRIX = (Path(__file__).parents[2] / "web" / "access_matrix.txt").read_text()
E1: Any = SimpleNamespace(edition="e1")
WALLET = "citizen-card/wallet"


def test_every_fact_of_the_wallet_is_explained_or_said_to_be_no_decision() -> None:
    unions = (
        purses.Event, payments.Event, top_ups.Event, adjustments.Event, cases.Event, reconciling.DifferenceEvent,
    )  # fmt: skip
    facts = {fact for union in unions for fact in get_args(union)} | {refunds.Event, reconciling.ReconciliationEvent}
    explained, elsewhere = set(EXPLAINED), set(EXPLAINED_ELSEWHERE)
    assert explained | elsewhere | NOTHING_DECIDED == facts
    assert len(explained) + len(elsewhere) + len(NOTHING_DECIDED) == len(facts), "each stands in one list only"


def test_each_address_at_which_one_may_ask_is_open() -> None:
    for address, about in EXPLAINED.values():
        assert f"GET  {address}" in MATRIX, address
        assert about is None or about in get_args(About)


def rows(*facts: Any) -> list[Any]:
    return [(one, E1) for one in facts]


def purse(about: About, *facts: Any) -> Why:
    return why_of_purse(about, drawer.CARD, rows(drawer.noted, *facts), PACK)


def hold(*facts: Any) -> Why:
    return why_of_payment(rows(*facts), "citizen-card", PACK)


def adjustment(*facts: Any) -> Why:
    return why_of_adjustment(rows(*facts), "citizen-card", PACK)


def tap(*facts: Any) -> Why:
    return why_of_tap_case(ruling.CASE, rows(*facts), PACK)


MORE = purses.CoolingExtended(
    holding_id=drawer.HERS, card_id=drawer.CARD, at=drawer.AUTUMN, ends_at=drawer.AUTUMN + timedelta(days=1)
)
FORFEITED = purses.ChipForfeited(holding_id=drawer.HERS, card_id=drawer.CARD, at=drawer.AUTUMN)
LATE = purses.LoadFoundLate(
    load_id=drawer.LOAD, holding_id=drawer.HERS, card_id=drawer.CARD, amount_fen=5_000, at=drawer.AUTUMN
)
LOSS, LOADS = [f"{WALLET}.loss"], [f"{WALLET}.load_hours"]

ANSWERS: Mapping[type, tuple[Why, Decision, list[str]]] = {
    purses.PurseOpened: (
        purse("opening", drawer.opened), Decision.GRANT,
        [f"{WALLET}.open_at", f"{WALLET}.documents", f"{WALLET}.named"],
    ),
    purses.PurseFrozen: (purse("block", drawer.frozen), Decision.BLOCK, LOSS),
    purses.PurseReleased: (purse("block", drawer.frozen, drawer.released), Decision.GRANT, LOSS),
    purses.LoadPaid: (purse("load", drawer.paid), Decision.DEADLINE, LOADS),
    purses.LoadReversed: (purse("load", drawer.paid, drawer.expired), Decision.GRANT, LOADS),
    purses.LoadFoundLate: (purse("load", drawer.paid, drawer.expired, LATE), Decision.GRANT, LOADS),
    purses.CoolingBegun: (purse("cooling", drawer.cooling), Decision.DEADLINE, LOSS),
    purses.CoolingExtended: (purse("cooling", drawer.cooling, MORE), Decision.DEADLINE, LOSS),
    purses.ChipSettled: (purse("cooling", drawer.cooling, drawer.settled), Decision.GRANT, LOSS),
    purses.ChipForfeited: (purse("cooling", FORFEITED), Decision.REFUSAL, [*LOSS, f"{WALLET}.named"]),
    purses.AccountPaidOut: (purse("fee", drawer.paid_out), Decision.FEE, [f"{WALLET}.refund_fee_per_mille"]),
    payments.PaymentAuthorised: (hold(paying.authorised), Decision.DEADLINE, [f"{WALLET}.hold_hours"]),
    payments.PaymentReleased: (
        hold(paying.authorised, paying.expired), Decision.GRANT, [f"{WALLET}.hold_hours"],
    ),
    adjustments.AdjustmentProposed: (adjustment(adjusting.proposed), Decision.DEADLINE, [f"{WALLET}.caps"]),
    adjustments.AdjustmentMade: (adjustment(adjusting.proposed, adjusting.made), Decision.GRANT, [f"{WALLET}.caps"]),
    adjustments.AdjustmentDeclined: (
        adjustment(adjusting.proposed, adjusting.declined), Decision.REFUSAL, [f"{WALLET}.caps"],
    ),
    cases.RulingProposed: (tap(ruling.proposed), Decision.DEADLINE, ["taps.clearing"]),
    cases.TapRuled: (tap(ruling.proposed, ruling.ruled), Decision.GRANT, ["taps.clearing"]),
    cases.RulingDeclined: (tap(ruling.proposed, ruling.declined), Decision.REFUSAL, ["taps.clearing"]),
}  # fmt: skip


@pytest.mark.parametrize("fact", EXPLAINED, ids=lambda fact: fact.__name__)
def test_each_decision_has_a_sentence_in_both_languages_and_cites_a_rule(fact: type) -> None:
    answer, decision, grounds = ANSWERS[fact]
    text = told(answer, PACK)
    assert (answer.decision, [ground.rule for ground in answer.grounds]) == (decision, grounds)
    assert text.zh != text.en
    assert not any("\u4e00" <= char <= "\u9fff" for char in answer.said.en), "no Chinese in the English sentence"
    assert {ground.edition for ground in answer.grounds} == {"e1"}, "the edition of that day"


def test_money_that_a_report_stops_says_until_when_and_what_is_free_says_since_when() -> None:
    assert purse("block", drawer.frozen).said.en == (
        "reported lost by telephone: the money is stopped from 2026-09-28 23:00 until 2026-10-11 00:00"
    )
    assert purse("block", drawer.signed).said.zh.endswith("至解挂或换发新卡为止")
    assert purse("block", drawer.frozen, drawer.released).said.en.endswith("from 2026-09-29 09:00")


def test_what_is_paid_out_says_what_it_costs() -> None:
    assert purse("fee", drawer.paid_out).said.en == "paying out what was left is free of charge"
    assert purse("fee", replace(drawer.paid_out, fee_fen=105)).said.zh == "退还余额收手续费1.05元"


def test_a_load_that_came_back_at_once_and_a_chip_whose_money_waits_at_a_counter() -> None:
    assert purse("load", drawer.paid, drawer.reversed_).said.en.endswith("50.00 yuan are back at the counter")
    payable = replace(drawer.settled, to="payable")
    assert purse("cooling", payable).said.zh == "卡内余额30.00元可到窗口领取"


def test_a_tap_that_was_thrown_out_is_refused_and_a_pile_is_nobody_s_account() -> None:
    thrown_out = replace(ruling.ruled, ruling=Ruling.REJECT)
    assert tap(thrown_out).decision is Decision.REFUSAL
    pile = why_of_adjustment(rows(adjusting.pile_proposed, adjusting.pile_made), "", PACK)
    assert (pile.decision, pile.grounds) == (Decision.GRANT, ())


def test_what_was_not_decided_is_not_explained() -> None:
    asked: tuple[Callable[[], Why], ...] = (
        lambda: purse("block"),
        lambda: why_of_purse("load", drawer.NEXT_CARD, rows(drawer.noted, drawer.paid), PACK),
        lambda: hold(paying.captured, paying.cancelled),
        adjustment,
        lambda: tap(replace(ruling.ruled, case_id=ruling.OTHER_CASE)),
    )
    for ask in asked:
        with pytest.raises(NoDecisionOnMoney):
            ask()


async def test_over_http_holder_and_auditor_read_the_same_text(town: Town) -> None:
    person, card = await a_card_in_use(town)
    await town.post(HALL, f"/v1/cards/{card}/purses", {"document": "id_card"})
    path, holder = f"/v1/cards/{card}/purse/why", Caller("holder-w", "citizen", ZHOUSHAN, person=person)
    assert (await town.get(HALL, path, expect=404))["code"] == "no-decision-on-money"
    await town.post(HALL, f"/v1/cards/{card}/top-ups", {"amount_fen": 5_000, "origin": "cash", "reference": "w-1"})
    bus = Caller("till-w", "merchant", ZHOUSHAN, outlet="zs-bus")
    sale = await town.post(bus, "/v1/payments", {"card_id": card, "amount_fen": 200, "reference": "w-1"})
    held = await town.get(bus, f"/v1/payments/{sale['payment_id']}/why")
    assert (held["decision"], held["grounds"][0]["rule"]) == ("deadline", f"{WALLET}.hold_hours")
    body = {
        "direction": "to_holder",
        "amount_fen": 182,
        "reason": "charged twice",
        "evidence": "F-1",
        "reference": "a-w",
    }
    asked = await town.post(CENTRE, f"/v1/cards/{card}/adjustments", body | {"reference": "a-w"}, expect=202)
    told_so = await town.get(AUDITOR, f"/v1/adjustments/{asked['adjustment_id']}/why")
    assert (told_so["decision"], told_so["grounds"][0]["rule"]) == ("deadline", f"{WALLET}.caps")
    await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    await town.drain()
    answer = await town.get(holder, path)
    assert answer == await town.get(AUDITOR, path)
    assert (answer["decision"], answer["grounds"][0]["edition"]) == ("block", PACK.hash)
