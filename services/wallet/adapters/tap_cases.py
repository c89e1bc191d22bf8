"""The register of cases on PostgreSQL: what is open, what stands against it, and the books that follow a ruling."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from libs.eventsourcing.postgres import MAY_SCAN, lock_class
from libs.kernel import Clash, Missing, Unfit, value
from libs.kernel.clocks import Clock
from services.wallet.adapters.clearing import BATCH_SHARD, CHUNK_TIMEOUT_S, CODES, Rules, ranges
from services.wallet.domain import chart
from services.wallet.domain.naming import CounterId, TapCaseId, counter_id, record_of, tap_case_id
from services.wallet.domain.tapcase.decider import TapCaseUnknown
from services.wallet.domain.taps.clearing import over_ceiling
from services.wallet.domain.taps.tap import Class, Ruling

RULINGS = dict(enumerate(Ruling, 1))
RULING_CODES = {ruling: code for code, ruling in RULINGS.items()}
CLASS_CODES = {one: code for code, one in CODES.items()}
TAPS_AT_ONCE = 200_000
"""How many taps are looked through for a page of gaps: about a fifth of a second."""
JUDGED_AT_ONCE = 20_000


class TerminalNotKnown(Missing):
    """No terminal {terminal} of yours is written down; check its number, or have the card centre write it down."""


class HotlistVersionUnknown(Unfit):
    """There is no version {version} of the hotlist; the newest is {newest}. Say the one that the terminal holds."""


class ReceiptAhead(Clash):
    """A terminal cannot have received anything in the future; check its clock, and send the receipt again."""


@value
class TapCase:
    """A record that is a case, as it stands now. `account` and `merchant` are None where the city knows none."""

    case_id: TapCaseId
    counter_id: CounterId
    standing: Class
    card: int
    counter: int
    terminal: int
    sequence: int
    fen: int
    at: datetime
    opened_at: datetime
    closed_at: datetime | None
    ruling: Ruling | None
    card_id: str | None
    purse_open: bool
    merchant: str | None


@value
class Gap:
    """Purchase counters of a card that have not come yet; `seen_at` is the moment of the tap behind them."""

    card: int
    from_counter: int
    to_counter: int
    seen_at: datetime


@value
class Judged:
    """How many taps stood so, and stand so now."""

    was: Class
    now: Class
    records: int
    fen: int


@value
class Listed:
    """From when the purse of this card is not to be taken any more; None if it may be taken again."""

    card: int
    from_at: datetime | None


@value
class Hotlist:
    """What has changed since a version. `version` is what a terminal holds that has taken all of it; `more` says that
    there is another page."""

    version: int
    newest: int
    cards: tuple[Listed, ...]

    @property
    def more(self) -> bool:
        return self.version < self.newest


_CASE = """
select c.file, c.line, c.opened_at, c.closed_at, c.ruling, f.city, f.sender, f.number,
       coalesce(t.standing, 8) as standing,
       c.card, c.counter, coalesce(t.terminal, b.terminal) as terminal, coalesce(t.sequence, b.sequence) as sequence,
       coalesce(t.fen, b.fen) as fen, coalesce(t.at, b.at) as at, h.card_id, o.holding_id is not null as purse_open,
       m.merchant
