"""What every bus must pass; a subclass gives the fixture `bus` and may say how to spoil it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count
from uuid import uuid4

import pytest

from libs.messaging.bus import PARTITIONS, Bus, Feed, Letter, Slot
from libs.messaging.message import Message
from libs.testing.clocks import NOON

PATIENCE_S = 20


def message(shard: int, sequence: int, service: str = "toy", key: str = "", **other: str) -> Message:
    """The message at this place of a service's outbox."""
    return Message(
        id=f"{service}/{shard}/{sequence}",
        source=f"/services/{service}",
        type=other.get("type", "toy.Noted.v1"),
        subject=f"card-{key or shard}",
        version=sequence,
        time=NOON + timedelta(milliseconds=sequence),
        key=key or f"key{shard}",
        data=other.get("data", f'{{"n":{sequence}}}'),
        meta=other.get("meta", '{"actor": "李"}'),
    )


async def read_all(feed: Feed, positions: Mapping[Slot, int], until: int, limit: int = 100) -> list[Letter]:
    """Read on from these positions until there are so many letters."""
    letters: list[Letter] = []
    here = dict(positions)
    async with asyncio.timeout(PATIENCE_S):
        while len(letters) < until:
            fetched = await feed.fetch(here, limit)
            assert len(fetched) <= limit
            for letter in fetched:
                assert letter.offset >= here[letter.slot]
                here[letter.slot] = letter.offset + 1
            letters += fetched
            if not fetched:
                await feed.wait(0.05)
    return letters


def told(letters: Sequence[Letter]) -> list[Message]:
    return [letter.message for letter in letters if letter.message]


async def beginning(feed: Feed) -> dict[Slot, int]:
    """Position 0 of all slots, once the feed has been given all of them."""
    async with asyncio.timeout(PATIENCE_S):
        while len(slots := await feed.slots()) % PARTITIONS or not slots:
            await feed.wait(0.05)
    return dict.fromkeys(slots, 0)


