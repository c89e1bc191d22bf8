"""Who may do what: every route names its action, and what no Cedar rule allows is denied."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cedarpy
from fastapi import Depends
from fastapi.routing import APIRoute

from libs.kernel import Forbidden
from libs.kernel.ids import city_of, well_written
from libs.web.tokens import NOBODY, Caller, TokenNeeded


class NotAllowed(Forbidden):
    """Your role does not allow this here; ask somebody who works for the right city, outlet or office."""


class Access:
    """The Cedar rules of all services of a process.

    A rule sees `principal` (in `Role::"<role>"`, with `city`, `outlet`, `department`), the action
    (`Action::"<service>:<act>"`), and `resource` with `city`, `outlet`, `department` and `own` (whether it is about the
    caller). An attribute that is not known is the empty string.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = cedarpy.PolicySet.from_str("\n".join(rules))  # Reading them costs far more than a decision.
        self._decide = lru_cache(maxsize=20_000)(self._ask_cedar)

    def allows(
        self, caller: Caller, action: str, *, city: str, outlet: str = "", department: str = "", own: bool = False
    ) -> bool:
        """Whether a rule allows it; the answer depends on nothing but the arguments, so it is remembered."""
        return self._decide(
            caller.role, caller.city, caller.outlet, caller.department, action, city, outlet, department, own
        )

    def look(self, caller: Caller, action: str, named: Iterable[str]) -> None:
        """The first look, before anything is read. Raises NotAllowed, and TokenNeeded for somebody without a token.

        It takes the city from the ids that the path names, and supposes the best of all that only the record can say;
        the record itself is looked at when it has been read (`CallContext.allow`).
        """
        city = next((city_of(one) for one in named if well_written(one.partition(".")[0])), caller.city)
        if not self.allows(caller, action, city=city, outlet=caller.outlet, department=caller.department, own=True):
            if caller is NOBODY:
                raise TokenNeeded(why="none was sent")
            raise NotAllowed

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


@dataclass(frozen=True)
class Allowed:
    """The action that a route names; its door takes the first look (`Access.look`)."""

    action: str

    def __call__(self) -> None:
        """Nobody comes in but through a door, which knows who is calling. Raises NotAllowed."""
        raise NotAllowed


def allowed(action: str) -> Any:
    """Lets a route through only if this action may be allowed to the caller."""
    return Depends(Allowed(action))


def action_of(route: APIRoute) -> str | None:
    """The action that a route names."""
    return next((d.call.action for d in route.dependant.dependencies if isinstance(d.call, Allowed)), None)
