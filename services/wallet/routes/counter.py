"""The counter: a wallet is opened, money is paid in, and the holder sees what is there."""

from datetime import datetime

from fastapi import APIRouter

from libs.kernel.ids import city_of
from libs.ledger.auditor import MoneyHalted
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import CardId, IdMistyped, holding_of
from services.wallet.domain import chart, money
from services.wallet.domain.bylaw import Origin
from services.wallet.domain.naming import TopUpId, holding_of_money, top_up_id
from services.wallet.domain.origin import Movement, parts_of
from services.wallet.domain.purse import decider as purses
from services.wallet.domain.purse.commands import OpenPurse, PayOut
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.topup import decider as top_ups
from services.wallet.domain.topup.commands import ReverseTopUp, TopUp
from services.wallet.domain.topup.state import Paid, TopUpState
from services.wallet.routes.bodies import CardPath, OpeningBody, ReversalBody, TopUpBody, TopUpPath
from services.wallet.routes.hands import Hands
from services.wallet.views import PaidOutView, PurseView, TopUpView, purse_view, top_up_view

PAGE = 1_000


def counter(routes: APIRouter, hands: Hands) -> None:
    """Open the counter."""
    bylaws, desks = hands.bylaws, hands.desks

    @routes.post(
        "/v1/cards/{card_id}/purses",
        status_code=201,
        responses=refusals(
            IdMistyped, purses.CardUnknown, purses.CardOfYesterday, purses.CardStopped, purses.CardExpired,
            purses.CardEndedForGood, purses.NoWalletHere, purses.WrongPlace, purses.DocumentNotAccepted,
            MoneyHalted,
        ),
        dependencies=[allowed("wallet:open")],
    )  # fmt: skip
    async def open_a_wallet(card_id: CardPath, said: OpeningBody, call: Call) -> PurseView:
        """Open the wallet of a card, with formalities, at a hall or a partner bank (Zhoushan FAQ 21)."""
        holding = holding_of(card_id)

        def ask(now: Purse, at: datetime) -> OpenPurse:
            return OpenPurse(
                holding_id=holding,
                card_id=CardId(card_id),
                at=at,
                place=bylaws.place(city_of(holding), call.caller.outlet),
                document=said.document,
                under=bylaws.at(city_of(holding), now.programme, at),
            )

        return await shown(card_id, await hands.decide("purse", holding, ask, call))

    @routes.get(
        "/v1/cards/{card_id}/purse",
        responses=refusals(IdMistyped, purses.CardUnknown, purses.CardOfYesterday),
        dependencies=[allowed("wallet:look")],
    )
    async def what_is_on_a_card(card_id: CardPath, call: Call) -> PurseView:
        """What the holder has, what of it is held, and whether it can be used now."""
        holding = holding_of(card_id)
        standing = await call.see(desks["purse"], holding, city=city_of(holding))
        return await shown(card_id, standing.state)

    @routes.post(
        "/v1/cards/{card_id}/top-ups",
        status_code=201,
        responses=refusals(
            IdMistyped, purses.NoWalletHere, purses.WrongPlace, top_ups.TopUpOutOfBounds, top_ups.AlreadyReversed,
            money.ReferenceReused, money.WalletNotOpened, money.MoneyStopped, money.NotThePresentCard,
            money.AboveTheCap, money.AmountUnfit, money.AlreadyBooked, MoneyHalted,
        ),
        dependencies=[allowed("wallet:top-up")],
    )  # fmt: skip
    async def pay_money_in(card_id: CardPath, said: TopUpBody, call: Call) -> TopUpView:
        """Pay money in at a hall or a partner bank (Zhoushan FAQ 22); the same receipt number is the same money."""
        holding = holding_of(card_id)
        place = bylaws.place(city_of(holding), call.caller.outlet)
        name = top_up_id(holding, place.outlet, said.reference)
        rules = await hands.rules_for(holding)

        def ask(_now: TopUpState, at: datetime) -> TopUp:
            return TopUp(
                top_up_id=name,
                holding_id=holding,
                card_id=CardId(card_id),
                place=place,
                reference=said.reference,
                origin=Origin(said.origin),
                amount_fen=said.amount_fen,
                at=at,
                under=rules(at),
            )

        return paid_in(await hands.decide("topup", name, ask, call))

    @routes.post(
        "/v1/top-ups/{top_up_id}/reversals",
        status_code=201,
        responses=refusals(
            IdMistyped, top_ups.TopUpUnknown, top_ups.NotYourTopUp, money.FundsShort,
            MoneyHalted,
        ),
        dependencies=[allowed("wallet:top-up")],
    )  # fmt: skip
    async def take_a_top_up_back(top_up_id: TopUpPath, said: ReversalBody, call: Call) -> TopUpView:
        """The counter has made a mistake: the money goes back to it, while it has not been spent."""
        city = city_of(holding_of_money(top_up_id))

        def ask(_now: TopUpState, at: datetime) -> ReverseTopUp:
            return ReverseTopUp(
                top_up_id=TopUpId(top_up_id),
                place=bylaws.place(city, call.caller.outlet),
                reason=said.reason,
                at=at,
            )

        return paid_in(await hands.decide("topup", top_up_id, ask, call))

    @routes.post(
        "/v1/cards/{card_id}/pay-outs",
        status_code=201,
        responses=refusals(
            IdMistyped, purses.CardUnknown, purses.StillInUse, purses.NoWalletHere, purses.MoneyStillHeld,
            purses.WrongPlace, purses.DocumentNotAccepted, money.WalletNotOpened, MoneyHalted,
        ),
        dependencies=[allowed("wallet:pay-out")],
    )  # fmt: skip
    async def fetch_what_is_left(card_id: CardPath, said: OpeningBody, call: Call) -> PaidOutView:
        """The card has ended: each part goes back to where it came from, and what vouchers are left to nobody (R68)."""
        holding = holding_of(card_id)
        account, city = chart.online(holding), city_of(holding)

        async def ask(now: Purse, at: datetime) -> PayOut:
            parts = parts_of(await movements(account))
            return PayOut(
                holding_id=holding,
                card_id=CardId(card_id),
                place=bylaws.place(city, call.caller.outlet),
                document=said.document,
                at=at,
                cash_fen=parts[Origin.CASH],
                bank_fen=parts[Origin.BANK_ACCOUNT],
                voucher_fen=parts[Origin.VOUCHER],
                held_fen=(await hands.ledger.balances([account]))[account].held_fen,
                under=bylaws.at(city, now.programme, at),
            )

        fact = (await hands.decide("purse", holding, ask, call)).paid_out
        return PaidOutView(
            card_id=card_id,
            cash_fen=fact.cash_fen,
            bank_fen=fact.bank_fen,
            voucher_fen=fact.voucher_fen,
            fee_fen=fact.fee_fen,
        )

    async def movements(account: str) -> list[Movement]:
        found: list[Movement] = []
        after = (-1, 0)
        while lines := await hands.ledger.statement(account, after, PAGE):
            found += [
                Movement(kind=line.kind, about=line.reference.partition("/")[0], amount_fen=line.amount_fen)
                for line in lines
            ]
            after = (lines[-1].shard, lines[-1].position)
        return found

    async def shown(card_id: str, purse: Purse) -> PurseView:
        holding, at = holding_of(card_id), hands.city.now()
        account, chip = chart.online(holding), chart.purse(CardId(card_id))
        balances = await hands.ledger.balances([account, chip])
        rules = bylaws.at(city_of(holding), purse.programme, at)
        return purse_view(CardId(card_id), purse, at, balances[account], balances[chip], rules)

    def paid_in(top_up: TopUpState) -> TopUpView:
        assert isinstance(top_up, Paid)
        return top_up_view(top_up)
