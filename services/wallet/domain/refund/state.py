"""What was paid out to a holder until now."""

from dataclasses import replace

from libs.kernel import state
from services.wallet.domain.naming import PayOutId
from services.wallet.domain.refund.events import RefundPaidOut


@state
class Refunds:
    """All pay-outs to one holder, oldest first."""

    paid: tuple[RefundPaidOut, ...] = ()

    def by(self, name: PayOutId) -> RefundPaidOut | None:
        """The pay-out of this name, if it was made."""
        return next((one for one in self.paid if one.pay_out_id == name), None)


def evolve(refunds: Refunds, fact: RefundPaidOut) -> Refunds:
    return replace(refunds, paid=(*refunds.paid, fact))
