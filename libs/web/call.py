"""One request on its way to a decision: who asks, under which key, having seen what."""

import asyncio
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from fastapi import Depends, Header

from libs.eventsourcing.desk import Ask, Desk, KeyReused, Order, Receipt, Standing
from libs.kernel import Hand, ProposalId, Refused, Unfit
from libs.kernel.foureyes import NOBODY as NOBODYS_HAND
from libs.kernel.ids import derived
from libs.kernel.why import Nameless, Names
from libs.telemetry import current_traceparent
from libs.web.access import Access, NotAllowed
from libs.web.tokens import NOBODY, Caller, Tokens

S = TypeVar("S")
T = TypeVar("T")


class IdempotencyKeyMissing(Refused):
    """Every POST needs an Idempotency-Key of 1 to 255 visible characters; make one per act, repeat it on a retry."""

    status = 400


class IfMatchUnreadable(Unfit):
    """If-Match must be the ETag that you were given, for example "loss-3"."""


class SawAnotherRecord(Refused):
    """You have looked at the {seen} record, but this act is about the {due} record; look at that one, then decide."""

    status = 412


@dataclass(frozen=True, slots=True)
class Doors:
    """What all doors of a process share; `names` is what a city calls its facts and departments."""

    tokens: Tokens
    access: Access
    fingerprint_key: bytes
    bylaws: Callable[[str], str]
    names: Callable[[str], Names] = lambda _city: Nameless()
    admit: Callable[[str], None] = lambda _action: None
    """Lets an act in that will write something. Raises Outage."""


@dataclass(slots=True)
class CallContext:
    """A caller, the act that the route names, and `headers`: what the answer says beside its body."""

    caller: Caller
    action: str
    command_id: UUID
    fingerprint: bytes
    seen: tuple[str, int] | None
    doors: Doors
    channel: str
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, doors: Doors, caller: Caller, action: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> "CallContext":
        """What a request is as an act. Raises IdempotencyKeyMissing, IfMatchUnreadable and NoRoom."""
        key = headers.get("idempotency-key", "")
        if method == "POST" and not _KEY.fullmatch(key):
            raise IdempotencyKeyMissing
        if method == "POST":
            doors.admit(action)
        scope = f"{method} {path}\n{caller.role}:{caller.id}\n"
        return cls(
            caller=caller,
            action=action,
            command_id=derived("http", scope, key),
            fingerprint=hmac.digest(doors.fingerprint_key, scope.encode() + body, "sha256"),
            seen=_seen(headers.get("if-match")),
            doors=doors,
            channel=CHANNELS.get(caller.role, "counter"),
        )

    @property
    def secret(self) -> bytes:
        """32 bytes that nobody can guess, and that this act makes again when it is repeated."""
        return hashlib.sha256(self.fingerprint + self.command_id.bytes).digest()

    @property
    def hand(self) -> Hand:
        """Whose act this is, for a command that bears `by`: the same in each of the caller's roles."""
        return NOBODYS_HAND if self.caller == NOBODY else Hand(self.caller.id)

    @property
    def proposal_id(self) -> ProposalId:
        """The name of what this call proposes; a retry of the call proposes the same."""
        return ProposalId(str(self.command_id))

    def allow(self, *, city: str, outlet: str = "", department: str = "", person: str = "") -> None:
        """The second look, at the record itself. Raises NotAllowed.

        What the record does not say is taken as the caller's own, as in the first look.
        """
        if not self.doors.access.allows(
            self.caller,
            self.action,
            city=city,
            outlet=outlet or self.caller.outlet,
            department=department or self.caller.department,
            own=not person or person == self.caller.person,
        ):
            raise NotAllowed

    async def handle(
        self, desk: Desk[S], key: str, ask: Ask[S], *, city: str, reason: str = "", correlation: str = ""
    ) -> Receipt[S]:
        """Have a command decided and stored; sets ETag and Idempotency-Replayed. Raises Refused or Outage."""
        order = self.order(desk, city=city, reason=reason, correlation=correlation or key)
        receipt = await desk.handle(key, ask, order)
        self._tag(desk, receipt.version)
        if receipt.replayed:
            self.headers["Idempotency-Replayed"] = "true"
        return receipt

    def order(self, desk: Desk[Any], *, city: str, reason: str = "", correlation: str = "") -> Order:
        def guard(state: Any) -> None:
            self.allow(city=city, **desk.aggregate.belongs(state))

        return Order(
            command_id=self.command_id,
            actor=f"{self.caller.role}:{self.caller.id}",
            channel=self.channel,
            reason=reason,
            city=city,
            bylaws=self.doors.bylaws(city),
            correlation=correlation,
            causation=f"http:{self.command_id}",
            trace=current_traceparent(),
            fingerprint=self.fingerprint,
            hand=self.hand,
            expected=self._expected(desk),
            guard=guard,
        )

    def _tag(self, desk: Desk[Any], version: int) -> None:
        self.headers["ETag"] = f'"{desk.aggregate.category}-{version}"'

    def _expected(self, desk: Desk[Any]) -> int | None:
        """The version that the caller saw of the record that this act is about. Raises SawAnotherRecord."""
        if self.seen is None:
            return None
        kind, version = self.seen
        if kind != desk.aggregate.category:
            raise SawAnotherRecord(seen=kind, due=desk.aggregate.category)
        return version

    async def see(self, desk: Desk[S], key: str, *, city: str) -> Standing[S]:
        """How a stream stands now, if this caller may see it; sets ETag. Raises NotAllowed."""
        standing = await desk.standing(key)
        self.allow(city=city, **desk.aggregate.belongs(standing.state))
        self._tag(desk, standing.version)
        return standing


class ActsOfThisProcess:
    """Acts that leave no fact in any stream: one at a time, and said twice done once while the process lives."""

    def __init__(self, remembered_max: int = 1_000) -> None:
        self._remembered_max = remembered_max
        self._done: OrderedDict[UUID, tuple[bytes, Any]] = OrderedDict()
        self._turn = asyncio.Lock()

    async def once(self, call: CallContext, act: Callable[[], Awaitable[T]]) -> T:
        """The answer to this call, now or as it was given before. Raises KeyReused."""
        async with self._turn:
            if done := self._done.get(call.command_id):
                fingerprint, answer = done
                if fingerprint != call.fingerprint:
                    raise KeyReused
                call.headers["Idempotency-Replayed"] = "true"
                return cast(T, answer)
            fresh = await act()
            self._done[call.command_id] = call.fingerprint, fresh
            if len(self._done) > self._remembered_max:
                self._done.popitem(last=False)
            return fresh


CHANNELS = {"hotline": "telephone", "citizen": "online", "bank": "bank", "department": "department"}


_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def _seen(if_match: str | None) -> tuple[str, int] | None:
    """The kind of record and the version that the caller saw."""
    if if_match is None or if_match == "*":
        return None
    found = re.fullmatch(r'"([a-z]+)-([0-9]{1,9})"', if_match)
    if not found:
        raise IfMatchUnreadable
    return found[1], int(found[2])


def headers_of_a_call(
    idempotency_key: Annotated[
        str | None,
        Header(description="Names this act: the same key and body give the same answer, and happen once."),
    ] = None,
    if_match: Annotated[
        str | None, Header(description="The ETag that you saw; refused (412) if it has changed since.")
    ] = None,
) -> None:
    """For OpenAPI: the headers that a door reads into a `CallContext`."""


Call = Annotated[CallContext, Depends(headers_of_a_call)]
