"""The books on PostgreSQL: many commands' entries in the same round trip as their facts."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

import asyncpg

from libs.eventsourcing.lanes import Lane
from libs.eventsourcing.postgres import FULL, LANES, LOST, MAY_SCAN, Connection, PostgresStore, columns, lock_class
from libs.eventsourcing.postgres import ddl as store_ddl
from libs.eventsourcing.store import SHARDS, Append, Declined, Outcome
from libs.kernel.clocks import Clock
from libs.kernel.outages import Outage, OutcomeUnknown
from libs.ledger.entry import Audit, Balance, Booked, Entry, Guard, Line, Post, Posted, Posting, Standing
from libs.ledger.guards import REFERENCE_REUSED, SQL

REFERENCE_KNOWN = "reference-known"
"""The same reference with the same body: for a bare entry it was done before; for a command it is a reuse."""


def ddl(schema: str) -> str:
    """The event store and the books of one service: tables and functions."""
    return store_ddl(schema) + _template("schema.sql", schema) + functions(schema)


def lines_ddl(schema: str) -> str:
    """For books of before: legs that bear what a statement says of them."""
    return _template("lines.sql", schema)


def functions(schema: str, without: frozenset[str] = frozenset()) -> str:
    """The functions alone, to be put in place of earlier ones; `without` names guards that tests leave out."""
    sql = _template("functions.sql", schema)
    for code, condition in SQL.items():
        sql = sql.replace(f"{{guard:{code}}}", "false" if code in without else condition)
    return sql


def _template(name: str, schema: str) -> str:
    template = files("libs.ledger").joinpath(name).read_text()
    return template.replace("{schema}", schema).replace("{lock_class}", str(lock_class(schema)))


FULL_AUDIT_S = 600.0
PART_AUDIT_S = 30.0

_SHARDS = """
select e.shard, count(*), min(e.position), max(e.position) from {s}.entry e where {entries} group by e.shard
order by e.shard
"""
_UNBALANCED = """
select e.reference from {s}.entry e cross join lateral (
    select sum(amount)::bigint as total,
           string_agg(account || ' ' || amount || ' ' || held, chr(10) order by leg) as legs
    from unnest(e.accounts, e.amounts_fen, e.held_fen) with ordinality as l(account, amount, held, leg)
) l
where ({entries}) and (l.total <> 0 or e.digest <> sha256(convert_to(e.kind || chr(10) || l.legs, 'UTF8'))) limit 100
"""
# What statements are read from, against the journal: a line for each leg, and none beside.
_MISTOLD = """
select distinct coalesce(l.reference, p.reference) from (
    select e.shard, e.position, e.reference, e.kind, e.at, l.*
    from {s}.entry e cross join lateral unnest(e.accounts, e.amounts_fen, e.held_fen)
        with ordinality as l(account, amount, held, leg)
    where {entries}
) l {whole} join {s}.posting p
    on p.account = l.account and p.shard = l.shard and p.position = l.position and p.leg = l.leg
where (p.amount_fen, p.held_fen, p.at, p.reference, p.kind)
    is distinct from (l.amount, l.held, l.at, l.reference, l.kind) limit 100
