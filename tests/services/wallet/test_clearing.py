"""Clearing by the set, on PostgreSQL, does what the rule says record by record."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kernel.outages import OutcomeUnknown
from libs.ledger.postgres import PostgresLedger
from libs.ledger.postgres import ddl as ledger_ddl
from services.wallet.adapters.clearing import Clearing, Rules, TapFileAltered, TapFileUnknown, Upload
from services.wallet.adapters.clearing import ddl as clearing_ddl
from services.wallet.adapters.tap_files import RECORD, TapFileUnfit, compose, pack
from services.wallet.domain.taps.bylaw import TapBylaw
from services.wallet.domain.taps.clearing import (
    EMPTY,
    Record,
    Register,
    World,
    books,
    clear,
    gaps,
    standings,
)
from services.wallet.domain.taps.tap import Class, Tap
from tests.services.wallet.tap_drawer import (
    BUS,
    NOW,
    WANG,
    WORLD,
    bylaws,
    chunked,
    deliveries,
    good,
    next_tap,
    tap,
)

TABLES = ("tap", "tap_bad", "tap_file", "tap_file_class", "tap_unclean", "entry", "posting", "folded")


@dataclass
class Standing:
    """A clock that stands still."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


class Marked:
    """Cryptograms that say in their first byte whether they are false, so that a test can choose."""

    def genuine(self, records: bytes) -> Sequence[bool]:
        return [fields[9][1] == 0 for fields in RECORD.iter_unpack(records)]


@dataclass
class BackOffice:
    """Where a bus company's files are taken: a database, and a folder for what is sent."""

    pool: asyncpg.Pool
    schema: str
    folder: Path
    numbers: "count[int]"

    async def reset(self, world: World) -> None:
        async with self.pool.acquire() as connection:
            for table in TABLES:
                await connection.execute(f"delete from {self.schema}.{table}")
            await connection.execute(f"update {self.schema}.fold_mark set position = 0")
            await connection.execute(f"update {self.schema}.account set balance_fen = 0")
        self.world = world

    def file(self, sent: Sequence[Record], number: int | None = None) -> Path:
        raw = [
            pack(replace(one.tap, tac=one.tap.tac if one.genuine else one.tap.tac[:1] + b"\1" + one.tap.tac[2:]))
            for one in sent
        ]
        path = self.folder / "upload.taps"
        path.write_bytes(compose("bus-company", number or next(self.numbers), raw))
        return path

    def clearing(self, chunk: int = 1_000) -> Clearing:
        return Clearing(self.pool, self.schema, Marked(), Standing(), chunk)

    @property
    def rules(self) -> Rules:
        ceilings = [(service, *one) for service, dated in self.world.ceilings.items() for one in dated]
        return Rules(city=self.world.city, under=self.world.under, ceilings=ceilings)

    async def take(self, sent: Sequence[Record], chunk: int = 1_000, number: int | None = None) -> Upload:
        return await self.clearing(chunk).take(self.file(sent, number), self.rules)

    async def books(self) -> Mapping[str, int]:
        rows = await self.pool.fetch(
            f"select account, sum(amount_fen)::bigint as fen from {self.schema}.posting group by account"
        )
        return {account: int(fen) for account, fen in rows if fen}

    async def gaps(self) -> list[tuple[int, int, int]]:
        rows = await self.pool.fetch(f"select card, from_counter, to_counter from {self.schema}.tap_gap order by 1, 2")
        return [tuple(row) for row in rows]


