"""The log on Apache Kafka keeps the promise of every bus, and some that only Kafka has to keep."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from libs.eventsourcing.store import SHARDS
from libs.kernel import Outage
from libs.messaging.bus import PARTITIONS, Bus
from libs.messaging.kafka import KafkaBus
from libs.messaging.message import Message
from libs.messaging.notebook import MemoryNotebook, Overtaken
from libs.messaging.reader import Reader, nothing
from libs.messaging.readmodel import MemoryRows
from libs.testing.bus_contract import BusContract, beginning, message, read_all, told
from libs.testing.stage import Broker

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
async def shared_bus(kafka: str) -> AsyncIterator[KafkaBus]:
    opened = KafkaBus(kafka)
    yield opened
    await opened.close()


class TestKafkaBus(BusContract):
    @pytest.fixture
    def bus(self, shared_bus: KafkaBus) -> Bus:
        return shared_bus

    async def spoil(self, bus: Bus, topic: str) -> None:
        assert isinstance(bus, KafkaBus)
        await bus.publish(topic, [])
        async with AIOKafkaProducer(bootstrap_servers=bus._bootstrap) as stranger:
            await stranger.send_and_wait(topic, b"\xff not ours", partition=0)


class Guest:
    """A reader of a group, and what it has handled."""

    def __init__(self, bus: Bus, notebook: MemoryNotebook, topic: str) -> None:
        self.handled: list[str] = []
        self.reader = Reader("city", bus.feed(f"guests-{topic}", [topic]), notebook, self._note, nothing)

    async def _note(self, message: Message) -> None:
        self.handled.append(message.id)

    async def step(self) -> int:
        try:
            return await self.reader.step()
        except (Outage, Overtaken):
            return 0

    async def work(self) -> None:
        while True:
            if not await self.step():
                await self.reader.wait(0.05)


@pytest.fixture
def topic() -> str:
    return f"citycard.{uuid4().hex[:12]}.v1"


async def test_readers_of_one_group_share_the_log_and_hand_over_without_loss_or_doubling(
    shared_bus: KafkaBus, topic: str
) -> None:
    notebook = MemoryNotebook(MemoryRows())
    first, second = Guest(shared_bus, notebook, topic), Guest(shared_bus, notebook, topic)
    sent = 0

    async def publish(many: int) -> None:
        nonlocal sent
        for _ in range(many):
            sent += 1
            await shared_bus.publish(topic, [message(shard, sent) for shard in range(SHARDS)])

    async def caught_up() -> None:  # What is handled and not yet remembered would be handled again.
        async with asyncio.timeout(30):
            while (await notebook.load("city")).seen != {("toy", shard): sent for shard in range(SHARDS)}:
                await asyncio.sleep(0.02)

    await publish(3)
    working = asyncio.create_task(first.work())
    await caught_up()
    joining = asyncio.create_task(second.work())
    async with asyncio.timeout(30):
        while not second.handled:  # While it joins, work goes on.
            await publish(1)
            await asyncio.sleep(0.1)
    assert len(await first.reader._feed.slots()) + len(await second.reader._feed.slots()) <= PARTITIONS
    await publish(3)
    await caught_up()
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    await second.reader.close()
    await publish(3)
    await caught_up()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await first.reader.close()
    handled = [*first.handled, *second.handled]
    assert len(set(handled)) == sent * SHARDS
    # A reader that loses a partition in mid-batch leaves its work unwritten, and the next one does it again; that these
    # commands happen once is the business of their command ids.
    assert len(handled) - len(set(handled)) <= 2 * SHARDS
    for road in range(SHARDS):
        for guest in (first, second):
            mine = [int(id_.rpartition("/")[2]) for id_ in guest.handled if id_.split("/")[1] == str(road)]
            assert list(dict.fromkeys(mine)) == sorted(set(mine)), "in order, whoever handles it"


async def test_a_message_that_is_none_of_ours_is_put_aside_alone(shared_bus: KafkaBus, topic: str) -> None:
    await shared_bus.publish(topic, [message(0, 1)])
    async with AIOKafkaProducer(bootstrap_servers=shared_bus._bootstrap) as stranger:
        await stranger.send_and_wait(topic, b"{", partition=0, headers=[("ce_id", b"toy/0/2")])
        await stranger.send_and_wait(topic, b"", partition=0, key=b"key0")
    await shared_bus.publish(topic, [message(0, 2), message(8, 1)])
    notebook = MemoryNotebook(MemoryRows())
    guest = Guest(shared_bus, notebook, topic)
    async with asyncio.timeout(20):
        while len(guest.handled) < 3:
            await guest.step()
    assert guest.handled == ["toy/0/1", "toy/0/2", "toy/8/1"]
    parked = await notebook.parked("city")
    assert [one.letter.message for one in parked] == [None, None]
    assert all("not a message of this house" in one.letter.fault for one in parked)
    await guest.reader.close()


async def test_a_topic_that_is_emptied_and_filled_again_is_read_from_its_beginning(
    shared_bus: KafkaBus, topic: str
) -> None:
    sent = [message(shard, n) for n in (1, 2) for shard in range(PARTITIONS)]
    await shared_bus.publish(topic, sent)
    notebook = MemoryNotebook(MemoryRows())
    guest = Guest(shared_bus, notebook, topic)
    async with asyncio.timeout(40):
        while len(guest.handled) < len(sent):
            await guest.step()
        await shared_bus.forget(topic)
        assert set((await shared_bus.ends([topic])).values()) == {0}
        async with notebook.page("city") as page:
            places = (await notebook.load("city")).positions
            await page.move({slot: (next_, 0) for slot, next_ in places.items()})
        more = [message(shard, 3) for shard in range(PARTITIONS)]
        await shared_bus.publish(topic, [*sent, *more])
        while len(guest.handled) < len(sent) + len(more):
            await guest.step()
            await guest.reader.lag()
    assert guest.reader.figures.doubles == len(sent), "passed over, not handled again"
    again = shared_bus.feed("somebody-new", [topic])
    letters = await read_all(again, await beginning(again), len(sent) + len(more))
    assert {letter.offset for letter in letters} == {0, 1, 2}
    await again.close()
    await guest.reader.close()


async def test_a_broker_that_is_killed_under_a_publisher_loses_nothing(own_broker: Broker) -> None:
    bus, topic = KafkaBus(own_broker.address), "citycard.toy.v1"
    sent = 0

    async def publish() -> None:
        """As the relay does: a batch again and again until it is acknowledged, then the next."""
        nonlocal sent
        while True:
            batch = [message(shard, sent + 1) for shard in range(16)]
            try:
                await bus.publish(topic, batch)
            except Outage:
                await asyncio.sleep(0.1)
            else:
                sent += 1
                await asyncio.sleep(0.01)

    publishing = asyncio.create_task(publish())
    async with asyncio.timeout(60):
        while sent < 20:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(own_broker.kill)
        await own_broker.start()
        before = sent
        while sent < before + 20:
            await asyncio.sleep(0.05)
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    feed = bus.feed("afterwards", [topic])
    ends = await bus.ends([topic])
    letters = await read_all(feed, await beginning(feed), sum(ends.values()))
    for shard in range(16):
        road = [one.place[2] for one in told(letters) if one.place[1] == shard]
        first_comings = list(dict.fromkeys(road))
        assert first_comings[:sent] == [*range(1, sent + 1)], "all that was acknowledged, in order"
    await feed.close()
    await bus.close()


async def test_a_broker_that_is_away_is_an_outage_and_nothing_worse() -> None:
    bus = KafkaBus("127.0.0.1:1")
    feed = bus.feed("a", ["citycard.toy.v1"])
    for asking in (bus.publish("citycard.toy.v1", [message(0, 1)]), feed.ends(), feed.slots(), bus.forget("x")):
        with pytest.raises(Outage):
            await asking
    await bus.close()
