"""The wallet, put together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import Any

from libs.eventsourcing.desk import Aggregate
from libs.eventsourcing.store import DueCommand
from libs.kernel.ids import city_of
from libs.ledger.auditor import Auditor
from libs.ledger.entry import Ledger
from libs.runtime.citypack import CityPacks
from libs.runtime.lease import MemoryLeases
from libs.runtime.platform import Platform
from libs.runtime.service import Desks, Service
from services.wallet import booking, publishing
from services.wallet.adapters.bylaws import WalletBylaws
from services.wallet.adapters.checkpoint_desk import Signing
from services.wallet.adapters.clearing import Clearing
from services.wallet.adapters.cryptograms import SIMULATED_MASTER, SimulatedCryptograms
from services.wallet.adapters.fares import FareBylaws
from services.wallet.adapters.reconciler import Reconciler
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.adapters.reconciling import Reconciling
from services.wallet.adapters.tap_bylaws import TapBylaws
from services.wallet.adapters.tap_cases import TapCases
from services.wallet.adapters.terminals import NoTerminals
from services.wallet.contracts import TELLS
from services.wallet.domain import chart
from services.wallet.domain.adjustment import commands as adjustment_commands
from services.wallet.domain.adjustment import events as adjustment_events
from services.wallet.domain.adjustment.decider import adjustments
from services.wallet.domain.adjustment.state import Adjustment
from services.wallet.domain.naming import holding_of_money
from services.wallet.domain.payment import commands as payment_commands
from services.wallet.domain.payment import events as payment_events
from services.wallet.domain.payment.decider import payments
from services.wallet.domain.payment.state import Payment, Unasked
from services.wallet.domain.purse import commands as purse_commands
from services.wallet.domain.purse import events as purse_events
from services.wallet.domain.purse.commands import EndCard, EndCooling, FreezePurse, SucceedCard
from services.wallet.domain.purse.decider import purses
from services.wallet.domain.purse.state import Purse
from services.wallet.domain.reconciliation import commands as reconciliation_commands
from services.wallet.domain.reconciliation import events as reconciliation_events
from services.wallet.domain.reconciliation.decider import differences, reconciliations
from services.wallet.domain.reconciliation.matching import IN_SUSPENSE, Tally
from services.wallet.domain.reconciliation.state import Difference, Reconciliation
from services.wallet.domain.refund import commands as refund_commands
from services.wallet.domain.refund import events as refund_events
from services.wallet.domain.refund.decider import refunds
from services.wallet.domain.refund.state import Refunds
from services.wallet.domain.tapcase import commands as tap_case_commands
from services.wallet.domain.tapcase import events as tap_case_events
from services.wallet.domain.tapcase.commands import CarryOutRuling
from services.wallet.domain.tapcase.decider import tap_cases
from services.wallet.domain.tapcase.state import Cases
from services.wallet.domain.topup import commands as top_up_commands
from services.wallet.domain.topup import events as top_up_events
from services.wallet.domain.topup.decider import top_ups
from services.wallet.domain.topup.state import TopUpState
from services.wallet.ports import Cryptograms, Terminals
from services.wallet.projections import LEARNS_FROM, project
from services.wallet.reactions import HEARS, REACTIONS
from services.wallet.routes import router
from services.wallet.routes.hands import Hands
from services.wallet.routes.statements import STATEMENT_BODIES, StatementCounter
from services.wallet.routes.taps import LARGE_BODIES, TapCounter


def _holder_of(purse: Purse) -> Mapping[str, str]:
    """Whose money it is. Where that was not written down it is nobody's own, rather than everybody's."""
    return {} if purse == Purse() else {"person": purse.person_id or "nobody"}


def _merchant_of(payment: Payment) -> Mapping[str, str]:
    return {} if isinstance(payment, Unasked) else {"outlet": payment.merchant}


PURSE = Aggregate[Purse](
    category="purse",
    decider=purses,
    commands=purse_commands.Command,
    facts=purse_events.Event,
    key=lambda command: str(command.holding_id),
    tell=publishing.tell_of_purse,
    belongs=_holder_of,
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
ADJUSTMENT = Aggregate[Adjustment](
    category="adjustment",
    decider=adjustments,
    commands=adjustment_commands.Command,
    facts=adjustment_events.Event,
    key=lambda command: str(command.adjustment_id),
    tell=publishing.tell_of_adjustment,
    routing_key=holding_of_money,
    book=booking.book_adjustment,
    refusal_of=booking.refusal_of,
)


TAP_CASE = Aggregate[Cases](
    category="tapcase",
    decider=tap_cases,
    commands=tap_case_commands.Command,
    facts=tap_case_events.Event,
    key=lambda command: str(command.counter_id),
    tell=publishing.tell_of_tap_case,
)
REFUND = Aggregate[Refunds](
    category="refund",
    decider=refunds,
    commands=refund_commands.Command,
    facts=refund_events.Event,
    key=lambda command: str(command.holding_id),
    tell=publishing.tell_of_refund,
    book=booking.book_refund,
    refusal_of=booking.refusal_of,
)
DIFFERENCE = Aggregate[Difference](
    category="difference",
    decider=differences,
    commands=reconciliation_commands.DifferenceCommand,
    facts=reconciliation_events.DifferenceEvent,
    key=lambda command: str(command.difference_id),
    tell=publishing.tell_of_difference,
    book=booking.book_difference,
    refusal_of=booking.refusal_of,
)
RECONCILIATION = Aggregate[Reconciliation](
    category="reconciliation",
    decider=reconciliations,
    commands=reconciliation_commands.ReconciliationCommand,
    facts=reconciliation_events.ReconciliationEvent,
    key=lambda command: str(command.reconciliation_id),
    tell=publishing.tell_of_reconciliation,
)


def check_bylaws(packs: CityPacks) -> None:
    """Read every rule on money that a city has decided. Raises PackUnfit."""
    WalletBylaws(packs)
    fares = FareBylaws(packs)
    fares.check()
    TapBylaws(packs, fares)
    ReconciliationBylaws(packs)


def tap_counter(platform: Platform, cryptograms: Cryptograms | None = None) -> TapCounter:
    """Where taps are cleared; `cryptograms` knows the cards' keys, and without it simulated
    ones are used, for which anybody can sign, and therefore only where nobody but this machine can call."""
    clearing = cases = None
    knows = cryptograms or (SimulatedCryptograms(SIMULATED_MASTER) if platform.settings.on_loopback else None)
    if platform.database is not None and knows is not None:
        clearing = Clearing(platform.database, "wallet", knows, platform.city)
    if platform.database is not None:
        cases = TapCases(platform.database, "wallet", platform.city)
    bylaws = TapBylaws(platform.packs, FareBylaws(platform.packs))
    return TapCounter(clearing=clearing, cases=cases, bylaws=bylaws, folder=platform.settings.home / "taps")


def _signing(platform: Platform) -> Sequence[Callable[[], Awaitable[None]]]:
    """The chore of signing the journal; books in memory end with the process, and nobody need prove them."""
    unsigned = platform.telemetry.journal_unsigned.labels("wallet")
    if platform.database is None:
        unsigned.set(0)
        return ()
    chore = Signing(platform.database, platform.settings, platform.machine, platform.monotonic, unsigned.set)
    return (chore.look,)


def statement_counter(platform: Platform) -> StatementCounter:
    """Where others' files come in and ours go out; in memory nothing is reconciled."""
    pool = platform.database
    return StatementCounter(
        reconciling=None if pool is None else Reconciling(pool, "wallet", platform.city),
        bylaws=ReconciliationBylaws(platform.packs),
    )