@pytest.fixture(scope="module")
async def office(pool: asyncpg.Pool, workshop: Path) -> AsyncIterator[BackOffice]:
    schema, folder = "clearing_test", workshop / "clearing"
    folder.mkdir()
    await pool.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
    await pool.execute(ledger_ddl(schema))
    await pool.execute(clearing_ddl(schema))
    for number, card in WORLD.cards.items():
        card_id = card.account.removeprefix("purse:")
        await pool.execute(f"insert into {schema}.tap_chip values ($1, $2, $2)", number, card_id)
        await pool.execute(f"insert into {schema}.tap_opened values ($1)", card_id)
        await pool.execute(f"insert into {schema}.account (id, bearer) values ($1, '')", card.account)
        if card.stopped_from is not None:
            await pool.execute(f"insert into {schema}.tap_stop values ($1, $2)", card_id, card.stopped_from)
    for number, terminal in WORLD.terminals.items():
        await pool.execute(
            f"insert into {schema}.tap_terminal values ($1, '330900', $2, $3, $4)",
            number,
            terminal.merchant,
            terminal.service,
            terminal.retired_at,
        )
        for receipt in terminal.receipts:
            await pool.execute(
                f"insert into {schema}.tap_receipt values ($1, $2, $3)", number, receipt.received_at, receipt.as_of
            )
    yield BackOffice(pool, schema, folder, count(1))
    await pool.execute(f"drop schema {schema} cascade")


async def fresh(office: BackOffice, world: World = WORLD) -> None:
    await office.reset(world)


def by_rule(chunks: Sequence[Sequence[Record]], world: World) -> tuple[Register, Counter[Class]]:
    register, classes = EMPTY, Counter[Class]()
    for chunk in chunks:
        register, ended = clear(register, chunk, world)
        classes.update(ended)
    return register, classes


def seen(sent: Sequence[Record]) -> list[Record]:
    """The records with the cryptogram that is written into the file for them."""
    return [
        one if one.genuine else replace(one, tap=replace(one.tap, tac=one.tap.tac[:1] + b"\1" + one.tap.tac[2:]))
        for one in sent
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries(), bylaws, st.integers(1, 9), st.booleans())
async def test_the_set_and_the_rule_agree_on_every_class_every_balance_and_every_gap(
    office: BackOffice,
    delivery: tuple[list[Record], list[list[Record]]],
    under: TapBylaw,
    size: int,
    files: bool,
) -> None:
    world = replace(WORLD, under=under)
    await fresh(office, world)
    _, chunks = delivery
    come = [one for chunk in chunks for one in chunk]
    chunks = chunked(come, size)
    total: Counter[Class] = Counter()
    for part in chunks if files else [come] if come else []:
        upload = await office.take(part, chunk=size)
        assert sum(records for records, _ in upload.classes.values()) == upload.records == len(part)
        assert sum(fen for _, fen in upload.classes.values()) == upload.total_fen
        total.update({one: records for one, (records, _) in upload.classes.items()})
    register, classes = by_rule([seen(chunk) for chunk in chunks], world)
    assert total == classes
    assert await office.books() == books(register, world)
    assert await office.gaps() == sorted(gaps(register))
    assert await stored(office) == Counter(
        (one, Class.BOOKED if standing is Class.GAP_OPENED else standing)
        for one, standing in standings(register, under).items()
    )
    kept = await office.pool.fetch(f"select id, balance_fen from {office.schema}.account where balance_fen <> 0")
    guarded = {card.account for card in WORLD.cards.values()}
    due = {account: fen for account, fen in books(register, world).items() if account in guarded}
    assert {account: fen for account, fen in kept} == due  # noqa: C416


async def stored(office: BackOffice) -> Counter[tuple[Tap, Class]]:
    codes = dict(enumerate(Class, 1))
    rows = await office.pool.fetch(f"select * from {office.schema}.tap")
    return Counter(
        (
            Tap(
                tac=row["tac"].to_bytes(4, "big", signed=True),
                **{
                    name: row[name]
                    for name in ("card", "counter", "terminal", "sequence", "fen", "balance_fen", "kind", "at")
                },
            ),
            codes[row["standing"]],
        )
        for row in rows
    )


async def test_a_natural_key_is_unique_in_the_register_whoever_writes_to_it(office: BackOffice) -> None:
    await fresh(office)
    await office.take(good(tap))
    for key in ("card = card", "terminal_variant = terminal_variant"):
        with pytest.raises(asyncpg.UniqueViolationError):
            await office.pool.execute(f"insert into {office.schema}.tap select * from {office.schema}.tap where {key}")


async def test_the_same_file_sent_again_books_nothing_and_answers_the_same(office: BackOffice) -> None:
    await fresh(office)
    once = await office.take(good(tap, next_tap(tap)), number=7_001)
    again = await office.take(good(tap, next_tap(tap)), number=7_001)
    assert again == once
    assert again.done_at == NOW
    assert (await office.books())["purse:lin"] == -364


