"""Once a day: take what both sides have said, judge each difference, write the day down; killed anywhere, go on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta

from libs.eventsourcing.desk import Order
from libs.kernel.clocks import Clock
from libs.kernel.ids import derived
from libs.ledger.entry import Ledger
from libs.runtime.lease import LEASE_S, Leases
from libs.runtime.service import Desks
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.adapters.reconciling import Noted, Reconciling, account_of, due_day, strikes_at
from services.wallet.domain import chart
from services.wallet.domain.naming import difference_id, pile_of, reconciliation_id
from services.wallet.domain.reconciliation.bylaw import Party, ReconciliationBylaw
from services.wallet.domain.reconciliation.commands import JudgeDifference, RecordReconciliation
from services.wallet.domain.reconciliation.matching import Item, Source, Tally, Terms, tally, unexplained_fen, why

Show = Callable[[str, Tally, date], None]
"""Lets operators see how a party of a city stands."""
Overdue = Callable[[str, timedelta], None]
"""Lets operators see for how long a city's day has waited to be reconciled."""


class Reconciler:
    """Reconciles each city that has agreed on files with somebody; one process at a time does."""

    def __init__(
        self,
        desks: Desks,
        ledger: Ledger,
        reconciling: Reconciling,
        bylaws: ReconciliationBylaws,
        city: Clock,
        leases: Leases,
        may_move: Callable[[], None],
        show: Show,
        overdue: Overdue,
    ) -> None:
        self._desks, self._ledger, self._reconciling, self._bylaws = desks, ledger, reconciling, bylaws
        self._city, self._leases, self._may_move = city, leases, may_move
        self._show, self._overdue = show, overdue
        self._shown: dict[str, date] = {}

    async def look(self) -> None:
        """Reconcile what is due, and show how the last day ended. Raises Outage, and MoneyHalted while books drift."""
        due: list[tuple[str, date, ReconciliationBylaw]] = []
        for city in self._bylaws.cities:
            under = self._bylaws.at(city, self._city.now())
            if under is not None and self._shown.get(city, date.min) < (
                day := due_day(self._city.now(), under.at_hour)
            ):
                due.append((city, day, under))
                self._overdue(city, await self._waits(city, day, under))
        for city, day, under in due:
            if await self._up_to(city, day, under):
                await self._show_last(city)
                self._shown[city] = day
                self._overdue(city, timedelta())

    async def _waits(self, city: str, day: date, under: ReconciliationBylaw) -> timedelta:
        """Since when the oldest day waits that has not been reconciled though its hour has struck."""
        last = await self._reconciling.last_done(city)
        oldest = day if last is None else min(day, last + timedelta(days=1))
        done = last is not None and last >= day
        return timedelta() if done else self._city.now() - strikes_at(oldest, under.at_hour)

    async def _up_to(self, city: str, day: date, under: ReconciliationBylaw) -> bool:
        """Whether all days up to this one are done; what others are doing is not done yet."""
        last = await self._reconciling.last_done(city)
        if last is not None and last >= day:
            return True
        what = f"wallet/reconciliation/{city}"
        if not await self._leases.take(what, LEASE_S):
            return False
        try:
            if (begun := await self._reconciling.unfinished(city)) is not None:
                await self.reconcile(city, begun, under)
            await self.reconcile(city, day, under)
        finally:
            await self._leases.give_back(what)
        return True

    async def reconcile(self, city: str, day: date, under: ReconciliationBylaw) -> None:
        """A day to its end, with all that no earlier day has taken; said again, it changes nothing."""
        self._may_move()
        await self._reconciling.take(city, day, under.parties)
        tallies = [await self._judged(city, day, party, under) for party in under.parties]
        if any((one.ours_fen, one.theirs_fen, one.missing, *one.parts) != (0, 0, 0) for one in tallies):
            record = RecordReconciliation(
                reconciliation_id=reconciliation_id(city, day),
                city=city,
                day=day,
                tallies=tuple(tallies),
                at=self._city.now(),
            )
            await self._desks.handle(record, _order(city, day, "the day"))
        await self._reconciling.done(city, day)

    async def _judged(self, city: str, day: date, party: Party, under: ReconciliationBylaw) -> Tally:
        totals = await self._reconciling.totals(city, party)
        terms = Terms(
            day=day,
            transit_days=under.transit_working_days,
            stale_days=under.stale_working_days,
            calendar=self._bylaws.calendar(city),
            covered=totals.covered,
        )
        items: list[Item] = []
        async for page in self._reconciling.open_items(city, party):
            names = [pile_of(one.difference_id) for one in page if one.difference_id]
            balances = await self._ledger.balances([chart.suspense(city, name) for name in names])
            piles = {account: balance.balance_fen for account, balance in balances.items()}
            items += [await self._put_in_suspense(city, party, one, terms, piles) for one in page]
        counted = tally(party.source, party.sender, totals.ours_fen, totals.theirs_fen, items, terms)
        if party.source is not Source.TERMINALS:
            return counted
        missing, since = await self._reconciling.totals_missing(city, party, terms.late)
        return replace(counted, missing=missing, missing_since=since)

    async def _put_in_suspense(
        self, city: str, party: Party, noted: Noted, terms: Terms, piles: Mapping[str, int]
    ) -> Item:
        """The item as it stands when what nobody can explain lies in suspense, and nothing else does."""
        item, fen = noted.item, unexplained_fen(noted.item, terms)
        if not (fen or noted.difference_id):
            return item
        name = noted.difference_id or difference_id(city, party.source, party.sender, item.reference)
        account, pile = account_of(city, party.source, party.sender), chart.suspense(city, pile_of(name))
        reason = why(item, terms) if fen else None
        lies_there = piles.get(pile, 0)
        if fen != item.suspended_fen:
            judge = JudgeDifference(
                difference_id=name,
                source=party.source,
                sender=party.sender,
                account=account,
                fen=fen,
                why=reason,
                since=item.since,
                day=terms.day,
                at=self._city.now(),
            )
            await self._desks.handle(judge, _order(city, terms.day, name))
            lies_there = (await self._ledger.balances([pile]))[pile].balance_fen
        if account:
            worked_off = fen - lies_there
        else:
            worked_off = (await self._desks["difference"].standing(name)).state.explained_fen
        now = replace(item, suspended_fen=fen, worked_off_fen=worked_off)
        if now != item or name != noted.difference_id:
            await self._reconciling.note(city, party, now, name, reason)
        return now

    async def _show_last(self, city: str) -> None:
        last = await self._reconciling.last_done(city)
        if last is None:
            return
        standing = await self._desks["reconciliation"].standing(reconciliation_id(city, last))
        for one in standing.state.done.tallies if standing.state.done else ():
            self._show(city, one, last)


def _order(city: str, day: date, about: str) -> Order:
    return Order(
        command_id=derived("reconciliation", city, day, about),
        actor="city",
        channel="timer",
        reason="reconciliation",
        city=city,
        correlation=f"{city}/{day}",
        causation=f"reconciliation:{city}/{day}",
    )
