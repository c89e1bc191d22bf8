"""What an answer that is no success looks like, and that every refusal of the house can be said in full."""

import ast
import importlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from libs.kernel import Clash, Forbidden, Missing, Outage, OutcomeUnknown, Refused, Unfit, refusal_code
from libs.kernel.why import Decision, Ground, Said, Why
from libs.runtime.citypack import load_packs
from libs.runtime.cli import SERVICES
from libs.telemetry import Telemetry
from libs.testing.town import Town
from libs.web.observe import Observe
from libs.web.problems import install, problem_of
from tests.platform import CLERK

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py"))
KINDS = {Refused, Missing, Forbidden, Clash, Unfit}
STATUSES = {Missing: 404, Forbidden: 403, Clash: 409, Unfit: 422}
"""Of the four kinds; any other refusal has 400, 401, 412, or 503 while money is halted."""


def all_refusals() -> list[type[Refused]]:
    """Every refusal of the house; each module that could define one is read first."""
    for path in SOURCES:
        if "Refused" in (text := path.read_text()) or any(f"({kind.__name__})" in text for kind in KINDS):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                importlib.import_module(".".join(parts).removesuffix(".__init__"))
    return sorted(set(_below(Refused)) - KINDS, key=lambda kind: (kind.__module__, kind.__name__))


def _below(kind: type[Refused]) -> Iterator[type[Refused]]:
    for below in kind.__subclasses__():
        if below.__module__.split(".")[0] in ("libs", "services"):
            yield below
            yield from _below(below)


REFUSALS = all_refusals()
SAID_ELSEWHERE = {
    "facts-unreadable": "to whoever tries something at the command line",
    "record-not-opened": "to a department that put a record on its topic",
}
"""Refusals that nobody hears over HTTP, and who hears them."""


def gaps(kind: type[Refused]) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(kind.__doc__ or "") if name is not None}


def raised() -> Iterator[tuple[str, str, set[str]]]:
    """Where a refusal is raised, its class, and the details that it is given there."""
    names = {kind.__name__ for kind in REFUSALS}
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                call = node.exc if isinstance(node.exc, ast.Call) else None
                name = _last(call.func if call else node.exc)
                if name in names:
                    given = {keyword.arg or "**" for keyword in call.keywords} if call else set()
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", name, given


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_every_refusal_says_in_a_sentence_what_to_do_and_has_a_status_of_its_kind(kind: type[Refused]) -> None:
    sentence = " ".join((kind.__doc__ or "").split())
    assert kind.__doc__ not in {parent.__doc__ for parent in kind.__mro__[1:]}, "it needs a sentence of its own"
    assert sentence[0] == "{" or sentence[0].isupper()
    assert sentence[-1] == "."
    filled = kind(**dict.fromkeys(gaps(kind), "…")).sentence()
    assert "{" not in filled
    parent = next((parent for parent in STATUSES if issubclass(kind, parent)), None)
    assert kind.status == STATUSES[parent] if parent else kind.status in (400, 401, 412, 429, 503)


def test_no_two_kinds_of_refusal_share_a_code_unless_they_mean_the_same() -> None:
    known: dict[str, type[Refused]] = {}
    for kind in REFUSALS:
        other = known.setdefault(refusal_code(kind), kind)
        assert other.status == kind.status, f"{kind} and {other}"


def test_every_gap_of_a_sentence_is_filled_wherever_it_is_said() -> None:
    wanted: dict[str, list[set[str]]] = {}
    for kind in REFUSALS:
        wanted.setdefault(kind.__name__, []).append(gaps(kind))
    sites = list(raised())
    assert len(sites) > 60
    wrong = [f"{where} {name}: {given}" for where, name, given in sites if given not in wanted[name]]
    assert not wrong


def test_every_refusal_is_said_somewhere() -> None:
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))]
    said = {_last(node.func) for node in nodes if isinstance(node, ast.Call)} | {name for _, name, _ in raised()}
    assert [kind.__name__ for kind in REFUSALS if kind.__name__ not in said] == []


