"""The chip: its own purse is loaded in two steps, and what nobody knows is read from it at the next contact."""

from datetime import datetime

from fastapi import APIRouter

from libs.kernel.ids import city_of
from libs.ledger.auditor import MoneyHalted
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import CardId, IdMistyped, holding_of
from services.wallet.domain import money
from services.wallet.domain.bylaw import Origin
from services.wallet.domain.naming import LoadId, holding_of_money
from services.wallet.domain.naming import load_id as named
from services.wallet.domain.purse import decider as purses
from services.wallet.domain.purse.commands import MeetChip, PayLoad, TellOutcome
from services.wallet.domain.purse.state import Purse
from services.wallet.routes.bodies import CardPath, ContactBody, LoadBody, LoadPath, OutcomeBody
from services.wallet.routes.hands import Hands
from services.wallet.views import ContactView, LoadView, load_view


def chip(routes: APIRouter, hands: Hands) -> None:
    """Open the doors that terminals at counters use."""

    @routes.post(
        "/v1/cards/{card_id}/loads",
        status_code=201,
        responses=refusals(
            IdMistyped, purses.CardUnknown, purses.CardOfYesterday, purses.CardStopped, purses.CardExpired,
            purses.CardEndedForGood, purses.NoWalletHere, purses.WrongPlace, purses.LoadOutOfBounds,
            purses.AboveThePurseCap, purses.CounterDoesNotFit, money.WalletNotOpened, money.ReferenceReused,
            MoneyHalted,
        ),
        dependencies=[allowed("wallet:load")],
    )  # fmt: skip
    async def pay_for_a_load(card_id: CardPath, said: LoadBody, call: Call) -> LoadView:
        """Pay, load, confirm: the money is taken and waits; write the chip, then tell the outcome."""
        holding = holding_of(card_id)
        place = hands.bylaws.place(city_of(holding), call.caller.outlet)
        name = named(holding, place.outlet, said.reference)

        def ask(now: Purse, at: datetime) -> PayLoad:
            return PayLoad(
                load_id=name,
                holding_id=holding,
                card_id=CardId(card_id),
                place=place,
                reference=said.reference,
                origin=Origin(said.origin),
                amount_fen=said.amount_fen,
                counter=said.counter,
                balance_fen=said.balance_fen,
                at=at,
                under=hands.bylaws.at(city_of(holding), now.programme, at),
            )

        return load_view(name, await hands.decide("purse", holding, ask, call))

    @routes.post(
        "/v1/loads/{load_id}/outcomes",
        status_code=201,
        responses=refusals(IdMistyped, purses.LoadUnknown, purses.CounterDoesNotFit, MoneyHalted),
        dependencies=[allowed("wallet:load")],
    )
    async def tell_what_became_of_a_load(load_id: LoadPath, said: OutcomeBody, call: Call) -> LoadView:
        """Loaded, not loaded, or unknown because the card was gone; unknown is settled at the next contact."""
        holding = holding_of_money(load_id)

        def ask(_now: Purse, at: datetime) -> TellOutcome:
            return TellOutcome(
                load_id=LoadId(load_id), holding_id=holding, outcome=said.outcome, counter=said.counter, at=at
            )

        return load_view(load_id, await hands.decide("purse", holding, ask, call))

    @routes.post(
        "/v1/cards/{card_id}/contacts",
        status_code=201,
        responses=refusals(IdMistyped, purses.CounterDoesNotFit, MoneyHalted),
        dependencies=[allowed("wallet:meet")],
    )
    async def meet_a_chip(card_id: CardPath, said: ContactBody, call: Call) -> ContactView:
        """What the chip's load counter says about a load that nobody knew the end of."""
        holding = holding_of(card_id)

        def ask(_now: Purse, at: datetime) -> MeetChip:
            return MeetChip(holding_id=holding, card_id=CardId(card_id), counter=said.counter, at=at)

        purse = await hands.decide("purse", holding, ask, call)
        loads = [load_view(name, purse) for name, _, _ in purse.outcomes]
        return ContactView(card_id=card_id, loads=loads, pending=purse.load_of(CardId(card_id)) is not None)
