"""The doors of a process: the routes of its services, and those that every process has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from joserfc.jwk import KeySet
from prometheus_client import generate_latest
from pydantic import BaseModel

from libs.kernel import Clash
from libs.runtime.house import House
from libs.runtime.start_page import start_page
from libs.web.access import Access, action_of, allowed
from libs.web.bodies import Body, When
from libs.web.call import Doors
from libs.web.limits import BodyLimit
from libs.web.observe import Observe
from libs.web.problems import EVERYWHERE, Problem, install, refusals
from libs.web.tokens import Tokens

POLL_AGE_MAX_S = 30.0

RULES = """
// What every process answers to everybody.
permit (principal, action == Action::"house:look", resource);
// City time is moved by operators, and only where the settings allow it at all.
permit (principal in Role::"operator", action == Action::"house:move-time", resource);
permit (principal in Role::"operator", action == Action::"house:redrive", resource);
"""


class RouteWithoutAction(Exception):
    """A route that does not say what it is cannot be allowed to anybody; this process does not start."""


class TimeStandsStill(Clash):
    """Here city time runs with the clock and cannot be moved."""


class TimeRunsForward(Clash):
    """City time is {now} already and cannot be moved back; name a later moment."""


class AdvanceBody(Body):
    """Where to move city time."""

    to: When | None = None
    """The moment that it shall be."""
    by_s: int | None = None
    """Or how many seconds to move ahead."""


class CityTimeView(BaseModel):
    """City time, by which deadlines fall due."""

    now: datetime
    moves: bool


class HealthView(BaseModel):
    """Whether this process does its work."""

    status: str
    faults: list[str]


class RedriveView(BaseModel):
    """What came of trying parked work once more."""

    service: str
    due_commands: int
    letters_handled: int
    letters_still_parked: int


def build_app(house: House, keys: KeySet, issuer: str, *, own_keys: KeySet | None = None) -> FastAPI:
    """The FastAPI application of a process. Raises RouteWithoutAction."""
    platform = house.platform

    @asynccontextmanager
    async def at_work(_app: FastAPI) -> AsyncIterator[None]:
        house.start()
        yield
        await house.stop()

    app = FastAPIOffline(
        title="citycard",
        description="The open platform on which a city issues, runs and stops its citizen cards (市民卡).",
        version="1",
        lifespan=at_work,
        responses=EVERYWHERE,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.house = house
    app.state.doors = Doors(
        tokens=Tokens(keys, platform.machine, issuer),
        access=Access([RULES, *(service.access for service in house.services)]),
        fingerprint_key=platform.fingerprint_key,
        bylaws=platform.packs.hash_of,
    )
    app.include_router(_house_routes(house, own_keys))
    for service in house.services:
        app.include_router(service.router)
    _refuse_routes_without_action(app)
    install(app)
    describe_problems(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Observe, telemetry=platform.telemetry)
    return app


def _refuse_routes_without_action(app: FastAPI) -> None:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema and action_of(route) is None:
            raise RouteWithoutAction(f"{sorted(route.methods or ())} {route.path}")


def describe_problems(app: FastAPI) -> None:
    """The problem schema and the bearer token stand once in the document, FastAPI's own error shapes nowhere."""
    inner = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = inner()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["Problem"] = problem
            document["components"]["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            }
            document["security"] = [{"token": []}]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _house_routes(house: House, own_keys: KeySet | None) -> APIRouter:
    routes = APIRouter(tags=["house"])
    platform = house.platform
    settings = platform.settings
    moves = settings.city_time_moves if settings.city_time_moves is not None else settings.development_login

    @routes.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def start() -> HTMLResponse:
        return HTMLResponse(start_page(house))

    @routes.get("/health/live", dependencies=[allowed("house:look")])
    async def is_the_process_alive() -> HealthView:
        """Answers as long as the process runs."""
        return HealthView(status="alive", faults=[])

    @routes.get("/health/ready", dependencies=[allowed("house:look")])
    async def can_the_process_work(response: Response) -> HealthView:
        """Whether the store answers and every reader has looked for letters lately; 503 if not."""
        faults = await house.faults(POLL_AGE_MAX_S)
        response.status_code = 503 if faults else 200
        return HealthView(status="not ready" if faults else "ready", faults=faults)

    @routes.get("/metrics", dependencies=[allowed("house:look")], response_class=Response)
    async def figures_for_prometheus() -> Response:
        """Metrics in Prometheus text format."""
        return Response(generate_latest(platform.telemetry.registry), media_type="text/plain; version=0.0.4")

    if own_keys is not None:

        @routes.get("/.well-known/jwks.json", dependencies=[allowed("house:look")])
        async def keys_of_the_development_issuer() -> dict[str, Any]:
            """The public keys that sign development tokens."""
            return dict(own_keys.as_dict(private=False))

    @routes.get("/v1/city-time", dependencies=[allowed("house:look")])
    async def what_time_is_it_in_the_city() -> CityTimeView:
        """City time, by which deadlines fall due."""
        return CityTimeView(now=platform.city.now(), moves=moves)

    @routes.post(
        "/v1/city-time/advances",
        status_code=201,
        responses=refusals(TimeStandsStill, TimeRunsForward),
        dependencies=[allowed("house:move-time")],
    )
    async def move_city_time_ahead(said: AdvanceBody) -> CityTimeView:
        """Move city time ahead, hour by due hour; answers when all work that fell due has been done everywhere."""
        if not moves:
            raise TimeStandsStill
        now = platform.city.now()
        to = said.to or now + timedelta(seconds=said.by_s or 0)
        if to < now:
            raise TimeRunsForward(now=now.isoformat(timespec="seconds"))
        await house.advance(to)
        return CityTimeView(now=platform.city.now(), moves=moves)

    @routes.post("/v1/redrives", status_code=201, dependencies=[allowed("house:redrive")])
    async def try_parked_work_once_more() -> list[RedriveView]:
        """Give every parked letter and due command one more try, after its cause was mended."""
        views = []
        for home in house.households:
            commands = await home.store.redrive()
            handled = parked = 0
            for reader in home.readers:
                done, left = await reader.redrive()
                handled, parked = handled + done, parked + left
            views.append(
                RedriveView(
                    service=home.service.name,
                    due_commands=commands,
                    letters_handled=handled,
                    letters_still_parked=parked,
                )
            )
        return views

    return routes
