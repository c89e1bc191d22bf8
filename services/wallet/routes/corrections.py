"""Where the books are put right: one person proposes, another looks at the evidence and approves (R169)."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path

from libs.kernel.foureyes import HandUnnamed, ProposalId, ProposalLapsed, ProposalOvertaken, ProposalUnknown, SameHand
from libs.kernel.ids import city_of, written
from libs.web.access import allowed
from libs.web.call import Call, CallContext
from libs.web.problems import refusals
from services.ids import IdMistyped, holding_of
from services.wallet.domain import chart, money
from services.wallet.domain.adjustment import decider as adjustments
from services.wallet.domain.adjustment.commands import (
    ApproveAdjustment,
    DeclineAdjustment,
    ProposeCorrection,
    ProposeWriteOff,
)
from services.wallet.domain.adjustment.state import Adjustment
from services.wallet.domain.naming import AdjustmentId, adjustment_id, holding_of_money, pile_id
from services.wallet.domain.purse.decider import NoWalletHere
from services.wallet.routes.bodies import ApprovalBody, CardPath, CorrectionBody, ObjectionBody, WriteOffBody
from services.wallet.routes.hands import Hands
from services.wallet.routes.till import CANNOT_TAKE_IT
from services.wallet.views import AdjustmentView, adjustment_view

AdjustmentPath = Annotated[str, Path(description="The adjustment, as its proposal named it.")]


def corrections(routes: APIRouter, hands: Hands) -> None:
    """Open the desk at which the books are put right."""

    @routes.post(
        "/v1/cards/{card_id}/adjustments",
        status_code=202,
        responses=refusals(
            IdMistyped, HandUnnamed, NoWalletHere, money.WalletNotOpened, money.ReferenceReused,
            adjustments.CorrectionOutOfBounds, adjustments.PileUnnamed, adjustments.PileSmaller,
        ),
        dependencies=[allowed("wallet:adjust")],
    )  # fmt: skip
    async def propose_to_put_an_account_right(card_id: CardPath, said: CorrectionBody, call: Call) -> AdjustmentView:
        """Give to an account or take from it what a mistake has done; nothing is booked until another approves it.

        Out of a pile of suspense no more is given than lies there.
        """
        holding = holding_of(card_id)
        city = city_of(holding)
        call.allow(city=city)
        name = adjustment_id(holding, said.reference)
        against = _pile(city, said.pile) if said.pile else chart.issuer_loss(city)
        rules = await hands.rules_for(holding)

        async def ask(_now: Adjustment, at: datetime) -> ProposeCorrection:
            under = rules(at)
            if under is None:
                raise NoWalletHere
            return ProposeCorrection(
                adjustment_id=name,
                holding_id=holding,
                against=against,
                amount_fen=said.amount_fen if said.direction == "to_holder" else -said.amount_fen,
                reason=said.reason,
                evidence=said.evidence,
                most_fen=under.account_cap_fen,
                cap=under.by("caps"),
                proposal_id=_proposal(name, call),
                by=call.hand,
                at=at,
                stands_fen=await _stands(against) if said.pile else 0,
            )

        return adjustment_view(name, await hands.decide("adjustment", name, ask, call))

    @routes.post(
        "/v1/write-offs",
        status_code=202,
        responses=refusals(HandUnnamed, money.ReferenceReused, adjustments.PileUnnamed, adjustments.PileSmaller),
        dependencies=[allowed("wallet:adjust")],
    )
    async def propose_to_write_off(said: WriteOffBody, call: Call) -> AdjustmentView:
        """Let the issuer bear what nobody can explain in a pile of suspense, up to what lies there."""
        city = call.caller.city
        account = _pile(city, said.pile)
        name = adjustment_id(pile_id(city, said.pile), said.reference)

        async def ask(_now: Adjustment, at: datetime) -> ProposeWriteOff:
            return ProposeWriteOff(
                adjustment_id=name,
                city=city,
                pile=said.pile,
                amount_fen=said.amount_fen,
                stands_fen=await _stands(account),
                reason=said.reason,
                evidence=said.evidence,
                proposal_id=_proposal(name, call),
                by=call.hand,
                at=at,
            )

        return adjustment_view(name, await hands.decide("adjustment", name, ask, call))

    @routes.post(
        "/v1/adjustments/{adjustment_id}/approvals",
        status_code=201,
        responses=refusals(
            IdMistyped, HandUnnamed, SameHand, ProposalUnknown, ProposalLapsed, ProposalOvertaken,
            adjustments.AdjustmentUnknown, adjustments.PileSmaller, money.PileMoved, money.FundsShort,
            money.WalletNotOpened,
        ),
        dependencies=[allowed("wallet:adjust")],
    )  # fmt: skip
    async def approve_an_adjustment(adjustment_id: AdjustmentPath, said: ApprovalBody, call: Call) -> AdjustmentView:
        """Book what somebody else has proposed; what an account cannot take then waits to be paid out."""
        holding_of_money(adjustment_id)

        async def to(where: Literal["account", "payable"]) -> AdjustmentView:
            async def ask(now: Adjustment, at: datetime) -> ApproveAdjustment:
                return ApproveAdjustment(
                    adjustment_id=AdjustmentId(adjustment_id),
                    proposal_id=ProposalId(said.proposal_id),
                    to=where,
                    by=call.hand,
                    at=at,
                    stands_fen=await _stands(now.pile) if now.pile else 0,
                )

            return adjustment_view(adjustment_id, await hands.decide("adjustment", adjustment_id, ask, call))

        try:
            return await to("account")
        except CANNOT_TAKE_IT:
            return await to("payable")

    @routes.post(
        "/v1/adjustments/{adjustment_id}/objections",
        status_code=201,
        responses=refusals(IdMistyped, HandUnnamed, ProposalUnknown, ProposalOvertaken, adjustments.AdjustmentUnknown),
        dependencies=[allowed("wallet:adjust")],
    )
    async def object_to_an_adjustment(adjustment_id: AdjustmentPath, said: ObjectionBody, call: Call) -> AdjustmentView:
        """Say no to what somebody else has proposed, or take back what you proposed yourself; nothing is booked."""
        holding_of_money(adjustment_id)

        def ask(_now: Adjustment, at: datetime) -> DeclineAdjustment:
            return DeclineAdjustment(
                adjustment_id=AdjustmentId(adjustment_id),
                proposal_id=ProposalId(said.proposal_id),
                reason=said.reason,
                by=call.hand,
                at=at,
            )

        now = await hands.decide("adjustment", adjustment_id, ask, call, reason=said.reason)
        return adjustment_view(adjustment_id, now)

    @routes.get(
        "/v1/adjustments/{adjustment_id}",
        responses=refusals(IdMistyped, adjustments.AdjustmentUnknown),
        dependencies=[allowed("wallet:look-at-adjustment")],
    )
    async def how_an_adjustment_stands(adjustment_id: AdjustmentPath, call: Call) -> AdjustmentView:
        """What is wanted and why, on which evidence, and whether it is booked."""
        city = city_of(holding_of_money(adjustment_id))
        standing = await call.see(hands.desks["adjustment"], adjustment_id, city=city)
        return adjustment_view(adjustment_id, standing.state)

    async def _stands(account: str) -> int:
        return (await hands.ledger.balances([account]))[account].balance_fen


def _pile(city: str, name: str) -> str:
    if not chart.can_name(name):
        raise adjustments.PileUnnamed
    return chart.suspense(city, name)


def _proposal(name: AdjustmentId, call: CallContext) -> ProposalId:
    return ProposalId(written(city_of(name), call.command_id))
