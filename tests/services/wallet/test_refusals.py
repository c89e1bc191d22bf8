"""Whoever is refused money by a bylaw is told by which; of every other refusal somebody has said why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from libs.kernel import Refused
from libs.kernel.ids import derived
from libs.kernel.why import Decision, why_not
from libs.runtime.citypack import load_packs
from libs.testing.clocks import StandingClock
from libs.testing.refusals import raised_bare, refusals_of
from libs.testing.town import Town
from libs.web.tokens import Caller
from services.ids import holding_id, person_id
from services.wallet.adapters import clearing, reconciling, statement_files, tap_cases, tap_files
from services.wallet.adapters.bylaws import WalletBylaws
from services.wallet.adapters.fares import FareBylaws, NoFares
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.adapters.why import NoDecisionOnMoney
from services.wallet.domain import money
from services.wallet.domain.adjustment import decider as adjustments
from services.wallet.domain.bylaw import Origin, Place
from services.wallet.domain.fares import fare as fares
from services.wallet.domain.naming import top_up_id
from services.wallet.domain.payment import decider as payments
from services.wallet.domain.purse import decider as purses
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.reconciliation import decider as differences
from services.wallet.domain.refund import decider as refund_desk
from services.wallet.domain.tapcase import decider as cases
from services.wallet.domain.topup import decider as top_ups
from services.wallet.domain.topup.commands import TopUp
from services.wallet.routes.books import CursorUnreadable, NoSuchMerchant
from services.wallet.routes.hands import SAID_BY, Hands, MerchantUnknown
from services.wallet.routes.statements import AnotherStatement, NoSuchParty
from services.wallet.routes.taps import NotClearedHere
from tests.platform import HALL, WUXI, ZHOUSHAN, a_card_in_use
from tests.services.wallet import purse_drawer as drawer
from tests.services.wallet import test_adjustment as adjusting
from tests.services.wallet import test_fares as riding
from tests.services.wallet import test_refund as fetching

PACKS = load_packs(riding.HERE.parents[2] / "deploy")
FARES, AGREED = FareBylaws(PACKS), ReconciliationBylaws(PACKS)
HANGZHOU, NOON = "330100", riding.MONDAY_10
UNDER = FARES.at(HANGZHOU, "citizen-card", NOON)
STANDS = "nothing is decided: the caller asks for what is not there, or it stands otherwise by now"
SENDING = "how something is sent, not what the city decides of it"
BOOKS = "the books: what is not there cannot be moved, and nothing is moved twice"
RULED = "what a ruling can be at all: a card signs, pays once, and by its own purse (INV-1)"

Case = tuple[Callable[[], Any], list[str]]
OPENED = (drawer.noted, drawer.opened)
AT_CORNER = Place(outlet="zs-dinghai", kind="community")
top_up = TopUp(
    top_up_id=top_up_id(drawer.HERS, "zs-hall", "r-1"), holding_id=drawer.HERS, card_id=drawer.CARD, place=drawer.HALL,
    reference="r-1", origin=Origin.CASH, amount_fen=50, at=drawer.MORNING, under=drawer.OURS,
)  # fmt: skip


def at_purse(command: Any, *facts: Any) -> Callable[[], Any]:
    return lambda: purses.purses.decide(command, purses.purses.fold(facts))


def at_till(command: Any) -> Callable[[], Any]:
    return lambda: top_ups.top_ups.decide(command, top_ups.top_ups.initial)


def a_ride(trip: Any = riding.bus, rider: Any = riding.purse) -> Callable[[], Any]:
    return lambda: fares.price(trip, rider, UNDER)


def too_late() -> Any:
    open_end = replace(riding.metro, distance_m=None)
    incomplete = fares.price(open_end, riding.purse, UNDER)
    return fares.correct(incomplete, riding.metro, riding.purse, NOON + timedelta(days=31), UNDER)


def no_bank() -> Any:
    said = replace(fetching.transfer, bank="nobody", agreed=AGREED.by(ZHOUSHAN, drawer.NIGHT))
    return refund_desk.refunds.decide(said, refund_desk.refunds.initial)


def beyond_the_cap() -> Any:
    beyond = replace(adjusting.correct, amount_fen=drawer.OURS.account_cap_fen + 1, cap=drawer.OURS.by("caps"))
    return adjustments.adjustments.decide(beyond, adjustments.adjustments.initial)


WALLET, TARIFFS = "citizen-card/wallet", "citizen-card/fares"
READ_AGAIN = replace(riding.code, before=fares.Before(service="bus", vehicle="bus-1", at=NOON))

BY_BYLAW: Mapping[type[Refused], Case] = {
    purses.CardStopped: (
        at_purse(replace(drawer.pay_load, at=drawer.NIGHT), *OPENED, drawer.frozen),
        [f"{WALLET}.loss"],
    ),
    purses.WrongPlace: (at_purse(replace(drawer.open_it, place=AT_CORNER), drawer.noted), [f"{WALLET}.open_at"]),
    purses.DocumentNotAccepted: (
        at_purse(replace(drawer.open_it, document="passport"), drawer.noted),
        [f"{WALLET}.documents"],
    ),
    purses.LoadOutOfBounds: (
        at_purse(replace(drawer.pay_load, amount_fen=99), *OPENED),
        [f"{WALLET}.top_up", f"{WALLET}.caps"],
    ),
    purses.AboveThePurseCap: (at_purse(replace(drawer.pay_load, balance_fen=99_000), *OPENED), [f"{WALLET}.caps"]),
    top_ups.TopUpOutOfBounds: (at_till(top_up), [f"{WALLET}.top_up"]),
    refund_desk.BankUnknown: (no_bank, ["wallet.reconciliation"]),
    adjustments.CorrectionOutOfBounds: (beyond_the_cap, [f"{WALLET}.caps"]),
    NoFares: (lambda: FARES.at(HANGZHOU, "foreign-talent-card", NOON), ["default/foreign-talent-card/fares.tariffs"]),
    fares.ServiceWithoutTariff: (a_ride(replace(riding.bus, service="ferry")), [f"{TARIFFS}.tariffs"]),
    fares.ProductUnknown: (a_ride(rider=fares.Rider(product="coupon")), [f"{TARIFFS}.products"]),
    fares.LineNotCovered: (
        a_ride(replace(riding.bus, line="1"), fares.Rider(product="monthly")),
        [f"{TARIFFS}.products#monthly"],
    ),
    fares.SameVehicleAgain: (a_ride(rider=READ_AGAIN), [f"{TARIFFS}.products#code"]),
    fares.AboveTheCeiling: (a_ride(replace(riding.metro, distance_m=400_000)), [f"{TARIFFS}.tariffs#metro"]),
    fares.DebtOpen: (lambda: fares.ride(-100, 200, UNDER), [f"{TARIFFS}.credit_max_fen"]),
    fares.BalanceShort: (lambda: fares.ride(100, 1_200, UNDER), [f"{TARIFFS}.credit_max_fen"]),
    fares.ClaimTooLate: (too_late, [f"{TARIFFS}.claim_days"]),
}
"""Each refusal by which a bylaw says no, how one comes by it, and the values that it cites."""

OVER_HTTP = frozenset({*SAID_BY, NoSuchParty})
"""Refusals that get what they cite at the door; the last tests of this file go there."""

NOT_BY_BYLAW: Mapping[type[Refused], str] = {
    purses.CardUnknown: STANDS,
    purses.CardOfYesterday: STANDS,
    purses.CardExpired: "issuance has set until when the card is valid: /v1/applications/{application_id}/why",
    purses.CardEndedForGood: "whoever ended the card has decided: /v1/cards/{card_id}/why",
    purses.LoadUnknown: STANDS,
    purses.CounterDoesNotFit: "a chip counts by one, in every city (3.4)",
    purses.StillInUse: STANDS,
    purses.MoneyStillHeld: "a merchant holds it: /v1/payments/{payment_id}/why says until when",
    money.AmountUnfit: SENDING,
    money.ReferenceReused: SENDING,
    money.FundsShort: BOOKS,
    money.AlreadyBooked: BOOKS,
    money.PileMoved: BOOKS,
    money.WalletNotOpened: STANDS,
    money.MoneyStopped: "the books know that it is stopped; /v1/cards/{card_id}/purse/why says why",
    money.NotThePresentCard: STANDS,
    top_ups.TopUpUnknown: STANDS,
    top_ups.NotYourTopUp: "whoever took money in gives it back; nobody gives back what another holds",
    top_ups.AlreadyReversed: STANDS,
    payments.PaymentUnknown: STANDS,
    payments.HoldClosed: "follows from the hold: /v1/payments/{payment_id}/why",
    payments.MoreThanHeld: BOOKS,
    payments.MoreThanCaptured: BOOKS,
    refund_desk.NothingWaits: BOOKS,
    adjustments.AdjustmentUnknown: STANDS,
    adjustments.PileUnnamed: SENDING,
    adjustments.PileSmaller: BOOKS,
    differences.DifferenceUnknown: STANDS,
    differences.MoneyLiesThere: "a word moves no money, in any city; two people do",
    differences.NothingToExplain: STANDS,
    cases.TapCaseUnknown: STANDS,
    cases.NoCaseAnyMore: STANDS,
    cases.AlreadyRuled: STANDS,
    cases.CardDidNotSign: RULED,
    cases.MerchantNotKnown: RULED,
    cases.PurseNotKnown: RULED,
    cases.CounterChargedAlready: RULED,
    fares.DistanceImpossible: SENDING,
    tap_files.TapFileUnfit: SENDING,
    statement_files.StatementUnfit: SENDING,
    statement_files.StatementAltered: SENDING,
    clearing.TapFileAltered: SENDING,
    clearing.AnotherHeading: SENDING,
    clearing.TapFileUnknown: STANDS,
    tap_cases.TerminalNotKnown: STANDS,
    tap_cases.HotlistVersionUnknown: SENDING,
    tap_cases.ReceiptAhead: SENDING,
    reconciling.FileUnknown: STANDS,
    reconciling.NotReconciledHere: "a house that keeps everything in memory, in whatever city",
    reconciling.NotReconciledYet: STANDS,
    NotClearedHere: "a house that keeps everything in memory, or knows no card's keys, in whatever city",
    AnotherStatement: SENDING,
    CursorUnreadable: SENDING,
    NoSuchMerchant: "with whom the city has agreements is a list without dates; the answer names them all",
    MerchantUnknown: "with whom the city has agreements is a list without dates; the answer names them all",
    NoDecisionOnMoney: STANDS,
}
"""Each other refusal, and why no bylaw stands behind it."""


def test_somebody_has_thought_about_each_refusal_of_the_wallet() -> None:
    by_bylaw = BY_BYLAW.keys() | OVER_HTTP
    assert by_bylaw | NOT_BY_BYLAW.keys() == refusals_of("services.wallet")
    assert len(BY_BYLAW) + len(OVER_HTTP) + len(NOT_BY_BYLAW) == len(by_bylaw | NOT_BY_BYLAW.keys())


def test_no_refusal_by_a_bylaw_is_raised_without_naming_what_it_cites() -> None:
    assert raised_bare("services.wallet", set(BY_BYLAW) | {NoSuchParty}) == []


@pytest.mark.parametrize("kind", BY_BYLAW, ids=lambda kind: kind.__name__)
def test_a_refusal_by_a_bylaw_names_it_in_both_languages(kind: type[Refused]) -> None:
    ask, rules = BY_BYLAW[kind]
    with pytest.raises(kind) as said:
        ask()
    cited = said.value.why
    assert cited is not None
    answer = why_not(said.value, PACKS.names_of(cited.city))
    assert answer is not None
    assert (answer.decision, [ground.rule for ground in answer.grounds]) == (Decision.REFUSAL, rules)
    assert answer.said.en == str(said.value)
    assert any("\u4e00" <= char <= "\u9fff" for char in answer.said.zh), "add its sentence to `refusal` in words.yaml"
    assert all(ground.edition == PACKS[cited.city].hash for ground in answer.grounds)


def cites(no: Mapping[str, Any]) -> tuple[str, str, str]:
    [ground] = no["why"]["grounds"]
    return no["code"], ground["rule"], ground["edition"]


@pytest.mark.requirement("R11")
async def test_what_the_books_refuse_cites_the_cap_and_a_file_that_nobody_awaits_the_agreement(town: Town) -> None:
    _, card = await a_card_in_use(town)
    await town.post(HALL, f"/v1/cards/{card}/purses", {"document": "id_card"})
    body = {"amount_fen": 300_000, "origin": "cash"}
    await town.post(HALL, f"/v1/cards/{card}/top-ups", body | {"reference": "full-1"})
    no = await town.post(HALL, f"/v1/cards/{card}/top-ups", body | {"reference": "full-2"}, expect=409)
    assert cites(no) == ("above-the-cap", "citizen-card/wallet.caps", PACKS[ZHOUSHAN].hash)
    assert no["why"]["text"]["zh"].startswith("不予：存入后账户余额将超过本市规定的上限")
    icbc = Caller("icbc-w", "bank", ZHOUSHAN, outlet="icbc")
    no = await town.get(icbc, "/v1/statement-files/merchant-settlement/icbc/1", expect=404)
    assert cites(no) == ("no-such-party", "wallet.reconciliation", PACKS[ZHOUSHAN].hash)


async def test_cards_that_carry_no_money_cite_what_they_bear() -> None:
    """The permit of Wuxi bears no purse, so that its city has no rules on money to name."""

    class Counter:
        async def handle(self, *_asked: object, **_about: object) -> None:
            raise purses.NoWalletHere

        async def standing(self, _key: str) -> Any:
            return SimpleNamespace(state=Purse(programme="residence-permit"))

    stands: Any = Counter()
    hands = Hands({"purse": stands}, stands, WalletBylaws(PACKS), StandingClock(NOON), Mock())  # type: ignore[arg-type]
    permit = holding_id(person_id(WUXI, derived("Li")), "residence-permit")
    with pytest.raises(purses.NoWalletHere) as said:
        await hands.decide("purse", permit, None, stands)
    answer = why_not(said.value, PACKS.names_of(WUXI))
    assert answer is not None
    assert [ground.rule for ground in answer.grounds] == ["residence-permit/programme.catalogue"]
    assert answer.said.zh == "本类卡不承载资金，无需开通电子钱包。"
