"""The one consumer of the house, with both of its notebooks."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg
import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, Text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.eventsourcing.desk import Aggregate
from libs.eventsourcing.memory import MemoryStore
from libs.kernel import Clash, Decider, Outage, command
from libs.kernel.ids import derived
from libs.messaging.bus import Letter, topic_of
from libs.messaging.contract import Contract
from libs.messaging.memory import MemoryBus
from libs.messaging.message import Message
from libs.messaging.notebook import DDL, MemoryNotebook, Notebook, Overtaken, Page, PostgresNotebook
from libs.messaging.reader import Reader, no_reaction
from libs.messaging.readmodel import Change, MemoryRows, PostgresRows, Put, Rows
from libs.runtime.service import Desks, Listener, Service
from libs.testing.bus_contract import message
from libs.testing.clocks import StandingClock
from libs.testing.notebook_contract import NotebookContract
from libs.testing.schemas import own_schema

TOPIC = topic_of("toy")

# The last message of each key – wrong as soon as the order is – and every message.
LAST = Table("last", MetaData(), Column("key", Text, primary_key=True), Column("n", Integer))
TOLD = Table("told", MetaData(), Column("id", Text, primary_key=True), Column("n", Integer))
TABLES = """
create table {schema}.last (key text primary key, n integer);
create table {schema}.told (id text primary key, n integer);
create function {schema}.refuse() returns trigger language plpgsql as
$$ begin raise exception 'no room' using errcode = tg_argv[0]; end $$;
"""


def furnished(schema: str) -> str:
    return (DDL + TABLES).replace("{schema}", schema)


class TestMemoryNotebook(NotebookContract):
    @pytest.fixture
    def notebook(self) -> Notebook:
        return MemoryNotebook(MemoryRows())


class TestPostgresNotebook(NotebookContract):
    @pytest.fixture
    async def notebook(self, pool: asyncpg.Pool, engine: AsyncEngine) -> AsyncIterator[Notebook]:
        async with own_schema(pool, "notebook", furnished) as schema:
            yield PostgresNotebook(engine, schema)


def project(told: Message) -> Iterable[Change]:
    yield Put(LAST, {"key": told.key, "n": told.version})
    yield Put(TOLD, {"id": told.id, "n": told.version})


@dataclass
class Desk:
    """Does what a message asks for once, however often it comes, and fails where it is told to."""

    done: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)

    async def react(self, told: Message) -> None:
        self.asked.append(told.id)
        await asyncio.sleep(0)
        if told.id in self.fails:
            raise self.fails[told.id]
        if told.id not in self.done:
            self.done.append(told.id)


class House:
    """A log, a notebook, read models and a desk; readers come and go."""

    def __init__(self, notebook: Notebook, rows: Rows) -> None:
        self.bus, self.notebook, self.rows, self.desk = MemoryBus(), notebook, rows, Desk()

    def reader(self, notebook: Notebook | None = None, name: str = "city", **other: Any) -> Reader:
        return Reader(
            name, self.bus.feed(name, [TOPIC]), notebook or self.notebook,
            other.get("react", self.desk.react), other.get("project", project), other.get("together"),
            other.get("heeds"),
        )  # fmt: skip

    async def told(self, *messages: Message) -> None:
        await self.bus.publish(TOPIC, messages)

    def laid(self, fault: str) -> None:
        slot = (TOPIC, 0)
        self.bus.slots[slot].append(Letter(slot, len(self.bus.slots[slot]), None, fault))

    async def last(self) -> dict[str, int]:
        return {row["key"]: row["n"] for row in await self.rows.many(LAST, "key")}

    async def read(self) -> set[str]:
        return {row["id"] for row in await self.rows.many(TOLD, "id", limit=1000)}


async def run(reader: Reader) -> None:
    """Read until there is nothing left."""
    while await reader.step():
        pass


@pytest.fixture(params=["memory", "postgres"])
async def house(request: pytest.FixtureRequest, pool: asyncpg.Pool, engine: AsyncEngine) -> AsyncIterator[House]:
    if request.param == "memory":
        rows = MemoryRows()
        yield House(MemoryNotebook(rows), rows)
        return
    async with own_schema(pool, "reader", furnished) as schema:
        yield House(PostgresNotebook(engine, schema), PostgresRows(engine, schema))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between tries."""
    monkeypatch.setattr("libs.messaging.reader.PAUSES_S", (0, 0, 0))


def road(*sequences: int, shard: int = 0, key: str = "k") -> list[Message]:
    return [message(shard, n, key=key) for n in sequences]


