"""The till: a merchant asks for money, takes it, lets it go, gives it back."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter

from libs.kernel.ids import city_of
from libs.ledger.auditor import MoneyHalted
from libs.web.access import allowed
from libs.web.call import Call, CallContext
from libs.web.problems import refusals
from services.ids import CardId, IdMistyped, holding_of
from services.wallet.domain import money
from services.wallet.domain.naming import PaymentId, holding_of_money, payment_id
from services.wallet.domain.payment import decider as payments
from services.wallet.domain.payment.commands import Authorise, Capture, Refund, Release
from services.wallet.domain.payment.state import Asked, Payment
from services.wallet.domain.purse.decider import NoWalletHere
from services.wallet.routes.bodies import CaptureBody, NothingToAdd, PaymentBody, PaymentPath, RefundBody
from services.wallet.routes.hands import Hands, MerchantUnknown
from services.wallet.views import PaymentView, payment_view

CANNOT_TAKE_IT = (money.AboveTheCap, money.MoneyStopped, money.WalletNotOpened)
"""Why an account takes no refund; the money then waits to be paid out, and is never lost."""


def till(routes: APIRouter, hands: Hands) -> None:
    """Open the till."""

    @routes.post(
        "/v1/payments",
        status_code=201,
        responses=refusals(
            IdMistyped, MerchantUnknown, NoWalletHere, money.ReferenceReused, money.FundsShort,
            money.WalletNotOpened, money.MoneyStopped, money.NotThePresentCard, money.AmountUnfit, MoneyHalted,
        ),
        dependencies=[allowed("wallet:pay")],
    )  # fmt: skip
    async def ask_for_money(said: PaymentBody, call: Call) -> PaymentView:
        """Hold money of a card for the merchant who calls, or take it at once; the same reference is the same sale."""
        holding = holding_of(said.card_id)
        call.allow(city=city_of(holding))
        merchant = hands.merchant(call, city_of(holding))
        name = payment_id(holding, merchant, said.reference)
        rules = await hands.rules_for(holding)

        def ask(_now: Payment, at: datetime) -> Authorise:
            return Authorise(
                payment_id=name,
                holding_id=holding,
                card_id=CardId(said.card_id),
                merchant=merchant,
                reference=said.reference,
                amount_fen=said.amount_fen,
                capture=said.capture,
                at=at,
                under=rules(at),
            )

        return await decide(name, ask, call)

    @routes.get(
        "/v1/payments/{payment_id}",
        responses=refusals(IdMistyped, payments.PaymentUnknown),
        dependencies=[allowed("wallet:look-at-payment")],
    )
    async def how_a_payment_stands(payment_id: PaymentPath, call: Call) -> PaymentView:
        """What is held, what was taken, what was given back."""
        city = city_of(holding_of_money(payment_id))
        standing = await call.see(hands.desks["payment"], payment_id, city=city)
        if not isinstance(standing.state, Asked):
            raise payments.PaymentUnknown(payment_id=payment_id)
        return payment_view(standing.state, hands.city.now())

    @routes.post(
        "/v1/payments/{payment_id}/captures",
        status_code=201,
        responses=refusals(
            IdMistyped, payments.PaymentUnknown, payments.HoldClosed, payments.MoreThanHeld, MoneyHalted
        ),
        dependencies=[allowed("wallet:pay")],
    )
    async def take_what_was_held(payment_id: PaymentPath, said: CaptureBody, call: Call) -> PaymentView:
        """Take all of it or a part; what a final capture does not take is free again."""
        holding_of_money(payment_id)

        def ask(_now: Payment, at: datetime) -> Capture:
            return Capture(payment_id=PaymentId(payment_id), amount_fen=said.amount_fen, final=said.final, at=at)

        return await decide(payment_id, ask, call)

    @routes.post(
        "/v1/payments/{payment_id}/cancellations",
        status_code=201,
        responses=refusals(IdMistyped, payments.PaymentUnknown, payments.HoldClosed, MoneyHalted),
        dependencies=[allowed("wallet:pay")],
    )
    async def let_go_of_what_is_held(payment_id: PaymentPath, _said: NothingToAdd, call: Call) -> PaymentView:
        """What is still held is free again at once; what was taken is given back by a refund."""
        holding_of_money(payment_id)

        def ask(_now: Payment, at: datetime) -> Release:
            return Release(payment_id=PaymentId(payment_id), at=at)

        return await decide(payment_id, ask, call)

    @routes.post(
        "/v1/payments/{payment_id}/refunds",
        status_code=201,
        responses=refusals(
            IdMistyped, payments.PaymentUnknown, payments.MoreThanCaptured, money.ReferenceReused, money.AmountUnfit,
            MoneyHalted,
        ),
        dependencies=[allowed("wallet:pay")],
    )  # fmt: skip
    async def give_money_back(payment_id: PaymentPath, said: RefundBody, call: Call) -> PaymentView:
        """Up to what was taken, in parts if need be; what the account cannot take waits to be paid out."""
        rules = await hands.rules_for(holding_of_money(payment_id))

        async def to(where: Literal["account", "payable"]) -> PaymentView:
            def ask(_now: Payment, at: datetime) -> Refund:
                return Refund(
                    payment_id=PaymentId(payment_id),
                    amount_fen=said.amount_fen,
                    reference=said.reference,
                    to=where,
                    at=at,
                    under=rules(at),
                )

            return await decide(payment_id, ask, call)

        try:
            return await to("account")
        except CANNOT_TAKE_IT:
            return await to("payable")

    async def decide(name: str, ask: object, call: CallContext) -> PaymentView:
        payment = await hands.decide("payment", name, ask, call)
        assert isinstance(payment, Asked)
        return payment_view(payment, hands.city.now())
