"""The whole platform as a fixture, and the people of its two cities."""

import base64
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from libs.kernel.checkdigits import mod_11_2
from libs.runtime.cli import SERVICES, build_services
from libs.runtime.engines import open_platform
from libs.runtime.house import House
from libs.runtime.platform import Platform
from libs.testing.portraits import portrait
from libs.testing.town import Town, return_file, served, town_settings
from libs.web.tokens import Caller

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGINS = datetime(2026, 9, 1, 9, 30, tzinfo=SHANGHAI)  # A month before the National Day holidays.

ZHOUSHAN, WUXI = "330900", "320200"
CLERK = Caller("clerk-1", "clerk", ZHOUSHAN, outlet="zs-dinghai")
HALL = Caller("clerk-2", "clerk", ZHOUSHAN, outlet="zs-hall")
ICBC = Caller("teller-1", "bank", ZHOUSHAN, outlet="zs-icbc-dinghai")
PUTUO = Caller("teller-2", "bank", ZHOUSHAN, outlet="zs-icbc-putuo")
HOTLINE = Caller("hotline-1", "hotline", ZHOUSHAN)
CENTRE = Caller("centre-1", "centre", ZHOUSHAN)
OTHER_HALL = Caller("clerk-3", "clerk", ZHOUSHAN, outlet="zs-hall")
VENDOR = Caller("vendor-1", "vendor", ZHOUSHAN)
HRSS = Caller("hrss-1", "department", ZHOUSHAN, department="hrss")
AUDITOR = Caller("auditor-1", "auditor", ZHOUSHAN)
OPERATOR = Caller("operator-1", "operator")
WX_HALL = Caller("clerk-9", "clerk", WUXI, outlet="wx-hall")
WX_LIANGXI = Caller("teller-8", "bank", WUXI, outlet="wx-boc-liangxi")
WX_BINHU = Caller("teller-9", "bank", WUXI, outlet="wx-boc-binhu")
WX_HOTLINE = Caller("hotline-9", "hotline", WUXI)
WX_CENTRE = Caller("centre-9", "centre", WUXI)
WX_VENDOR = Caller("vendor-9", "vendor", WUXI)
WX_HRSS = Caller("hrss-9", "department", WUXI, department="hrss")

PORTRAIT = base64.b64encode(portrait()).decode()

Open = Callable[..., AbstractAsyncContextManager[Town]]

_towns, _newcomers = count(1), count(1)


@pytest.fixture(scope="session")
def open_town(dsn: str, workshop: Path) -> Open:
    """Opens whole platforms, each on a database and in a home of its own; `prepare` sees the platform first."""

    @asynccontextmanager
    async def opened(
        *, prepare: Callable[[Platform], object] = lambda _platform: None, **settings: Any
    ) -> AsyncIterator[Town]:
        name = f"town_{next(_towns)}"
        connection = await asyncpg.connect(dsn)
        await connection.execute(f"drop database if exists {name}")
        await connection.execute(f"create database {name}")
        await connection.close()
        address, home = f"{dsn.rpartition('/')[0]}/{name}", workshop / name
        given = town_settings(home, **{"database_url": address, "city_time_start": BEGINS} | settings)
        async with open_platform(given, list(SERVICES)) as platform:
            prepare(platform)
            async with served(House(platform, build_services(platform))) as town:
                yield town
        shutil.rmtree(home, ignore_errors=True)

    return opened


async def approved(town: Town, who: Caller, path: str, waiting: Mapping[str, Any]) -> dict[str, Any]:
    """Another person lets happen what waits at this card; `path` is the card's."""
    [proposal] = waiting["proposals"]
    return await town.post(who, f"{path}/approvals", {"proposal_id": proposal["proposal_id"]})


@pytest.fixture(scope="session")
async def town(open_town: Open) -> AsyncIterator[Town]:
    """A town for all tests that do not move city time."""
    async with open_town() as opened:
        yield opened


# --- what people do everywhere ---


class Place(Protocol):
    """A town, in this process or in another."""

    async def post(self, who: Caller, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]: ...

    async def drain(self) -> None: ...


def id_card(born: str = "19851231", district: str = "330902") -> dict[str, str]:
    """The ID card of somebody whom no other test knows."""
    digits = f"{district}{born}{next(_newcomers):03d}"
    return {"kind": "id_card", "number": digits + mod_11_2(digits)}


async def registered(town: Place, clerk: Caller, hrss: Caller, **about: Any) -> str:
    """A person who is insured, and so entitled in both cities."""
    shown = {"document": id_card(), "name": "林小舟", "mobile": "13800005678", "language": "zh"} | about
    person = str((await town.post(clerk, "/v1/persons", shown))["person_id"])
    fact = {"document": shown["document"], "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "R-1"}
    await town.post(hrss, "/v1/facts", fact)
    return person


async def applied(town: Place, clerk: Caller, person: str, programme: str, **about: Any) -> dict[str, Any]:
    """Her application, taken in and accepted at the clerk's own outlet."""
    papers = {"person_id": person, "programme": programme, "documents": ["id_card"], "portrait": PORTRAIT} | about
    application = (await town.post(clerk, "/v1/applications", papers))["application_id"]
    return await town.post(clerk, f"/v1/applications/{application}/acceptances")


async def produced(
    town: Place, programme: str, centre: Caller, vendor: Caller, at: Caller, spoiled: str = ""
) -> dict[str, Any]:
    """A batch of all that waits at an outlet, made, and unless it is spoiled counted in there."""
    await town.drain()
    batch = (await town.post(centre, "/v1/batches", {"programme": programme, "outlet": at.outlet}))["batch_id"]
    await town.drain()
    ordered = await town.post(centre, f"/v1/batches/{batch}/orders")
    file = return_file(ordered["seats"], lambda _nth: spoiled)
    told = await town.post(vendor, f"/v1/batches/{batch}/returns", {"file": file})
    if not spoiled:
        await town.post(centre, f"/v1/batches/{batch}/dispatches")
        told = await town.post(at, f"/v1/batches/{batch}/receipts", {"counted": told["good"]})
    await town.drain()
    return told


async def a_card_at_the_outlet(town: Place, **about: Any) -> tuple[str, str]:
    """Somebody of Zhoushan and the card that waits for her at the Dinghai outlet."""
    person = await registered(town, CLERK, HRSS, **about)
    await town.drain()
    holding = (await applied(town, CLERK, person, "citizen-card"))["holding_id"]
    await produced(town, "citizen-card", CENTRE, VENDOR, at=CLERK)
    return person, f"{holding}.1"


async def a_card_in_use(town: Place, **about: Any) -> tuple[str, str]:
    """Somebody of Zhoushan and the card that works in her hand."""
    person, card = await a_card_at_the_outlet(town, **about)
    await town.post(CLERK, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
    await town.drain()
    return person, card
