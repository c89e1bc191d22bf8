"""The books on PostgreSQL: many commands' entries in the same round trip as their facts."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any

import asyncpg

from libs.eventsourcing.lanes import Lane
from libs.eventsourcing.postgres import FULL, LANES, LOST, PostgresStore, columns, lock_class
from libs.eventsourcing.postgres import ddl as store_ddl
from libs.eventsourcing.store import Append, Declined, Outcome
from libs.kernel.clocks import Clock
from libs.kernel.outages import Outage, OutcomeUnknown
from libs.ledger.entry import Audit, Balance, Booked, Entry, Line, Post, Posted, Standing
from libs.ledger.guards import REFERENCE_REUSED, SQL

REFERENCE_KNOWN = "reference-known"
"""The same reference with the same body: for a bare entry it was done before; for a command it is a reuse."""


def ddl(schema: str) -> str:
    """The event store and the books of one service: tables and functions."""
    return store_ddl(schema) + _template("schema.sql", schema) + functions(schema)


def functions(schema: str, without: frozenset[str] = frozenset()) -> str:
    """The functions alone, to be put in place of earlier ones; `without` names guards that tests leave out."""
    sql = _template("functions.sql", schema)
    for code, condition in SQL.items():
        sql = sql.replace(f"{{guard:{code}}}", "false" if code in without else condition)
    return sql


def _template(name: str, schema: str) -> str:
    template = files("libs.ledger").joinpath(name).read_text()
    return template.replace("{schema}", schema).replace("{lock_class}", str(lock_class(schema)))


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
        entries = [(n, entry) for n, a in enumerate(batch, 1) if a.booking for entry in a.booking.entries]
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
        arguments = [
            [post.shard for post in batch],
            [post.at for post in batch],
            *entry_arguments([(n, post.entry) for n, post in enumerate(batch, 1)]),
            self._machine.now(),
        ]
        holes = ", ".join(f"${n}" for n in range(1, len(arguments) + 1))
        try:
            connection = await self._pool.acquire(timeout=5)
        except (*LOST, *FULL) as away:
            raise Outage(f"the books do not answer: {away}") from away
        try:
            rows = await connection.fetch(f"select * from {self._schema}.post_all({holes})", *arguments)
        except FULL as full:
            raise Outage(f"the books are full: {full}", retry_after_s=30) from full
        except LOST as lost:
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
            raise OutcomeUnknown(f"the books went away in mid-entry: {lost}") from lost
        finally:
            await self._pool.release(connection)
        outcomes: list[Posted | Declined] = [Posted()] * len(batch)
        for command, why, what in rows:
            outcomes[command - 1] = Posted(again=True) if why == REFERENCE_KNOWN else Declined(why, what)
        return outcomes

    async def balances(self, accounts: Sequence[str]) -> Mapping[str, Balance]:
        rows = await self._ask(
            f"select a.account, coalesce(f.balance_fen, 0) + coalesce(t.balance_fen, 0), "
            f"coalesce(f.held_fen, 0) + coalesce(t.held_fen, 0) "
            f"from unnest($1::text[]) as a(account) left join {self._schema}.folded f on f.account = a.account "
            f"left join lateral (select sum(p.amount_fen)::bigint as balance_fen, sum(p.held_fen)::bigint as held_fen "
            f"from {self._schema}.fold_mark m join {self._schema}.posting p on p.account = a.account "
            f"and p.shard = m.shard and p.position > m.position) t on true",
            list(accounts),
        )
        return {account: Balance(int(balance), int(held)) for account, balance, held in rows}

    async def standing(self, account: str) -> Standing | None:
        rows = await self._ask(
            f"select id, bearer, open_until, stopped_from, stopped_until from {self._schema}.account where id = $1",
            account,
        )
        return Standing(*rows[0]) if rows else None

    async def statement(self, account: str, after: tuple[int, int] = (-1, 0), limit: int = 100) -> Sequence[Line]:
        rows = await self._ask(
            f"select p.shard, p.position, e.reference, e.kind, e.at, p.amount_fen, p.held_fen, p.leg, e.accounts "
            f"from {self._schema}.posting p "
            f"join {self._schema}.entry e on e.shard = p.shard and e.position = p.position "
            f"where p.account = $1 and (p.shard, p.position) > ($2, $3) order by p.shard, p.position, p.leg limit $4",
            account,
            *after,
            limit,
        )
        lines = []
        for shard, position, reference, kind, at, amount, held, leg, accounts in rows:
            others = tuple(one for nth, one in enumerate(accounts, 1) if nth != leg)
            lines.append(Line(shard, position, reference, kind, at, amount, held, others))
        return lines

    async def journal(self, shard: int, after: int, limit: int) -> Sequence[Booked]:
        rows = await self._ask(
            f"select shard, position, reference, kind, digest, at, recorded_at, accounts, amounts_fen, held_fen "
            f"from {self._schema}.entry where shard = $1 and position > $2 order by position limit $3",
            shard,
            after,
            limit,
        )
        return [Booked(*row[:-3], *map(tuple, row[-3:])) for row in map(tuple, rows)]

    async def fold(self, limit: int) -> int:
        return int((await self._ask(f"select {self._schema}.fold_next($1)", limit))[0][0])

    async def audit(self) -> Audit:
        schema = self._schema
        unbalanced = await self._ask(
            f"select reference from {schema}.entry e cross join lateral (select sum(amount)::bigint as total, "
            f"string_agg(account || ' ' || amount || ' ' || held, chr(10) order by leg) as legs "
            f"from unnest(e.accounts, e.amounts_fen, e.held_fen) with ordinality as l(account, amount, held, leg)) l "
            f"where l.total <> 0 or e.digest <> sha256(convert_to(e.kind || chr(10) || l.legs, 'UTF8')) limit 100"
        )
        # One statement, one snapshot: what is kept and what is folded are as of the same instant.
        drifted = await self._ask(
            f"with folded as (select account, sum(amount)::bigint as balance_fen, sum(held)::bigint as held_fen "
            f"from {schema}.entry e cross join lateral unnest(e.accounts, e.amounts_fen, e.held_fen) "
            f"as l(account, amount, held) group by account) "
            f"select a.id, a.balance_fen, a.held_fen, coalesce(f.balance_fen, 0), coalesce(f.held_fen, 0) "
            f"from {schema}.account a left join folded f on f.account = a.id "
            f"where (a.balance_fen, a.held_fen) <> (coalesce(f.balance_fen, 0), coalesce(f.held_fen, 0)) "
            f"order by a.id limit 1000"
        )
        shards = await self._ask(
            f"select shard, count(*), min(position), max(position) from {schema}.entry group by shard order by shard"
        )
        return Audit(
            entries=sum(count for _, count, _, _ in shards),
            unbalanced=[reference for (reference,) in unbalanced],
            drifted=[(account, Balance(*numbers[:2]), Balance(*numbers[2:])) for account, *numbers in drifted],
            gaps=[shard for shard, count, first, last in shards if (first, last) != (1, count)],
        )

    async def drain(self) -> None:
        await super().drain()
        for lane in self._posts:
            await lane.drained()


def entry_arguments(entries: Sequence[tuple[int, Entry]]) -> list[list[Any]]:
    """Entries and their legs as columns; each entry comes with the number, from 1, of its command."""
    legs = [
        (e, n, leg, posting.account, posting.amount_fen, posting.held_fen, posting.guard is not None,
         *(_NO_GUARD if (g := posting.guard) is None else (g.least_fen, g.most_fen, g.in_use, g.bearer)))
        for e, (n, entry) in enumerate(entries, 1)
        for leg, posting in enumerate(entry.postings, 1)
    ]  # fmt: skip
    rows = [
        (n, entry.reference, entry.kind, entry.digest,
         _array(posting.account for posting in entry.postings),
         _array(posting.amount_fen for posting in entry.postings),
         _array(posting.held_fen for posting in entry.postings))
        for n, entry in entries
    ]  # fmt: skip
    return [*columns(rows, 7), *columns(legs, 11)]


_NO_GUARD = (None, None, False, "")


def _array(parts: Any) -> str:
    """PostgreSQL's way of writing an array; an account's name needs no quotes."""
    return "{" + ",".join(map(str, parts)) + "}"
