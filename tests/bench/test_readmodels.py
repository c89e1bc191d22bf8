"""Read models that are built anew are what they were, row for row, while everybody goes on working."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from libs.messaging.bus import Letter
from libs.runtime import readmodels
from libs.runtime.cli import read_models_of
from libs.runtime.readmodels import CannotRebuild, Rebuilt, rebuild
from libs.testing.town import Town
from tests.platform import CENTRE, CLERK, HOTLINE, ICBC, Open, a_card_in_use, approved

CALL = {"verified_by": "knowledge"}


@pytest.fixture
async def lived_in(open_town: Open) -> AsyncIterator[Town]:
    """A town in which cards were issued, lost, found, and cancelled."""
    async with open_town() as town:
        signature = {"document": "id_card"}
        cards = [(await a_card_in_use(town))[1] for _ in range(3)]
        for card in cards:
            await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", CALL)
        await town.post(ICBC, f"/v1/cards/{cards[0]}/written-reports", signature)
        await town.post(ICBC, f"/v1/cards/{cards[1]}/lifts", signature)
        given_back, reason = f"/v1/cards/{cards[2]}", {"reason": "moved_away"}
        waiting = await town.post(ICBC, f"{given_back}/cancellations", signature | reason, expect=202)
        await approved(town, CENTRE, given_back, waiting)
        await town.drain()
        yield town


async def test_the_rebuilt_tables_are_equal_row_for_row(lived_in: Town) -> None:
    for service, told in (("issuance", 40), ("notice", 15)):
        before = await pictured(lived_in, service)
        assert any(before["rows"].values())
        done = await rebuilt(lived_in, service)
        assert done.events >= told
        assert done.rows == {table: len(rows) for table, rows in before["rows"].items()}
        assert await pictured(lived_in, service) == before


async def test_a_service_without_read_models_has_nothing_to_rebuild(lived_in: Town) -> None:
    assert (await rebuilt(lived_in, "loss")).rows == {}


async def test_a_rebuild_that_crashes_leaves_the_live_tables_untouched(
    lived_in: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await pictured(lived_in, "issuance")

    async def crash(_draft: object) -> None:
        raise ConnectionResetError

    for moment in ("finish_indexes", "take_the_place_of_the_live_ones"):
        with monkeypatch.context() as broken:
            broken.setattr(readmodels._Draft, moment, crash)
            with pytest.raises(ConnectionResetError):
                await rebuilt(lived_in, "issuance")
        assert await pictured(lived_in, "issuance") == before
    await rebuilt(lived_in, "issuance")
    assert await pictured(lived_in, "issuance") == before


async def test_the_city_goes_on_while_its_read_models_are_rebuilt(lived_in: Town) -> None:
    async def live() -> list[str]:
        cards = []
        for _ in range(3):
            card = (await a_card_in_use(lived_in))[1]
            await lived_in.post(HOTLINE, f"/v1/cards/{card}/pre-reports", CALL)
            cards.append(card)
        return cards

    living = asyncio.create_task(live())
    rounds = 0
    while not living.done():
        await rebuilt(lived_in, "issuance")
        await rebuilt(lived_in, "notice")
        rounds += 1
    assert rounds > 1
    await lived_in.drain()
    for service in ("issuance", "notice"):
        before = await pictured(lived_in, service)
        await rebuilt(lived_in, service)
        assert await pictured(lived_in, service) == before
    for card in await living:
        functions = (await lived_in.get(CLERK, f"/v1/cards/{card}"))["functions"]
        assert not any(one["usable"] for one in functions if one["function"] == "medical")
        notices = await lived_in.get(CLERK, "/v1/notices", holding_id=card.partition(".")[0])
        assert [one["step"] for one in notices] == ["card-rests", "card-arrived"]


async def test_what_is_parked_stays_parked(lived_in: Town) -> None:
    """It has left nothing in the read models yet, and redriving it is not the rebuild's business."""
    platform = lived_in.house.platform
    notebook = platform.notebook("issuance")
    feed = platform.bus.feed("a test", ["citycard.loss.v1"])
    letters = await feed.fetch(dict.fromkeys(await feed.slots(), 0), 1_000)
    last = {letter.message.key: letter for letter in letters if letter.message}.values()
    stopped = next(letter for letter in last if letter.message and letter.message.type == "loss.CardStopped.v1")
    assert stopped.message
    before = await pictured(lived_in, "issuance")
    async with notebook.page("city") as page:
        await page.park(stopped.message.key, stopped, "a test")
    await rebuilt(lived_in, "issuance")
    without = await pictured(lived_in, "issuance")
    assert len(without["rows"]["timeline"]) == len(before["rows"]["timeline"]) - 1
    await lived_in.house.households[1].readers[1].redrive()
    assert await pictured(lived_in, "issuance") == before


async def test_a_log_with_a_gap_is_refused(lived_in: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = lived_in.house.platform
    before = await pictured(lived_in, "issuance")
    monkeypatch.setattr(readmodels, "PATIENCE_S", 0.1)
    feed_type = type(platform.bus.feed("a test", ["citycard.loss.v1"]))
    fetch = feed_type.fetch

    async def forgetful(self: Any, *arguments: Any) -> list[Letter]:
        return [letter for letter in await fetch(self, *arguments) if letter.message and letter.message.place[2] > 1]

    with monkeypatch.context() as torn:
        torn.setattr(feed_type, "fetch", forgetful)
        with pytest.raises(CannotRebuild, match="citycard log rebuild"):
            await rebuilt(lived_in, "issuance")
    assert await pictured(lived_in, "issuance") == before


async def test_two_do_not_rebuild_the_same_at_once(lived_in: Town) -> None:
    other = await asyncpg.connect(lived_in.settings.database_url)
    await other.execute("select pg_advisory_lock(hashtext('citycard rebuild notice'))")
    with pytest.raises(CannotRebuild, match="wait until that is done"):
        await rebuilt(lived_in, "notice")
    await other.close()
    assert (await rebuilt(lived_in, "notice")).events


async def rebuilt(town: Town, service: str) -> Rebuilt:
    (found,) = [one for one in town.house.services if one.name == service]
    dsn = town.settings.database_url
    return await rebuild(town.house.platform, found, read_models_of(service), dsn)


async def pictured(town: Town, service: str) -> dict[str, Any]:
    """All rows of a service's read models, and the indexes by which they are found."""
    connection = await asyncpg.connect(town.settings.database_url)
    try:
        rows = {
            table.name: sorted(
                [tuple(row) for row in await connection.fetch(f'select * from {service}."{table.name}"')], key=str
            )
            for table in read_models_of(service)
        }
        names = "select tablename, indexname, indexdef from pg_indexes where schemaname = $1 order by 1, 2"
        schemas = "select nspname from pg_namespace where nspname like '%\\_next'"
        return {
            "rows": rows,
            "indexes": [tuple(row) for row in await connection.fetch(names, service)],
            "left": await connection.fetch(schemas) if not rows else [],
        }
    finally:
        await connection.close()
