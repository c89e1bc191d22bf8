"""A relay in a process of its own that is killed in the instant between sending and marking."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import asyncpg

from libs.eventsourcing.postgres import PostgresStore
from libs.messaging.message import Message
from libs.messaging.postgres import PostgresBus
from libs.messaging.relay import Relay
from libs.runtime.citytime import MachineClock


class LastWords(PostgresBus):
    """A bus that takes what it is given, durably, and then lets nobody do anything more."""

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        await super().publish(topic, messages)
        os.kill(os.getpid(), signal.SIGKILL)


async def main(dsn: str, store: str, bus: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        await Relay("toy", PostgresStore(pool, store, MachineClock()), LastWords(pool, bus)).step()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
