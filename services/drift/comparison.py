"""Every entry beside what somebody was told, every balance beside a fold of its own, every stream beside the books."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from libs.eventsourcing.store import SHARDS
from libs.kernel.clocks import Clock
from libs.ledger.entry import Balance
from libs.ledger.postgres import PostgresLedger
from libs.testing.faults import Findings
from services.drift.callers import CAP_FEN, EITHER, Legs, Town
from services.drift.chips import Chips

NOTHING = Balance()


@dataclass
class Verdict:
    """What is wrong; every list is empty where money has not drifted."""

    lost: list[str] = field(default_factory=list)
    """Acknowledged, and not in the books."""
    doubled: list[str] = field(default_factory=list)
    """In the books, and acknowledged to nobody, or otherwise than it stands there."""
    drift: list[str] = field(default_factory=list)
    """Balances, holds, sums, streams or order that do not agree with the journal."""
    untrue: list[str] = field(default_factory=list)
    """Answers that nobody should have been given."""
    unresolved: list[str] = field(default_factory=list)
    entries: int = 0
    taps: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.drift or self.untrue or self.unresolved)

    @property
    def first(self) -> str:
        """The finding that is shown where there is room for one."""
        names = ("lost", "doubled", "drift", "untrue", "unresolved")
        return next((f"{name}: {getattr(self, name)[0]}" for name in names if getattr(self, name)), "")


async def compare(pool: asyncpg.Pool, clock: Clock, town: Town, chips: Chips, found: Findings) -> Verdict:
    """Look at everything; `found` is what the general audit of store and log has found already."""
    verdict = Verdict(lost=list(found.lost), doubled=list(found.doubled), untrue=list(town.untrue))
    verdict.untrue += [f"parked: {error}" for error in found.parked]
    faults = {status: times for status, times in town.book.faults.items() if status != 503}
    verdict.untrue += [f"{times} answers {status}" for status, times in faults.items()]
    verdict.unresolved += [act.path for act in town.book.unresolved]
    ledger = PostgresLedger(pool, "wallet", clock)
    await _entries(verdict, ledger, town, chips)
    await _streams(verdict, pool, town)
    await _losses(verdict, pool, town)
    await _files(verdict, pool, chips)
    return verdict


async def _entries(verdict: Verdict, ledger: PostgresLedger, town: Town, chips: Chips) -> None:
    """One pass over the journal in its order: against what was promised, and folded."""
    tapped: Counter[str] = Counter()
    missing = dict(town.promised)
    seen: set[str] = set()
    folded: dict[str, Balance] = defaultdict(Balance)
    async for entry in _journal(ledger):
        verdict.entries += 1
        legs = tuple(zip(entry.accounts, entry.amounts_fen, entry.held_fen, strict=True))
        if sum(entry.amounts_fen):
            verdict.drift.append(f"{entry.reference} does not sum to zero")
        promised = missing.pop(entry.reference, None)
        if entry.reference in seen:
            verdict.doubled.append(f"{entry.reference} stands in the journal twice")
        elif entry.kind == "taps":
            tapped.update({account: amount for account, amount, _ in legs})
        elif promised is None:
            verdict.doubled.append(f"{entry.reference} was acknowledged to nobody")
        elif not _same(promised, legs):
            verdict.doubled.append(f"{entry.reference}: promised {promised}, booked {legs}")
        seen.add(entry.reference)
        for account, amount, held in legs:
            now = folded[account] = folded[account] + Balance(amount, held)
            if account.startswith("online:") and not 0 <= now.held_fen <= now.balance_fen <= CAP_FEN:
                verdict.drift.append(f"{account} after {entry.reference}: {now}")
    verdict.lost += [f"{reference} is not in the journal" for reference in missing]
    _taps(verdict, tapped, chips)
    for account, fen in chips.on_chips().items():
        if folded[account].balance_fen != fen:
            verdict.drift.append(f"{account}: {fen} fen on the chip, {folded[account].balance_fen} in its shadow")
    if total := sum(balance.balance_fen for balance in folded.values()):
        verdict.drift.append(f"the journal sums to {total} fen")
    kept = await ledger.balances(list(folded))
    verdict.drift += [f"{one}: {kept[one]}, folded {folded[one]}" for one in folded if kept[one] != folded[one]]
    audited = await ledger.audit()
    verdict.drift += [f"{one}: kept {kept}, folded {anew}" for one, kept, anew in audited.drifted]
    verdict.drift += [f"{reference} does not match its digest" for reference in audited.unbalanced]
    verdict.drift += [f"shard {shard} of the journal has a gap" for shard in audited.gaps]


def _taps(verdict: Verdict, tapped: Counter[str], chips: Chips) -> None:
    """What taps have moved, account by account; an entry of taps is the sum of many."""
    wanted = chips.booked()
    for account in wanted.keys() | tapped.keys():
        much = abs(tapped[account]) > abs(wanted.get(account, 0))
        if tapped[account] != wanted.get(account, 0):
            where = verdict.doubled if much else verdict.lost
            where.append(f"{account}: taps of {wanted.get(account, 0)} fen were taken, {tapped[account]} are booked")


async def _files(verdict: Verdict, pool: asyncpg.Pool, chips: Chips) -> None:
    """Each tap stands in the register once, none is missing, and the classes of each file add up to its records."""
    verdict.taps = len(chips.known)
    fresh = 0
    for file in chips.brought:
        if not file.answers:
            continue
        ended = {name: int(one["records"]) for name, one in file.answers[0].items()}
        if sum(ended.values()) != len(file.records) or any(one != file.answers[0] for one in file.answers):
            verdict.untrue.append(f"{file.path}: {len(file.records)} records, answered {file.answers}")
        if ended.get("bad_cryptogram", 0) != file.forged:
            verdict.untrue.append(f"{file.path}: {file.forged} records were signed by no card, answered {ended}")
        fresh += len(file.records) - ended.get("bad_cryptogram", 0) - ended.get("duplicate", 0)
    for what, many in (("are classed as new", fresh), ("are kept", await pool.fetchval(REGISTERED))):
        if many != len(chips.known):
            where = verdict.lost if many < len(chips.known) else verdict.doubled
            where.append(f"{many} taps {what}, of {len(chips.known)} that were brought")
    for gap in await pool.fetch("select card, from_counter, to_counter from wallet.tap_gap limit 20"):
        verdict.lost.append(f"card {gap['card']}: taps {gap['from_counter']} to {gap['to_counter']} never came")


REGISTERED = "select count(*) from wallet.tap"


async def _journal(ledger: PostgresLedger) -> Any:
    for shard in range(SHARDS + 1):  # With the one for what is booked by the batch.
        after = 0
        while page := await ledger.journal(shard, after, 5_000):
            for entry in page:
                yield entry
            after = page[-1].position


def _same(promised: Legs, booked: Legs) -> bool:
    def plain(legs: Legs) -> list[tuple[str, int, int]]:
        return sorted((account.removeprefix("online:").removeprefix("refund:").removeprefix(EITHER), amount, held)
                      for account, amount, held in legs)  # fmt: skip

    return plain(promised) == plain(booked)


REFERENCES = {
    "payment-authorised": "{payment_id}/hold",
    "payment-captured": "{payment_id}/capture/{nth}",
    "payment-released": "{payment_id}/release",
    "payment-refunded": "{payment_id}/refund/{nth}",
    "account-topped-up": "{top_up_id}",
    "top-up-reversed": "{top_up_id}/reversal",
    "load-paid": "{load_id}/paid",
    "load-confirmed": "{load_id}",
    "load-reversed": "{load_id}",
}
"""By which reference each fact about money stands in the journal."""


async def _streams(verdict: Verdict, pool: asyncpg.Pool, town: Town) -> None:
    """Each fact has its entry, and each entry its fact; no payment gives or takes more than it has."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    told: set[str] = set()
    async for name, data in _facts(pool):
        fact = json.loads(data)
        told.add(REFERENCES[name].format(**fact))
        if "payment_id" in fact:
            sums[fact["payment_id"]][name] += fact.get("amount_fen", 0)
    verdict.drift += [f"{one} is booked, and no stream knows of it" for one in town.promised.keys() - told]
    verdict.drift += [f"{one} is a fact, and was told to nobody" for one in told - town.promised.keys()]
    for payment, by in sums.items():
        if not by["payment-refunded"] <= by["payment-captured"] <= by["payment-authorised"]:
            verdict.drift.append(f"{payment}: {dict(by)}")


