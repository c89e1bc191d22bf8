"""Files of others beside the journal, on PostgreSQL: taken whole, and compared by the set once a day.

What a day compares is taken in one transaction: from then on nothing about it moves until the next day. Whoever is
killed later finds it as it was, and goes on.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Any

import asyncpg

from libs.eventsourcing.postgres import MAY_SCAN, lock_class
from libs.kernel import Clash, Missing, value
from libs.kernel.calendar import midnight_after, morning_of, shanghai_day
from libs.kernel.clocks import Clock
from services.wallet.adapters.clearing import CODES
from services.wallet.adapters.statement_files import Statement, StatementUnfit, is_replay, settlement
from services.wallet.domain import chart
from services.wallet.domain.naming import DifferenceId
from services.wallet.domain.reconciliation.bylaw import Party
from services.wallet.domain.reconciliation.matching import Class, Item, Line, Source
from services.wallet.domain.taps.tap import Class as TapClass

RECONCILIATION_LOCK = 1002
PAGE = 1_000
TAKING_MAX_S = 600
LOOK_BACK_DAYS = 92
"""So long a terminal's missing totals are asked for; then nobody has the paper any more."""
OWN_KINDS = ("suspense", "write-off", "adjustment")
"""What reconciliation itself, or two people, have moved: no party has anything to say about it."""
PAID_TAPS = (TapClass.BOOKED, TapClass.AFTER_REPORT, TapClass.AFTER_HOTLIST)

_TAKE_OURS = """
with line as (
    select m.shard, p.position, p.amount_fen, p.reference, p.kind, p.at
    from (select s.shard::smallint as shard, coalesce(k.position, 0) as position from generate_series(0, 64) as s(shard)
          left join {s}.statement_mark k on k.account = $1 and k.shard = s.shard) m
    join {s}.posting p on p.account = $1 and p.shard = m.shard and p.position > m.position
), stop as (
    select shard, min(position) as position from line where at >= $2 group by shard
), taken as (
    select l.* from line l left join stop on stop.shard = l.shard
    where stop.position is null or l.position < stop.position
), moved as (
    insert into {s}.statement_mark select $1, shard, max(position) from taken group by shard
    on conflict (account, shard) do update set position = excluded.position
), ours as (
    insert into {s}.statement_ours
    select $1, $3, t.reference, sum(t.fen), min(t.day) from (
        select case when f.id is not null then 'tap-files/' || f.number
                    when kind = 'taps' then split_part(reference, '/', 1) || '/' || split_part(reference, '/', 2)
                    else reference end as reference,
               amount_fen as fen, (at at time zone 'Asia/Shanghai')::date as day
        from taken left join {s}.tap_file f
            on f.id = case when reference like 'taps/%' then split_part(reference, '/', 2)::integer end
        where kind <> all($4)
    ) t group by t.reference
    returning reference, fen, day
), items as (
    insert into {s}.statement_item as i (city, source, sender, reference, since, ours_fen, ours_lines)
    select $5, $6, $7, reference, day, fen, 1 from ours
    on conflict (city, source, sender, reference) do update set ours_fen = i.ours_fen + excluded.ours_fen,
        ours_lines = i.ours_lines + 1, since = least(i.since, excluded.since)
)
select coalesce(sum(fen), 0)::bigint from ours
"""
_TAKE_THEIRS = """
with file as (
    update {s}.statement_file set taken_on = $4 where city = $1 and source = $2 and sender = $3 and taken_on is null
    returning id, day
), theirs as (
    select l.reference, sum(l.fen)::bigint as fen, count(*) as lines, min(l.day) as day
    from {s}.statement_line l where l.file in (select id from file) group by l.reference
), items as (
    insert into {s}.statement_item as i (city, source, sender, reference, since, theirs_fen, theirs_lines)
    select $1, $2, $3, reference, day, fen, lines from theirs
    on conflict (city, source, sender, reference) do update set theirs_fen = i.theirs_fen + excluded.theirs_fen,
        theirs_lines = i.theirs_lines + excluded.theirs_lines, since = least(i.since, excluded.since)
)
select (select coalesce(sum(fen), 0)::bigint from theirs), (select max(day) from file)
"""
# A terminal's totals are held against the register of taps, for a terminal and a day at once; its reference names both.
_TAKE_TERMINALS = """
with open_ as (
    select reference, split_part(reference, '/', 1)::bigint as terminal,
           split_part(reference, '/', 2)::date::timestamp at time zone 'Asia/Shanghai' as from_at
    from {s}.statement_item where city = $1 and source = $2 and sender = $3
    and (ours_fen <> theirs_fen or suspended_fen <> 0 or worked_off_fen <> 0)
), known as (
    select o.reference, coalesce(sum(k.fen) filter (where k.paid), 0)::bigint as paid,
           coalesce(sum(k.fen) filter (where not k.paid), 0)::bigint as parked, count(k.fen) as taps
    from open_ o
    left join {s}.tap_terminal t on t.terminal = o.terminal and t.city = $1 and t.merchant = $3
    left join lateral (
        select fen::bigint, case when ruling is null then standing = any($4) else ruling in (1, 3) end as paid
        from {s}.tap
        where terminal = t.terminal and at >= o.from_at and at < o.from_at + interval '1 day'
        union all
        select fen::bigint, false from {s}.tap_bad
        where terminal = t.terminal and at >= o.from_at and at < o.from_at + interval '1 day'
    ) k on true
    group by o.reference
), was as (
    select i.reference, i.ours_fen from {s}.statement_item i join known k on k.reference = i.reference
    where i.city = $1 and i.source = $2 and i.sender = $3
), items as (
    update {s}.statement_item i set ours_fen = k.paid, parked_fen = k.parked, ours_lines = (k.taps > 0)::integer
    from known k where i.city = $1 and i.source = $2 and i.sender = $3 and i.reference = k.reference
)
select coalesce((select sum(paid) from known), 0)::bigint - coalesce((select sum(ours_fen) from was), 0)::bigint
"""
# Days on which a merchant's terminals have taken something, and of which they have told no total.
_TOTALS_MISSING = """
select count(*), min(day) from (
    select distinct t.terminal, (t.at at time zone 'Asia/Shanghai')::date as day
    from {s}.tap t join {s}.tap_terminal k on k.terminal = t.terminal and k.city = $1 and k.merchant = $3
    where t.at >= $4 and t.at < $5
) taken where not exists (
    select from {s}.statement_item i where i.city = $1 and i.source = $2 and i.sender = $3
    and i.reference = taken.terminal || '/' || taken.day
)
"""
_ITEM = """reference, since, ours_fen, ours_lines, theirs_fen, theirs_lines, parked_fen, suspended_fen, worked_off_fen,
difference_id"""


