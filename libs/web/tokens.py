"""Who is calling: bearer tokens (JWT, ES256) checked against a key set."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from libs.kernel import Refused
from libs.kernel.clocks import Clock

AUDIENCE = "citycard"
ISSUER_DEVELOPMENT = "citycard-development"
SKEW_S = 60
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


class Tokens:
    """Checks tokens, and remembers those that it has checked until they end."""

    def __init__(self, keys: KeySet, machine: Clock, issuer: str) -> None:
        self._keys, self._machine, self._issuer = keys, machine, issuer
        self._known: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    def caller(self, authorization: str | None) -> Caller:
        """Who this `Authorization` header speaks for; nobody, if there is none. Raises TokenNeeded."""
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
        caller, ends_at = known
        if now >= ends_at + SKEW_S:
            raise TokenNeeded(why="yours has expired")
        return caller

    def _checked(self, token: str) -> tuple[Caller, float]:
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
        named = {name: str(claims.get(name, "")) for name in ("role", "city", "outlet", "department", "person")}
        return Caller(str(claims.get("sub", "")), **named), float(ends_at)


def issue(key: ECKey, machine: Clock, caller: Caller, issuer: str, lives_s: int = 28_800) -> str:
    """A token for this caller, good for one working day."""
    now = int(machine.now().timestamp())
    named = {name: given for name in ("role", "city", "outlet", "department", "person")
             if (given := getattr(caller, name))}  # fmt: skip
    claims = {"iss": issuer, "aud": AUDIENCE, "sub": caller.id, "iat": now, "exp": now + lives_s} | named
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