def ids(*sequences: int, shard: int = 0) -> list[str]:
    return [f"toy/{shard}/{n}" for n in sequences]


# -- once and in order


async def test_every_message_is_handled_once_and_in_order(house: House) -> None:
    reader = house.reader()
    await house.told(*road(1, 2, 3), *road(1, 2, shard=1, key="l"))
    await run(reader)
    assert [one for one in house.desk.asked if one.startswith("toy/0")] == ids(1, 2, 3)
    assert [one for one in house.desk.asked if one.startswith("toy/1")] == ids(1, 2, shard=1)
    assert await house.last() == {"k": 3, "l": 2}
    assert (reader.figures.handled, reader.figures.doubles, reader.figures.held, reader.figures.parked) == (5, 0, 0, 0)
    assert await reader.lag() == 0


async def test_what_comes_twice_is_handled_once(house: House) -> None:
    reader = house.reader()
    await house.told(*road(1, 2, 2, 1, 3))
    await run(reader)
    await house.told(*road(1, 3, 2, 4))
    await run(reader)
    assert house.desk.asked == ids(1, 2, 3, 4)
    assert (reader.figures.handled, reader.figures.doubles) == (4, 5)


async def test_a_message_before_its_turn_waits_for_the_one_before_it(house: House) -> None:
    reader = house.reader()
    await house.told(*road(3, 2, 5))
    await run(reader)
    assert house.desk.asked == []
    await house.told(*road(1))
    await run(reader)
    assert house.desk.asked == ids(1, 2, 3)
    await house.told(*road(4))
    await run(reader)
    assert house.desk.asked == ids(1, 2, 3, 4, 5)
    assert (reader.figures.handled, reader.figures.held) == (5, 3)


async def test_what_waits_for_its_turn_survives_a_restart(house: House) -> None:
    await house.told(*road(2, 3))
    await run(house.reader())
    await house.told(*road(3, 1))
    await run(house.reader())
    assert house.desk.asked == ids(1, 2, 3)
    await run(house.reader())
    assert house.desk.asked == ids(1, 2, 3)
    assert await house.last() == {"k": 3}
    assert not any((await house.notebook.load("city")).waiting.values())


async def test_services_and_shards_do_not_wait_for_each_other(house: House) -> None:
    await house.told(message(0, 2), message(0, 1, "other"), message(8, 1))
    await run(house.reader())
    assert sorted(house.desk.asked) == ["other/0/1", "toy/8/1"]


async def test_keys_do_not_wait_for_each_other(house: House) -> None:
    """One shard, two keys, and the first is slow: the second need not know."""
    done: list[str] = []
    other_is_done = asyncio.Event()

    async def react(told: Message) -> None:
        if told.key == "slow":
            await asyncio.wait_for(other_is_done.wait(), 5)
        else:
            other_is_done.set()
        done.append(told.key)

    await house.told(message(0, 1, key="slow"), message(0, 2, key="quick"), message(0, 3, key="slow"))
    await run(house.reader(react=react))
    assert done == ["quick", "slow", "slow"]


async def test_readers_of_different_names_have_memories_of_their_own(house: House) -> None:
    await house.told(*road(1, 2))
    await run(house.reader(name="own"))
    await run(house.reader(name="city"))
    assert house.desk.asked == ids(1, 2, 1, 2)


async def test_the_lag_is_what_lies_unread(house: House) -> None:
    reader = house.reader()
    await house.told(*road(1, 2, 3), *road(1, shard=1))
    assert (await reader.lag(), reader.figures.lag) == (4, 4)
    await run(reader)
    await house.told(*road(4))
    assert (await reader.lag(), await house.reader().lag()) == (1, 1)


# -- crashes


class Death(BaseException):
    """The process dies."""


class Torn:
    """A notebook one of whose pages is torn out: at its beginning, or just before it is written."""

    def __init__(self, notebook: Notebook, error: BaseException, late: bool) -> None:
        self._notebook, self._errors, self._late = notebook, [error], late
        self.load, self.parked = notebook.load, notebook.parked

    @asynccontextmanager
    async def page(self, reader: str) -> AsyncIterator[Page]:
        if self._errors and not self._late:
            raise self._errors.pop()
        async with self._notebook.page(reader) as page:
            yield page
            if self._errors:
                raise self._errors.pop()


