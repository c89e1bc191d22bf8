"""What can be asked about what waits to be paid out to a holder."""

from datetime import datetime
from enum import StrEnum

from libs.kernel import command
from libs.kernel.why import Cited
from services.ids import HoldingId
from services.wallet.domain.bylaw import Place, WalletBylaw
from services.wallet.domain.naming import PayOutId


class Way(StrEnum):
    """How money is paid out: what came as cash over the counter, what came from a bank account by transfer."""

    COUNTER = "counter"
    BANK_TRANSFER = "bank_transfer"


@command
class PayRefundOut:
    """The holder fetches what waits for her, in cash or by a transfer of `bank`, and shows who she is.

    The amounts are what waits now, by where it came from (domain facts 3.3); `banks` are those that send the city their
    statements, so that a transfer is confirmed by one; `agreed` is where that was agreed on.
    """

    pay_out_id: PayOutId
    holding_id: HoldingId
    way: Way
    place: Place
    document: str
    bank: str
    banks: tuple[str, ...]
    reference: str
    cash_fen: int
    bank_fen: int
    voucher_fen: int
    at: datetime
    under: WalletBylaw | None = None
    agreed: Cited | None = None


Command = PayRefundOut
