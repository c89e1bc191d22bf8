"""Who is calling: bearer tokens (JWT, ES256) checked against a key set."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from libs.kernel import Refused
from libs.kernel.clocks import Clock
from libs.web.withdrawn import LIFE_MAX_S, SKEW_S, Withdrawn, staff_of

AUDIENCE = "citycard"
ISSUER_DEVELOPMENT = "citycard-development"
_CACHE_MAX = 10_000


class TokenNeeded(Refused):
    """This needs a valid token: {why}. On your own machine `citycard token` makes one; send it as a Bearer token."""

    status = 401


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `id` is opaque, `city` an area code; `outlet`, `department` and `person` are empty where not given."""

    id: str
    role: str
    city: str = ""
    outlet: str = ""
    department: str = ""
    person: str = ""


NOBODY = Caller("nobody", "public")


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a token says, and for whose duties in which cities it may speak."""

    caller: Caller
    issued_at: float
    ends_at: float
    staff: Sequence[str]


class Tokens:
    """Checks tokens, remembers those that it has checked until they end, and hears whose duties end before.

    `cities` are those that a token may speak for which names none.
    """

    def __init__(
        self,
        keys: KeySet,
        machine: Clock,
        issuer: str,
        withdrawn: Withdrawn | None = None,
        cities: Sequence[str] = (),
    ) -> None:
        self._keys, self._machine, self._issuer = keys, machine, issuer
        self._withdrawn, self._cities = withdrawn or Withdrawn(machine), cities
        self._known: OrderedDict[str, _Checked] = OrderedDict()

    def caller(self, authorization: str | None) -> Caller:
        """Who this `Authorization` header speaks for; nobody, if there is none. Raises TokenNeeded, DutyEnded."""
        if not authorization:
            return NOBODY
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenNeeded(why="the Authorization header is not of the form `Bearer <token>`")
        now = self._machine.now().timestamp()
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = self._checked(token)
            if len(self._known) > _CACHE_MAX:
                self._known.popitem(last=False)
        if now >= known.ends_at + SKEW_S:
            raise TokenNeeded(why="yours has expired")
        self._withdrawn.check(known.staff, known.caller.role, known.caller.outlet, known.issued_at)
        return known.caller

    def _checked(self, token: str) -> _Checked:
        try:
            claims: Mapping[str, Any] = jwt.decode(token, self._keys, algorithms=["ES256"]).claims
        except (JoseError, ValueError) as error:
            raise TokenNeeded(why="yours was not signed by an issuer that this city trusts") from error
        now = self._machine.now().timestamp()
        audience, begins_at, ends_at = claims.get("aud"), claims.get("nbf", 0), claims.get("exp")
        if claims.get("iss") != self._issuer or AUDIENCE not in (
            audience if isinstance(audience, list) else [audience]
        ):
            raise TokenNeeded(why="yours was made for somebody else")
        if not isinstance(ends_at, int | float) or not isinstance(begins_at, int | float) or begins_at > now + SKEW_S:
            raise TokenNeeded(why="yours does not say when it holds")
        issued_at = claims.get("iat", ends_at - LIFE_MAX_S)  # Who does not say is taken to have it for a whole day.
        if not isinstance(issued_at, int | float) or issued_at > now + SKEW_S or ends_at - issued_at > LIFE_MAX_S:
            raise TokenNeeded(why="yours does not say when it was issued, or holds for more than a day")
        named = {name: str(claims.get(name, "")) for name in ("role", "city", "outlet", "department", "person")}
        caller = Caller(str(claims.get("sub", "")), **named)
        cities = [caller.city] if caller.city else self._cities
        staff = [staff_of(city, caller.id) for city in cities if _CITY.fullmatch(city)]
        return _Checked(caller, float(issued_at), float(ends_at), staff)


_CITY = re.compile(r"[0-9]{6}")


def issue(key: ECKey, machine: Clock, caller: Caller, issuer: str, lives_s: int = 28_800) -> str:
    """A token for this caller, good for one working day."""
    now = int(machine.now().timestamp())
    named = {name: given for name in ("role", "city", "outlet", "department", "person")
             if (given := getattr(caller, name))}  # fmt: skip
    claims = {"iss": issuer, "aud": AUDIENCE, "sub": caller.id, "iat": now, "exp": now + lives_s} | named
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
