"""The wallet, put together."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

from libs.eventsourcing.desk import Aggregate
from libs.kernel.ids import city_of
from libs.runtime.citypack import CityPacks
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, Service
from services.wallet import booking, publishing
from services.wallet.adapters.bylaws import WalletBylaws
from services.wallet.contracts import TELLS
from services.wallet.domain.naming import holding_of_money
from services.wallet.domain.payment import commands as payment_commands
from services.wallet.domain.payment import events as payment_events
from services.wallet.domain.payment.decider import payments
from services.wallet.domain.payment.state import Payment, Unasked
from services.wallet.domain.purse import commands as purse_commands
from services.wallet.domain.purse import events as purse_events
from services.wallet.domain.purse.commands import FreezePurse
from services.wallet.domain.purse.decider import purses
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.topup import commands as top_up_commands
from services.wallet.domain.topup import events as top_up_events
from services.wallet.domain.topup.decider import top_ups
from services.wallet.domain.topup.state import TopUpState
from services.wallet.reactions import HEARS, REACTIONS
from services.wallet.routes import router
from services.wallet.routes.hands import Hands


def _merchant_of(payment: Payment) -> Mapping[str, str]:
    return {} if isinstance(payment, Unasked) else {"outlet": payment.merchant}


PURSE = Aggregate[Purse](
    category="purse",
    decider=purses,
    commands=purse_commands.Command,
    facts=purse_events.Event,
    key=lambda command: str(command.holding_id),
    tell=publishing.tell_of_purse,
    book=booking.book_purse,
    refusal_of=booking.refusal_of,
)
PAYMENT = Aggregate[Payment](
    category="payment",
    decider=payments,
    commands=payment_commands.Command,
    facts=payment_events.Event,
    key=lambda command: str(command.payment_id),
    tell=publishing.tell_of_payment,
    routing_key=holding_of_money,
    belongs=_merchant_of,
    book=booking.book_payment,
    refusal_of=booking.refusal_of,
)
TOP_UP = Aggregate[TopUpState](
    category="topup",
    decider=top_ups,
    commands=top_up_commands.Command,
    facts=top_up_events.Event,
    key=lambda command: str(command.top_up_id),
    tell=publishing.tell_of_top_up,
    routing_key=holding_of_money,
    book=booking.book_top_up,
    refusal_of=booking.refusal_of,
)


def check_bylaws(packs: CityPacks) -> None:
    """Read every rule on money that a city has decided. Raises PackUnfit."""
    WalletBylaws(packs)


def build(platform: Platform) -> Service:
    bylaws = WalletBylaws(platform.packs)
    ledger = platform.ledger("wallet")

    def brief(command: Any, state: Any, at: datetime) -> Any:
        """Whether a report freezes the account is the city's decision."""
        if isinstance(command, FreezePurse) and state.programme:
            return replace(command, under=bylaws.at(city_of(command.holding_id), state.programme, at))
        return command

    desks = Desks([PURSE, PAYMENT, TOP_UP], ledger, platform.city, brief)
    return Service(
        name="wallet",
        desks=desks,
        router=router(Hands(desks, ledger, bylaws, platform.city)),
        access=files("services.wallet").joinpath("access.cedar").read_text(),
        tells=TELLS,
        hears=HEARS,
        reactions=REACTIONS,
    )