from {s}.tap_case c
join {s}.tap_file f on f.id = c.file
left join {s}.tap t on t.card = c.card and t.counter = c.counter and t.variant = c.variant
left join {s}.tap_bad b on b.file = c.file and b.line = c.line and c.variant is null
left join {s}.tap_chip h on h.number = c.card
left join {s}.tap_opened o on o.holding_id = h.holding_id
left join {s}.tap_terminal m on m.terminal = coalesce(t.terminal, b.terminal)
"""

_RIVALS = """
select f.sender, f.number, r.line, r.standing, r.ruling, r.fen, r.at
from {s}.tap t cross join lateral (
    select o.* from {s}.tap o where o.card = t.card
        and (o.counter = t.counter or o.counter > t.counter and o.at + $3 < t.at and o.plain <> 9)
    union
    select o.* from {s}.tap o where o.terminal = t.terminal and o.sequence = t.sequence
) r join {s}.tap_file f on f.id = r.file
where t.file = $1 and t.line = $2 and t.card = $4 and (r.file, r.line) <> (t.file, t.line)
order by r.card, r.counter, r.variant limit 20
"""

_GAPS = """
with looked_at as (
    select card, counter, at, file from {s}.tap where variant = 0 and card > $1 order by card, counter limit $2
), whole as (  -- The last card may have been cut in two.
    select * from looked_at
    where (select count(*) from looked_at) < $2 or card < (select max(card) from looked_at)
), missing as (
    select card, counter, at, file,
           counter - 1 - coalesce(lag(counter) over (partition by card order by counter), 0) as missing
    from whole
)
select m.card, m.counter - m.missing as from_counter, m.counter - 1 as to_counter, m.at as seen_at
from missing m join {s}.tap_file f on f.id = m.file and f.city = $3
where m.missing > 0 order by 1, 2
"""

_CHANGED = """
select h.version, c.number, h.from_at from {s}.hotlist h join {s}.tap_chip c on c.card_id = h.card_id
where h.version > $1 and left(h.card_id, 6) = $2
  and not exists (select from {s}.hotlist n where n.card_id = h.card_id and n.version > h.version)
  and ($1 > 0 or h.from_at is not null)
