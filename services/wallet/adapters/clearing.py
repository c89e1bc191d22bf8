"""Uploads of taps into the books on PostgreSQL: copied, classed and booked by the set, a chunk in one transaction.

A chunk's taps, its entries in the journal, its counts and the upload's progress are committed together. So an upload
that was broken off – by the network, by `kill -9` – goes on where it stood when the same file is sent again, and a file
that was cleared already answers what it answered.
"""

import asyncio
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg

from libs.eventsourcing.postgres import FULL, LOST, MAY_SCAN, lock_class
from libs.kernel import Clash, Missing, Unfit, value
from libs.kernel.calendar import morning_of
from libs.kernel.clocks import Clock
from libs.kernel.outages import Outage, OutcomeUnknown
from services.wallet.adapters.tap_files import RECORD, TapFile, chunks, inspect
from services.wallet.domain import chart
from services.wallet.domain.taps.bylaw import TapBylaw
from services.wallet.domain.taps.clearing import over_ceiling
from services.wallet.domain.taps.tap import Class
from services.wallet.ports import Cryptograms

CHUNK = 20_000
CHUNK_TIMEOUT_S = 120
BATCH_SHARD = 64
"""The journal's shard for what is booked by the batch; online payments use the shards below it."""

CODES = dict(enumerate(Class, 1))
_LAST_DAY = datetime(9999, 1, 1, tzinfo=UTC)

_TAP_IN = """
create temp table if not exists tap_in (
    line integer, card bigint, counter integer, terminal bigint, sequence integer, fen integer, balance_fen integer,
    kind smallint, at timestamptz, tac integer, genuine boolean
) on commit delete rows
"""
_COLUMNS = ("line", "card", "counter", "terminal", "sequence", "fen", "balance_fen", "kind", "at", "tac", "genuine")
_ROW = struct.Struct(">h iiiqiiiqiiiiiiihiqiiib".replace(" ", ""))
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TAIL = b"\xff\xff"
_FROM_1970_TO_2000_S = 946_684_800


class TapFileAltered(Clash):
    """File {number} of {sender} came before with another content; a corrected file gets a number of its own. Nothing of
    this one was booked."""


class AnotherHeading(Unfit):
    """The heading says file {number} of {sender}, and the address another; send each file to its own address."""


class TapFileUnknown(Missing):
    """No file {number} of {sender} has come; check sender and number, or send it."""


@value
class Upload:
    """How far an upload is. `classes` are (records, fen) by class and add up to the records cleared so far."""

    sender: str
    number: int
    records: int
    total_fen: int
    cleared: int
    received_at: datetime
    done_at: datetime | None
    classes: Mapping[Class, tuple[int, int]]


@value
class Rules:
    """What a city decides about taps: bylaw, and the tariffs' ceilings as (service, from day, fen)."""

    city: str
    under: TapBylaw
    ceilings: Sequence[tuple[str, date, int]]


@contextmanager
def _known_afterwards() -> Iterator[None]:
    """Whatever the database took with it when it went away: the same file, sent again, goes on where it stood.

    Raises Outage.
    """
    try:
        yield
    except FULL as full:
        raise Outage(f"the books are full: {full}", retry_after_s=30) from full
    except LOST as lost:
        raise OutcomeUnknown(f"the books went away in the middle of a file of taps: {lost}") from lost


def ddl(schema: str) -> str:
    """Tables and functions of clearing, beside the books of the same schema (libs.ledger)."""
    return tables_ddl(schema) + cases_ddl(schema)


def tables_ddl(schema: str) -> str:
    """The register of taps, and what is known of chips and terminals."""
    return _sql("clearing", schema)


def cases_ddl(schema: str) -> str:
    """Cases, the hotlist, and the functions that clear, rule and judge again; all functions can be made anew."""
    return _sql("clearing_cases", schema) + functions_ddl(schema)


def functions_ddl(schema: str) -> str:
    return _sql("clearing_functions", schema)


def _sql(name: str, schema: str) -> str:
    template = files("services.wallet.adapters").joinpath(f"{name}.sql").read_text()
    return template.replace("{schema}", schema).replace("{lock_class}", str(lock_class(schema)))


