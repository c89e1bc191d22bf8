"""A route's own door: the one way from the bytes of a request to the bytes of its answer, settled at the start.

FastAPI describes every route, in OpenAPI, from the same declarations, and answers at all other addresses. It is not on
the way of a request: working out anew for each what never changes cost three times what the decision itself costs.
"""

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.web.call import CallContext, Doors, headers_of_a_call
from libs.web.problems import PROBLEMS, Count, problem_of

ANY, DOOR = "{}", "{door}"  # Neither can be a word of a path that somebody asks for: a brace is never sent as such.
NOT_THERE = object()


class CannotBeServed(Exception):
    """A route asks for something that no door hands in; this process does not start."""


class Door:
    """One route: who may come in, what is handed in, and who answers."""

    def __init__(self, route: APIRoute, action: str, doors: Doors) -> None:
        wanted = route.dependant
        if (
            wanted.header_params
            or wanted.cookie_params
            or len(wanted.body_params) > 1
            or any(d.call is not headers_of_a_call for d in wanted.dependencies if d.name)
            or not inspect.iscoroutinefunction(route.endpoint)
        ):
            raise CannotBeServed(
                f"{route.path}: a door hands a path, a query, one JSON body or the stream of it, a Call and a Response "
                f"to a coroutine"
            )
        self.route, self.names = route, doors.names
        self._action, self._doors, self._act = action, doors, route.endpoint
        self._named, self._asked = wanted.path_params, wanted.query_params
        words = route.path.split("/")
        self._places = [(nth, word.strip("{}")) for nth, word in enumerate(words) if word.startswith("{")]
        self._body = next(iter(wanted.body_params), None)
        self._call_as = next((d.name for d in wanted.dependencies if d.name), None)
        self._response_as, self._stream_as = wanted.response_param_name, wanted.request_param_name
        self._written = TypeAdapter[Any](route.response_model or Any)
        self._status = route.status_code or 200

    async def __call__(self, words: Sequence[str], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path consists of these words. Raises one of PROBLEMS, and whatever is a bug."""
        named = {name: words[nth] for nth, name in self._places}
        headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in reversed(scope["headers"])}
        caller = self._doors.tokens.caller(headers.get("authorization"))
        self._doors.access.look(caller, self._action, named.values())

        method, path = scope["method"], scope["path"]
        body = await _read(receive) if method == "POST" else b""
        more: dict[str, str] = {}
        given: dict[str, Any] = {}
        shell = Response(status_code=self._status)
        if self._call_as:
            given[self._call_as] = call = CallContext.of(self._doors, caller, self._action, method, path, headers, body)
            more = call.headers
        given |= self._fitting(named, scope, headers, body)
        if self._response_as:
            given[self._response_as] = shell
        if self._stream_as:
            given[self._stream_as] = Request(scope, receive)  # A long body is read by whoever answers, as it comes.
        answer: Any = await self._act(**given)

        if not isinstance(answer, Response):
            answer = Response(self._written.dump_json(answer), shell.status_code, media_type="application/json")
        answer.raw_headers += [(name.encode(), text.encode("latin-1")) for name, text in more.items()]
        await answer(scope, receive, send)

    def _fitting(
        self, named: Mapping[str, str], scope: Scope, headers: Mapping[str, str], body: bytes
    ) -> dict[str, Any]:
        """What is handed in, by name. Raises RequestValidationError, which names all that does not fit."""
        given, faults = {}, []
        sent: list[tuple[Any, tuple[str, ...], Any]] = [
            (field, ("path", field.alias), named.get(field.alias, NOT_THERE)) for field in self._named
        ]
        if self._asked:
            query = QueryParams(scope["query_string"])
            sent += [(field, ("query", field.alias), query.get(field.alias, NOT_THERE)) for field in self._asked]
        if self._body:
            sent.append((self._body, ("body",), _parsed(body, headers.get("content-type", ""))))
        for field, place, value in sent:
            if value is not NOT_THERE:
                given[field.name], wrong = field.validate(value, loc=place)
                faults += wrong
            elif field.field_info.is_required():
                faults.append({"type": "missing", "loc": place, "msg": "Field required"})
            else:
                given[field.name] = field.get_default()
        if faults:
            raise RequestValidationError(faults)
        return given


class Porter:
    """Finds the door to which a request wants; whoever wants to another address is left to FastAPI."""

    def __init__(self, app: ASGIApp, doors: Iterable[Door], count: Count) -> None:
        self._app, self._count = app, count
        self._ways: dict[str, Any] = {}
        for door in doors:
            for method in door.route.methods or ():
                way = self._ways.setdefault(method, {})
                for word in door.route.path.split("/"):
                    way = way.setdefault(ANY if word.startswith("{") else word, {})
                way[DOOR] = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        words = scope["path"].split("/") if scope["type"] == "http" else []
        door = _at_the_end(self._ways.get(scope["method"], {}), words) if words else None
        if door is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = door.route
        try:
            await door(words, scope, receive, send)
        except PROBLEMS as error:
            await problem_of(error, self._count, door.names)(scope, receive, send)


def _at_the_end(way: dict[str, Any], words: Sequence[str], at: int = 0) -> Door | None:
    """The door to which these words lead; a word that is meant before one that may be any, and none is empty."""
    if at == len(words):
        return way.get(DOOR)
    for word in (words[at], ANY) if words[at] else ("",):
        if (on := way.get(word)) is not None and (door := _at_the_end(on, words, at + 1)) is not None:
            return door
    return None


async def _read(receive: Receive) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += cast(bytes, message.get("body", b""))
        if not message.get("more_body"):
            return body
    raise HTTPException(400)  # The caller has hung up.


def _parsed(body: bytes, content_type: str) -> Any:
    """The body as JSON; if it does not call itself that, as it is, which fits nothing."""
    if not body:
        return NOT_THERE
    media = content_type.partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        return body
    try:
        return json.loads(body)
    except json.JSONDecodeError as fault:
        wrong = {"type": "json_invalid", "loc": ("body", fault.pos), "msg": "JSON decode error"}
        raise RequestValidationError([wrong]) from fault
    except (ValueError, RecursionError) as fault:  # Not UTF-8, a number of thousands of digits, or too deep.
        raise HTTPException(400) from fault