async def test_an_altered_file_under_a_known_number_is_refused(office: BackOffice) -> None:
    await fresh(office)
    await office.take(good(tap), number=7_002)
    with pytest.raises(TapFileAltered, match="a number of its own"):
        await office.take(good(replace(tap, fen=1)), number=7_002)
    assert (await office.books())["purse:lin"] == -182


async def test_a_file_that_never_came_is_not_known(office: BackOffice) -> None:
    with pytest.raises(TapFileUnknown):
        await office.clearing().upload("330900", "bus-company", 999_999)


async def test_a_database_that_is_away_is_said_to_be_out_of_reach(office: BackOffice) -> None:
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/nowhere", min_size=0) as away:
        clearing = Clearing(away, office.schema, Marked(), Standing())
        with pytest.raises(OutcomeUnknown):
            await clearing.take(office.file(good(tap)), office.rules)
        with pytest.raises(OutcomeUnknown):
            await clearing.upload("330900", "bus-company", 1)
        with pytest.raises(OutcomeUnknown):
            await clearing.keep_terminals("330900", [(BUS, "bus-one", "bus", None)])


class Killed(Exception):
    pass


class DiesAfter(Marked):
    """A machine that stops after so many chunks."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks

    def genuine(self, records: bytes) -> Sequence[bool]:
        if not self.left:
            raise Killed
        self.left -= 1
        return super().genuine(records)


@pytest.mark.parametrize("after", [0, 1, 3, 4])
async def test_an_upload_that_was_broken_off_goes_on_where_it_stood(office: BackOffice, after: int) -> None:
    await fresh(office)
    taps = [tap]
    for _ in range(9):
        taps.append(next_tap(taps[-1]))
    path = office.file(good(*taps), 7_100 + after)
    dying = Clearing(office.pool, office.schema, DiesAfter(after), Standing(), 2)
    with pytest.raises(Killed):
        await dying.take(path, office.rules)
    halfway = await office.clearing().upload("330900", "bus-company", 7_100 + after)
    assert (halfway.cleared, halfway.done_at) == (after * 2, None)
    done = await office.clearing(chunk=2).take(path, office.rules)
    assert (done.cleared, done.classes) == (10, {Class.BOOKED: (10, 1_820)})
    assert (await office.books())["purse:lin"] == -1_820


async def test_two_who_send_the_same_file_at_once_book_it_once(office: BackOffice) -> None:
    await fresh(office)
    taps = [tap]
    for _ in range(19):
        taps.append(next_tap(taps[-1]))
    path = office.file(good(*taps), 7_200)
    one, other = await asyncio.gather(*(office.clearing(chunk=2).take(path, office.rules) for _ in range(2)))
    done = await office.clearing(chunk=2).take(path, office.rules)
    assert done.classes == {Class.BOOKED: (20, 3_640)}
    assert {one.records, other.records} == {20}
    assert (await office.books())["purse:lin"] == -3_640


async def test_the_auditor_finds_the_books_of_a_clearing_right(office: BackOffice) -> None:
    await fresh(office)
    await office.take(good(tap, replace(next_tap(tap), card=WANG, counter=1), next_tap(tap, terminal=BUS, sequence=9)))
    await office.take(good(replace(tap, fen=1)))  # Takes the first back.
    ledger = PostgresLedger(office.pool, office.schema, Standing())
    assert (await ledger.audit_after({}, [], 1_000)).entries == 2
    audit = await ledger.audit()
    assert (audit.drift_fen, list(audit.unbalanced), list(audit.gaps)) == (0, [], [])
    assert audit.entries == 2


async def test_a_file_that_is_not_right_is_refused_before_anything_is_written(office: BackOffice) -> None:
    await fresh(office)
    path = office.file(good(tap), 7_300)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TapFileUnfit):
        await office.clearing().take(path, office.rules)
    with pytest.raises(TapFileUnknown):
        await office.clearing().upload("330900", "bus-company", 7_300)
