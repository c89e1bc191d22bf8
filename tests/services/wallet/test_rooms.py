"""What the wallet hears, what it tells, and what two cities have decided about money."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.citypack import CityPacks, PackUnfit, load_packs
from services.ids import PersonId
from services.issuance.contracts import CardActivated, CardCancelled, CardEndorsed, CardReplaced, EndorsementTakenBack
from services.loss.contracts import CardStopped, CardWoken, StoppedFunction, WokenFunction
from services.wallet import publishing
from services.wallet.adapters.bylaws import WalletBylaws
from services.wallet.contracts import TELLS
from services.wallet.domain.purse.commands import EndCard, FreezePurse, NoteValidity, ReleasePurse
from services.wallet.domain.purse.decider import purses
from services.wallet.domain.purse.events import ChipForfeited, Event, LoadFoundLate
from services.wallet.reactions import HEARS, REACTIONS
from tests.services.wallet import purse_drawer as drawer
from tests.services.wallet.purse_drawer import AUTUMN, CARD, HERS, LAPSE, LOAD, NEXT_CARD, NIGHT, SPRING, TEN_YEARS

PERSON = PersonId("330900-0000000000000000")
activated = CardActivated(
    holding_id=HERS, person_id=PERSON, card_id=CARD, programme="citizen-card", valid_to=TEN_YEARS, at=SPRING
)
replaced = CardReplaced(
    holding_id=HERS, person_id=PERSON, old_card_id=CARD, card_id=NEXT_CARD, programme="citizen-card",
    valid_to=TEN_YEARS, at=AUTUMN,
)  # fmt: skip
stopped = CardStopped(holding_id=HERS, card_id=CARD, at=NIGHT, kind="pre_report", functions=[], until=LAPSE)
woken = CardWoken(holding_id=HERS, card_id=CARD, at=LAPSE, why="lapsed")
endorsed = CardEndorsed(
    holding_id=HERS, person_id=PERSON, card_id=CARD, programme="residence-permit", since=SPRING.date(),
    valid_to=AUTUMN, at=NIGHT,
)  # fmt: skip
taken_back = EndorsementTakenBack(holding_id=HERS, person_id=PERSON, card_id=CARD, valid_to=LAPSE, at=NIGHT)
cancelled = CardCancelled(holding_id=HERS, person_id=PERSON, card_id=CARD, reason="death", at=AUTUMN)


def when(told: Any) -> list[Any]:
    """All commands that follow from a contract."""
    heard = {r.__annotations__["told"]: r for r in REACTIONS}
    return list(heard[type(told)](told))


def test_what_follows_from_what_is_heard() -> None:
    assert when(activated) == [replace(drawer.note, person_id=PERSON)]
    assert when(stopped) == [FreezePurse(holding_id=HERS, card_id=CARD, at=NIGHT, until=LAPSE, kind="pre_report")]
    assert when(woken) == [ReleasePurse(holding_id=HERS, card_id=CARD, at=LAPSE, why="lapsed")]
    assert when(replaced) == [replace(drawer.succeed, under=None)]
    assert when(cancelled) == [EndCard(holding_id=HERS, card_id=CARD, at=AUTUMN, reason="death")]
    for told in (endorsed, taken_back):
        assert when(told) == [NoteValidity(holding_id=HERS, card_id=CARD, valid_to=told.valid_to, at=told.at)]
    heard = (activated, endorsed, taken_back, stopped, woken, replaced, cancelled)
    assert {type(one) for one in heard} == set(HEARS)


def test_the_money_stops_and_wakes_at_the_instants_of_its_own_function() -> None:
    later, cooled = NIGHT + timedelta(hours=24), LAPSE + timedelta(days=1)
    bank, account = (
        StoppedFunction(function="bank_debit", from_at=NIGHT),
        StoppedFunction(function="account", from_at=later),
    )
    [follows] = when(stopped.model_copy(update={"functions": [bank, account]}))
    assert (follows.at, follows.reported_at, follows.names) == (later, NIGHT, ("bank_debit", "account"))
    [with_the_card] = when(stopped.model_copy(update={"functions": [bank]}))
    assert (with_the_card.at, with_the_card.reported_at, with_the_card.names) == (NIGHT, None, ("bank_debit",))
    cooling = [
        WokenFunction(function="account", from_at=cooled),
        WokenFunction(function="bank_debit", from_at=AUTUMN),
    ]
    [wakes] = when(woken.model_copy(update={"functions": ["account", "bank_debit"], "cooling": cooling}))
    assert (wakes.at, wakes.from_at, wakes.names) == (LAPSE, cooled, ("account", "bank_debit"))


def test_each_movement_is_told_and_nothing_about_whose_it_is() -> None:
    facts: list[Event] = [
        drawer.opened, drawer.frozen, drawer.released, drawer.succeeded, drawer.paid, drawer.confirmed,
        drawer.uncertain, drawer.reversed_, drawer.settled, drawer.paid_out,
        LoadFoundLate(load_id=LOAD, holding_id=HERS, card_id=CARD, amount_fen=1, at=NIGHT),
        ChipForfeited(holding_id=HERS, card_id=CARD, at=NIGHT),
    ]  # fmt: skip
    told = [publishing.tell_of_purse(fact) for fact in facts]
    assert [type(one).__name__ for one in told] == [
        "PurseOpened", "PurseFrozen", "PurseReleased", "AccountMoved", "LoadPaid", "LoadEnded", "LoadEnded",
        "LoadEnded", "ChipSettled", "AccountPaidOut", "LoadEnded", "ChipSettled",
    ]  # fmt: skip
    assert {type(one) for one in told} <= set(TELLS)
    assert not any("l-1" in one.model_dump_json() for one in told if one), "a receipt's number stays at the counter"
    for quiet in (drawer.noted, drawer.endorsed, drawer.ended, drawer.cooling):
        assert publishing.tell_of_purse(quiet) is None


def test_two_cities_have_decided_about_money() -> None:
    zhoushan = drawer.BYLAWS.at("330900", "citizen-card", SPRING)
    wuxi = drawer.BYLAWS.at("320200", "social-security-card", SPRING)
    assert zhoushan is not None
    assert wuxi is not None
    assert (zhoushan.purse_cap_fen, zhoushan.account_cap_fen, zhoushan.cooling_days) == (100_000, 500_000, 15)
    assert zhoushan.open_at == {"hall", "bank"}
    assert "passport" in wuxi.documents
    assert drawer.BYLAWS.at("330900", "no-such-programme", SPRING) is None
    assert drawer.BYLAWS.is_merchant("330900", "zs-bus")
    assert not drawer.BYLAWS.is_merchant("320200", "zs-bus")
    assert len(drawer.BYLAWS.chart("330900")) == 9


@pytest.mark.requirement("R96")
@pytest.mark.parametrize(
    ("city", "programme", "names", "freezes"),
    [
        ("330900", "citizen-card", ("medical",), True),  # No lost card pays, whatever the report names.
        ("330900", "citizen-card", (), True),
        ("320200", "social-security-card", ("medical",), True),
        ("330100", "citizen-card", ("medical",), False),  # The account has a report of its own.
        ("330100", "citizen-card", ("account",), True),
        ("330100", "citizen-card", ("epurse",), True),
    ],
)
def test_which_report_freezes_the_account_is_the_city_s_own_value(
    city: str, programme: str, names: tuple[str, ...], freezes: bool
) -> None:
    under = drawer.BYLAWS.at(city, programme, SPRING)
    assert under is not None
    assert under.account_reportable
    asked = replace(drawer.freeze, names=names, under=under)
    asks = purses.decide(asked, purses.fold([drawer.noted, drawer.opened]))
    assert bool(asks) is freezes
    never = replace(asked, under=replace(under, account_reportable=False))
    assert not purses.decide(never, purses.fold([drawer.noted, drawer.opened]))


@pytest.mark.parametrize(
    ("file", "spoil", "says"),
    [
        ("citizen-card/wallet", lambda f: f["caps"][0]["value"].update(account_fen=0), "a cap lies between"),
        ("citizen-card/wallet", lambda f: f["top_up"][0]["value"].update(least_fen=0), "a top-up is at least"),
        ("citizen-card/wallet", lambda f: f.pop("loss"), "has no loss"),
        ("citizen-card/wallet", lambda f: f.update(hold_hours=[{"from": "2012-03-10", "value": 1}]), "basis"),
        ("wallet", lambda f: f["chart"][0]["value"].pop(), "there is no account of kind issuer-loss"),
        ("wallet", lambda f: f["chart"][0]["value"].append(f["chart"][0]["value"][0]), "listed twice"),
        ("wallet", lambda f: f["merchants"].update({"A shop": {"title": {}, "trade": "x"}}), "cannot name a merchant"),
    ],
)
def test_a_pack_whose_money_makes_no_sense_is_refused(file: str, spoil: Any, says: str) -> None:
    packs = load_packs(Path(__file__).parents[3] / "deploy")
    pack = next(pack for pack in packs if pack.code == "330900")
    files = deepcopy(dict(pack.files))
    spoil(files[file])
    with pytest.raises(PackUnfit, match=says):
        WalletBylaws(CityPacks([replace(pack, files=files)]))
