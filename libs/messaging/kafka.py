"""The bus on Apache Kafka: the card-lifecycle log in production. Binary-mode CloudEvents, one partition per shard."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

from libs.kernel.outages import Outage
from libs.messaging.bus import PARTITIONS, Letter, Slot, partition_of
from libs.messaging.inlet import Inlet
from libs.messaging.message import Message

CHUNK = 500  # Messages in flight at once; more would fill Kafka's own batches, which then fail one by one.
PATIENCE_S = 10.0  # How long a publisher waits for an acknowledgement before it calls the log away.
POLL_MS = 500
ALREADY_THERE = 36

META = {"actor": "ce_actor", "channel": "ce_channel", "reason": "ce_reason", "city": "ce_city", "bylaws": "ce_bylaws",
        "correlation": "ce_correlationid", "causation": "ce_causationid", "trace": "ce_traceparent"}  # fmt: skip


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """The CloudEvents attributes of a message as Kafka headers."""
    told = message.told_by()
    named = {
        "ce_specversion": "1.0",
        "ce_id": message.id,
        "ce_source": message.source,
        "ce_type": message.type,
        "ce_subject": message.subject,
        "ce_time": message.time.isoformat(),
        "ce_partitionkey": message.key,
        "ce_streamversion": str(message.version),
        "content-type": "application/json",
    } | {header: told[name] for name, header in META.items() if name in told}
    return [(name, text.encode()) for name, text in named.items()]


def message_of(headers: Sequence[tuple[str, bytes]], data: bytes) -> Message:
    """The message that was sent. Raises ValueError or KeyError for what is none of ours."""
    named = {name: text.decode() for name, text in headers}
    message = Message(
        id=named["ce_id"],
        source=named["ce_source"],
        type=named["ce_type"],
        subject=named["ce_subject"],
        version=int(named["ce_streamversion"]),
        time=datetime.fromisoformat(named["ce_time"]),
        key=named["ce_partitionkey"],
        data=data.decode(),
        meta=json.dumps({name: named[header] for name, header in META.items() if header in named}, ensure_ascii=False),
    )
    json.loads(message.data)
    _ = message.place
    return message


class KafkaBus:
    """`Bus` on a Kafka cluster. Topics keep everything for ever; each has as many partitions as the bus says."""

    def __init__(self, bootstrap: str, *, replicas: int = 1) -> None:
        self._bootstrap, self._replicas = bootstrap, replicas
        self._producer: AIOKafkaProducer | None = None
        self._under_way: dict[str, list[asyncio.Future[Any]]] = {}
        self._ready: set[str] = set()
        self._watcher: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        await self._ensure([topic])
        producer = await self._open_producer()
        for start in range(0, len(messages), CHUNK):
            await self._acknowledged(topic)  # What is still under way from an outage goes first, in order.
            try:
                self._under_way[topic] = [
                    await producer.send(
                        topic, message.data.encode(), key=message.key.encode(), partition=partition_of(message),
                        headers=headers_of(message),
                    )
                    for message in messages[start : start + CHUNK]
                ]  # fmt: skip
            except KafkaError as error:
                raise Outage(f"the log does not take messages: {error!r}") from error
            await self._acknowledged(topic)

    async def _acknowledged(self, topic: str) -> None:
        """Wait for what is under way; if that takes too long it stays under way, and may still arrive later."""
        futures = self._under_way.get(topic, [])
        if not futures:
            return
        _, pending = await asyncio.wait(futures, timeout=PATIENCE_S)
        if pending:
            raise Outage("the log does not acknowledge messages")
        self._under_way[topic] = []
        for future in futures:
            if error := future.exception():
                self._producer = None  # Whatever it was, a new producer begins with a clean slate.
                raise Outage(f"the log refused a message: {error!r}") from error

    async def _open_producer(self) -> AIOKafkaProducer:
        async with self._turn:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=0
                )
                await _started(producer)
                self._producer = producer
            return self._producer

    async def _ensure(self, topics: Sequence[str]) -> None:
        """Make topics that are not there."""
        missing = [topic for topic in topics if topic not in self._ready]
        if not missing:
            return
        async with self._admin() as admin:
            wanted = [
                NewTopic(topic, PARTITIONS, self._replicas, topic_configs={"retention.ms": "-1"}) for topic in missing
            ]
            for topic, code, *_ in (await admin.create_topics(wanted)).topic_errors:
                if code not in (0, ALREADY_THERE):
                    raise Outage(f"the log does not make topic {topic}: error {code}")
        self._ready |= set(missing)

    def _admin(self) -> "_Admin":
        return _Admin(self._bootstrap)

    def feed(self, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None) -> "KafkaFeed":
        return KafkaFeed(self, self._bootstrap, group, topics)

    def inlet(self, group: str, inlet: Inlet) -> "KafkaInlet":
        return KafkaInlet(self, self._bootstrap, group, inlet)

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        await self._ensure(topics)
        async with self._turn:
            if self._watcher is None:
                watcher = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, metadata_max_age_ms=2_000)
                await _started(watcher)
                self._watcher = watcher
            slots = [TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)]
            return await _ends(self._watcher, slots)

    async def forget(self, topic: str) -> None:
        async with self._admin() as admin:
            await admin.delete_topics([topic])
            self._ready.discard(topic)
            for _ in range(100):
                if topic not in await admin.list_topics():
                    break
                await asyncio.sleep(0.1)
        await self._ensure([topic])

    async def close(self) -> None:
        """Stop what can be stopped; a message that was never acknowledged is sent again by whoever comes next."""
        for client in (self._producer, self._watcher):
            if client is not None:
                await _stopped(client)


class KafkaFeed:
    """A reader's view: partitions by group membership, positions from the reader's own memory, never from Kafka.

    A reader of no group (empty) has all partitions at once and for itself.
    """

    leaves_out = False

    def __init__(self, bus: KafkaBus, bootstrap: str, group: str, topics: Sequence[str]) -> None:
        self._bus, self._bootstrap, self._group, self._topics = bus, bootstrap, group, list(topics)
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[Slot, int] = {}

    async def slots(self) -> frozenset[Slot]:
        consumer = await self._open()
        return frozenset((tp.topic, tp.partition) for tp in consumer.assignment())

    async def fetch(self, positions: Mapping[Slot, int], limit: int) -> Sequence[Letter]:
        consumer = await self._open()
        if not positions:
            await asyncio.sleep(0.1)
            return []
        try:
            for slot, position in positions.items():
                if self._next.get(slot) != position:
                    consumer.seek(TopicPartition(*slot), position)
                    self._next[slot] = position
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=limit)
        except (KafkaError, AssertionError, ValueError) as error:
            self._next.clear()  # Partitions have moved in between: look again.
            raise Outage(f"the log cannot be read: {error!r}") from error
        letters = []
        for tp, records in found.items():
            slot = (tp.topic, tp.partition)
            if slot not in positions:
                self._next.pop(slot, None)  # It came to us while we were reading; read it again from its own place.
                continue
            letters += [_letter(slot, record) for record in records]
            self._next[slot] = records[-1].offset + 1
        return letters

    async def wait(self, timeout_s: float) -> None:
        """Reading itself waits."""
        await asyncio.sleep(0)

    async def ends(self) -> Mapping[Slot, int]:
        return await self._bus.ends(self._topics)

    async def close(self) -> None:
        if self._consumer is not None:
            await _stopped(self._consumer)
            self._consumer = None

    async def _open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            await self._bus._ensure(self._topics)
            consumer = AIOKafkaConsumer(
                *(self._topics if self._group else ()),
                bootstrap_servers=self._bootstrap,
                group_id=f"citycard-{self._group}" if self._group else None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy=[RoundRobinPartitionAssignor],
                metadata_max_age_ms=2_000,  # Else a topic that was made anew is not seen for five minutes.
                session_timeout_ms=10_000,
                heartbeat_interval_ms=1_000,
            )
            if not self._group:
                consumer.assign([TopicPartition(topic, n) for topic in self._topics for n in range(PARTITIONS)])
            await _started(consumer)
            self._consumer = consumer
        return self._consumer


class KafkaInlet:
    """Reads the topics of others on Kafka; a position moves when what lies before it was taken in."""

    def __init__(self, bus: KafkaBus, bootstrap: str, group: str, inlet: Inlet) -> None:
        self._bus, self._bootstrap, self._group, self._inlet = bus, bootstrap, group, inlet
        self._consumer: AIOKafkaConsumer | None = None

    async def step(self) -> int:
        """Take in what has come; says how many records. Raises Outage."""
        consumer, taken = await self._open(), 0
        try:
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=CHUNK)
        except KafkaError as error:
            raise Outage(f"the topics of others cannot be read: {error!r}") from error
        for place, records in found.items():
            try:
                values = [record.value or b"" for record in records]
                await self._inlet.take(place.topic, place.partition, records[0].offset, values)
                await consumer.commit({place: records[-1].offset + 1})
            except BaseException as error:
                await self.close()  # Whoever comes next begins where the last position was kept.
                if isinstance(error, KafkaError):
                    raise Outage(f"a position in {place.topic} cannot be kept: {error!r}") from error
                raise
            taken += len(records)
        return taken

    async def wait(self) -> None:
        """Reading itself waits."""

    async def close(self) -> None:
        """Let go of everything."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stopped(consumer)

    async def _open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            await self._bus._ensure(self._inlet.topics)
            consumer = AIOKafkaConsumer(
                *self._inlet.topics,
                bootstrap_servers=self._bootstrap,
                group_id=f"citycard-{self._group}-inlet",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                metadata_max_age_ms=5_000,  # A topic that is made later is soon seen.
                session_timeout_ms=10_000,
                heartbeat_interval_ms=1_000,
            )
            await _started(consumer)
            self._consumer = consumer
        return self._consumer


