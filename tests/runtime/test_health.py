"""Real processes tell a load balancer the truth, and stop so that nobody notices."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from libs.runtime.citytime import MachineClock
from libs.testing.stage import Broker, Database, Stage, free_port, one_process
from libs.testing.town import Visitors, town_settings
from tests.platform import CLERK, id_card

PATIENCE_S = 30


def visitors(stage: Stage) -> Visitors:
    return Visitors(stage.web, town_settings(stage.settings.home), MachineClock())


async def eventually(ask: Callable[[], Awaitable[Any]], fits: Callable[[Any], bool]) -> Any:
    """Ask until the answer fits."""
    answer = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not fits(answer := await ask()):
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"still {answer}")
    return answer


@asynccontextmanager
async def half_said(stage: Stage, body: dict[str, Any]) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A request whose second half is still to come; call to say it and to hear the answer."""
    town, said = visitors(stage), json.dumps(body).encode()
    host, _, port = stage.addresses["all"].removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/persons HTTP/1.1\r\nHost: city\r\nContent-Type: application/json\r\nIdempotency-Key: half\r\n"
        + f"Authorization: Bearer {town.token(CLERK)}\r\nContent-Length: {len(said)}\r\n\r\n".encode()
        + said[:10]
    )
    await writer.drain()
    await asyncio.sleep(0.3)  # It has been accepted, and begun.

    async def the_rest() -> str:
        writer.write(said[10:])
        async with asyncio.timeout(PATIENCE_S):
            return (await reader.read()).decode()

    yield the_rest
    writer.close()


async def test_a_process_that_is_told_to_stop_finishes_what_it_has_begun_and_takes_nothing_new(workshop: Path) -> None:
    async with one_process(workshop / "leaving") as stage:
        process = stage.processes["all"]
        shown = {"document": id_card(), "name": "林小舟", "mobile": "13800005678", "language": "zh"}
        async with half_said(stage, shown) as the_rest:
            process.terminate()
            await eventually(lambda: refused(stage), bool)
            assert process.poll() is None, "it waits for the request that it has accepted"
            answer = await the_rest()
        assert answer.startswith("HTTP/1.1 201 ")
        assert '"person_id"' in answer
        async with asyncio.timeout(PATIENCE_S):
            assert await asyncio.to_thread(process.wait) == 0
        home = stage.settings.home
        assert not (home / "postgres" / "postmaster.pid").exists(), "its database is stopped, and in order"
        assert "database system is shut down" in (home / "postgres.log").read_text()


async def refused(stage: Stage) -> bool:
    host, _, port = stage.addresses["all"].removeprefix("http://").partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_requests_need_the_store_and_never_the_log(workshop: Path) -> None:
    home = workshop / "truthful"
    home.mkdir()
    database = Database(home / "postgres")
    await database.start()
    nobody_listens = f"127.0.0.1:{free_port()}"
    try:
        async with one_process(home, CITYCARD_DATABASE_URL=database.dsn, CITYCARD_KAFKA=nobody_listens) as stage:
            town = visitors(stage)

            async def ready() -> tuple[int, dict[str, Any]]:
                answer = await stage.web.get("/health/ready")
                return answer.status_code, answer.json()

            shown = {"document": id_card(), "name": "林小舟", "mobile": "13800005678", "language": "zh"}
            await town.post(CLERK, "/v1/persons", shown)

            status, told = await eventually(ready, lambda seen: seen[1]["services"][0]["oldest_unsent_s"] > 0)
            assert (status, told["status"], told["faults"]) == (200, "ready", []), "the broker's outage is not ours"
            assert "identity: the log does not answer" in told["worries"]
            assert told["services"][0]["unsent"] >= 1
            (office,) = [one for one in told["services"] if one["service"] == "office"]
            assert office["readers"] == [], "the office reads nothing"
            own, _ = told["services"][1]["readers"]
            assert (own["name"], own["last_poll_age_s"] < 5) == ("own", True)
            (city,) = next(one for one in told["services"] if one["service"] == "loss")["readers"]
            assert city["lag"] is None, "what is not known is not said"

            await database.kill()
            status, told = await eventually(ready, lambda seen: seen[0] != 200)
            assert (status, told["status"]) == (503, "not ready")
            assert "loss: the store does not answer" in told["faults"]
            assert (await stage.web.get("/health/live")).status_code == 200, "a new process would not help"

            await database.start()
            await eventually(ready, lambda seen: seen[0] == 200)
    finally:
        await database.end()


@pytest.mark.kafka
async def test_who_stops_hands_its_partitions_over_at_once(own_broker: Broker, workshop: Path) -> None:
    home = workshop / "handing-over"
    home.mkdir()
    database = Database(home / "postgres")
    await database.start()
    variables = {"CITYCARD_DATABASE_URL": database.dsn, "CITYCARD_KAFKA": own_broker.address}
    admin = AIOKafkaAdminClient(bootstrap_servers=own_broker.address)
    await admin.start()

    async def members() -> int:
        (described,) = await admin.describe_consumer_groups(["citycard-loss"])
        ((_, _, state, _, _, found, *_),) = described.groups
        return len(found) if state == "Stable" else 0

    try:
        async with one_process(home, **variables) as stage:
            port = free_port()
            stage.addresses["second"] = f"http://127.0.0.1:{port}"
            stage.commands["second"] = ["serve", "loss", "--port", str(port)]
            await stage.start("second")
            await eventually(members, lambda found: found == 2)
            stage.processes["second"].terminate()
            await asyncio.to_thread(stage.processes["second"].wait, PATIENCE_S)
            async with asyncio.timeout(5):  # Half of the time after which a silent member is given up.
                await eventually(members, lambda found: found == 1)
    finally:
        await admin.close()
        await database.end()
