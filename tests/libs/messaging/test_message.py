"""The envelope, pinned to the byte: others parse it for ever."""

import json
from datetime import UTC, datetime

from libs.eventsourcing.store import Outgoing
from libs.messaging.bus import PARTITIONS, Letter, partition_of, topic_of
from libs.messaging.message import Message
from libs.messaging.notebook import folded, unfolded

row = Outgoing(
    shard=42, sequence=7, stream="loss-330900-4K7MZQ0V5T8WX2N3", version=3, type="loss.CardStopped.v1",
    key="330900-4K7MZQ0V5T8WX2N3", data='{"until":null,"name":"李"}',
    effective_at=datetime(2026, 10, 8, 4, 0, 0, 120_000, UTC),
    meta='{"actor":"clerk-7","channel":"hotline","reason":"stolen","city":"330900","bylaws":"sha",'
         '"correlation":"c-1","causation":"m-1","trace":"00-a-b-01"}',
)  # fmt: skip

message = Message.of("loss", row)


def test_a_message_is_its_outbox_row_with_a_name_of_its_place() -> None:
    assert message.id == "loss/42/7"
    assert message.place == ("loss", 42, 7)
    assert (message.source, message.subject, message.version) == ("/services/loss", row.stream, 3)
    assert (message.key, message.data, message.meta, message.time) == (row.key, row.data, row.meta, row.effective_at)


def test_a_cloudevent_is_written_in_exactly_these_bytes() -> None:
    assert json.dumps(message.cloudevent(), ensure_ascii=False, separators=(",", ":")) == (
        '{"specversion":"1.0","id":"loss/42/7","source":"/services/loss","type":"loss.CardStopped.v1",'
        '"subject":"loss-330900-4K7MZQ0V5T8WX2N3","time":"2026-10-08T04:00:00.120Z",'
        '"datacontenttype":"application/json","partitionkey":"330900-4K7MZQ0V5T8WX2N3","streamversion":3,'
        '"data":{"until":null,"name":"李"},"actor":"clerk-7","channel":"hotline","reason":"stolen",'
        '"correlationid":"c-1","causationid":"m-1","traceparent":"00-a-b-01"}'
    )


def test_what_nobody_said_is_left_out() -> None:
    bare = message._replace(meta="{}").cloudevent()
    assert [*bare] == ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "partitionkey",
                       "streamversion", "data"]  # fmt: skip


def test_attribute_names_are_those_that_cloudevents_allows() -> None:
    assert all(name.isascii() and name.isalnum() and name.islower() for name in message.cloudevent())


def test_a_service_has_one_topic_and_a_shard_one_partition() -> None:
    assert topic_of("loss") == "citycard.loss.v1"
    assert PARTITIONS == 8
    assert partition_of(message) == 2


def test_a_letter_that_is_kept_is_the_letter_that_came() -> None:
    for letter in (Letter(("t", 2), 9, message), Letter(("t", 2), 9, None, "not JSON: \\ 李")):
        assert unfolded(folded(letter)) == letter
