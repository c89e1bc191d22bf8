"""The envelope: CloudEvents 1.0, whose id says where the message stands in its service's outbox."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.eventsourcing.store import Outgoing


@dataclass(frozen=True, slots=True)
class Message:
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
        return cls(
            id=f"{service}/{row.shard}/{row.sequence}",
            source=f"/services/{service}",
            type=row.type,
            subject=row.stream,
            version=row.version,
            time=row.effective_at,
            key=row.key,
            data=row.data,
            meta=row.meta,
        )

    @property
    def place(self) -> tuple[str, int, int]:
        """Service, shard and sequence."""
        service, shard, sequence = self.id.split("/")
        return service, int(shard), int(sequence)

    def told_by(self) -> dict[str, str]:
        """Who acted, through which channel, and the trace: actor, channel, reason, correlation, causation, trace."""
        told: dict[str, str] = json.loads(self.meta)
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