async def _facts(pool: asyncpg.Pool) -> Any:
    async with pool.acquire() as connection, connection.transaction():
        asked = "select name, data from wallet.fact where name = any($1)"
        async for row in connection.cursor(asked, list(REFERENCES), prefetch=5_000):
            yield row


async def _losses(verdict: Verdict, pool: asyncpg.Pool, town: Town) -> None:
    """Each report and each lift has left one fact, and between them no money was held."""
    rows = await pool.fetch(
        "select stream, shard, position, name, effective_at from wallet.fact "
        "where name = 'purse-frozen' or name = 'purse-released' order by shard, position"
    )
    times: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        times[row["stream"].partition("-")[2]][row["name"]] += 1
    for card in town.cards:
        stood = times[card.holding]
        for what, name, wanted in (("stops", "purse-frozen", card.stops), ("lifts", "purse-released", card.wakes)):
            if stood[name] != wanted:
                (verdict.lost if stood[name] < wanted else verdict.doubled).append(
                    f"{card.card_id}: {stood[name]} {what} of {wanted}"
                )
    for paid in await pool.fetch(PAID_WHILE_STOPPED):
        verdict.drift.append(f"{paid['stream']} held money of a stopped card")


PAID_WHILE_STOPPED = """
with stopped as (
    select shard, position, stream, effective_at, substring(stream from 7) as holding,
           lead(position, 1, 9223372036854775807) over (partition by stream order by position) as until,
           name = 'purse-frozen' as frozen
    from wallet.fact where name = 'purse-frozen' or name = 'purse-released'
)
select f.stream from stopped s join wallet.fact f on f.shard = s.shard and f.position > s.position
    and f.position < s.until and f.name = 'payment-authorised' and f.stream like 'payment-' || s.holding || '.%'
where s.frozen and f.effective_at >= s.effective_at
"""
"""The facts of a holding share a shard, so their positions say what was known when money was held."""


def lines_of(verdict: Verdict, most: int = 20) -> Iterator[str]:
    """The verdict, for people."""
    for name in ("lost", "doubled", "drift", "untrue", "unresolved"):
        findings = getattr(verdict, name)
        yield f"{name}: {len(findings)}"
        yield from (f"  {one}" for one in findings[:most])
