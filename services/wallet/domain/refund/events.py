"""What was paid out to a holder of what waited for her."""

from datetime import datetime

from libs.kernel import event
from services.ids import HoldingId
from services.wallet.domain.naming import PayOutId
from services.wallet.domain.refund.commands import Way


@event
class RefundPaidOut:
    """Paid out, over a counter or by a bank; `channel` has paid it. What vouchers were among it nobody gets."""

    pay_out_id: PayOutId
    holding_id: HoldingId
    way: Way
    outlet: str
    channel: str
    reference: str
    amount_fen: int
    voucher_fen: int
    at: datetime


Event = RefundPaidOut
