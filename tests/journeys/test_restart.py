"""What was acknowledged stays: `citycard up` is killed, interrupted and started again."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from libs.runtime.citytime import MachineClock
from libs.testing.town import Visitors, town_settings
from tests.platform import BEGINS, CLERK, HOTLINE, OPERATOR, a_card_in_use, id_card


@dataclass
class Machine:
    """A machine on which the platform is switched on and off; every process in it is ours."""

    home: Path
    port: int
    switched_on: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def switch_on(self) -> "subprocess.Popen[bytes]":
        """Start `citycard up` as the leader of a process group of its own."""
        environment = os.environ | {
            "CITYCARD_HOME": str(self.home),
            "CITYCARD_PORT": str(self.port),
            "CITYCARD_CITY_TIME_START": BEGINS.isoformat(),
            "CITYCARD_LOG_LEVEL": "warning",
        }
        command = [sys.executable, "-m", "libs.runtime.cli", "up"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
        self.switched_on.append(process)
        return process

    @asynccontextmanager
    async def up(self) -> AsyncIterator[tuple["Faraway", "subprocess.Popen[bytes]"]]:
        """The platform, ready; whoever leaves finds it stopped."""
        process = self.switch_on()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as web:
            async with asyncio.timeout(40):
                while True:
                    assert process.poll() is None, process.communicate()[1].decode()
                    with suppress(httpx.TransportError):
                        if (await web.get("/health/ready")).status_code == 200:
                            break
                    await asyncio.sleep(0.05)
            yield Faraway(web, town_settings(self.home), MachineClock()), process
        interrupt(process)


class Faraway(Visitors):
    """A town in another process: it is asked for everything over HTTP."""

    async def drain(self) -> None:
        await self.post(OPERATOR, "/v1/city-time/advances", {"by_s": 0})

    async def advance(self, to: str) -> None:
        await self.post(OPERATOR, "/v1/city-time/advances", {"to": to})

    async def time(self) -> datetime:
        return datetime.fromisoformat((await self.get(OPERATOR, "/v1/city-time"))["now"])


def interrupt(process: "subprocess.Popen[bytes]") -> int:
    """Press Ctrl-C; returns the exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    return process.wait(10)


def switch_off(process: "subprocess.Popen[bytes]") -> None:
    """Pull the plug of a process group that is ours."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def machine(workshop: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    machine = Machine(workshop / request.node.name, port)
    yield machine
    for process in machine.switched_on:
        switch_off(process)
    shutil.rmtree(machine.home, ignore_errors=True)


async def test_what_was_acknowledged_survives_kill_9_and_ctrl_c(machine: Machine) -> None:
    async with machine.up() as (town, process):
        _, card = await a_card_in_use(town)
        stopped = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
        hour = datetime.fromisoformat(stopped["lapses_at"])
        await town.advance((hour - timedelta(seconds=2.5)).isoformat())
        acknowledged = await registered_until_the_lights_go_out(town, process)
        assert process.returncode == -signal.SIGKILL
        assert len(acknowledged) >= 8
    await asyncio.sleep(2.5)  # The hour of the lapse strikes while nobody is there.

    async with machine.up() as (town, process):
        assert await town.time() >= hour, "city time goes on"
        await town.drain()
        for person in acknowledged:
            assert (await town.get(CLERK, f"/v1/persons/{person}"))["name"] == "林**"
        assert (await town.get(CLERK, f"/v1/cards/{card}/loss"))["status"] == "in_use"
        entries = (await town.get(CLERK, f"/v1/cards/{card}/timeline"))["entries"]
        (woken,) = [one for one in entries if one["what"] == "CardWoken"]
        assert datetime.fromisoformat(woken["at"]) == hour, "a late timer changes nothing"
        sent = [one["step"] for one in await town.get(CLERK, "/v1/notices", holding_id=card.partition(".")[0])]
        assert sent.count("report-lapsed") == 1
        before = await town.time()

        assert interrupt(process) == 130, "Ctrl-C is answered within ten seconds, in the way of the shell"

    async with machine.up() as (town, _):
        assert await town.time() > before
        assert (await town.get(CLERK, f"/v1/cards/{card}/timeline"))["entries"][: len(entries)] == entries


async def registered_until_the_lights_go_out(town: Faraway, process: "subprocess.Popen[bytes]") -> list[str]:
    """Register many at once, and kill the platform in the middle; returns those who were acknowledged."""
    acknowledged: list[str] = []

    async def register() -> None:
        shown = {"document": id_card(born="19700101"), "name": "林小舟", "mobile": "13800005678"}
        with suppress(httpx.TransportError):
            acknowledged.append((await town.post(CLERK, "/v1/persons", shown))["person_id"])
            if len(acknowledged) == 8:
                os.killpg(process.pid, signal.SIGKILL)
                await asyncio.to_thread(process.wait)

    await asyncio.gather(*(register() for _ in range(40)))
    return acknowledged


async def test_a_second_platform_on_the_same_home_is_refused_clearly(machine: Machine) -> None:
    async with machine.up() as (town, _):
        second = machine.switch_on()
        said = (await asyncio.to_thread(second.communicate, timeout=20))[1].decode()
        assert second.returncode == 2
        assert "Another process already supervises the PostgreSQL" in said
        assert "Traceback" not in said
        assert (await town.get(CLERK, "/v1/city-time"))["moves"], "the first one goes on"
