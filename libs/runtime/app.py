"""The doors of a process: the routes of its services, and those that every process has."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from joserfc.jwk import KeySet
from prometheus_client import generate_latest
from pydantic import BaseModel, Field
from starlette.types import ASGIApp

from libs.kernel import Clash
from libs.runtime.figures import ServiceFigures
from libs.runtime.house import House
from libs.runtime.start_page import start_page
from libs.web.access import Access, action_of, allowed
from libs.web.bodies import Body, When
from libs.web.call import ActsOfThisProcess, Call, Doors
from libs.web.door import Door, Porter
from libs.web.limits import BodyLimit
from libs.web.observe import Observe
from libs.web.problems import EVERYWHERE, Problem, install, refusals
from libs.web.tokens import Tokens

POLL_AGE_MAX_S = 30.0
TURN_MAX_S = 300.0  # Longer than any time-out within a turn: who takes so long will not come round.
BY_S_MAX = 100 * 366 * 86_400

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
    by_s: Annotated[int, Field(ge=0, le=BY_S_MAX)] | None = None
    """Or how many seconds to move ahead."""


class CityTimeView(BaseModel):
    """City time, by which deadlines fall due."""

    now: datetime
    moves: bool


class HealthView(BaseModel):
    """Whether this process does its work: `faults` decide the answer, `worries` are for operators."""

    status: str
    faults: list[str]
    worries: list[str] = []
    services: list[ServiceFigures] = []


class RedriveView(BaseModel):
    """What came of trying parked work once more."""

    service: str
    due_commands: int
    letters_handled: int
    letters_still_parked: int


def build_app(house: House, keys: KeySet, issuer: str, *, own_keys: KeySet | None = None) -> FastAPI:
    """The FastAPI application of a process. Raises RouteWithoutAction."""
    platform = house.platform

    def count(code: str) -> None:
        platform.telemetry.refusals.labels(code).inc()

    @asynccontextmanager
    async def at_work(_app: FastAPI) -> AsyncIterator[None]:
        await house.catch_up()
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
        tokens=Tokens(keys, platform.machine, issuer, house.withdrawn, [pack.code for pack in platform.packs]),
        access=Access([RULES, *(service.access for service in house.services)]),
        fingerprint_key=platform.fingerprint_key,
        bylaws=platform.packs.hash_of,
        names=platform.packs.names_of,
        admit=house.admit,
    )
    doors = []
    for router in (_house_routes(house, own_keys), *(service.router for service in house.services)):
        doors += [Door(route, action, app.state.doors) for route, action in _with_their_actions(router)]
        app.include_router(router)
    install(app, count)
    describe_problems(app)
    larger = {begins: most for service in house.services for begins, most in service.large_bodies.items()}
    _come_in_by(
        app,
        lambda fastapi: Observe(BodyLimit(Porter(fastapi, doors, count), larger=larger), platform.telemetry),
    )
    return app


def _come_in_by(app: FastAPI, way: Callable[[ASGIApp], ASGIApp]) -> None:
    """Everybody comes in by this way; who finds no door stands before FastAPI and its own middleware."""
    inner = app.build_middleware_stack
    app.build_middleware_stack = lambda: way(inner())  # type: ignore[method-assign]


def _with_their_actions(router: APIRouter) -> Iterator[tuple[APIRoute, str]]:
    for route in router.routes:
        action = action_of(route) if isinstance(route, APIRoute) else None
        if action is None:
            raise RouteWithoutAction(getattr(route, "path", repr(route)))
        yield cast(APIRoute, route), action


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
    routes, acts = APIRouter(tags=["house"]), ActsOfThisProcess()
    platform = house.platform
    settings = platform.settings
    moves = settings.city_time_moves if settings.city_time_moves is not None else settings.development_login

    @routes.get("/", response_class=HTMLResponse, include_in_schema=False, dependencies=[allowed("house:look")])
    async def start() -> HTMLResponse:
        return HTMLResponse(start_page(house))

    @routes.get("/health/live", dependencies=[allowed("house:look")])
    async def is_the_process_alive(response: Response) -> HealthView:
        """Whether everybody in this process still comes round; 503 if only a new process can help."""
        stuck = house.stuck(TURN_MAX_S)
        response.status_code = 503 if stuck else 200
        return HealthView(status="stuck" if stuck else "alive", faults=[f"{name} is stuck" for name in stuck])

    @routes.get("/health/ready", dependencies=[allowed("house:look")])
    async def can_the_process_work(response: Response) -> HealthView:
        """Whether this process can answer requests, and how far behind it is; 503 if it cannot.

        It can as long as the store answers. While the log is away, all is accepted and told later.
        """
        faults = await house.faults(POLL_AGE_MAX_S)
        response.status_code = 503 if faults else 200
        return HealthView(
            status="not ready" if faults else "ready",
            faults=faults,
            worries=house.worries(POLL_AGE_MAX_S),
            services=house.figures(),
        )

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
    async def move_city_time_ahead(said: AdvanceBody, call: Call) -> CityTimeView:
        """Move city time ahead, hour by due hour; answers when all work that fell due has been done everywhere."""
        if not moves:
            raise TimeStandsStill

        async def advance() -> CityTimeView:
            now = platform.city.now()
            to = said.to or now + timedelta(seconds=said.by_s or 0)
            if to < now:
                raise TimeRunsForward(now=now.isoformat(timespec="seconds"))
            await house.advance(to)
            return CityTimeView(now=platform.city.now(), moves=moves)

        return await acts.once(call, advance)

    @routes.post("/v1/redrives", status_code=201, dependencies=[allowed("house:redrive")])
    async def try_parked_work_once_more(call: Call) -> list[RedriveView]:
        """Give every parked letter and due command one more try, after its cause was mended."""
        return await acts.once(call, redrive)

    async def redrive() -> list[RedriveView]:
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
