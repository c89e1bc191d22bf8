"""What goes wrong between the outbox and those who read it: nothing is lost on the way, and nothing happens twice."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TypeVar
from uuid import uuid4

import asyncpg
import pytest

from libs.eventsourcing.postgres import PostgresStore
from libs.eventsourcing.postgres import ddl as store_ddl
from libs.eventsourcing.store import Append, NewFact, NewMessage
from libs.messaging.bus import Bus, Feed, Slot
from libs.messaging.inlet import Inlet, OpenInlet
from libs.messaging.message import Message
from libs.messaging.notebook import MemoryNotebook
from libs.messaging.postgres import PostgresBus
from libs.messaging.postgres import ddl as bus_ddl
from libs.messaging.reader import Reader, nothing
from libs.messaging.readmodel import MemoryRows
from libs.messaging.relay import Relay
from libs.runtime.citytime import MachineClock
from libs.runtime.platform import Platform
from libs.testing.clocks import NOON
from libs.testing.schemas import own_schema
from libs.testing.town import Town
from tests.platform import CLERK, HALL, HOTLINE, OPERATOR, Open, a_card_in_use

# --- the relay is killed between send and mark ---


@pytest.fixture
async def store(pool: asyncpg.Pool) -> AsyncIterator[str]:
    async with own_schema(pool, "toy", store_ddl) as schema:
        yield schema


@pytest.fixture
async def bus(pool: asyncpg.Pool) -> AsyncIterator[str]:
    async with own_schema(pool, "bus", bus_ddl) as schema:
        yield schema


async def test_a_relay_killed_between_send_and_mark_sends_again_and_nobody_acts_twice(
    dsn: str, pool: asyncpg.Pool, store: str, bus: str
) -> None:
    opened, log = PostgresStore(pool, store, MachineClock()), PostgresBus(pool, bus)
    for key in range(40):
        fact, message = NewFact("noted", "{}"), NewMessage(0, "toy.Noted.v1", "{}")
        await opened.append(Append(uuid4(), f"toy-{key}", f"k{key}", 0, NOON, facts=[fact], messages=[message]))
    command = [sys.executable, str(Path(__file__).with_name("relay_that_dies.py")), dsn, store, bus]
    for nth in (1, 2):
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == -signal.SIGKILL
        assert sum((await log.ends(["citycard.toy.v1"])).values()) == nth * 40, "it was sent"
        assert sum((await opened.marks()).values()) == 0, "and not marked"
    relay = Relay("toy", opened, log)
    while await relay.step():
        pass
    assert sum((await log.ends(["citycard.toy.v1"])).values()) == 3 * 40
    handled: list[str] = []

    async def note(message: Message) -> None:
        handled.append(message.id)

    notebook = MemoryNotebook(MemoryRows())
    reader = Reader("city", log.feed("toys", ["citycard.toy.v1"]), notebook, note, nothing)
    while await reader.step():
        pass
    assert len(handled) == len(set(handled)) == 40
    assert reader.figures.doubles == 2 * 40


# --- duplicates, another order, late messages ---


class Rough:
    """A bus that doubles, shuffles and delays what is published, as no good one would."""

    def __init__(self, inner: Bus, seed: int) -> None:
        self.inner, self._dice = inner, Random(seed)
        self._late: list[tuple[str, Message]] = []
        self.sent = 0

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        late = [message for of, message in self._late if of == topic]
        self._late = [one for one in self._late if one[0] != topic]
        batch = [*messages, *late, *(message for message in messages if self._dice.random() < 0.5)]
        self._dice.shuffle(batch)
        again = [message for message in messages if self._dice.random() < 0.3]
        self._late += [(topic, message) for message in again]  # Once more with the next batch, when nobody expects it.
        self.sent += len(batch)
        await self.inner.publish(topic, batch)

    def feed(self, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None) -> Feed:
        return self.inner.feed(group, topics)  # Where letters come too early, none may be left out.

    def inlet(self, group: str, inlet: Inlet) -> OpenInlet | None:
        return self.inner.inlet(group, inlet)

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        return await self.inner.ends(topics)

    async def forget(self, topic: str) -> None:
        await self.inner.forget(topic)

    async def close(self) -> None:
        await self.inner.close()


R = TypeVar("R", bound=Rough)


def under(make: Callable[[Bus], R]) -> tuple[list[R], Callable[[Platform], None]]:
    """Puts another bus under a platform, and remembers it."""
    made: list[R] = []

    def prepare(platform: Platform) -> None:
        made.append(make(platform.bus))
        object.__setattr__(platform, "bus", made[0])

    return made, prepare


@pytest.mark.parametrize("seed", [1])
async def test_doubled_shuffled_and_late_messages_tell_the_same_story(open_town: Open, seed: int) -> None:
    made, prepare = under(lambda bus: Rough(bus, seed))
    async with open_town(prepare=prepare) as town:
        _, card = await a_card_in_use(town)
        await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
        await town.post(HALL, f"/v1/cards/{card}/lifts", {"document": "id_card"})
        await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
        await town.drain()
        await everything_again(town, seed)
        await town.drain()
        holding = card.partition(".")[0]
        steps = [one["step"] for one in await town.get(CLERK, "/v1/notices", holding_id=holding)]
        assert sorted(steps) == ["card-arrived", "card-rests", "card-rests", "report-lifted"]
        assert await woken_and_stopped(town, card) == ["CardStopped", "CardWoken", "CardStopped"]
        told = [one["what"] for one in (await town.get(CLERK, f"/v1/cards/{card}/timeline"))["entries"]]
        assert told.count("CardActivated") == 1
        functions = (await town.get(CLERK, f"/v1/cards/{card}"))["functions"]
        assert "medical" not in {one["function"] for one in functions if one["usable"]}, (
            "the last word was that it stopped"
        )
        sms = await asyncio.to_thread((town.settings.home / "sms.jsonl").read_text)
        notices = [json.loads(line)["notice_id"] for line in sms.splitlines()]
        assert len(notices) == len(set(notices)) == 4
        doubles = sum(reader.figures.doubles for home in town.house.households for reader in home.readers)
        assert doubles > made[0].sent / 4, "there was something to pass over"


async def everything_again(town: Town, seed: int) -> None:
    """All that was ever published is published once more, in any order, by a stranger straight to the log."""
    platform = town.house.platform
    assert isinstance(platform.bus, Rough)
    for home in town.house.households:
        rows = [Message.of(home.service.name, row) for row in await home.store.outbox({}, 10_000)]
        Random(seed).shuffle(rows)
        await platform.bus.inner.publish(f"citycard.{home.service.name}.v1", rows)


# --- poison ---


class Smudged(Rough):
    """A bus on which one message of one key arrives so that nobody can read it."""

    def __init__(self, inner: Bus, type_: str) -> None:
        super().__init__(inner, 0)
        self._type, self.key, self.smudged = type_, "", ""

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        sent = []
        for message in messages:
            if message.type == self._type and message.key == self.key and not self.smudged:
                self.smudged, message = message.data, message._replace(data='{"at": "ink"}')
            sent.append(message)
        await self.inner.publish(topic, sent)


async def test_poison_parks_its_own_key_and_nobody_else_waits(open_town: Open) -> None:
    made, prepare = under(lambda bus: Smudged(bus, "loss.CardStopped.v1"))
    async with open_town(prepare=prepare) as town:
        _, hers = await a_card_in_use(town)
        _, his = await a_card_in_use(town)
        [smudged] = made
        smudged.key = hers.partition(".")[0]
        call = {"verified_by": "knowledge"}
        await town.post(HOTLINE, f"/v1/cards/{hers}/pre-reports", call)
        await town.post(HALL, f"/v1/cards/{hers}/lifts", {"document": "id_card"})  # Comes behind the poison.
        began = asyncio.get_running_loop().time()
        await town.post(HOTLINE, f"/v1/cards/{his}/pre-reports", call)
        await town.drain()
        assert asyncio.get_running_loop().time() - began < 15, "tries of poison are bounded"
        assert await woken_and_stopped(town, hers) == []
        assert await woken_and_stopped(town, his) == ["CardStopped"]

        # The cause is mended, here by writing the message anew from the store; then everything goes its way, once.
        async with asyncpg.create_pool(town.settings.database_url, min_size=1, max_size=2) as pool:
            for service in ("issuance", "notice", "wallet"):
                for row in await pool.fetch(f"select nth, letter from {service}.reader_parked order by nth"):
                    letter = json.loads(row["letter"])
                    if letter["message"]["data"] == '{"at": "ink"}':
                        letter["message"]["data"] = smudged.smudged
                    mended = json.dumps(letter)
                    await pool.execute(
                        f"update {service}.reader_parked set letter = $1 where nth = $2", mended, row["nth"]
                    )
        for _ in range(2):
            done = await town.call(OPERATOR, "POST", "/v1/redrives")
            assert done.status_code == 201
            assert {one["letters_still_parked"] for one in done.json()} == {0}
        await town.drain()
        assert await woken_and_stopped(town, hers) == ["CardStopped", "CardWoken"]
        steps = [one["step"] for one in await town.get(CLERK, "/v1/notices", holding_id=smudged.key)]
        assert sorted(steps) == ["card-arrived", "card-rests", "report-lifted"]


async def woken_and_stopped(town: Town, card: str) -> list[str]:
    told = [one["what"] for one in (await town.get(CLERK, f"/v1/cards/{card}/timeline"))["entries"]]
    return [what for what in told if what in ("CardStopped", "CardWoken")]
