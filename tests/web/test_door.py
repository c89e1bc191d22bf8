"""A door is settled when the process starts, and nobody comes in by another way."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Header
from fastapi.routing import APIRoute

from libs.kernel.clocks import Clock
from libs.testing.clocks import NOON, StandingClock
from libs.web.access import Access, NotAllowed, action_of, allowed
from libs.web.call import Doors
from libs.web.door import CannotBeServed, Door, Porter
from libs.web.tokens import Tokens

RULE = 'permit (principal, action == Action::"house:look", resource);'


def doors(clock: Clock | None = None) -> Doors:
    tokens = Tokens(None, clock or StandingClock(NOON), "nobody")  # type: ignore[arg-type]
    return Doors(tokens, Access([RULE]), b"key", lambda _city: "")


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/v1/things/searches", dependencies=[allowed("house:look")])
    async def searches() -> str:
        return "searches"

    @router.get("/v1/things/{thing}", dependencies=[allowed("house:look")])
    async def one(thing: str, most: int = 7) -> dict[str, Any]:
        return {"thing": thing, "most": most}

    @router.get("/v1/things/{thing}/parts", dependencies=[allowed("house:look")])
    async def parts(thing: str) -> list[str]:
        return [thing]

    return router


async def asked(path: str) -> tuple[int, Any]:
    """What is answered at this address."""
    router, app = routes(), FastAPI()
    app.include_router(router)
    built = [Door(route, "house:look", doors()) for route in router.routes if isinstance(route, APIRoute)]
    porter = Porter(app, built, lambda _code: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=porter), base_url="http://town") as web:
        answer = await web.get(path)
    return answer.status_code, answer.json()


async def test_a_word_that_is_meant_goes_before_one_that_may_be_any() -> None:
    assert await asked("/v1/things/searches") == (200, "searches")
    assert await asked("/v1/things/searches/parts") == (200, ["searches"])
    assert await asked("/v1/things/a") == (200, {"thing": "a", "most": 7})


async def test_what_does_not_fit_is_named_and_what_fits_is_handed_in() -> None:
    assert await asked("/v1/things/a?most=3") == (200, {"thing": "a", "most": 3})
    status, said = await asked("/v1/things/a?most=many")
    assert (status, said["code"], said["errors"][0]["pointer"]) == (422, "request-invalid", "most")


async def test_no_word_is_empty() -> None:
    assert (await asked("/v1/things//parts"))[0] == 404


async def test_whoever_comes_by_another_way_than_a_door_is_refused() -> None:
    app = FastAPI()
    app.include_router(routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://town") as web:
        with pytest.raises(NotAllowed):
            await web.get("/v1/things/searches")


def test_a_route_that_asks_for_what_no_door_hands_in_does_not_start() -> None:
    router = APIRouter()

    @router.get("/v1/odd", dependencies=[allowed("house:look")])
    async def odd(referer: Annotated[str, Header()]) -> str:
        return referer

    (route,) = (one for one in router.routes if isinstance(one, APIRoute))
    assert action_of(route) == "house:look"
    with pytest.raises(CannotBeServed, match="/v1/odd"):
        Door(route, "house:look", doors())