class FileUnknown(Missing):
    """No file {number} of {sender} has come; check the kind, the sender and the number, or send it."""


class NotReconciledHere(Clash):
    """This house keeps everything in memory and reconciles nothing; ask one that has PostgreSQL."""


class NotReconciledYet(Missing):
    """{day} has not been reconciled for {sender}; ask again after the hour at which the city reconciles."""


@value
class Received:
    """A file as it was taken. `taken_on` is the day with which it was reconciled, once it was."""

    source: Source
    sender: str
    number: int
    day: date
    sha256: str
    lines: int
    total_fen: int
    received_at: datetime
    taken_on: date | None


@value
class Totals:
    """What both sides have said in all, and the last day for which a file has come."""

    ours_fen: int = 0
    theirs_fen: int = 0
    covered: date | None = None


@value
class Noted:
    """An open item, and the name under which its difference lies in suspense, if it has one."""

    item: Item
    difference_id: DifferenceId


@value
class Waiting:
    """A difference in the register of suspense."""

    difference_id: DifferenceId
    source: Source
    sender: str
    reference: str
    why: Class
    since: date
    ours_fen: int
    theirs_fen: int
    suspended_fen: int


def ddl(schema: str) -> str:
    """Tables of reconciliation, beside the books and the taps of the same schema."""
    return files("services.wallet.adapters").joinpath("reconciling.sql").read_text().replace("{schema}", schema)


def account_of(city: str, source: Source, sender: str) -> str:
    """The account on which our side of a file's lines stands; a terminal's totals are held against taps instead."""
    match source:
        case Source.MERCHANT:
            return chart.merchant(city, sender)
        case Source.BANK | Source.CHANNEL:
            return chart.channel(city, sender)
        case Source.TERMINALS:
            return ""