class _Admin:
    """An admin client for one errand."""

    def __init__(self, bootstrap: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await _started(self._client)
        return self._client

    async def __aexit__(self, _type: Any, error: BaseException | None, _trace: Any) -> None:
        await _stopped(self._client)
        if isinstance(error, KafkaError):
            raise Outage(f"the log does not answer: {error!r}") from error


def _letter(slot: Slot, record: Any) -> Letter:
    try:
        return Letter(slot, record.offset, message_of(record.headers, record.value or b""))
    except (KeyError, ValueError) as error:
        return Letter(slot, record.offset, None, f"not a message of this house: {error!r}")


async def _ends(consumer: AIOKafkaConsumer, slots: Sequence[TopicPartition]) -> Mapping[Slot, int]:
    try:
        found = await asyncio.wait_for(consumer.end_offsets(slots), PATIENCE_S)
    except (KafkaError, TimeoutError) as error:
        raise Outage(f"the log does not answer: {error!r}") from error
    return {(tp.topic, tp.partition): offset for tp, offset in found.items()}


async def _started(client: Any) -> None:
    try:
        await client.start() if hasattr(client, "start") else None
    except (KafkaError, OSError) as error:
        await _stopped(client)
        raise Outage(f"the log does not answer: {error!r}") from error


async def _stopped(client: Any) -> None:
    """Stopping may hang, or look like a cancellation of our own, while the broker is away: let it be after 5 s."""
    stopping = asyncio.ensure_future(client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
    with suppress(KafkaError):
        await asyncio.wait([stopping], timeout=5)
