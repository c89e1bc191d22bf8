"""The books in memory, beside the event store's twin."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.eventsourcing.memory import MemoryStore
from libs.eventsourcing.store import SHARDS, Append, Conflict, Declined, Outcome
from libs.kernel.clocks import Clock
from libs.ledger import guards
from libs.ledger.entry import Audit, Balance, Booked, Booking, Entry, Guard, Line, Post, Posted, Standing, digest_of
from libs.ledger.guards import Look

NOTHING = Balance()


class MemoryLedger(MemoryStore):
    """Keeps every promise of `Ledger` but durability."""

    def __init__(self, machine: Clock) -> None:
        super().__init__(machine)
        self._clock = machine
        self._journal: dict[int, list[Booked]] = {shard: [] for shard in range(SHARDS)}
        self._references: dict[str, Booked] = {}
        self._kept: dict[str, Balance] = {}
        self._standings: dict[str, Standing] = {}
        self._folded: dict[str, Balance] = defaultdict(Balance)
        self._marks_of_fold = dict.fromkeys(range(SHARDS), 0)

    async def append(self, wanted: Append) -> Outcome:
        booking: Booking | None = wanted.booking
        if booking is None:
            return await super().append(wanted)
        await asyncio.sleep(0)
        # From here on nobody else gets a turn until all is done: judge, store, book.
        if wanted.command_id not in self._commands and wanted.expected == len(self._streams[wanted.stream]):
            if (no := self._judge(booking.entries, wanted.effective_at)) is not None:
                return no
            outcome = self._store(wanted)
            self._book(booking, wanted.shard, wanted.effective_at)
            self._bell.ring()
            return outcome
        return self._commands.get(wanted.command_id) or Conflict(len(self._streams[wanted.stream]))

    async def post(self, wanted: Post) -> Posted | Declined:
        await asyncio.sleep(0)
        known = self._references.get(wanted.entry.reference)
        if known is not None and known.digest == wanted.entry.digest:
            return Posted(again=True)
        if (no := self._judge([wanted.entry], wanted.at)) is not None:
            return no
        self._book(Booking(entries=(wanted.entry,)), wanted.shard, wanted.at)
        return Posted()

    def _judge(self, entries: Sequence[Entry], at: datetime) -> Declined | None:
        for entry in entries:
            if not self._reference_is_new(entry.reference):
                return Declined(guards.REFERENCE_REUSED, entry.reference)
        moved: dict[str, Balance] = defaultdict(Balance)
        asked: dict[str, list[Guard]] = defaultdict(list)
        for entry in entries:
            for posting in entry.postings:
                if posting.guard is not None:
                    moved[posting.account] += Balance(posting.amount_fen, posting.held_fen)
                    asked[posting.account].append(posting.guard)
        for account, all_asked in sorted(asked.items()):
            guard = _strictest(all_asked)
            standing = Standing(account) if guard.folded else self._standings.get(account)
            if standing is None:
                return Declined(guards.ACCOUNT_UNKNOWN, account)
            kept = self._fold_from(0) if guard.folded else self._kept
            if why := guards.refusing(Look(standing, kept.get(account, NOTHING) + moved[account], guard, at)):
                return Declined(why, account)
        return None

    def _reference_is_new(self, reference: str) -> bool:
        return reference not in self._references

    def _book(self, booking: Booking, shard: int, at: datetime) -> None:
        for entry in booking.entries:
            booked = Booked(
                shard=shard,
                position=len(self._journal[shard]) + 1,
                reference=entry.reference,
                kind=entry.kind,
                digest=entry.digest,
                at=at,
                recorded_at=self._clock.now(),
                accounts=tuple(posting.account for posting in entry.postings),
                amounts_fen=tuple(posting.amount_fen for posting in entry.postings),
                held_fen=tuple(posting.held_fen for posting in entry.postings),
            )
            self._journal[shard].append(booked)
            self._references[entry.reference] = booked
            for posting in entry.postings:
                if posting.guard is not None and not posting.guard.folded:
                    kept = self._kept.get(posting.account, NOTHING)
                    self._kept[posting.account] = kept + Balance(posting.amount_fen, posting.held_fen)
        for standing in booking.standings:
            self._standings[standing.account] = standing

    async def balances(self, accounts: Sequence[str]) -> Mapping[str, Balance]:
        folded = self._fold_from(0)
        return {account: folded.get(account, NOTHING) for account in accounts}

    async def standing(self, account: str) -> Standing | None:
        return self._standings.get(account)

    async def statement(self, account: str, after: tuple[int, int] = (-1, 0), limit: int = 100) -> Sequence[Line]:
        lines = [
            _line(booked, leg)
            for shard in range(SHARDS)
            for booked in self._journal[shard]
            if (shard, booked.position) > after
            for leg, of in enumerate(booked.accounts)
            if of == account
        ]
        return lines[:limit]

    async def journal(self, shard: int, after: int, limit: int) -> Sequence[Booked]:
        return self._journal[shard][after : after + limit]

    async def fold(self, limit: int) -> int:
        taken = 0
        for shard, mark in self._marks_of_fold.items():
            rows = self._journal[shard][mark : mark + limit]
            for booked in rows:
                for account, balance in _moves(booked):
                    self._folded[account] += balance
            self._marks_of_fold[shard] = mark + len(rows)
            taken += len(rows)
        return taken

    async def audit(self) -> Audit:
        entries = [booked for rows in self._journal.values() for booked in rows]
        folded = self._fold_from(0)
        return Audit(
            entries=len(entries),
            unbalanced=[
                booked.reference
                for booked in entries
                if sum(booked.amounts_fen)
                or booked.digest != digest_of(booked.kind, booked.accounts, booked.amounts_fen, booked.held_fen)
            ],
            drifted=[
                (account, kept, folded.get(account, NOTHING))
                for account in sorted(self._standings.keys() | self._kept.keys())
                if (kept := self._kept.get(account, NOTHING)) != folded.get(account, NOTHING)
            ],
            gaps=[
                shard
                for shard, rows in self._journal.items()
                if [booked.position for booked in rows] != [*range(1, len(rows) + 1)]
            ],
            marks={shard: len(rows) for shard, rows in self._journal.items() if rows},
        )

    async def audit_after(self, marks: Mapping[int, int], suspects: Sequence[str], limit: int) -> Audit:
        return await self.audit()  # In memory a whole look is as quick.

    def _fold_from(self, after: int) -> Mapping[str, Balance]:
        folded: dict[str, Balance] = defaultdict(Balance)
        for rows in self._journal.values():
            for booked in rows[after:]:
                for account, balance in _moves(booked):
                    folded[account] += balance
        return folded


def _moves(booked: Booked) -> Sequence[tuple[str, Balance]]:
    legs = zip(booked.accounts, booked.amounts_fen, booked.held_fen, strict=True)
    return [(account, Balance(amount, held)) for account, amount, held in legs]


def _line(booked: Booked, leg: int) -> Line:
    return Line(
        shard=booked.shard,
        position=booked.position,
        reference=booked.reference,
        kind=booked.kind,
        at=booked.at,
        amount_fen=booked.amounts_fen[leg],
        held_fen=booked.held_fen[leg],
        others=tuple(account for nth, account in enumerate(booked.accounts) if nth != leg),
    )


def _strictest(asked: Sequence[Guard]) -> Guard:
    """What all of these ask together."""
    least = [guard.least_fen for guard in asked if guard.least_fen is not None]
    most = [guard.most_fen for guard in asked if guard.most_fen is not None]
    return Guard(
        least_fen=max(least, default=None),
        most_fen=min(most, default=None),
        in_use=any(guard.in_use for guard in asked),
        bearer=max((guard.bearer for guard in asked), default=""),
        folded=any(guard.folded for guard in asked),
    )
