"""What all doors of the wallet have at hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.kernel import Refused, Unfit
from libs.kernel.clocks import Clock
from libs.kernel.ids import city_of
from libs.ledger.auditor import Auditor
from libs.ledger.entry import Ledger
from libs.runtime.service import Desks
from libs.web.call import CallContext
from services.ids import HoldingId
from services.wallet.adapters.bylaws import WalletBylaws
from services.wallet.domain.bylaw import WalletBylaw
from services.wallet.domain.money import AboveTheCap, WalletNotOpened
from services.wallet.domain.purse.decider import NoWalletHere

REMEMBERED_MAX = 100_000
SAID_BY: Mapping[type[Refused], str] = {AboveTheCap: "wallet.caps", NoWalletHere: "programme.catalogue"}
"""Refusals that are said where no bylaw is at hand, and by which rule: the books know no city, and where cards carry no
money there are no rules on money."""


class MerchantUnknown(Unfit):
    """The city has no agreement with merchant {merchant}; sign in as one that it has: {merchants}."""


@dataclass
class Hands:
    """Desks, books and bylaws; and which programme each holding is of, which never changes."""

    desks: Desks
    ledger: Ledger
    bylaws: WalletBylaws
    city: Clock
    auditor: Auditor
    _programmes: dict[HoldingId, str] = field(default_factory=dict)

    async def programme_of(self, holding: HoldingId) -> str:
        """The programme of a holding. Raises WalletNotOpened if no card of it has come to our ears."""
        if holding not in self._programmes:
            standing = await self.desks["purse"].standing(holding)
            if not standing.state.programme:
                raise WalletNotOpened
            if len(self._programmes) >= REMEMBERED_MAX:
                self._programmes.clear()
            self._programmes[holding] = standing.state.programme
        return self._programmes[holding]

    async def rules_for(self, holding: HoldingId) -> Callable[[datetime], WalletBylaw | None]:
        """The bylaw of a holding's programme, by moment. Raises WalletNotOpened."""
        programme = await self.programme_of(holding)
        return lambda at: self.bylaws.at(city_of(holding), programme, at)

    def merchant(self, call: CallContext, city: str) -> str:
        """The merchant who calls. Raises MerchantUnknown."""
        name = call.caller.outlet
        if not self.bylaws.is_merchant(city, name):
            raise MerchantUnknown(merchant=name or "without a name", merchants=", ".join(self.bylaws.merchants(city)))
        return name

    async def decide(self, category: str, key: str, ask: Any, call: CallContext, reason: str = "") -> Any:
        """Have it decided, booked and stored; the state right after it. Raises MoneyHalted while the books drift."""
        self.auditor.refuse_if_drifting()
        city = city_of(key)
        owner = key.partition(".")[0]
        try:
            receipt = await call.handle(self.desks[category], key, ask, city=city, reason=reason, correlation=owner)
        except tuple(SAID_BY) as no:
            programme = (await self.desks["purse"].standing(owner)).state.programme
            no.why = self.bylaws.by(city, programme, SAID_BY[type(no)], self.city.now())
            raise
        return receipt.state
