"""Cash goes back as cash, bank money to the bank, vouchers to nobody; and what was paid out is not there any more."""

from collections.abc import Sequence

from libs.kernel import Clash, Decider, Unfit
from services.wallet.domain.money import ReferenceReused
from services.wallet.domain.purse.decider import NoWalletHere, check_counter
from services.wallet.domain.refund.commands import Command, PayRefundOut, Way
from services.wallet.domain.refund.events import RefundPaidOut
from services.wallet.domain.refund.state import Refunds, evolve


class NothingWaits(Clash):
    """Nothing waits to be paid out this way: {cash_fen} fen wait at a counter, {bank_fen} fen to be transferred; ask
    for the other, if something does."""


class BankUnknown(Unfit):
    """The city makes no transfers through this bank; it does through: {banks}."""


def decide(asked: Command, refunds: Refunds) -> Sequence[RefundPaidOut]:
    if (done := refunds.by(asked.pay_out_id)) is not None:
        if (done.way, done.channel) != (asked.way, _channel(asked)):
            raise ReferenceReused(reference=asked.reference)
        return []
    if asked.under is None:
        raise NoWalletHere
    check_counter(asked.place, asked.document, asked.under)
    if asked.way is Way.BANK_TRANSFER and asked.bank not in asked.banks:
        raise BankUnknown(asked.agreed, banks=", ".join(asked.banks) or "none yet")
    fen = asked.cash_fen if asked.way is Way.COUNTER else asked.bank_fen
    if fen <= 0:
        raise NothingWaits(cash_fen=asked.cash_fen, bank_fen=asked.bank_fen)
    return [
        RefundPaidOut(
            pay_out_id=asked.pay_out_id,
            holding_id=asked.holding_id,
            way=asked.way,
            outlet=asked.place.outlet,
            channel=_channel(asked),
            reference=asked.reference,
            amount_fen=fen,
            voucher_fen=max(0, asked.voucher_fen),
            at=asked.at,
        )
    ]


def _channel(asked: PayRefundOut) -> str:
    return asked.place.outlet if asked.way is Way.COUNTER else asked.bank


refunds: Decider[Command, Refunds, RefundPaidOut] = Decider(Refunds(), decide, evolve)