@pytest.mark.parametrize("late", [False, True], ids=["before the page", "after it was filled"])
@pytest.mark.parametrize("error", [Outage("away"), RuntimeError("bug"), Death(), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("restarts", [False, True], ids=["the same reader goes on", "another one comes"])
async def test_a_crash_between_reaction_and_page_repeats_the_reaction_and_loses_nothing(
    house: House, error: BaseException, late: bool, restarts: bool
) -> None:
    """One letter waited from an earlier page, one comes before its turn in the very page that is lost."""
    await house.told(*road(2))
    await run(house.reader())
    await house.told(*road(1, 4), *road(1, shard=1, key="l"))
    notebook = Torn(house.notebook, error, late)
    reader = house.reader(notebook)
    with pytest.raises(type(error)):
        await reader.step()
    assert await house.last() == {}
    if restarts:
        reader = house.reader(notebook)
    await run(reader)
    await house.told(*road(3))
    await run(reader)
    assert [one for one in house.desk.done if one.startswith("toy/0")] == ids(1, 2, 3, 4)
    assert house.desk.asked.count("toy/0/1") == 2
    assert await house.last() == {"k": 4, "l": 1}
    assert await house.notebook.parked("city") == []


async def test_an_outage_in_a_reaction_moves_nothing_and_parks_nothing(house: House) -> None:
    reader = house.reader()
    house.desk.fails["toy/0/2"] = Outage("the store is away")
    await house.told(*road(1, 2, 3), *road(1, shard=1, key="l"))
    with pytest.raises(Outage):
        await reader.step()
    assert await house.last() == {}
    assert (await house.notebook.load("city")).positions == {}
    house.desk.fails.clear()
    await run(reader)
    assert await house.last() == {"k": 3, "l": 1}
    assert house.desk.done[-2:] == ids(2, 3)


async def test_after_an_outage_no_reaction_goes_on_behind_the_readers_back(house: House) -> None:
    """Else the next try would run beside the last one, and a reader that was stopped would still be at work."""
    at_work: list[str] = []

    async def react(told: Message) -> None:
        if told.key == "l":
            raise Outage("away")
        at_work.append(told.id)
        await asyncio.sleep(0.01)
        at_work.remove(told.id)

    await house.told(*road(1, 2, 3), *road(1, shard=1, key="l"))
    with pytest.raises(Outage):
        await house.reader(react=react).step()
    assert at_work == []
    await asyncio.sleep(0.015)
    assert at_work == []


async def test_of_two_readers_with_one_name_the_slower_is_overtaken_and_starts_over(house: House) -> None:
    slow, quick = house.reader(), house.reader()
    await house.told(*road(1))
    await run(slow)
    await house.told(*road(2))
    await run(quick)
    with pytest.raises(Overtaken):
        await slow.step()
    await house.told(*road(3))
    await run(slow)
    assert house.desk.done == ids(1, 2, 3)
    await house.told(*road(4))
    with pytest.raises(Overtaken):
        await asyncio.gather(slow.step(), quick.step())
    for reader in (slow, quick):
        await run(reader)
    assert house.desk.done == ids(1, 2, 3, 4)
    assert await house.last() == {"k": 4}


# -- poison


async def test_poison_parks_its_key_with_all_later_ones_and_nobody_else_waits_a_second(house: House) -> None:
    house.desk.fails["toy/0/2"] = ValueError("cannot be")
    reader = house.reader()
    await house.told(*road(1, 2, 3), *road(4, key="other"), *road(5))
    clock = asyncio.get_running_loop()
    begun = clock.time()
    await run(reader)
    assert clock.time() - begun < 1
    assert house.desk.asked.count("toy/0/2") == 4
    assert house.desk.done == ids(1, 4)
    assert await house.last() == {"k": 1, "other": 4}
    parked = await house.notebook.parked("city")
    assert [(one.key, one.letter.message.id, one.error) for one in parked if one.letter.message] == [
        ("k", "toy/0/2", "ValueError: cannot be"),
        ("k", "toy/0/3", "behind a parked letter"),
        ("k", "toy/0/5", "behind a parked letter"),
    ]
    assert (reader.figures.handled, reader.figures.parked) == (2, 3)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("restarts", [False, True], ids=["the same reader goes on", "another one comes"])
async def test_later_letters_of_a_parked_key_are_not_even_tried(house: House, restarts: bool) -> None:
    house.desk.fails["toy/0/1"] = ValueError("cannot be")
    reader = house.reader()
    await house.told(*road(1))
    await run(reader)
    await house.told(*road(2, 4))
    await run(house.reader() if restarts else reader)
    await house.told(*road(3))
    await run(house.reader() if restarts else reader)
    assert set(house.desk.asked) == {"toy/0/1"}
    parked = await house.notebook.parked("city")
    assert [one.letter.message and one.letter.message.id for one in parked] == ids(1, 2, 3, 4)


@pytest.mark.usefixtures("hasty")
async def test_a_redrive_handles_what_was_parked_once_and_in_order(house: House) -> None:
    house.desk.fails["toy/0/2"] = ValueError("cannot be")
    reader = house.reader()
    await house.told(*road(1, 2, 3), *road(4, key="other"))
    await run(reader)
    assert await reader.redrive() == (0, 2)
    house.desk.fails = {"toy/0/3": ValueError("nor this")}
    assert await reader.redrive() == (1, 1)
    assert await house.last() == {"k": 2, "other": 4}
    await house.told(*road(5))
    await run(reader)
    assert await house.last() == {"k": 2, "other": 4}
    house.desk.fails.clear()
    assert await reader.redrive() == (2, 0)
    assert await reader.redrive() == (0, 0)
    assert [one for one in house.desk.done if one != "toy/0/4"] == ids(1, 2, 3, 5)
    await house.told(*road(6))
    await run(reader)
    assert await house.last() == {"k": 6, "other": 4}
    assert house.desk.asked.count("toy/0/5") == 1


@pytest.mark.usefixtures("hasty")
async def test_a_redrive_that_meets_an_outage_keeps_what_it_has_achieved(house: House) -> None:
    house.desk.fails = {f"toy/0/{n}": ValueError("cannot be") for n in (1, 2)}
    reader = house.reader()
    await house.told(*road(1, key="a"), *road(2, key="b"))
    await run(reader)
    house.desk.fails = {"toy/0/2": Outage("away")}
    with pytest.raises(Outage):
        await reader.redrive()
    await house.told(*road(3, key="a"), *road(4, key="b"))
    await run(reader)
    assert await house.last() == {"a": 3}
    assert [one.key for one in await house.notebook.parked("city")] == ["b", "b"]


async def test_poison_in_a_projection_parks_its_key_alone(house: House) -> None:
    broken = True

    def choosy(told: Message) -> Iterable[Change]:
        yield from project(told)
        if broken and told.id == "toy/0/2":
            raise KeyError("nobody thought of this")

    reader = house.reader(project=choosy)
    await house.told(*road(1, 2, 3), *road(4, key="other"), *road(5))
    await run(reader)
    assert await house.last() == {"k": 1, "other": 4}
    assert await house.read() == set(ids(1, 4))
    parked = await house.notebook.parked("city")
    assert [one.letter.message and one.letter.message.id for one in parked] == ids(2, 3, 5)
    assert "nobody thought of this" in parked[0].error
    assert (reader.figures.handled, reader.figures.parked) == (2, 3)
    broken = False
    assert await reader.redrive() == (3, 0)
    assert await house.last() == {"k": 5, "other": 4}


@pytest.mark.usefixtures("hasty")
async def test_poison_in_both_keeps_the_order_of_what_is_parked(house: House) -> None:
    """The projection stumbles over an earlier letter than the reaction did."""

    def choosy(told: Message) -> Iterable[Change]:
        if told.id == "toy/0/1":
            raise KeyError("nobody thought of this")
        return project(told)

    house.desk.fails["toy/0/3"] = ValueError("cannot be")
    await house.told(*road(1, 2, 3, 4))
    await run(house.reader(project=choosy))
    parked = await house.notebook.parked("city")
    assert [one.letter.message and one.letter.message.id for one in parked] == ids(1, 2, 3, 4)


async def test_what_is_no_message_is_put_aside_and_the_road_goes_on(house: House) -> None:
    house.laid("not JSON")
    await house.told(*road(1))
    house.laid("no id")
    await house.told(*road(2))
    reader = house.reader()
    await run(reader)
    assert await house.last() == {"k": 2}
    parked = await house.notebook.parked("city")
    assert [(one.letter.offset, one.letter.fault, one.error) for one in parked] == [
        (0, "not JSON", "not JSON"), (2, "no id", "no id"),
    ]  # fmt: skip
    assert await reader.redrive() == (0, 2)


# -- a refusal is an answer


@command
class Write:
    key: str


class NothingToWriteOn(Clash):
    """There is no paper."""


class Noted(Contract, type="toy.Noted.v1"):
    n: int


def whenever_something_is_noted_write(told: Noted) -> Iterable[Write]:
    yield Write(key=f"page-{told.n}")


def refuse(_wanted: Write, _state: None) -> Sequence[Write]:
    raise NothingToWriteOn


async def test_a_refusal_is_no_poison(house: House) -> None:
    paper = Aggregate(
        category="paper", decider=Decider(None, refuse, lambda paper, _: paper), commands=Write, facts=Write,
        key=lambda wanted: str(wanted.key), tell=lambda _: None,
    )  # fmt: skip
    store = MemoryStore(StandingClock())
    service = Service(
        name="paper", desks=Desks([paper], store, StandingClock()), router=APIRouter(), access="", tells=(),
        hears=(Noted,), reactions=(whenever_something_is_noted_write,),
    )  # fmt: skip
    reader = house.reader(react=Listener(service, own=False).react)
    await house.told(*road(1, 2))
    await run(reader)
    assert (reader.figures.handled, reader.figures.parked) == (2, 0)
    assert await house.last() == {"k": 2}
    done = await store.find(derived("whenever_something_is_noted_write", "toy/0/1", 0))
    assert done
    assert done.refusal == "nothing-to-write-on"


# -- what only PostgreSQL can do


@pytest.fixture
async def schema(pool: asyncpg.Pool) -> AsyncIterator[str]:
    async with own_schema(pool, "reader", furnished) as schema:
        yield schema


async def _refusing(pool: asyncpg.Pool, schema: str, code: str) -> None:
    await pool.execute(
        f"create trigger refuse before insert on {schema}.told for each row when (new.id = 'toy/0/2') "
        f"execute function {schema}.refuse('{code}')"
    )


async def test_a_row_that_the_database_refuses_parks_its_key_alone(
    pool: asyncpg.Pool, engine: AsyncEngine, schema: str
) -> None:
    await _refusing(pool, schema, "23514")
    house = House(PostgresNotebook(engine, schema), PostgresRows(engine, schema))
    await house.told(*road(1, 2, 3), *road(4, key="other"))
    await run(house.reader())
    assert await house.last() == {"k": 1, "other": 4}
    assert await house.read() == set(ids(1, 4))
    assert len(await house.notebook.parked("city")) == 2


@pytest.mark.parametrize("code", ["53100", "40P01", "57014"], ids=["disk full", "deadlock", "cancelled"])
async def test_a_database_in_trouble_is_an_outage_and_poisons_no_letter(
    pool: asyncpg.Pool, engine: AsyncEngine, schema: str, code: str
) -> None:
    await _refusing(pool, schema, code)
    house = House(PostgresNotebook(engine, schema), PostgresRows(engine, schema))
    reader = house.reader()
    await house.told(*road(1, 2, 3))
    with pytest.raises(Outage):
        await reader.step()
    await pool.execute(f"drop trigger refuse on {schema}.told")
    await run(reader)
    assert await house.last() == {"k": 3}
    assert await house.notebook.parked("city") == []


async def test_a_notebook_whose_connection_is_cut_is_an_outage(
    pool: asyncpg.Pool, engine: AsyncEngine, schema: str
) -> None:
    notebook = PostgresNotebook(engine, schema)

    async def cut_off() -> None:
        async with notebook.page("city") as page:
            pid = (await page._ask("select pg_backend_pid()"))[0][0]
            await pool.execute("select pg_terminate_backend($1)", pid)
            await asyncio.sleep(0.02)
            await page.move({}, {("toy", 0): 1})

    with pytest.raises(Outage):
        await cut_off()
    assert (await notebook.load("city")).seen == {}


# -- anything at all

messages = [message(shard, n, key=key) for shard, keys in ((0, "abab"), (1, "cc")) for n, key in enumerate(keys, 1)]
clean = {"a": 3, "b": 4, "c": 2}

comings = st.tuples(
    st.permutations(range(6)),
    st.lists(st.integers(0, 5), max_size=6),
    st.lists(st.sampled_from(["step", "restart", "crash"]), min_size=12, max_size=12),
)


async def _whatever_comes(house: House, coming: tuple[Sequence[int], Sequence[int], Sequence[str]], name: str) -> None:
    order, again, happenings = coming
    reader = house.reader(name=name)
    for nth, happening in zip([*order, *again], happenings, strict=False):
        await house.told(messages[nth])
        match happening:
            case "step":
                await reader.step()
            case "restart":
                reader = house.reader(name=name)
            case "crash":
                with pytest.raises(Death):
                    await house.reader(Torn(house.notebook, Death(), late=True), name=name).step()
    await house.told(*(messages[nth] for nth in again))
    await run(reader)
    assert await house.last() == clean
    assert await house.read() == {one.id for one in messages}
    for shard, count_ in ((0, 4), (1, 2)):
        assert sorted(one for one in house.desk.done if one.startswith(f"toy/{shard}")) == ids(
            *range(1, count_ + 1), shard=shard
        )
    for key in "abc":
        road = [one for one in house.desk.done if one in {m.id for m in messages if m.key == key}]
        assert road == [m.id for m in messages if m.key == key]


@settings(max_examples=150, deadline=None)
@given(coming=comings)
async def test_whatever_order_messages_come_in_the_read_model_is_the_same(
    coming: tuple[Sequence[int], Sequence[int], Sequence[str]],
) -> None:
    rows = MemoryRows()
    await _whatever_comes(House(MemoryNotebook(rows), rows), coming, "city")


_names = count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(coming=comings)
async def test_whatever_order_messages_come_in_the_read_model_in_postgresql_is_the_same(
    coming: tuple[Sequence[int], Sequence[int], Sequence[str]], pool: asyncpg.Pool, engine: AsyncEngine, schema: str
) -> None:
    await pool.execute(f"truncate {schema}.last, {schema}.told")
    house = House(PostgresNotebook(engine, schema), PostgresRows(engine, schema))
    await _whatever_comes(house, coming, f"reader {next(_names)}")


class TestTogether:
    """Letters of many keys are reacted to at once; the order of each key is kept, and what fails is found alone."""

    async def test_a_full_batch_is_handled_wave_by_wave_in_the_order_of_each_key(self, house: House) -> None:
        waves: list[list[str]] = []

        async def together(messages: Sequence[Message]) -> Sequence[bool]:
            waves.append([one.id for one in messages])
            house.desk.done += [one.id for one in messages]
            return [True] * len(messages)

        for shard in range(30):
            await house.told(*road(1, 2, shard=shard, key=f"k{shard}"))
        await run(house.reader(together=together))
        assert [len(wave) for wave in waves] == [30, 30]
        assert waves[0] == [f"toy/{shard}/1" for shard in sorted(range(30), key=lambda n: waves[0].index(f"toy/{n}/1"))]
        assert house.desk.asked == []
        assert len(await house.read()) == 60

    async def test_what_is_left_undone_is_handled_alone_with_all_that_comes_behind_it(self, house: House) -> None:
        async def together(messages: Sequence[Message]) -> Sequence[bool]:
            return [one.key != "k7" for one in messages]

        for shard in range(30):
            await house.told(*road(1, 2, shard=shard, key=f"k{shard}"))
        await run(house.reader(together=together))
        assert house.desk.done == ids(1, 2, shard=7)
        assert len(await house.read()) == 60

    @pytest.mark.usefixtures("hasty")
    async def test_poison_among_many_parks_its_own_key_only(self, house: House) -> None:
        async def together(messages: Sequence[Message]) -> Sequence[bool]:
            raise ValueError("one of you is poison")

        house.desk.fails["toy/7/1"] = ValueError("poison")
        for shard in range(30):
            await house.told(*road(1, 2, shard=shard, key=f"k{shard}"))
        await run(house.reader(together=together))
        assert len(await house.read()) == 58
        assert {parked.key for parked in await house.notebook.parked("city")} == {"k7"}

    async def test_of_letters_that_nobody_heeds_only_the_place_is_noted(self, house: House) -> None:
        await house.told(*road(1), *road(3, 2), *road(1, shard=1, key="other"))
        reader = house.reader(heeds=frozenset({"toy.Unheard.v1"}))
        await run(reader)
        assert (house.desk.asked, await house.read()) == ([], set())
        assert (reader.figures.handled, await reader.lag()) == (4, 0)
        await house.told(*road(4))
        await run(house.reader())
        assert house.desk.done == ids(4), "who comes after goes on from there"

    async def test_where_nobody_reacts_read_models_are_written_all_the_same(self, house: House) -> None:
        await house.told(*road(1, 2))
        await run(house.reader(react=no_reaction))
        assert await house.read() == set(ids(1, 2))

    async def test_few_letters_are_not_gathered(self, house: House) -> None:
        async def together(messages: Sequence[Message]) -> Sequence[bool]:
            raise AssertionError("nobody calls a meeting for two")

        await house.told(*road(1, 2))
        await run(house.reader(together=together))
        assert house.desk.done == ids(1, 2)