class BusContract:
    """Order, place, durability, limits and waking, as `Bus` and `Feed` promise them."""

    @pytest.fixture
    def topic(self) -> str:
        """A topic of its own for each test, so that one bus can serve them all."""
        return f"citycard.{uuid4().hex[:12]}.v1"

    async def test_a_message_arrives_as_it_was_sent(self, bus: Bus, topic: str) -> None:
        sent = message(11, 1, data='{"name":"李","n":1.5}')
        await bus.publish(topic, [sent])
        feed = bus.feed("a", [topic])
        [letter] = await read_all(feed, await beginning(feed), 1)
        assert letter.message == sent
        assert (letter.slot, letter.offset, letter.fault) == ((topic, 11 % PARTITIONS), 0, "")
        await feed.close()

    async def test_readers_of_no_group_each_have_everything(self, bus: Bus, topic: str) -> None:
        sent = [message(shard, 1) for shard in range(2 * PARTITIONS)]
        await bus.publish(topic, sent)
        for feed in [bus.feed("", [topic]) for _ in range(2)]:
            letters = await read_all(feed, await beginning(feed), len(sent))
            assert {one.id for one in told(letters)} == {one.id for one in sent}
            await feed.close()

    async def test_many_go_the_way_of_few(self, bus: Bus, topic: str) -> None:
        few, many = [message(shard, 1) for shard in range(3)], [message(n % 20, 2 + n // 20) for n in range(400)]
        await bus.publish(topic, few)
        await bus.publish(topic, many)
        await bus.publish(topic, last := [message(0, 99)])
        feed = bus.feed("a", [topic])
        letters = await read_all(feed, await beginning(feed), len(few) + len(many) + 1, limit=1_000)
        for partition in range(PARTITIONS):
            there = [letter for letter in letters if letter.slot == (topic, partition)]
            sent = [one for one in (*few, *many, *last) if one.place[1] % PARTITIONS == partition]
            assert [letter.offset for letter in there] == [*range(len(sent))]
            assert told(there) == sent
        await feed.close()

    async def test_everything_from_one_shard_is_in_one_partition_in_order(self, bus: Bus, topic: str) -> None:
        """Keys and services share partitions and must not disturb each other."""
        sent = [message(shard, n, f"toy{shard % 3}", key=f"k{n % 2}") for n in range(1, 8) for shard in range(20)]
        for start in range(0, len(sent), 33):
            await bus.publish(topic, sent[start : start + 33])
        feed = bus.feed("a", [topic])
        letters = await read_all(feed, await beginning(feed), len(sent), limit=50)
        assert len(letters) == len(sent)
        for shard in range(20):
            road = [letter for letter in letters if letter.message and letter.message.place[1] == shard]
            assert [letter.message.place[2] for letter in road if letter.message] == [*range(1, 8)]
            assert {letter.slot for letter in road} == {(topic, shard % PARTITIONS)}
        await feed.close()

    async def test_offsets_count_up_within_each_slot(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [message(shard, n) for n in range(1, 6) for shard in (0, 1, 8)])
        feed = bus.feed("a", [topic])
        letters = await read_all(feed, await beginning(feed), 15)
        assert [letter.offset for letter in letters if letter.slot == (topic, 0)] == [*range(10)]
        assert [letter.offset for letter in letters if letter.slot == (topic, 1)] == [*range(5)]
        await feed.close()

    async def test_what_was_published_stays_for_whoever_comes_later(self, bus: Bus, topic: str) -> None:
        sent = [message(0, n) for n in range(1, 4)]
        await bus.publish(topic, sent)
        for group in ("a", "b"):
            feed = bus.feed(group, [topic])
            for _ in range(2):  # Reading takes nothing away.
                assert told(await read_all(feed, await beginning(feed), 3)) == sent
            await feed.close()

    async def test_a_reader_goes_on_from_where_it_stood(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [message(shard, n) for n in range(1, 5) for shard in (0, 1)])
        feed = bus.feed("a", [topic])
        here = await beginning(feed) | {(topic, 0): 3, (topic, 1): 1}
        letters = await read_all(feed, here, 4)
        assert sorted((letter.slot[1], letter.offset) for letter in letters) == [(0, 3), (1, 1), (1, 2), (1, 3)]
        await feed.close()

    async def test_a_reader_gets_no_more_than_it_asked_for(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [message(shard, n) for n in range(1, 10) for shard in (0, 1, 2)])
        feed = bus.feed("a", [topic])
        letters = await read_all(feed, await beginning(feed), 27, limit=4)
        assert len({(letter.slot, letter.offset) for letter in letters}) == len(letters) == 27
        await feed.close()

    async def test_what_is_not_heeded_may_be_left_out_but_not_its_end(self, bus: Bus, topic: str) -> None:
        """Whatever is left out, a reader comes to stand where it would stand without."""
        kinds = ("toy.Noted.v1", "toy.Heard.v1", "toy.Noted.v1", "toy.Noted.v1")
        sent = [message(shard, n, type=kind) for n, kind in enumerate(kinds, 1) for shard in (0, 8, 1)]
        await bus.publish(topic, sent)
        feed = bus.feed("a", [topic], frozenset({"toy.Heard.v1"}))
        here, heard = await beginning(feed), []
        async with asyncio.timeout(PATIENCE_S):
            while here != dict(await feed.ends()):
                for letter in await feed.fetch(here, 2):
                    here[letter.slot] = letter.offset + 1
                    assert letter.message
                    if letter.message.type == "toy.Heard.v1":
                        heard.append(letter.message)
        assert sorted(heard) == sorted(one for one in sent if one.type == "toy.Heard.v1")
        await feed.close()

    async def test_the_ends_are_the_places_of_the_next_letters(self, bus: Bus, topic: str) -> None:
        feed = bus.feed("a", [topic])
        empty = dict.fromkeys(((topic, n) for n in range(PARTITIONS)), 0)
        await beginning(feed)
        assert await feed.ends() == empty
        await bus.publish(topic, [message(shard, n) for n in (1, 2) for shard in (0, 3)])
        assert await feed.ends() == empty | {(topic, 0): 2, (topic, 3): 2}
        await feed.close()

    async def test_a_feed_reads_several_topics_and_no_other(self, bus: Bus, topic: str) -> None:
        topics = [f"{topic}.{name}" for name in ("left", "right", "other")]
        for nth, one in enumerate(topics):
            await bus.publish(one, [message(0, 1, f"toy{nth}")])
        feed = bus.feed("a", topics[:2])
        assert {slot for slot, _ in (await beginning(feed)).items()} == {
            (one, n) for one in topics[:2] for n in range(PARTITIONS)
        }
        letters = await read_all(feed, await beginning(feed), 2)
        assert sorted(letter.slot for letter in letters) == [(topics[0], 0), (topics[1], 0)]
        await feed.close()

    async def test_publishing_nothing_is_no_error(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [])

    async def test_concurrent_publishers_lose_nothing_and_no_reader_skips_a_letter(self, bus: Bus, topic: str) -> None:
        feed = bus.feed("a", [topic])
        start = await beginning(feed)
        reading = asyncio.create_task(read_all(feed, start, 16 * 5 * 4, limit=50))

        async def publish(service: int) -> None:
            numbers = count(1)
            for _ in range(5):
                await bus.publish(topic, [message(service % 4, next(numbers), f"toy{service}") for _ in range(4)])

        await asyncio.gather(*map(publish, range(16)))
        letters = await reading
        for slot in {letter.slot for letter in letters}:
            offsets = [letter.offset for letter in letters if letter.slot == slot]
            assert offsets == [*range(len(offsets))]
        for service in range(16):
            road = [message.place[2] for message in told(letters) if message.place[0] == f"toy{service}"]
            assert road == [*range(1, 21)]
        await feed.close()

    async def test_a_reader_that_waits_is_woken_by_the_next_letter(self, bus: Bus, topic: str) -> None:
        feed = bus.feed("a", [topic])
        start = await beginning(feed)
        assert not await feed.fetch(start, 10)
        clock = asyncio.get_running_loop()
        begun = clock.time()
        waiting = asyncio.create_task(read_all(feed, start, 1))
        await asyncio.sleep(0)
        await bus.publish(topic, [message(0, 1)])
        await waiting
        assert clock.time() - begun < 1
        await feed.close()

    async def test_a_reader_does_not_wait_longer_than_it_said(self, bus: Bus, topic: str) -> None:
        feed = bus.feed("a", [topic])
        await beginning(feed)
        async with asyncio.timeout(2):
            await feed.wait(0.02)
        await feed.close()

    async def test_what_is_no_message_keeps_its_place_and_says_what_is_wrong(self, bus: Bus, topic: str) -> None:
        await self.spoil(bus, topic)
        spoilt = (topic, 0)
        await bus.publish(topic, [message(0, 1)])
        feed = bus.feed("a", [topic])
        bad, good = await read_all(feed, await beginning(feed), 2)
        assert (bad.slot, bad.offset, bad.message) == (spoilt, 0, None)
        assert bad.fault
        assert (good.offset, good.message) == (1, message(0, 1))
        await feed.close()

    async def spoil(self, bus: Bus, topic: str) -> None:
        """Lay something that is no message at the beginning of partition 0."""
        pytest.skip("nobody can lay anything but messages on this bus")
