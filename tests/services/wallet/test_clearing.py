"""Clearing by the set, on PostgreSQL, does what the rule says record by record."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.eventsourcing.postgres import lock_class
from libs.kernel.outages import OutcomeUnknown
from libs.ledger.postgres import PostgresLedger
from libs.ledger.postgres import ddl as ledger_ddl
from services.wallet.adapters.clearing import BATCH_SHARD, Clearing, Rules, TapFileAltered, TapFileUnknown, Upload
from services.wallet.adapters.clearing import ddl as clearing_ddl
from services.wallet.adapters.tap_cases import HotlistVersionUnknown, ReceiptAhead, TapCases, TerminalNotKnown
from services.wallet.adapters.tap_files import RECORD, TapFileUnfit, compose, pack
from services.wallet.domain.naming import record_of, tap_case_id
from services.wallet.domain.taps.bylaw import TapBylaw
from services.wallet.domain.taps.clearing import (
    EMPTY,
    Record,
    Register,
    Terminal,
    World,
    books,
    clear,
    gaps,
    judge_again,
    rule,
    standings,
)
from services.wallet.domain.taps.tap import BOOKED_BY_RULE, Class, Ruling, Tap
from tests.services.wallet.tap_drawer import (
    BUS,
    LIN,
    LOST,
    METRO,
    NOBODYS,
    NOW,
    WANG,
    WORLD,
    bylaws,
    chunked,
    deliveries,
    good,
    later,
    next_tap,
    tap,
)

TABLES = ("tap", "tap_bad", "tap_case", "tap_file", "tap_file_class", "tap_unclean", "entry", "posting", "folded")


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
            emptied = "; ".join(f"delete from {self.schema}.{table}" for table in TABLES)
            await connection.execute(  # At once: the way to the database and back costs more than the work there.
                f"{emptied}; update {self.schema}.fold_mark set position = 0; "
                f"update {self.schema}.account set balance_fen = 0"
            )
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
                f"insert into {schema}.tap_receipt values ($1, $2, $3)", number, receipt.received_at, receipt.version
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


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries(), bylaws, st.integers(1, 9), st.data())
async def test_the_set_and_the_rule_agree_whatever_people_rule_between_two_files(
    office: BackOffice,
    delivery: tuple[list[Record], list[list[Record]]],
    under: TapBylaw,
    size: int,
    data: st.DataObject,
) -> None:
    world = replace(WORLD, under=under)
    await fresh(office, world)
    come = [one for chunk in delivery[1] for one in chunk]
    cases = TapCases(office.pool, office.schema, Standing())
    register, sent, charged = EMPTY, dict[int, list[Record]](), set[str]()
    for part in chunked(come, size):
        number = next(office.numbers)
        await office.take(part, number=number)
        sent[number] = seen(part)
        register, _ = clear(register, sent[number], world)
        open_cases = [case for case, _ in await cases.open("330900", None, (0, 0), 500)]
        for case in data.draw(st.lists(st.sampled_from(open_cases), max_size=2)) if open_cases else ():
            ruling = data.draw(st.sampled_from(Ruling))
            if ruling is not Ruling.REJECT and case.merchant is None:
                continue
            if ruling is Ruling.BOOK:
                if case.standing is Class.BAD_CRYPTOGRAM or not case.purse_open or case.counter_id in charged:
                    continue  # What the desk refuses.
                charged.add(case.counter_id)
            _, _, file, line = record_of(case.case_id) or ("", "", 0, 0)
            if await cases.carry_out(case.case_id, ruling, office.rules):
                register = rule(register, sent[file][line - 1], ruling)
            assert not await cases.carry_out(case.case_id, Ruling.REJECT, office.rules), "ruled once"
    assert await office.books() == books(register, world)
    assert await stored(office) == Counter(
        (one, Class.BOOKED if standing is Class.GAP_OPENED else standing)
        for one, standing in standings(register, under).items()
    )
    open_now = {case.case_id for case, _ in await cases.open("330900", None, (0, 0), 500)}
    due = {
        record.tap
        for records in sent.values()
        for record in records
        if record.genuine
        and record.tap not in register.ruled
        and standings(register, under)[record.tap] not in BOOKED_BY_RULE
    }
    assert len([one for one in open_now if (await cases.case(one)).standing is not Class.BAD_CRYPTOGRAM]) == len(due)
    ledger = PostgresLedger(office.pool, office.schema, Standing())
    audit = await ledger.audit()
    assert (audit.drift_fen, list(audit.unbalanced), list(audit.gaps)) == (0, [], [])


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


WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted and classid = $1 and objid = $2"


async def test_files_that_wait_for_one_another_keep_one_connection_busy_and_not_all(
    office: BackOffice, dsn: str
) -> None:
    await office.reset(WORLD)
    lock = lock_class(office.schema), BATCH_SHARD
    async with office.pool.acquire() as another, asyncpg.create_pool(dsn, min_size=0, max_size=2) as few:
        await another.execute("select pg_advisory_lock($1, $2)", *lock)
        clearing = Clearing(few, office.schema, Marked(), Standing())
        files = [office.file(good(tap)).rename(office.folder / f"{nth}.taps") for nth in range(3)]
        uploads = [asyncio.create_task(clearing.take(file, office.rules)) for file in files]
        while not await another.fetchval(WAITING, *lock):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert await another.fetchval(WAITING, *lock) == 1
        assert await few.fetchval("select 1", timeout=5) == 1
        await another.execute("select pg_advisory_unlock($1, $2)", *lock)
        ended = await asyncio.gather(*uploads)
    assert Counter(name for upload in ended for name in upload.classes) == {Class.BOOKED: 1, Class.DUPLICATE: 2}


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


# --- cases ---


def case_of(number: int, line: int) -> str:
    return tap_case_id("330900", "bus-company", number, line)


@pytest.fixture
async def cases(office: BackOffice) -> TapCases:
    await fresh(office)
    return TapCases(office.pool, office.schema, Standing())


async def open_cases(cases: TapCases) -> list[tuple[str, Class]]:
    return [(case.case_id, case.standing) for case, _ in await cases.open("330900", None, (0, 0), 500)]


async def test_who_throws_the_clone_out_lets_the_true_tap_be_booked(office: BackOffice, cases: TapCases) -> None:
    await office.take(good(tap), number=8_001)
    assert await open_cases(cases) == []
    await office.take(good(replace(tap, fen=364)), number=8_002)
    assert await open_cases(cases) == [(case_of(8_001, 1), Class.CONFLICT), (case_of(8_002, 1), Class.CONFLICT)]
    ((rival, *_),) = await cases.rivals(case_of(8_002, 1), office.rules)
    assert rival == case_of(8_001, 1)
    assert await office.books() == {}
    assert await cases.carry_out(case_of(8_002, 1), Ruling.REJECT, office.rules)
    assert await open_cases(cases) == []
    assert (await office.books())["purse:lin"] == -182
    true = await cases.case(case_of(8_001, 1))
    assert (true.standing, true.closed_at, true.ruling) == (Class.BOOKED, NOW, None)


async def test_another_content_after_a_ruling_opens_a_case_of_its_own(office: BackOffice, cases: TapCases) -> None:
    await office.take(good(tap, replace(tap, fen=364)), number=8_010)
    await cases.carry_out(case_of(8_010, 2), Ruling.REJECT, office.rules)
    await office.take(good(replace(tap, fen=99)), number=8_011)
    assert await office.books() == {}
    assert await open_cases(cases) == [(case_of(8_010, 1), Class.CONFLICT), (case_of(8_011, 1), Class.CONFLICT)]


async def test_suspense_goes_to_the_merchant_or_back_to_the_holder_as_people_rule(
    office: BackOffice, cases: TapCases
) -> None:
    dear = replace(tap, fen=5_000)
    await office.take(good(dear, next_tap(dear), next_tap(next_tap(dear))), number=8_020)
    for line, ruling in ((1, Ruling.BOOK), (2, Ruling.REJECT), (3, Ruling.ISSUER)):
        await cases.carry_out(case_of(8_020, line), ruling, office.rules)
    assert await office.books() == {
        "purse:lin": -5_000, "merchant:330900/bus-one": 10_000, "issuer-loss:330900": -5_000,
    }  # fmt: skip


async def test_a_terminal_that_is_written_down_later_lets_its_taps_be_judged_again(
    office: BackOffice, cases: TapCases
) -> None:
    await office.take(good(replace(tap, terminal=NOBODYS), next_tap(tap, terminal=NOBODYS)), number=8_030)
    await office.take(good(replace(tap, terminal=NOBODYS, fen=1)), number=8_031)
    register = EMPTY
    for part in (
        [replace(tap, terminal=NOBODYS), next_tap(tap, terminal=NOBODYS)],
        [replace(tap, terminal=NOBODYS, fen=1)],
    ):
        register, _ = clear(register, good(*part), WORLD)
    assert [one.now for one in await cases.judge_again("nothing-new", office.rules)] == [Class.TERMINAL_UNKNOWN]
    await office.pool.execute(
        f"insert into {office.schema}.tap_terminal values ({NOBODYS}, '330900', 'metro', 'metro')"
    )
    try:
        known = replace(WORLD, terminals={**WORLD.terminals, NOBODYS: Terminal(merchant="metro", service="metro")})
        (judged,) = await cases.judge_again("now-known", office.rules)
        assert (judged.was, judged.now, judged.records) == (Class.TERMINAL_UNKNOWN, Class.BOOKED, 3)
        assert await office.books() == books(judge_again(register, known), known)
        assert await office.books() == {"purse:lin": -182, "merchant:330900/metro": 182}
        assert len(await open_cases(cases)) == 2, "the two that contradict each other"
        assert await cases.judge_again("again", office.rules) == []
    finally:
        await office.pool.execute(f"delete from {office.schema}.tap_terminal where terminal = {NOBODYS}")


async def test_a_report_that_was_lifted_leaves_its_taps_with_the_holder_once_they_are_judged_again(
    office: BackOffice, cases: TapCases
) -> None:
    await office.take(good(replace(tap, card=LOST, at=later(31), terminal=METRO)))
    assert "purse:lost" not in await office.books()
    stop = await office.pool.fetchval(f"delete from {office.schema}.tap_stop where card_id = 'lost' returning from_at")
    try:
        (judged,) = await cases.judge_again("lifted", office.rules)
        assert (judged.was, judged.now) == (Class.AFTER_REPORT, Class.BOOKED)
        assert await office.books() == {"purse:lost": -182, "merchant:330900/metro": 182}
    finally:
        await office.pool.execute(f"insert into {office.schema}.tap_stop values ('lost', $1)", stop)
        await office.pool.execute(f"update {office.schema}.tap_receipt set version = 3 where version = 1")


async def test_gaps_are_told_page_by_page_and_close_by_themselves(office: BackOffice, cases: TapCases) -> None:
    fourth = next_tap(next_tap(next_tap(tap)))
    await office.take(good(tap, fourth, replace(fourth, card=WANG, counter=3, sequence=77)))
    found, next_ = await cases.gaps("330900", 0)
    told = [(gap.card, gap.from_counter, gap.to_counter, gap.seen_at) for gap in found]
    assert (told, next_) == ([(LIN, 2, 3, fourth.at), (WANG, 1, 2, fourth.at)], None)
    first, next_ = await cases.gaps("330900", 0, limit=3)
    assert ([gap.card for gap in first], next_) == ([LIN], WANG - 1)
    rest, next_ = await cases.gaps("330900", WANG - 1, limit=3)
    assert ([gap.card for gap in rest], next_) == ([WANG], None)
    await office.take(good(next_tap(tap), next_tap(next_tap(tap))))
    assert [gap.card for gap in (await cases.gaps("330900", 0))[0]] == [WANG]


async def test_the_hotlist_tells_what_has_changed_and_a_receipt_is_kept_once(
    office: BackOffice, cases: TapCases
) -> None:
    schema = office.schema
    await office.pool.execute(f"insert into {schema}.tap_chip values (1, '330900-x.1', 'x'), (2, '330900-y.1', 'y')")
    held = (await cases.hotlist("330900", 0, 100)).version
    await office.pool.execute(f"insert into {schema}.tap_stop values ('330900-x.1', $1)", NOW)
    await office.pool.execute(f"insert into {schema}.tap_ended values ('330900-y.1', $1)", NOW)
    page = await cases.hotlist("330900", held, 1)
    assert ([(one.card, one.from_at) for one in page.cards], page.more) == ([(1, NOW)], True)
    rest = await cases.hotlist("330900", page.version, 100)
    assert ([one.card for one in rest.cards], rest.more) == ([2], False)
    assert {one.card for one in (await cases.hotlist("330900", 0, 100)).cards} == {1, 2}
    await office.pool.execute(f"delete from {schema}.tap_stop where card_id like '330900-%'")
    off = await cases.hotlist("330900", rest.version, 100)
    assert [(one.card, one.from_at) for one in off.cards] == [(1, None)]
    assert [one.card for one in (await cases.hotlist("330900", 0, 100)).cards] == [2], "who ended stays for good"
    assert (await cases.hotlist("320200", 0, 100)).cards == ()

    for _ in range(2):
        await cases.keep_receipt("330900", "bus-one", BUS, off.version, NOW)
    kept = f"select version from {schema}.tap_receipt where terminal = {BUS}"
    assert [row["version"] for row in await office.pool.fetch(kept)] == [off.version]
    with pytest.raises(HotlistVersionUnknown):
        await cases.keep_receipt("330900", "bus-one", BUS, off.version + 1, NOW)
    with pytest.raises(ReceiptAhead):
        await cases.keep_receipt("330900", "bus-one", BUS, 1, NOW + timedelta(seconds=1))
    for city, merchant in (("330900", "metro"), ("320200", "bus-one")):
        with pytest.raises(TerminalNotKnown):
            await cases.keep_receipt(city, merchant, BUS, 1, NOW)
    await office.pool.execute(f"delete from {schema}.tap_receipt where terminal = {BUS}")
