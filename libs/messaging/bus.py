"""What every bus promises; memory, PostgreSQL and Kafka pass the same contract tests."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from libs.messaging.inlet import Inlet, OpenInlet
from libs.messaging.message import Message

PARTITIONS = 8  # Divides the 64 shards, so that a shard never straddles two partitions.

Slot = tuple[str, int]
"""A topic and one of its partitions."""


def topic_of(service: str) -> str:
    """The topic on which a service publishes."""
    return f"citycard.{service}.v1"


def partition_of(message: Message) -> int:
    """Everything from one shard of one service goes to one partition, in order."""
    return message.place[1] % PARTITIONS


class Letter(NamedTuple):
    """What lay at one place of the log: a message, or something that is none (`message` is None, `fault` says why)."""

    slot: Slot
    offset: int
    message: Message | None
    fault: str = ""


class Feed(Protocol):
    """Something that can be read in order, slot by slot. Offsets count from 0; positions name the next one to read.

    A feed that `leaves_out` what its reader does not heed gives of the letters of other types only the last one of each
    shard that it came by, without its body. It may only do so where no letter can come before its turn.
    """

    @property
    def leaves_out(self) -> bool: ...

    async def slots(self) -> frozenset[Slot]:
        """The slots that this reader may read now; it changes when readers come and go."""

    async def fetch(self, positions: Mapping[Slot, int], limit: int) -> Sequence[Letter]:
        """Up to `limit` letters from these positions on, in order within each slot. Raises Outage."""

    async def wait(self, timeout_s: float) -> None:
        """Return when there may be more to read, or after the time-out."""

    async def ends(self) -> Mapping[Slot, int]:
        """For each slot, the offset after its last letter. Raises Outage."""

    async def close(self) -> None:
        """Let go of everything."""


class Bus(Protocol):
    """The card-lifecycle log."""

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Add messages in order, durably on return. Raises Outage, after which some may have been added."""

    def feed(self, group: str, topics: Sequence[str], heeds: frozenset[str] | None = None) -> Feed:
        """A reader's view; readers of one group share the slots among themselves, and one of no group has them all.

        `heeds` are the types of letters that matter to it.
        """

    def inlet(self, group: str, inlet: Inlet) -> OpenInlet | None:
        """Takes in what others write on their topics; None where nobody else can write."""

    async def ends(self, topics: Sequence[str]) -> Mapping[Slot, int]:
        """For each slot of these topics, the offset after its last letter. Raises Outage."""

    async def forget(self, topic: str) -> None:
        """Empty a topic, so that it can be filled again from the store. Raises Outage."""

    async def close(self) -> None:
        """Let go of everything."""
