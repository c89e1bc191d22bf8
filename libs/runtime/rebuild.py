"""Empties the log and fills it again from the stores, which keep every message for ever; the city may go on."""

from collections.abc import Sequence

from libs.eventsourcing.store import Store
from libs.messaging.bus import topic_of
from libs.messaging.notebook import Notebook, Overtaken
from libs.messaging.postgres import relay_of
from libs.runtime.platform import Platform
from libs.runtime.service import Service

READER = "city"


async def rebuild_log(platform: Platform, services: Sequence[Service]) -> dict[str, int]:
    """Make the log anew; returns how many messages each service has on it. Raises Outage, and can then be repeated.

    The order matters. A topic is emptied before its marks go back, so that whatever a relay at work has sent into the
    emptied topic is sent again; readers go back last, and pass over what they have seen, so that nothing happens twice.
    """
    for service in services:
        topic = topic_of(service.name)
        await platform.bus.forget(topic)
        await _rewind(service.desks.store)
        for listener in services:
            if service.name in listener.topics:
                await _send_back(platform.notebook(listener.name), topic)
        relay = relay_of(service.name, service.desks.store, platform.bus)
        while await relay.step():
            pass
    return {service.name: sum((await service.desks.store.ends()).values()) for service in services}


async def _rewind(store: Store) -> None:
    """Whatever the log had, it has nothing now; a relay at work notices it at its next mark."""
    while not await store.mark({shard: (sequence, 0) for shard, sequence in (await store.marks()).items() if sequence}):
        pass


async def _send_back(notebook: Notebook, topic: str) -> None:
    """Places in the old topic mean nothing in the new one; what was seen there stays seen."""
    while True:
        memory = await notebook.load(READER)
        here = {slot: (next_, 0) for slot, next_ in memory.positions.items() if slot[0] == topic and next_}
        try:
            async with notebook.page(READER) as page:
                await page.move(here)
        except Overtaken:
            continue  # The reader was faster; it stands somewhere else now.
        return
