"""Whoever asks why is told by which rule: of the money of a card, a hold, an adjustment, a ruling on a tap."""

from typing import Annotated

from fastapi import APIRouter, Query

from libs.kernel.ids import city_of
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from libs.web.why import WhyView
from services.ids import CardId, HoldingId, IdMistyped, holding_of
from services.wallet.adapters import why as explained
from services.wallet.adapters.why import About, NoDecisionOnMoney
from services.wallet.domain.adjustment.decider import AdjustmentUnknown
from services.wallet.domain.naming import TapCaseId, holding_of_money
from services.wallet.domain.payment.decider import PaymentUnknown
from services.wallet.domain.payment.state import Asked
from services.wallet.domain.purse.decider import CardUnknown
from services.wallet.domain.tapcase.decider import TapCaseUnknown
from services.wallet.routes.bodies import CardPath, PaymentPath
from services.wallet.routes.cases import CasePath, city_in
from services.wallet.routes.corrections import AdjustmentPath
from services.wallet.routes.hands import Hands
from services.wallet.routes.taps import NotClearedHere, TapCounter


def why(routes: APIRouter, hands: Hands, counter: TapCounter) -> None:
    """Open this window."""
    desks, bylaws = hands.desks, hands.bylaws

    @routes.get(
        explained.PURSE,
        responses=refusals(IdMistyped, CardUnknown, NoDecisionOnMoney),
        dependencies=[allowed("wallet:look")],
    )
    async def why_does_the_money_of_a_card_stand_so(
        card_id: CardPath, call: Call, about: Annotated[About, Query(description="What is asked about.")] = "block"
    ) -> WhyView:
        """By which rule of the bylaws of that day; in Chinese and English, the same for all."""
        holding = holding_of(card_id)
        standing = await call.see(desks["purse"], holding, city=city_of(holding))
        if not standing.state.heard_of(CardId(card_id)):
            raise CardUnknown(card_id=card_id)
        pack, story = bylaws.pack(city_of(holding)), await desks["purse"].story(holding)
        return WhyView.of(explained.why_of_purse(about, CardId(card_id), story, pack), pack)

    @routes.get(
        explained.PAYMENT,
        responses=refusals(IdMistyped, PaymentUnknown, NoDecisionOnMoney),
        dependencies=[allowed("wallet:look-at-payment")],
    )
    async def why_is_money_held_or_free_again(payment_id: PaymentPath, call: Call) -> WhyView:
        """Until when the merchant may take it, and by which rule."""
        holding = holding_of_money(payment_id)
        if not isinstance((await call.see(desks["payment"], payment_id, city=city_of(holding))).state, Asked):
            raise PaymentUnknown(payment_id=payment_id)
        pack, story = bylaws.pack(city_of(holding)), await desks["payment"].story(payment_id)
        return WhyView.of(explained.why_of_payment(story, await programme_of(holding), pack), pack)

    @routes.get(
        explained.ADJUSTMENT,
        responses=refusals(IdMistyped, AdjustmentUnknown, NoDecisionOnMoney),
        dependencies=[allowed("wallet:look-at-adjustment")],
    )
    async def why_are_the_books_put_right(adjustment_id: AdjustmentPath, call: Call) -> WhyView:
        """Who had to look and until when, with the reason and its record."""
        owner = holding_of_money(adjustment_id)
        if (await call.see(desks["adjustment"], adjustment_id, city=city_of(owner))).state.asked is None:
            raise AdjustmentUnknown(adjustment_id=adjustment_id)
        pack, story = bylaws.pack(city_of(owner)), await desks["adjustment"].story(adjustment_id)
        return WhyView.of(explained.why_of_adjustment(story, await programme_of(owner), pack), pack)

    @routes.get(
        explained.TAP_CASE,
        responses=refusals(TapCaseUnknown, NoDecisionOnMoney, NotClearedHere),
        dependencies=[allowed("wallet:look-at-cases")],
    )
    async def why_was_a_tap_ruled_on_so(case_id: CasePath, call: Call) -> WhyView:
        """What was proposed for a record or ruled on it, by whose evidence, and by which rules it became a case."""
        city = city_in(case_id)
        call.allow(city=city)
        case = await counter.cases_kept.case(case_id)
        pack, story = bylaws.pack(city), await desks["tapcase"].story(case.counter_id)
        return WhyView.of(explained.why_of_tap_case(TapCaseId(case_id), story, pack), pack)

    async def programme_of(owner: HoldingId) -> str:
        """Empty for a pile of suspense, which is nobody's."""
        programme: str = (await desks["purse"].standing(owner)).state.programme
        return programme
