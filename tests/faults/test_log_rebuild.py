"""The log can be made anew from the store, and nobody but its readers notices."""

import asyncio
from typing import Any

import asyncpg

from libs.messaging.notebook import MemoryNotebook, PostgresNotebook
from libs.messaging.reader import Reader, no_reaction
from libs.messaging.readmodel import MemoryRows
from libs.messaging.relay import OutboxFeed
from libs.runtime.cli import SERVICES
from libs.runtime.rebuild import rebuild_log
from libs.runtime.service import Listener, Service
from libs.testing.faults import everything, everything_stored, roads
from libs.testing.town import Town
from tests.platform import HALL, HOTLINE, HRSS, Open, a_card_in_use


async def a_card_lost_and_found(town: Town) -> str:
    _, card = await a_card_in_use(town)
    await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    await town.post(HALL, f"/v1/cards/{card}/lifts", {"document": "id_card"})
    await town.drain()
    return card


async def test_a_log_made_anew_is_the_same_log_and_changes_nothing_else(open_town: Open) -> None:
    async with open_town() as town:
        await a_card_lost_and_found(town)
        platform, services = town.house.platform, town.house.services
        async with asyncpg.create_pool(platform.settings.database_url, min_size=1, max_size=4) as pool:
            sms = platform.settings.home / "sms.jsonl"
            before, texts = await everything_stored(pool), await asyncio.to_thread(sms.read_bytes)
            log = {service: roads(await everything(platform.bus, service)) for service in SERVICES}
            for _ in range(2):  # Once more changes nothing either.
                told = await rebuild_log(platform, services)
                await town.drain()
                assert told["loss"] == sum(map(len, log["loss"].values())) > 0
                assert await everything_stored(pool) == before
                assert await asyncio.to_thread(sms.read_bytes) == texts
                assert {service: roads(await everything(platform.bus, service)) for service in SERVICES} == log

        await a_card_lost_and_found(town)  # The city goes on.


async def test_the_log_is_made_anew_while_people_come_and_go(open_town: Open) -> None:
    async with open_town() as town:
        await a_card_lost_and_found(town)
        life = asyncio.create_task(a_card_lost_and_found(town))
        while not life.done():
            await rebuild_log(town.house.platform, town.house.services)
            await asyncio.wait([life], timeout=2.5)  # A reader notices within a second that its log is another one.
        card = await life
        await town.drain()
        platform = town.house.platform
        for home in town.house.households:
            outbox = await home.store.outbox({}, 10_000)
            there = roads(await everything(platform.bus, home.service.name))
            sent = {message.id for road in there.values() for message in road}
            assert sent == {f"{home.service.name}/{row.shard}/{row.sequence}" for row in outbox}
        holding = card.partition(".")[0]
        steps = [one["step"] for one in await town.get(HALL, "/v1/notices", holding_id=holding)]
        assert sorted(steps) == ["card-arrived", "card-rests", "report-lifted"], "each step once"


async def test_a_reader_that_begins_at_the_beginning_comes_to_the_same_read_models(open_town: Open) -> None:
    async with open_town() as town:
        await a_card_lost_and_found(town)
        await town.post(HRSS, "/v1/deliveries", {"name": "d-1", "records": [{}], "announced": 2})
        await town.drain()
        platform = town.house.platform
        await rebuild_log(platform, town.house.services)
        for service in town.house.services:
            if service.project is None:
                continue
            rows = MemoryRows()
            notebook = MemoryNotebook(rows)
            own = Listener(service, own=True).project
            others = Listener(service, own=False).project
            feed = platform.bus.feed("newcomer", [f"citycard.{name}.v1" for name in service.topics])
            for reader in (
                Reader("own", OutboxFeed(service.name, service.desks.store), notebook, no_reaction, own),
                Reader("city", feed, notebook, no_reaction, others),
            ):
                while await reader.step():
                    pass
            await same(rows, service, platform.settings.database_url)


async def same(rows: MemoryRows, service: Service, dsn: str) -> None:
    """What was folded in memory is what stands in the service's tables, row for row."""
    assert rows.tables
    connection = await asyncpg.connect(dsn)
    for name, folded in rows.tables.items():
        kept = [dict(row) for row in await connection.fetch(f"select * from {service.name}.{name}")]
        assert sorted(map(legible, kept)) == sorted(map(legible, folded.values())), f"{service.name}.{name}"
    await connection.close()


def legible(row: dict[str, Any]) -> str:
    given = {name: value for name, value in row.items() if value is not None}
    return str({name: str(given[name]) for name in sorted(given)})  # UTC has several names, and one text.


async def test_readers_that_were_sent_back_can_move_on(open_town: Open) -> None:
    """A place that was set back to the beginning is a place to move from, in memory and in PostgreSQL."""
    async with open_town() as town:
        platform = town.house.platform
        for notebook in (MemoryNotebook(MemoryRows()), platform.notebook("issuance")):
            assert isinstance(notebook, MemoryNotebook | PostgresNotebook)
            slot = ("some.topic", 3)
            for move in ((0, 7), (7, 0), (0, 2)):
                async with notebook.page("somebody") as page:
                    await page.move({slot: move})
            assert (await notebook.load("somebody")).positions == {slot: 2}