class Clearing:
    """Takes files of taps, however often and however late they come."""

    def __init__(
        self, pool: asyncpg.Pool, schema: str, cryptograms: Cryptograms, city: Clock, chunk: int = CHUNK
    ) -> None:
        self._pool, self._schema, self._cryptograms, self._city = pool, schema, cryptograms, city
        self._chunk = chunk
        self._turn = asyncio.Lock()  # All clear under one lock of the database: who waits needs no connection for that.

    async def take(self, path: Path, rules: Rules, expected: tuple[str, int] | None = None) -> Upload:
        """Clear a file from where an earlier attempt left it; `expected` is the sender and number that it must bear.

        Raises TapFileUnfit, TapFileAltered, Outage.
        """
        about = await asyncio.to_thread(_inspected, path)
        if expected not in (None, (about.sender, about.number)):
            raise AnotherHeading(sender=about.sender, number=about.number)
        with _known_afterwards():
            file, cleared = await self._begin(about, rules.city)
            await self._go_on(path, about, file, cleared, rules)
        return await self.upload(rules.city, about.sender, about.number)

    async def upload(self, city: str, sender: str, number: int) -> Upload:
        """How far an upload is. Raises TapFileUnknown, Outage."""
        with _known_afterwards():
            row = await self._pool.fetchrow(
                f"select id, records, total_fen, cleared, received_at, done_at from {self._schema}.tap_file "
                f"where city = $1 and sender = $2 and number = $3",
                city,
                sender,
                number,
            )
            if row is None:
                raise TapFileUnknown(sender=sender, number=number)
            classes = await self._pool.fetch(
                f"select class, records, fen from {self._schema}.tap_file_class where file = $1 order by class",
                row["id"],
            )
        return Upload(
            sender=sender,
            number=number,
            classes={CODES[code]: (records, fen) for code, records, fen in classes},
            **{name: row[name] for name in ("records", "total_fen", "cleared", "received_at", "done_at")},
        )

    async def keep_terminals(self, city: str, terminals: Sequence[tuple[int, str, str, datetime | None]]) -> None:
        """Write down terminals: number, merchant, service, and from when nothing of it is taken any more.

        Raises Outage.
        """
        with _known_afterwards():
            await self._pool.executemany(
                f"insert into {self._schema}.tap_terminal values ($1, $2, $3, $4, $5) on conflict (terminal) do update "
                f"set city = excluded.city, merchant = excluded.merchant, service = excluded.service, "
                f"retired_at = excluded.retired_at",
                [(number, city, *rest) for number, *rest in terminals],
            )

    async def _begin(self, about: TapFile, city: str) -> tuple[int, int]:
        """The file's id and how many of its records are done already. Raises TapFileAltered."""
        row = await self._pool.fetchrow(
            f"insert into {self._schema}.tap_file (city, sender, number, sha256, records, total_fen, received_at) "
            f"values ($1, $2, $3, $4, $5, $6, $7) on conflict (city, sender, number) "
            f"do update set sha256 = tap_file.sha256 returning id, cleared, sha256",
            city,
            about.sender,
            about.number,
            about.sha256,
            about.records,
            about.total_fen,
            self._city.now(),
        )
        assert row is not None
        if row["sha256"] != about.sha256:
            raise TapFileAltered(sender=about.sender, number=about.number)
        return row["id"], row["cleared"]

    async def _go_on(self, path: Path, about: TapFile, file: int, cleared: int, rules: Rules) -> None:
        """Chunk after chunk; while one is in the database the next is read and its cryptograms are checked."""
        todo = chunks(path, cleared, about.records, self._chunk)
        ready = asyncio.create_task(asyncio.to_thread(self._next, todo))
        try:
            while (chunk := await ready) is not None:
                ready = asyncio.create_task(asyncio.to_thread(self._next, todo))
                first, rows = chunk
                async with self._turn:
                    await self._clear(file, first, rows, rules)
        finally:
            if not ready.done():
                await asyncio.gather(ready, return_exceptions=True)
        await self._pool.execute(
            f"update {self._schema}.tap_file set done_at = $2 where id = $1 and done_at is null and cleared = records",
            file,
            self._city.now(),
        )

    def _next(self, todo: Any) -> tuple[int, bytes] | None:
        chunk = next(todo, None)
        if chunk is None:
            return None
        first, raw = chunk
        return first, rows_of(raw, first + 1, self._cryptograms.genuine(raw))

    async def _clear(self, file: int, first: int, rows: bytes, rules: Rules) -> None:
        now, under = self._city.now(), rules.under
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(MAY_SCAN)
            await connection.execute(f"select pg_advisory_xact_lock({lock_class(self._schema)}, {BATCH_SHARD})")
            cleared = await connection.fetchval(f"select cleared from {self._schema}.tap_file where id = $1", file)
            if cleared != first:
                return  # Somebody else sends the same file at the same time, and was faster.
            await connection.execute(_TAP_IN)
            await connection.copy_to_table("tap_in", source=BytesIO(rows), columns=_COLUMNS, format="binary")
            ended = await connection.fetch(
                f"select class, records from {self._schema}.clear_taps($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
                "$11, $12, $13, $14)",
                file,
                first,
                now,
                timedelta(seconds=under.clock_tolerance_s),
                timedelta(seconds=under.ahead_max_s),
                timedelta(days=under.stale_days),
                under.before_receipt.value,
                under.after_receipt.value,
                over_ceiling(rules.city),
                chart.issuer_loss(rules.city),
                *ranges(rules.ceilings),
                timeout=CHUNK_TIMEOUT_S,
            )
            await connection.execute(
                f"update {self._schema}.tap_file set cleared = cleared + $2 where id = $1",
                file,
                sum(records for _, records in ended),
            )


def rows_of(raw: bytes, first: int, genuine: Sequence[bool]) -> bytes:
    """Raw records as rows of PostgreSQL's binary COPY; lines are counted from `first`."""
    pack, shift = _ROW.pack, _FROM_1970_TO_2000_S
    from_bytes = int.from_bytes
    rows = [
        pack(
            11, 4, line, 8, card, 4, counter, 8, terminal, 4, sequence, 4, fen, 4, balance, 2, kind,
            8, (at - shift) * 1_000_000, 4, from_bytes(tac, "big", signed=True), 1, good,
        )
        for line, ((card, counter, kind, _, terminal, sequence, fen, balance, at, tac), good) in enumerate(
            zip(RECORD.iter_unpack(raw), genuine, strict=True), first
        )
    ]  # fmt: skip
    return b"".join((_COPY_HEAD, *rows, _COPY_TAIL))


def ranges(ceilings: Sequence[tuple[str, date, int]]) -> tuple[list[str], list[datetime], list[datetime], list[int]]:
    """Ceilings with the moment until which each holds, as columns."""
    rows = sorted(ceilings)
    ends = [
        morning_of(later[1]) if later is not None and later[0] == one[0] else _LAST_DAY
        for one, later in zip(rows, [*rows[1:], None], strict=False)
    ]
    return [row[0] for row in rows], [morning_of(row[1]) for row in rows], ends, [row[2] for row in rows]


def _inspected(path: Path) -> TapFile:
    with path.open("rb") as file:
        return inspect(file, path.stat().st_size)
