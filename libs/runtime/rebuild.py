"""Empties the log and fills it again from the stores, which keep every message for ever; the city may go on."""

from collections.abc import Sequence

from libs.messaging.bus import topic_of
from libs.messaging.notebook import Notebook, Overtaken
from libs.messaging.postgres import relay_of
from libs.runtime.platform import Platform
from libs.runtime.service import Service

READER = "city"


async def rebuild_log(platform: Platform, services: Sequence[Service]) -> dict[str, int]:
    """Make the log anew; returns how many messages each service has on it. Raises Outage, and can then be repeated.

    Readers go back first, for of a log that was lost they may have read more than it will have, and once more when the
    topic is empty, for their places in the old one mean nothing in the new one. They pass over what they have seen, so
    nothing happens twice.
    """
    for service in services:
        relay = relay_of(service.name, service.desks.store, platform.bus)
        listeners = [platform.notebook(one.name) for one in services if service.name in one.topics]
        await _send_back(listeners, topic_of(service.name))
        await relay.start_over()
        await _send_back(listeners, topic_of(service.name))
        while await relay.step():
            pass
    return {service.name: sum((await service.desks.store.ends()).values()) for service in services}


async def _send_back(notebooks: Sequence[Notebook], topic: str) -> None:
    """Each of these readers stands at the beginning of the topic again; what it has seen stays seen."""
    for notebook in notebooks:
        while not await _sent_back(notebook, topic):
            pass


async def _sent_back(notebook: Notebook, topic: str) -> bool:
    """False if the reader was faster, and stands somewhere else now."""
    memory = await notebook.load(READER)
    here = {slot: (next_, 0) for slot, next_ in memory.positions.items() if slot[0] == topic and next_}
    try:
        async with notebook.page(READER) as page:
            await page.move(here)
    except Overtaken:
        return False
    return True