class Reconciling:
    """Keeps others' files, and what both sides have said of each movement."""

    def __init__(self, pool: asyncpg.Pool, schema: str, city: Clock) -> None:
        self._pool, self._schema, self._city = pool, schema, city

    # --- files come in ---

    async def receive(self, city: str, come: Statement) -> Received:
        """Take a file that was found right, whole or not at all; one that came before is answered as it was then.

        Raises StatementAltered, and StatementUnfit for a day that has not been yet.
        """
        if come.day > shanghai_day(self._city.now()):
            raise StatementUnfit(line=1, why=f"{come.day} has not been yet")
        key = (city, come.kind, come.sender, come.number)
        async with self._pool.acquire() as connection, connection.transaction():
            file = await connection.fetchval(
                f"insert into {self._schema}.statement_file (city, source, sender, number, day, sha256, lines, "
                f"total_fen, received_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing "
                f"returning id",
                *key,
                come.day,
                come.sha256,
                len(come.lines),
                come.total_fen,
                self._city.now(),
            )
            if file is not None:
                await connection.copy_records_to_table(
                    "statement_line",
                    schema_name=self._schema,
                    records=(
                        (file, nth, one.reference, one.fen, one.day, one.posted)
                        for nth, one in enumerate(come.lines, 3)
                    ),
                    timeout=TAKING_MAX_S,
                )
        known = await self.received(city, Source(come.kind), come.sender, come.number)
        before = Statement(
            kind=come.kind, sender=come.sender, number=come.number, day=known.day, lines=(), sha256=known.sha256
        )
        is_replay(before, come)
        return known

    async def received(self, city: str, source: Source, sender: str, number: int) -> Received:
        """A file that has come. Raises FileUnknown."""
        row = await self._pool.fetchrow(
            f"select number, day, sha256, lines, total_fen, received_at, taken_on from {self._schema}.statement_file "
            f"where city = $1 and source = $2 and sender = $3 and number = $4",
            city,
            source,
            sender,
            number,
        )
        if row is None:
            raise FileUnknown(sender=sender, number=number)
        return Received(source=source, sender=sender, **row)

    # --- files go out ---

    async def ours(self, city: str, source: Source, sender: str, day: date) -> Statement:
        """Our file for a party and a day: each movement that this day's reconciliation took. Raises NotReconciledYet.

        Its number counts the days that were reconciled; once a day is done it never changes.
        """
        number = await self._pool.fetchval(
            f"select count(*) from {self._schema}.statement_run where city = $1 and day <= $2 "
            f"having bool_or(day = $2 and done_at is not null)",
            city,
            day,
        )
        if number is None:
            raise NotReconciledYet(day=day.isoformat(), sender=sender)
        rows = await self._pool.fetch(
            f"select reference, fen, day from {self._schema}.statement_ours where account = $1 and taken_on = $2 "
            f"and fen <> 0",
            account_of(city, source, sender),
            day,
        )
        return settlement(
            sender,
            number,
            day,
            (Line(reference=row["reference"], fen=row["fen"], day=row["day"], posted=day) for row in rows),
            source,
        )

    # --- a day ---

    async def last_done(self, city: str) -> date | None:
        """The last day that was reconciled to its end."""
        day: date | None = await self._pool.fetchval(
            f"select max(day) from {self._schema}.statement_run where city = $1 and done_at is not null", city
        )
        return day

    async def unfinished(self, city: str) -> date | None:
        """A day that was taken and not judged to its end: whoever was at it has died."""
        day: date | None = await self._pool.fetchval(
            f"select min(day) from {self._schema}.statement_run where city = $1 and done_at is null", city
        )
        return day

    async def take(self, city: str, day: date, parties: Sequence[Party]) -> None:
        """Take all that both sides have said until the end of a day, once; said again, it changes nothing."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(MAY_SCAN)
            await connection.execute(f"select pg_advisory_xact_lock({lock_class(self._schema)}, {RECONCILIATION_LOCK})")
            fresh = await connection.fetchval(
                f"insert into {self._schema}.statement_run values ($1, $2, $3) on conflict do nothing returning true",
                city,
                day,
                self._city.now(),
            )
            if not fresh:
                return
            for party in parties:
                ours = await self._take_ours(connection, city, day, party)
                theirs, covered = await self._fetchrow(connection, _TAKE_THEIRS, city, party.source, party.sender, day)
                if party.source is Source.TERMINALS:
                    [ours] = await self._fetchrow(
                        connection,
                        _TAKE_TERMINALS,
                        city,
                        party.source,
                        party.sender,
                        [code for code, one in CODES.items() if one in PAID_TAPS],
                    )
                await connection.execute(
                    f"insert into {self._schema}.statement_party as p values ($1, $2, $3, $4, $5, $6) "
                    f"on conflict (city, source, sender) do update set ours_fen = p.ours_fen + excluded.ours_fen, "
                    f"theirs_fen = p.theirs_fen + excluded.theirs_fen, covered = greatest(p.covered, excluded.covered)",
                    city,
                    party.source,
                    party.sender,
                    ours,
                    theirs,
                    covered,
                )

    async def _take_ours(self, connection: Any, city: str, day: date, party: Party) -> int:
        account = account_of(city, party.source, party.sender)
        if not account:
            return 0
        [fen] = await self._fetchrow(
            connection,
            _TAKE_OURS,
            account,
            midnight_after(day),
            day,
            OWN_KINDS,
            city,
            party.source,
            party.sender,
        )
        return int(fen)

    async def _fetchrow(self, connection: Any, sql: str, *given: object) -> Sequence[Any]:
        return tuple(await connection.fetchrow(sql.replace("{s}", self._schema), *given, timeout=TAKING_MAX_S))

    async def totals(self, city: str, party: Party) -> Totals:
        """What both sides of a party have said in all."""
        row = await self._pool.fetchrow(
            f"select ours_fen, theirs_fen, covered from {self._schema}.statement_party "
            f"where city = $1 and source = $2 and sender = $3",
            city,
            party.source,
            party.sender,
        )
        return Totals() if row is None else Totals(**row)

    async def totals_missing(self, city: str, party: Party, last: date) -> tuple[int, date | None]:
        """How many days of terminals, up to the last, have taps and no total; and the oldest of them."""
        from_at, until = morning_of(last - timedelta(days=LOOK_BACK_DAYS)), midnight_after(last)
        async with self._pool.acquire() as connection:
            found = await self._fetchrow(connection, _TOTALS_MISSING, city, party.source, party.sender, from_at, until)
        return int(found[0]), found[1]

    async def open_items(self, city: str, party: Party) -> AsyncIterator[Sequence[Noted]]:
        """What is open with a party, page by page."""
        after = ""
        while rows := await self._pool.fetch(
            f"select {_ITEM} from {self._schema}.statement_item where city = $1 and source = $2 and sender = $3 "
            f"and (ours_fen <> theirs_fen or suspended_fen <> 0 or worked_off_fen <> 0) and reference > $4 "
            f"order by reference limit {PAGE}",
            city,
            party.source,
            party.sender,
            after,
        ):
            yield [_noted(dict(row)) for row in rows]
            after = rows[-1]["reference"]

    async def note(self, city: str, party: Party, item: Item, difference: DifferenceId, why: Class | None) -> None:
        """Write down what now lies in suspense because of an item, and what people have worked off."""
        await self._pool.execute(
            f"update {self._schema}.statement_item set difference_id = $5, suspended_fen = $6, worked_off_fen = $7, "
            f"why = coalesce($8, why) where city = $1 and source = $2 and sender = $3 and reference = $4",
            city,
            party.source,
            party.sender,
            item.reference,
            difference,
            item.suspended_fen,
            item.worked_off_fen,
            why,
        )

    async def done(self, city: str, day: date) -> None:
        """All of a day has been judged, and written down."""
        await self._pool.execute(
            f"update {self._schema}.statement_run set done_at = $3 where city = $1 and day = $2 and done_at is null",
            city,
            day,
            self._city.now(),
        )

    # --- the register of suspense ---

    async def waiting(self, city: str, after: tuple[date, str], until: date, limit: int) -> Sequence[Waiting]:
        """Differences in suspense since a day up to `until`, oldest first, behind a place (day, difference)."""
        rows = await self._pool.fetch(
            f"select {_WAITING} from {self._schema}.statement_item "
            f"where city = $1 and (suspended_fen <> 0 or worked_off_fen <> 0) and (since, difference_id) > ($2, $3) "
            f"and since <= $4 order by since, difference_id limit $5",
            city,
            *after,
            until,
            limit,
        )
        return [_waiting(dict(row)) for row in rows]

    async def one_waiting(self, difference: DifferenceId) -> Waiting | None:
        """A difference that is or was in suspense."""
        row = await self._pool.fetchrow(
            f"select {_WAITING} from {self._schema}.statement_item where difference_id = $1 and difference_id <> ''",
            difference,
        )
        return None if row is None else _waiting(dict(row))


_WAITING = "difference_id, source, sender, reference, why, since, ours_fen, theirs_fen, suspended_fen"
BEFORE_ALL = (date(1, 1, 1), "")


def _waiting(row: Mapping[str, Any]) -> Waiting:
    return Waiting(**{**row, "source": Source(row["source"]), "why": Class(row["why"])})


def _noted(row: dict[str, Any]) -> Noted:
    return Noted(difference_id=DifferenceId(row.pop("difference_id")), item=Item(**row))


def strikes_at(day: date, at_hour: int) -> datetime:
    """When a day is to be reconciled: at this hour of the next one."""
    return midnight_after(day) + timedelta(hours=at_hour)


def due_day(now: datetime, at_hour: int) -> date:
    """The last day whose hour of reconciliation has struck."""
    yesterday = shanghai_day(now) - timedelta(days=1)
    return yesterday if now >= strikes_at(yesterday, at_hour) else yesterday - timedelta(days=1)