def _reconciling(
    platform: Platform, desks: Desks, ledger: Ledger, counter: StatementCounter, auditor: Auditor
) -> Sequence[Callable[[], Awaitable[None]]]:
    """The chore of reconciling each city's day; nothing moves while the books drift."""
    for city, party in counter.bylaws.parties(platform.city.now()):
        platform.telemetry.reconciliation.show((city, party.source, party.sender), **NOTHING_WAITS)
        platform.telemetry.reconciliation_overdue.labels(city).set(0)
    if counter.reconciling is None:
        return ()
    leases = platform.leases or MemoryLeases(platform.monotonic, "wallet", {})
    may_move, show = auditor.refuse_if_drifting, partial(_show, platform)
    waits = platform.telemetry.reconciliation_overdue

    def overdue(city: str, since: timedelta) -> None:
        waits.labels(city).set(since.total_seconds())

    chore = Reconciler(
        desks, ledger, counter.reconciling, counter.bylaws, platform.city, leases, may_move, show, overdue
    )
    return (chore.look,)


def build(platform: Platform, terminals: Terminals | None = None) -> Service:
    bylaws, fares = WalletBylaws(platform.packs), FareBylaws(platform.packs)
    ledger = platform.ledger("wallet")
    terminals = terminals or NoTerminals()

    async def brief(command: Any, state: Any, at: datetime) -> Any:
        """The city's rules, and for a chip that moves its money what the books and the terminals say."""
        match command:
            case FreezePurse() | SucceedCard() | EndCard() if state.programme or hasattr(command, "programme"):
                programme = state.programme or getattr(command, "programme", "")
                return replace(command, under=bylaws.at(city_of(command.holding_id), programme, at))
            case EndCooling():
                account, chip = chart.online(command.holding_id), chart.purse(command.card_id)
                balances = await ledger.balances([account, chip])
                rules = bylaws.at(city_of(command.holding_id), state.programme, at)
                shadow = balances[chip].balance_fen
                room = rules is not None and balances[account].balance_fen + shadow <= rules.account_cap_fen
                return replace(
                    command,
                    at=at,
                    batches_in=await terminals.all_in(command.card_id, command.ends_at),
                    shadow_fen=shadow,
                    account_has_room=room,
                )
        return command

    def report(drift_fen: int, faults: int, entries: int) -> None:
        platform.telemetry.books_drift.labels("wallet").set(drift_fen)
        platform.telemetry.books_faults.labels("wallet").set(faults)
        platform.telemetry.books_entries.labels("wallet").set(entries)

    taps = tap_counter(platform)

    async def carry_out_ruling(command: CarryOutRuling, _due: DueCommand) -> None:
        """Whoever ruled has seen it done already, if all went well; the second time changes nothing."""
        rules = taps.bylaws.at(city_of(command.case_id), platform.city.now())
        await taps.cases_kept.carry_out(command.case_id, command.ruling, rules)

    settings = platform.settings
    auditor = Auditor(ledger, platform.monotonic, report, settings.books_drift_limit_fen, settings.books_full_audit_s)
    desks = Desks(
        [PURSE, PAYMENT, TOP_UP, ADJUSTMENT, TAP_CASE, REFUND, DIFFERENCE, RECONCILIATION], ledger, platform.city, brief
    )
    statements = statement_counter(platform)
    hands = Hands(desks, ledger, bylaws, platform.city, auditor)
    return Service(
        name="wallet",
        desks=desks,
        router=router(hands, taps, fares, statements),
        access=files("services.wallet").joinpath("access.cedar").read_text(),
        tells=TELLS,
        hears=(*HEARS, *(one for one in LEARNS_FROM if one not in HEARS)),
        reactions=REACTIONS,
        chores=(auditor.look, *_signing(platform), *_reconciling(platform, desks, ledger, statements, auditor)),
        project=project,
        performers={CarryOutRuling: carry_out_ruling},
        large_bodies=LARGE_BODIES | STATEMENT_BODIES,
    )


NOTHING_WAITS = {"stale": 0, "missing": 0, "suspense_fen": 0, "suspense_age_s": 0}
"""What is shown of a party until its last reconciliation has been looked up."""


def _show(platform: Platform, city: str, party: Tally, day: date) -> None:
    """How a party of a city stands since its last reconciliation, for those who watch."""
    waits = sum(part.fen for part in party.parts if part.kind in IN_SUSPENSE)
    age = timedelta() if party.oldest is None else day - party.oldest
    platform.telemetry.reconciliation.show(
        (city, party.source, party.sender),
        stale=party.stale,
        missing=party.missing,
        suspense_fen=abs(waits),
        suspense_age_s=age.total_seconds(),
    )
