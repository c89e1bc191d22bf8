"""Problem details (RFC 9457): every answer that is no success says what happened and what to do."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from libs.kernel import NoRoom, Outage, OutcomeUnknown, Refused, refusal_code
from libs.kernel.why import Nameless, Names, why_not
from libs.telemetry import current_trace_id, log_for
from libs.web.why import WhyView

MEDIA_TYPE = "application/problem+json"

UNREADABLE = "The body is not JSON; send a JSON object with Content-Type application/json."

OUTAGES: Sequence[tuple[type[Outage], str, str]] = (
    (OutcomeUnknown, "outcome-unknown", "Nobody knows whether your request was carried out; repeat it under the same "
                                        "Idempotency-Key to find out."),
    (NoRoom, "no-room", "The city's disk is nearly full, so only loss reports are taken until somebody makes room; "
                        "nothing was done. Repeat it later, under the same Idempotency-Key."),
    (Outage, "out-of-reach", "Something that we need is out of reach; nothing was done. Repeat it under the same "
                             "Idempotency-Key."),
)  # fmt: skip

log = log_for("web")


class FieldFault(BaseModel):
    """One thing that is wrong with the request."""

    pointer: str = Field(description="Where: a JSON pointer into the body, or the name of a header or parameter.")
    detail: str = Field(description="What is wrong there.")


class Problem(BaseModel):
    """Why a request came to nothing, and what to do."""

    type: str = Field(description="Stable address of this kind of problem.", examples=["/problems/card-ended"])
    title: str = Field(description="The kind of problem in words.", examples=["Card ended"])
    status: int
    code: str = Field(description="Stable code of this kind of problem.", examples=["card-ended"])
    detail: str = Field(description="What happened and what to do.")
    retryable: bool = Field(description="Whether the same request may succeed later, under the same Idempotency-Key.")
    trace_id: str = Field(description="Quote this when you ask for help.")
    errors: list[FieldFault] = []
    why: WhyView | None = Field(None, description="Where a bylaw says no: which, on what legal basis, on which facts.")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    errors: Sequence[FieldFault] = (),
    headers: Mapping[str, str] | None = None,
    why: WhyView | None = None,
) -> JSONResponse:
    body = Problem(
        type=f"/problems/{code}",
        title=code.replace("-", " ").capitalize(),
        status=status,
        code=code,
        detail=detail,
        retryable=retryable,
        trace_id=current_trace_id(),
        errors=list(errors),
        why=why,
    )
    left_out = {name for name, given in (("errors", errors), ("why", why)) if not given}
    return JSONResponse(
        body.model_dump(mode="json", exclude=left_out),
        status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def refusals(*kinds: type[Refused]) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: the refusals that a route can answer with, by status, each with its sentence."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        sentence = f"`{refusal_code(kind)}`: {' '.join((kind.__doc__ or '').split())}"
        known = responses.setdefault(kind.status, {"description": "", "content": {MEDIA_TYPE: {"schema": _SCHEMA}}})
        known["description"] = f"{known['description']}\n\n{sentence}".strip()
    return responses


_SCHEMA = {"$ref": "#/components/schemas/Problem"}

EVERYWHERE: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
    for status, words in {
        400: "The request cannot be read; `errors` says where.",
        401: "A valid token is needed.",
        403: "The city's rules do not let this caller do this.",
        413: "The body is larger than this route takes.",
        422: "The request can be read, but not accepted; `errors` says where.",
        503: "Something that we need is away; repeat after `Retry-After` seconds under the same Idempotency-Key.",
    }.items()
}


Count = Callable[[str], None]

PROBLEMS = (Refused, Outage, RequestValidationError, HTTPException)
"""The failures that are answered with a problem of their own; any other is a bug."""


def problem_of(
    error: Exception, count: Count, names: Callable[[str], Names] = lambda _city: Nameless()
) -> JSONResponse:
    """The answer to one of `PROBLEMS`; `count` hears the code of each refusal, `names` is what a city calls things."""
    match error:
        case Refused(why=why):
            code = refusal_code(type(error))
            count(code)
            known = names(why.city) if why is not None else Nameless()
            explained = why_not(error, known)
            view = WhyView.of(explained, known) if explained is not None else None
            wait = error.details.get("retry_after_s")
            later = {} if wait is None else {"Retry-After": str(wait)}
            return problem(error.status, code, str(error), why=view, retryable=wait is not None, headers=later)
        case Outage():
            return _out_of_reach(error)
        case RequestValidationError():
            return _unfit(error.errors())
        case HTTPException():
            words = {
                400: ("body-unreadable", UNREADABLE),
                404: ("no-such-address", "There is nothing at this address; /docs lists the routes."),
                405: ("method-not-allowed", "This address does not take this method; see the Allow header."),
            }
            code, detail = words.get(error.status_code, ("request-refused", str(error.detail)))
            return problem(error.status_code, code, detail, headers=error.headers)
    raise error


def install(app: FastAPI, count: Count = lambda _code: None) -> None:
    """Answer every kind of failure as a problem, wherever FastAPI itself answers."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return problem_of(error, count, _names(request))

    for kind in PROBLEMS:
        app.exception_handler(kind)(answer)


def _out_of_reach(outage: Outage) -> JSONResponse:
    log.warning("outage", error=str(outage))
    code, detail = next(told for kind, *told in OUTAGES if isinstance(outage, kind))
    return problem(503, code, detail, retryable=True, headers={"Retry-After": str(outage.retry_after_s)})


def _unfit(faults: Sequence[Mapping[str, Any]]) -> JSONResponse:
    errors = faults_in(faults)
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(400, "body-unreadable", UNREADABLE, errors=errors)
    return problem(
        422,
        "request-invalid",
        "The request does not fit this route; `errors` names each field and what is wrong with it.",
        errors=errors,
    )


def faults_in(found: Sequence[Mapping[str, Any]]) -> list[FieldFault]:
    """What pydantic found wrong, without a word of what was sent. Places are in the body unless they say otherwise."""
    return [_fault(fault) for fault in found]


def _names(request: Request) -> Callable[[str], Names]:
    """What a city calls things, as far as this process knows it."""
    doors = getattr(request.app.state, "doors", None)
    return (lambda _city: Nameless()) if doors is None else cast(Callable[[str], Names], doors.names)


def _fault(fault: Mapping[str, Any]) -> FieldFault:
    """Says where and what, and never repeats what was sent: it may be personal data, even where a name should stand."""
    place, *rest = fault["loc"]
    named = [part if re.fullmatch(r"[A-Za-z_]{1,40}|[0-9]{1,9}", part) else "…" for part in map(str, rest)]
    pointer = "/" + "/".join(named) if place == "body" else ".".join(named) or str(place)
    return FieldFault(pointer=pointer, detail=fault["msg"])
