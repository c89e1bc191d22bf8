"""What waits to be paid out to a holder, and the counter at which she fetches it."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from libs.kernel.ids import city_of
from libs.ledger.auditor import MoneyHalted
from libs.ledger.entry import Line
from libs.web.access import allowed
from libs.web.call import Call
from libs.web.problems import refusals
from services.ids import CardId, HoldingId, IdMistyped, holding_of
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.domain import chart, money
from services.wallet.domain.bylaw import Origin
from services.wallet.domain.naming import pay_out_id
from services.wallet.domain.origin import Movement, Waited, waiting_parts
from services.wallet.domain.purse import decider as purses
from services.wallet.domain.purse.events import LoadPaid
from services.wallet.domain.reconciliation.matching import Source
from services.wallet.domain.refund import decider as refund_desk
from services.wallet.domain.refund.commands import PayRefundOut, Way
from services.wallet.domain.refund.state import Refunds
from services.wallet.routes.bodies import CardPath, RefundPayOutBody
from services.wallet.routes.hands import Hands

PAGE = 1_000


class WaitingView(BaseModel):
    """What waits to be paid out, by where it came from. Amounts are whole fen."""

    card_id: str
    cash_fen: int
    """To be fetched at a counter."""
    bank_fen: int
    """To be transferred back."""
    voucher_fen: int
    """Of vouchers, which nobody gets."""


class RefundPaidView(BaseModel):
    """What was paid out."""

    pay_out_id: str
    """The name of the movement, in our books and in the bank's file."""
    card_id: str
    way: Way
    channel: str
    """Who pays: the outlet in cash, or the bank."""
    amount_fen: int
    voucher_fen: int
    at: datetime


def refunds(routes: APIRouter, hands: Hands, agreed: ReconciliationBylaws) -> None:
    """Open the counter for refunds."""

    @routes.get(
        "/v1/cards/{card_id}/refunds",
        responses=refusals(IdMistyped, purses.CardUnknown),
        dependencies=[allowed("wallet:look")],
    )
    async def what_waits_to_be_paid_out(card_id: CardPath, call: Call) -> WaitingView:
        """What a shop gave back to an account that could not take it, an old chip's money, what a load left over."""
        holding = holding_of(card_id)
        standing = await call.see(hands.desks["purse"], holding, city=city_of(holding))
        if not standing.state.heard_of(CardId(card_id)):
            raise purses.CardUnknown(card_id=card_id)
        parts = await waiting(holding)
        return WaitingView(
            card_id=card_id,
            cash_fen=parts[Origin.CASH],
            bank_fen=parts[Origin.BANK_ACCOUNT],
            voucher_fen=parts[Origin.VOUCHER],
        )

    @routes.post(
        "/v1/cards/{card_id}/refund-pay-outs",
        status_code=201,
        responses=refusals(
            IdMistyped, purses.NoWalletHere, purses.WrongPlace, purses.DocumentNotAccepted, money.WalletNotOpened,
            money.ReferenceReused, money.FundsShort, refund_desk.NothingWaits, refund_desk.BankUnknown, MoneyHalted,
        ),
        dependencies=[allowed("wallet:pay-out")],
    )  # fmt: skip
    async def fetch_what_waits(card_id: CardPath, said: RefundPayOutBody, call: Call) -> RefundPaidView:
        """Cash over the counter, bank money by transfer, each once; the bank's next file confirms the transfer."""
        holding = holding_of(card_id)
        city, place = city_of(holding), hands.bylaws.place(city_of(holding), call.caller.outlet)
        name = pay_out_id(holding, place.outlet, said.reference)
        rules = await hands.rules_for(holding)

        async def ask(_now: Refunds, at: datetime) -> PayRefundOut:
            parts, under = await waiting(holding), agreed.at(city, at)
            return PayRefundOut(
                pay_out_id=name,
                holding_id=holding,
                way=Way(said.way),
                place=place,
                document=said.document,
                bank=said.bank,
                banks=tuple(one.sender for one in (under.parties if under else ()) if one.source is Source.BANK),
                reference=said.reference,
                cash_fen=parts[Origin.CASH],
                bank_fen=parts[Origin.BANK_ACCOUNT],
                voucher_fen=parts[Origin.VOUCHER],
                at=at,
                under=rules(at),
                agreed=agreed.by(city, at),
            )

        fact = (await hands.decide("refund", holding, ask, call)).by(name)
        return RefundPaidView(
            pay_out_id=name,
            card_id=card_id,
            way=fact.way,
            channel=fact.channel,
            amount_fen=fact.amount_fen,
            voucher_fen=fact.voucher_fen,
            at=fact.at,
        )

    async def waiting(holding: HoldingId) -> dict[Origin, int]:
        waits, account = await lines(chart.refund(holding)), await lines(chart.online(holding))
        both = sorted(
            [(line.shard, line.position, True, line) for line in waits]
            + [(line.shard, line.position, False, line) for line in account],
            key=lambda one: one[:3],
        )
        chips = {_about(line) for line in waits if line.kind == "transfer"}
        return waiting_parts(
            [Waited(movement=_movement(line), waits=one) for _, _, one, line in both],
            {chip: [_movement(line) for line in await lines(chart.purse(CardId(chip)))] for chip in chips},
            await origins_of_loads(holding) if any(line.kind == "load-expired" for line in waits) else {},
        )

    async def origins_of_loads(holding: HoldingId) -> dict[str, Origin]:
        story = await hands.desks["purse"].story(holding)
        return {fact.load_id: fact.origin for fact, _ in story if isinstance(fact, LoadPaid)}

    async def lines(account: str) -> Sequence[Line]:
        found: list[Line] = []
        after = (-1, 0)
        while page := await hands.ledger.statement(account, after, PAGE):
            found += page
            after = (page[-1].shard, page[-1].position)
        return found


def _about(line: Line) -> str:
    return line.reference.partition("/")[0]


def _movement(line: Line) -> Movement:
    return Movement(kind=line.kind, about=_about(line), amount_fen=line.amount_fen)
