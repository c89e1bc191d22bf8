"""Who may do what: every route names its action, and what no Cedar rule allows is denied."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import cedarpy
from fastapi import Depends, Request
from fastapi.routing import APIRoute

from libs.kernel import Forbidden
from libs.kernel.ids import city_of, well_written
from libs.web.tokens import NOBODY, Caller, TokenNeeded

ACTION = "citycard_action"


class NotAllowed(Forbidden):
    """Your role does not allow this here; ask somebody who works for the right city, outlet or office."""


class Access:
    """The Cedar rules of all services of a process.

    A rule sees `principal` (in `Role::"<role>"`, with `city`, `outlet`, `department`), the action
    (`Action::"<service>:<act>"`), and `resource` with `city`, `outlet`, `department` and `own` (whether it is about the
    caller). An attribute that is not known is the empty string.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = "\n".join(rules)
        self._decide = lru_cache(maxsize=20_000)(self._ask_cedar)

    def allows(
        self, caller: Caller, action: str, *, city: str, outlet: str = "", department: str = "", own: bool = False
    ) -> bool:
        """Whether a rule allows it; the answer depends on nothing but the arguments, so it is remembered."""
        return self._decide(
            caller.role, caller.city, caller.outlet, caller.department, action, city, outlet, department, own
        )

    def _ask_cedar(self, role: str, city: str, outlet: str, department: str, action: str, *about: str | bool) -> bool:
        names = ("city", "outlet", "department", "own")
        entities: list[dict[Any, Any]] = [
            {
                "uid": {"type": "Caller", "id": "caller"},
                "attrs": {"city": city, "outlet": outlet, "department": department},
                "parents": [{"type": "Role", "id": role}],
            },
            {"uid": {"type": "Role", "id": role}, "attrs": {}, "parents": []},
            {"uid": {"type": "Record", "id": "record"}, "attrs": dict(zip(names, about, strict=True)), "parents": []},
        ]
        request = {
            "principal": 'Caller::"caller"',
            "action": f"Action::{json.dumps(action)}",
            "resource": 'Record::"record"',
            "context": {},
        }
        answer = cedarpy.is_authorized(request, self._rules, entities)
        if answer.diagnostics.errors:
            raise RuntimeError(f"the access rules cannot be evaluated: {answer.diagnostics.errors}")
        return bool(answer.allowed)


def allowed(action: str) -> Any:
    """A dependency that lets a route through only if its action may be allowed to this caller.

    This first look takes the city from the ids in the path and supposes the best of all that only the record can say;
    the record itself is looked at when it has been read (`Call.guard`).
    """

    async def look(request: Request) -> None:
        caller: Caller = request.app.state.doors.tokens.caller(request.headers.get("authorization"))
        named = [value for value in request.path_params.values() if well_written(str(value).partition(".")[0])]
        city = city_of(named[0]) if named else caller.city
        access: Access = request.app.state.doors.access
        if not access.allows(caller, action, city=city, outlet=caller.outlet, department=caller.department, own=True):
            if caller is NOBODY:
                raise TokenNeeded(why="none was sent")
            raise NotAllowed
        request.state.caller, request.state.action = caller, action

    setattr(look, ACTION, action)
    return Depends(look)


def action_of(route: APIRoute) -> str | None:
    """The action that a route names."""
    return next((getattr(d.call, ACTION) for d in route.dependant.dependencies if hasattr(d.call, ACTION)), None)