async def test_the_shape_of_a_problem_is_pinned(town: Town) -> None:
    answer = await town.call(CLERK, "GET", "/v1/persons/330900-4K7MZQ0V5T8WX2N9")
    trace = answer.headers["X-Request-ID"]
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "/problems/id-mistyped",
        "title": "Id mistyped",
        "status": 404,
        "code": "id-mistyped",
        "detail": "There is no such number here, and none that this platform gives out looks so; "
        "check it for a slip of the pen.",
        "retryable": False,
        "trace_id": trace,
    }


async def test_a_trace_that_the_caller_brings_goes_through_to_the_answer(town: Town) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = await town.call(CLERK, "GET", "/v1/persons/x", headers=headers)
    assert answer.json()["trace_id"] == trace
    assert trace in answer.headers["traceparent"]


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable"),
    [
        (Outage("the store", retry_after_s=7), 503, "out-of-reach", True),
        (OutcomeUnknown("the store", retry_after_s=7), 503, "outcome-unknown", True),
        (RuntimeError("a secret of the house"), 500, "our-fault", False),
        (ExceptionGroup("two", [RuntimeError("a secret of the house")]), 500, "our-fault", False),
    ],
)
async def test_outages_and_bugs_are_told_apart(error: Exception, status: int, code: str, retryable: bool) -> None:
    app = FastAPI()
    install(app)
    app.add_middleware(Observe, telemetry=Telemetry(lambda count: b"\x01" * count))

    @app.get("/")
    async def stumble() -> None:
        raise error

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://town") as web:
        answer = await web.get("/")
    said = answer.json()
    assert (answer.status_code, said["code"], said["retryable"]) == (status, code, retryable)
    assert answer.headers.get("Retry-After") == ("7" if retryable else None)
    assert "secret" not in answer.text
    assert len(said["trace_id"]) == 32


def test_openapi_lists_with_each_route_the_refusals_that_it_names(town: Town) -> None:
    document = town.app.openapi()
    text = json.dumps(document, ensure_ascii=False)
    listed = [kind for kind in REFUSALS if f"`{refusal_code(kind)}`" in text]
    unlisted = {refusal_code(kind) for kind in REFUSALS} - {refusal_code(kind) for kind in listed}
    assert unlisted - SAID_ELSEWHERE.keys() == {  # What any route may answer.
        "duty-ended",
        "idempotency-key-missing",
        "if-match-unreadable",
        "key-reused",
        "not-allowed",
        "saw-another-record",
        "stale-view",
        "token-needed",
    }  # fmt: skip
    assert SAID_ELSEWHERE.keys() <= unlisted, "a route says it now: take its line away"
    for path, acts in document["paths"].items():
        for method, act in acts.items():
            answers: dict[str, Any] = act["responses"]
            assert {"401", "403", "503"} <= answers.keys(), f"{method} {path}"
            assert "HTTPValidationError" not in json.dumps(answers)
    assert SERVICES


async def test_a_refusal_by_a_bylaw_carries_the_rule_in_the_city_s_own_words() -> None:
    class TooSoon(Clash):
        """Not before the day that the city has set; come back then."""

    because = Why(
        city="330900",
        decision=Decision.REFUSAL,
        said=Said(zh="尚未开办", en="not open yet"),
        grounds=(
            Ground(
                rule="citizen-card/loss.lift",
                basis=Said(zh="常见问题（4）", en="FAQ (4)"),
                valid_from=date(2012, 3, 10),
                recorded_on=date(2026, 9, 1),
                edition="e1",
            ),
        ),
        missing=("hukou",),
    )
    packs = load_packs(Path(__file__).parents[2] / "deploy")
    answer = json.loads(bytes(problem_of(TooSoon(because), lambda _code: None, packs.names_of).body))
    assert answer["why"]["grounds"][0]["rule"] == "citizen-card/loss.lift"
    assert answer["why"]["missing"] == ["hukou"]
    assert answer["why"]["text"]["zh"].splitlines()[0] == "不予：尚未开办。"
    assert "本市户籍" in answer["why"]["text"]["zh"]
    assert "household registered in the city" in answer["why"]["text"]["en"]
    assert "why" not in json.loads(bytes(problem_of(TooSoon(), lambda _code: None).body))