"""
# Both kinds of kept balance against the journal itself: guarded accounts now, folded balances as of their marks.
_DRIFTED = """
, legs as (
    select l.account, l.amount, l.held, e.position <= m.position as folded
    from {s}.entry e join {s}.fold_mark m on m.shard = e.shard
    cross join lateral unnest(e.accounts, e.amounts_fen, e.held_fen) as l(account, amount, held)
), truth as (
    select account, sum(amount)::bigint as balance_fen, sum(held)::bigint as held_fen,
           coalesce(sum(amount) filter (where folded), 0)::bigint as folded_fen,
           coalesce(sum(held) filter (where folded), 0)::bigint as folded_held_fen
    from legs group by account
)
select k.account, k.balance_fen, k.held_fen, coalesce(t.balance_fen, 0), coalesce(t.held_fen, 0)
from (select id as account, balance_fen, held_fen from {s}.account) k left join truth t on t.account = k.account
where (k.balance_fen, k.held_fen) <> (coalesce(t.balance_fen, 0), coalesce(t.held_fen, 0))
union all
select t.account, coalesce(f.balance_fen, 0), coalesce(f.held_fen, 0), t.folded_fen, t.folded_held_fen
from truth t left join {s}.folded f on f.account = t.account
where (coalesce(f.balance_fen, 0), coalesce(f.held_fen, 0)) <> (t.folded_fen, t.folded_held_fen)
order by 1 limit 1000
""".replace(", legs as", "with legs as", 1)
# What was booked on an account above the marks. Summed shard by shard, so that no plan reads all that ever was booked.
_UNFOLDED = """
select sum(above.amount_fen)::bigint as balance_fen, sum(above.held_fen)::bigint as held_fen
from {s}.fold_mark m cross join lateral (
    select sum(p.amount_fen) as amount_fen, sum(p.held_fen) as held_fen
    from {s}.posting p where p.account = {account} and p.shard = m.shard and p.position > m.position
) above
"""
_DRIFTED_OF = """
, k as (select id as account, balance_fen, held_fen from {s}.account)
select k.account, k.balance_fen, k.held_fen, t.balance_fen, t.held_fen
from k left join {s}.folded f on f.account = k.account
cross join lateral (
    select coalesce(f.balance_fen, 0) + coalesce(above.balance_fen, 0) as balance_fen,
           coalesce(f.held_fen, 0) + coalesce(above.held_fen, 0) as held_fen
    from ({unfolded}) above
) t
where ({accounts}) and (k.balance_fen, k.held_fen) <> (t.balance_fen, t.held_fen)
order by 1 limit 1000
""".replace("{unfolded}", _UNFOLDED.replace("{account}", "k.account"))


def _first(given: Sequence[Any], shard: int) -> int:
    return int(given[0][shard]) + 1


class PostgresLedger(PostgresStore):
    """`Ledger` in the schema of one service."""

    APPEND = "append_booked"

    def __init__(self, pool: asyncpg.Pool, schema: str, machine: Clock) -> None:
        super().__init__(pool, schema, machine)
        self._posts: list[Lane[Post, Posted | Declined]] = [Lane(self._post_all) for _ in range(LANES)]

    async def append(self, wanted: Append) -> Outcome:
        try:
            outcome = await super().append(wanted)
        except asyncpg.UniqueViolationError as raced:
            if raced.constraint_name != "entry_reference":
                raise
            outcome = await super().append(wanted)  # Somebody in another shard was faster: now it is seen.
        if outcome == Declined(REFERENCE_KNOWN, getattr(outcome, "what", "")):
            return Declined(REFERENCE_REUSED, getattr(outcome, "what", ""))
        return outcome

    async def append_many(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """What books nothing goes the fast way; what books something is judged in the lanes, as ever."""
        plain = [wanted for wanted in batch if wanted.booking is None]
        stored = iter(await super().append_many(plain) if plain else ())
        booked = iter(await asyncio.gather(*(self.append(wanted) for wanted in batch if wanted.booking is not None)))
        return [next(stored if wanted.booking is None else booked) for wanted in batch]

    def _arguments(self, batch: Sequence[Append]) -> list[Any]:
        entries = [
            (n, a.shard, a.effective_at, entry)
            for n, a in enumerate(batch, 1)
            if a.booking
            for entry in a.booking.entries
        ]
        standings = [(n, one) for n, a in enumerate(batch, 1) if a.booking for one in a.booking.standings]
        return [
            *super()._arguments(batch),
            *entry_arguments(entries),
            *columns(
                [(n, s.account, s.bearer, s.open_until, s.stopped_from, s.stopped_until) for n, s in standings], 6
            ),
        ]

    async def post(self, wanted: Post) -> Posted | Declined:
        try:
            return await self._posts[wanted.shard % LANES].submit(wanted)
        except asyncpg.UniqueViolationError:
            return await self._posts[wanted.shard % LANES].submit(wanted)

    async def _post_all(self, batch: Sequence[Post]) -> Sequence[Posted | Declined]:
        entries = [(n, post.shard, post.at, post.entry) for n, post in enumerate(batch, 1)]
        arguments = [*entry_arguments(entries), self._machine.now()]
        holes = ", ".join(f"${n}" for n in range(1, len(arguments) + 1))
        try:
            connection = await self.pool.acquire(timeout=5)
        except (*LOST, *FULL) as away:
            raise Outage(f"the books do not answer: {away}") from away
        try:
            rows = await connection.fetch(f"select * from {self.schema}.post_all({holes})", *arguments)
        except FULL as full:
            raise Outage(f"the books are full: {full}", retry_after_s=30) from full
        except LOST as lost:
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
            raise OutcomeUnknown(f"the books went away in mid-entry: {lost}") from lost
        finally:
            await self.pool.release(connection)
        outcomes: list[Posted | Declined] = [Posted()] * len(batch)
        for command, why, what in rows:
            outcomes[command - 1] = Posted(again=True) if why == REFERENCE_KNOWN else Declined(why, what)
        return outcomes

    async def balances(self, accounts: Sequence[str]) -> Mapping[str, Balance]:
        rows = await self._ask(
            f"select a.account, coalesce(f.balance_fen, 0) + coalesce(t.balance_fen, 0), "
            f"coalesce(f.held_fen, 0) + coalesce(t.held_fen, 0) "
            f"from unnest($1::text[]) as a(account) left join {self.schema}.folded f on f.account = a.account "
            f"left join lateral ({_UNFOLDED.format(s=self.schema, account='a.account')}) t on true",
            list(accounts),
        )
        return {account: Balance(int(balance), int(held)) for account, balance, held in rows}

    async def standing(self, account: str) -> Standing | None:
        rows = await self._ask(
            f"select id, bearer, open_until, stopped_from, stopped_until from {self.schema}.account where id = $1",
            account,
        )
        return Standing(*rows[0]) if rows else None

    async def statement(self, account: str, after: tuple[int, int] = (-1, 0), limit: int = 100) -> Sequence[Line]:
        rows = await self._ask(
            f"select p.shard, p.position, p.reference, p.kind, p.at, p.amount_fen, p.held_fen, coalesce(p.others, "
            f"(select e.accounts[:p.leg - 1] || e.accounts[p.leg + 1:] from {self.schema}.entry e "
            f"where e.shard = p.shard and e.position = p.position)) from {self.schema}.posting p "
            f"where p.account = $1 and (p.shard, p.position) > ($2, $3) order by p.shard, p.position, p.leg limit $4",
            account,
            *after,
            limit,
        )
        return [Line(*row[:-1], *map(tuple, row[-1:])) for row in map(tuple, rows)]

    async def journal(self, shard: int, after: int, limit: int) -> Sequence[Booked]:
        rows = await self._ask(
            f"select shard, position, reference, kind, digest, at, recorded_at, accounts, amounts_fen, held_fen "
            f"from {self.schema}.entry where shard = $1 and position > $2 order by position limit $3",
            shard,
            after,
            limit,
        )
        return [Booked(*row[:-3], *map(tuple, row[-3:])) for row in map(tuple, rows)]

    async def fold(self, limit: int) -> int:
        return int((await self._ask(f"select {self.schema}.fold_next($1)", limit))[0][0])

    async def audit(self) -> Audit:
        """Everything as of one instant, however long it takes to look."""
        return await self._audited("true", "true", FULL_AUDIT_S)

    async def audit_after(self, marks: Mapping[int, int], suspects: Sequence[str], limit: int) -> Audit:
        span = [marks.get(shard, 0) for shard in range(SHARDS + 1)]  # With the one for what is booked by the batch.
        new = "e.position > ($1::bigint[])[e.shard + 1] and e.position <= ($1::bigint[])[e.shard + 1] + $2"
        touched = (
            f"k.account = any($3::text[]) or k.account in (select unnest(e.accounts) from {self.schema}.entry e "
            f"where {new})"
        )
        audit = await self._audited(new, touched, PART_AUDIT_S, span, limit, list(suspects))
        return replace(audit, marks={**marks, **audit.marks})

    async def _audited(self, entries: str, accounts: str, timeout_s: float, *given: object) -> Audit:
        """The entries that fit one condition, and the kept balances of the accounts that fit the other."""
        holes = "with given as (select $1::bigint[], $2::integer, $3::text[]) " if given else ""
        whole = not given

        async def look(connection: Connection) -> Audit:
            async def ask(sql: str) -> Sequence[Any]:
                return list(await connection.fetch(holes + sql.replace("{s}", self.schema), *given, timeout=timeout_s))

            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(MAY_SCAN)
                shards = await ask(_SHARDS.replace("{entries}", entries))
                unbalanced = await ask(_UNBALANCED.replace("{entries}", entries))
                mistold = await ask(
                    _MISTOLD.replace("{entries}", entries).replace("{whole}", "full" if whole else "left")
                )
                drifted = await ask((_DRIFTED if whole else _DRIFTED_OF).replace("{accounts}", accounts))
            first = {shard: 1 if whole else _first(given, shard) for shard, *_ in shards}
            return Audit(
                entries=sum(count for _, count, _, _ in shards),
                unbalanced=sorted({reference for (reference,) in (*unbalanced, *mistold)}),
                drifted=[(account, Balance(*numbers[:2]), Balance(*numbers[2:])) for account, *numbers in drifted],
                gaps=[s for s, count, low, high in shards if (low, high) != (first[s], first[s] + count - 1)],
                marks={shard: high for shard, _, _, high in shards},
            )

        return await self._with(look)

    async def drain(self) -> None:
        await super().drain()
        for lane in self._posts:
            await lane.drained()


def entry_arguments(entries: Sequence[tuple[int, int, datetime, Entry]]) -> list[list[Any]]:
    """Entries, their legs, and what each command asks of each guarded account, as columns.

    Each entry comes with the number (from 1) of its command, its shard and its moment.
    """
    rows: list[tuple[Any, ...]] = []
    legs: list[tuple[Any, ...]] = []
    asks: dict[tuple[int, str], tuple[Any, ...]] = {}
    for nth, (command, shard, at, entry) in enumerate(entries, 1):
        postings = entry.postings
        rows.append((
            command, shard, at, entry.reference, entry.kind, entry.digest,
            _array(posting.account for posting in postings),
            _array(posting.amount_fen for posting in postings),
            _array(posting.held_fen for posting in postings),
        ))  # fmt: skip
        for leg, posting in enumerate(postings, 1):
            legs.append((nth, leg, posting.account, posting.amount_fen, posting.held_fen))
            if posting.guard is not None:
                place = command, posting.account
                asks[place] = _ask(asks.get(place), command, at, posting, posting.guard)
    return [*columns(rows, 9), *columns(legs, 5), *columns(list(asks.values()), 9)]


def _ask(before: tuple[Any, ...] | None, command: int, at: datetime, posting: Posting, guard: Guard) -> tuple[Any, ...]:
    """What a command asks of an account in all its legs together: the sum of all, and the strictest of each guard.

    Of a folded account nobody asks whether it is in use, and that is how the functions know it.
    """
    amount, held, least, most = posting.amount_fen, posting.held_fen, guard.least_fen, guard.most_fen
    in_use_now = None if guard.folded else guard.in_use
    if before is None:
        return command, at, posting.account, amount, held, least, most, in_use_now, guard.bearer
    _, _, account, amount_before, held_before, least_before, most_before, in_use, bearer = before
    return (
        command,
        at,
        account,
        amount + amount_before,
        held + held_before,
        max((one for one in (least, least_before) if one is not None), default=None),
        min((one for one in (most, most_before) if one is not None), default=None),
        None if in_use is None or guard.folded else guard.in_use or in_use,
        max(guard.bearer, bearer),
    )


def _array(parts: Any) -> str:
    """PostgreSQL's way of writing an array; an account's name needs no quotes."""
    return "{" + ",".join(map(str, parts)) + "}"
