"""What is written into the books, and what the books answer."""

import hashlib
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

from libs.eventsourcing.store import Declined, Store, shard_of

AMOUNT_MAX = 10**15
"""Ten million million yuan in fen: what is larger is a mistake, and no sum of such amounts leaves 64 bits."""

_ACCOUNT = re.compile(r"[a-z][a-z-]{0,30}:[A-Za-z0-9._/-]{1,60}")


class EntryUnfit(ValueError):
    """An entry that no books take: the code that made it is wrong."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What must be true of an account when an entry has been booked; only accounts with a guard are locked and checked.

    `least_fen` bounds what is available (balance less holds) from below, `most_fen` the balance from above; `in_use`
    asks that the account is not stopped at the moment of the entry; `bearer` is what the account must be used with.
    A guarded account must have been opened (see `Standing`), unless the guard is `folded`: then it has no row, and is
    judged by all that was booked on it. Only those who ask so wait for each other; whoever only adds to it does not.
    """

    least_fen: int | None = 0
    most_fen: int | None = None
    in_use: bool = False
    bearer: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Posting:
    """One leg of an entry: what it adds to an account's balance, and to what is held of it, in fen."""

    account: str
    amount_fen: int
    held_fen: int = 0
    guard: Guard | None = None


@dataclass(frozen=True)
class Entry:
    """A movement of money: its postings sum to zero, and its reference happens once."""

    reference: str
    kind: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if sum(posting.amount_fen for posting in self.postings):
            raise EntryUnfit(f"{self.reference}: the postings do not sum to zero")
        if not 0 < len(self.reference) <= 200:
            raise EntryUnfit("a reference has 1 to 200 characters")
        if not self.postings:
            raise EntryUnfit(f"{self.reference}: an entry moves something")
        for posting in self.postings:
            if not _ACCOUNT.fullmatch(posting.account):
                raise EntryUnfit(f"{posting.account!r} cannot name an account")
            if max(abs(posting.amount_fen), abs(posting.held_fen)) > AMOUNT_MAX:
                raise EntryUnfit(f"{self.reference}: an amount is larger than {AMOUNT_MAX} fen")

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over what is booked; guards are no part of it, for they judge and are not booked."""
        return digest_of(
            self.kind,
            [posting.account for posting in self.postings],
            [posting.amount_fen for posting in self.postings],
            [posting.held_fen for posting in self.postings],
        )


def digest_of(kind: str, accounts: Sequence[str], amounts_fen: Sequence[int], held_fen: Sequence[int]) -> bytes:
    """SHA-256 of an entry's body: kind and legs, each leg on a line of its own."""
    lines = [kind, *(f"{a} {m:d} {h:d}" for a, m, h in zip(accounts, amounts_fen, held_fen, strict=True))]
    return hashlib.sha256("\n".join(lines).encode()).digest()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a guarded account stands from now on; the first one opens it.

    It can be used with `bearer`, before `open_until`, and not from `stopped_from` until `stopped_until` (for ever, if
    that is None). Moments are compared with the moment of each entry, so nothing here waits for a timer.
    """

    account: str
    bearer: str = ""
    open_until: datetime | None = None
    stopped_from: datetime | None = None
    stopped_until: datetime | None = None

    def in_use(self, at: datetime) -> bool:
        if self.open_until is not None and at >= self.open_until:
            return False
        stopped = self.stopped_from is not None and at >= self.stopped_from
        return not stopped or (self.stopped_until is not None and at >= self.stopped_until)


@dataclass(frozen=True)
class Booking:
    """All that one command writes into the books, whole or not at all; standings count from the next command on."""

    entries: tuple[Entry, ...] = ()
    standings: tuple[Standing, ...] = ()

    @property
    def claims(self) -> Iterator[Hashable]:
        for standing in self.standings:
            yield "account", standing.account
        for entry in self.entries:
            yield from claims_of(entry)


def claims_of(entry: Entry) -> Iterator[Hashable]:
    """The reference and the guarded accounts: two commands that share one are never judged on the same look."""
    yield "reference", entry.reference
    for posting in entry.postings:
        if posting.guard is not None:
            yield "account", posting.account


@dataclass(frozen=True)
class Post:
    """An entry that is booked without a command: no stream, no facts, nothing to tell."""

    routing_key: str
    at: datetime
    entry: Entry

    @property
    def shard(self) -> int:
        return shard_of(self.routing_key)

    @property
    def claims(self) -> Iterator[Hashable]:
        return claims_of(self.entry)


@dataclass(frozen=True, slots=True)
class Posted:
    """Booked; `again` if that was done before, by the same reference and with the same body."""

    again: bool = False


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry as it stands in the journal; `position` is gap-free from 1 in each shard."""

    shard: int
    position: int
    reference: str
    kind: str
    digest: bytes
    at: datetime
    recorded_at: datetime
    accounts: tuple[str, ...]
    amounts_fen: tuple[int, ...]
    held_fen: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """What one entry did to one account; `others` are the accounts on its other legs."""

    shard: int
    position: int
    reference: str
    kind: str
    at: datetime
    amount_fen: int
    held_fen: int
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds, and how much of that is held for somebody, in fen."""

    balance_fen: int = 0
    held_fen: int = 0

    @property
    def available_fen(self) -> int:
        return self.balance_fen - self.held_fen

    def __add__(self, other: "Balance") -> "Balance":
        return Balance(self.balance_fen + other.balance_fen, self.held_fen + other.held_fen)


@dataclass(frozen=True, slots=True)
class Audit:
    """What a re-fold of the journal came to; every list is empty where the books are right."""

    entries: int = 0
    unbalanced: Sequence[str] = field(default=())
    """References of entries whose legs do not sum to zero, whose digest is not that of their body, or whose lines in
    statements say something else."""
    drifted: Sequence[tuple[str, Balance, Balance]] = field(default=())
    """Accounts whose kept balance is not what the journal says: kept, then folded."""
    gaps: Sequence[int] = field(default=())
    """Shards whose positions are not gap-free from 1."""
    marks: Mapping[int, int] = field(default_factory=dict)
    """For each shard that has entries, the position up to which they were looked at."""

    @property
    def sound(self) -> bool:
        return not (self.unbalanced or self.drifted or self.gaps)

    @property
    def drift_fen(self) -> int:
        """The sum of all differences between kept and folded balances and holds."""
        return sum(
            abs(kept.balance_fen - folded.balance_fen) + abs(kept.held_fen - folded.held_fen)
            for _, kept, folded in self.drifted
        )


class Ledger(Store, Protocol):
    """A store that keeps books: `append` writes a command's booking in the same transaction as its facts.

    `append` may answer `Declined`; nothing has happened then. The codes are those of `libs.ledger.guards`.
    """

    async def post(self, wanted: Post) -> Posted | Declined:
        """Book one entry, durably on return. Raises Outage; OutcomeUnknown, and then ask again."""

    async def balances(self, accounts: Sequence[str]) -> Mapping[str, Balance]:
        """What these accounts hold now; an account without an entry holds nothing."""

    async def standing(self, account: str) -> Standing | None:
        """How a guarded account stands; None if it was never opened."""

    async def statement(self, account: str, after: tuple[int, int] = (-1, 0), limit: int = 100) -> Sequence[Line]:
        """The lines of an account above a place (shard, position), in that order; within a shard that is time."""

    async def journal(self, shard: int, after: int, limit: int) -> Sequence[Booked]:
        """The entries of a shard above a position, in order; a later entry never lies below a read one."""

    async def fold(self, limit: int) -> int:
        """Take the next entries into the folded balances of unguarded accounts; returns how many were taken."""

    async def audit(self) -> Audit:
        """Fold the whole journal anew and compare it with every balance that is kept."""

    async def audit_after(self, marks: Mapping[int, int], suspects: Sequence[str], limit: int) -> Audit:
        """The same for the next entries of each shard above its mark, and for the accounts that they touch, and
        `suspects`; `marks` of the answer say how far it went."""
