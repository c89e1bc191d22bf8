"""The envelope: CloudEvents 1.0, whose id says where the message stands in its service's outbox."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import from_json

from libs.eventsourcing.store import Outgoing


class Message(NamedTuple):
    """One published fact on its way.

    `id` is `<service>/<shard>/<sequence>`, the sequence gap-free from 1 in each shard, so a reader can tell a message
    that comes twice from one that comes too early. `key` is the routing key; `version` is the stream's.
    """

    id: str
    source: str
    type: str
    subject: str
    version: int
    time: datetime
    key: str
    data: str
    meta: str = "{}"

    @classmethod
    def of(cls, service: str, row: Outgoing) -> "Message":
        shard, sequence, stream, version, type_, key, data, at, meta = row
        id_, source = f"{service}/{shard}/{sequence}", f"/services/{service}"
        return cls(id_, source, type_, stream, version, at, key, data, meta)

    @property
    def place(self) -> tuple[str, int, int]:
        """Service, shard and sequence."""
        service, shard, sequence = self.id.split("/")
        return service, int(shard), int(sequence)

    def told_by(self) -> dict[str, str]:
        """Who acted, through which channel, and the trace: actor, channel, reason, correlation, causation, trace."""
        told: dict[str, str] = from_json(self.meta)
        return told

    def cloudevent(self) -> dict[str, Any]:
        """The message as a structured-mode CloudEvent, for people and for the museum of examples."""
        told = self.told_by()
        event = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "partitionkey": self.key,
            "streamversion": self.version,
            "data": json.loads(self.data),
        }
        names = {"actor": "actor", "channel": "channel", "reason": "reason", "correlation": "correlationid",
                 "causation": "causationid", "trace": "traceparent"}  # fmt: skip
        return event | {name: told[key] for key, name in names.items() if key in told}