order by h.version limit $3
"""


class TapCases:
    """Cases of taps, and the hotlist, of one service's schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str, city: Clock) -> None:
        self._pool, self._schema, self._city = pool, schema, city

    async def open(
        self, city: str, standing: Class | None, after: tuple[int, int], limit: int
    ) -> Sequence[tuple[TapCase, tuple[int, int]]]:
        """Open cases, those of the oldest file first, each with its place; `after` is the place of the last one."""
        rows = await self._pool.fetch(
            self._sql(_CASE) + "where c.closed_at is null and f.city = $1 and (c.file, c.line) > ($2, $3) "
            "and ($4::smallint is null or coalesce(t.standing, 8) = $4) order by c.file, c.line limit $5",
            city,
            *after,
            None if standing is None else CLASS_CODES[standing],
            limit,
        )
        return [(_case(row), (row["file"], row["line"])) for row in rows]

    async def case(self, case_id: str) -> TapCase:
        """One case, open or closed. Raises TapCaseUnknown."""
        return _case(await self._row(case_id))

    async def rivals(
        self, case_id: str, rules: Rules
    ) -> Sequence[tuple[TapCaseId, Class, Ruling | None, int, datetime]]:
        """The records that stand against this one, thrown out or not: case, class, ruling, fen and moment."""
        row = await self._row(case_id)
        found = await self._pool.fetch(
            self._sql(_RIVALS), row["file"], row["line"], timedelta(seconds=rules.under.clock_tolerance_s), row["card"]
        )
        return [
            (
                tap_case_id(row["city"], one["sender"], one["number"], one["line"]),
                CODES[one["standing"]],
                RULINGS.get(one["ruling"]),
                one["fen"],
                one["at"],
            )
            for one in found
        ]

    async def carry_out(self, case_id: str, ruling: Ruling, rules: Rules) -> bool:
        """Let register and books follow a ruling; says whether they had not done so before. Raises TapCaseUnknown."""
        row = await self._row(case_id)
        async with self._pool.acquire() as connection, connection.transaction():
            await self._turn(connection)
            done: bool = await connection.fetchval(
                f"select {self._schema}.rule_on_tap($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                row["file"],
                row["line"],
                RULING_CODES[ruling],
                f"ruling/{case_id}",
                self._city.now(),
                timedelta(seconds=rules.under.clock_tolerance_s),
                *self._accounts(rules),
            )
        return done

    async def judge_again(self, name: str, rules: Rules, most: int = JUDGED_AT_ONCE) -> Sequence[Judged]:
        """Judge taps anew of which the city may know more by now; `name` is the request's, and happens once."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(MAY_SCAN)
            await self._turn(connection)
            rows = await connection.fetch(
                f"select * from {self._schema}.judge_again($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
                "$14)",
                rules.city,
                most,
                f"judged/{name}",
                self._city.now(),
                timedelta(seconds=rules.under.clock_tolerance_s),
                timedelta(days=rules.under.stale_days),
                *self._accounts(rules),
                *ranges(rules.ceilings),
                timeout=CHUNK_TIMEOUT_S,
            )
        return [Judged(was=CODES[was], now=CODES[now], records=records, fen=fen) for was, now, records, fen in rows]

    async def gaps(self, city: str, after_card: int, limit: int = TAPS_AT_ONCE) -> tuple[Sequence[Gap], int | None]:
        """The gaps among the next so many taps, and the card behind which to go on; None if all were looked at."""
        rows = await self._pool.fetch(self._sql(_GAPS), after_card, limit, city)
        last = await self._pool.fetchval(
            f"select card from {self._schema}.tap where variant = 0 and card > $1 order by card, counter "
            f"offset $2 - 1 limit 1",
            after_card,
            limit,
        )
        return [Gap(**row) for row in rows], None if last is None else last - 1

    # --- the hotlist ---

    async def hotlist(self, city: str, since: int, limit: int) -> Hotlist:
        """What has changed since that version, one line a card; since 0, all cards that are on it."""
        newest = await self._newest()
        rows = await self._pool.fetch(self._sql(_CHANGED), since, city, limit)
        return Hotlist(
            version=rows[-1]["version"] if len(rows) == limit else newest,
            newest=newest,
            cards=tuple(Listed(card=row["number"], from_at=row["from_at"]) for row in rows),
        )

    async def keep_receipt(self, city: str, merchant: str, terminal: int, version: int, received_at: datetime) -> None:
        """Write down that a terminal has had this version since that moment.

        Raises TerminalNotKnown, HotlistVersionUnknown, ReceiptAhead.
        """
        known = await self._pool.fetchval(
            f"select true from {self._schema}.tap_terminal where terminal = $1 and city = $2 and merchant = $3",
            terminal,
            city,
            merchant,
        )
        if not known:
            raise TerminalNotKnown(terminal=terminal)
        if version > (newest := await self._newest()):
            raise HotlistVersionUnknown(version=version, newest=newest)
        if received_at > self._city.now():
            raise ReceiptAhead
        await self._pool.execute(
            f"insert into {self._schema}.tap_receipt (terminal, received_at, version) values ($1, $2, $3) "
            "on conflict (terminal, received_at) do update "
            "set version = greatest(tap_receipt.version, excluded.version)",
            terminal,
            received_at,
            version,
        )

    async def _newest(self) -> int:
        newest: int = await self._pool.fetchval(f"select coalesce(max(version), 0) from {self._schema}.hotlist")
        return newest

    async def _row(self, case_id: str) -> Any:
        record = record_of(case_id)
        row = record and await self._pool.fetchrow(
            self._sql(_CASE) + "where f.city = $1 and f.sender = $2 and f.number = $3 and c.line = $4", *record
        )
        if not row:
            raise TapCaseUnknown(case_id=case_id)
        return row

    async def _turn(self, connection: Any) -> None:
        """One after the other with clearing: what is judged stays as it is until it is booked."""
        await connection.execute(f"select pg_advisory_xact_lock({lock_class(self._schema)}, {BATCH_SHARD})")

    @staticmethod
    def _accounts(rules: Rules) -> tuple[str, str, str, str]:
        under = rules.under
        loss = chart.issuer_loss(rules.city)
        return under.before_receipt.value, under.after_receipt.value, over_ceiling(rules.city), loss

    def _sql(self, template: str) -> str:
        return template.replace("{s}", self._schema)


def _case(row: Any) -> TapCase:
    return TapCase(
        case_id=tap_case_id(row["city"], row["sender"], row["number"], row["line"]),
        counter_id=counter_id(row["city"], row["card"], row["counter"]),
        standing=CODES[row["standing"]],
        ruling=RULINGS.get(row["ruling"]),
        **{
            name: row[name]
            for name in (
                "card", "counter", "terminal", "sequence", "fen", "at", "opened_at", "closed_at", "card_id",
                "purse_open", "merchant",
            )
        },
    )  # fmt: skip
