"""Canaries: a life is played with data that occur nowhere else, and then they are looked for everywhere.

They may be in the vault, which holds them closed, and on the telephone of the simulated world outside; nowhere else.
"""

import base64
import hashlib
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.kernel import Sealed
from libs.runtime.platform import Platform
from libs.telemetry import configure_logging
from libs.testing.portraits import portrait
from libs.testing.town import Town
from libs.vault.masterkey import FileMasterKey
from libs.vault.port import Erased
from libs.vault.postgres import PostgresVault
from tests.platform import (
    CENTRE,
    CLERK,
    HALL,
    HOTLINE,
    HRSS,
    ICBC,
    OPERATOR,
    VENDOR,
    Open,
    id_card,
    produced,
)

NAME, MOBILE, BORN = "欧阳慕容雪", "13974183962", "19870605"
DOCUMENT = id_card(born=BORN, district="330921")
PORTRAIT = portrait(seed=4711)
SHOWN: Mapping[str, Any] = {"document": DOCUMENT, "name": NAME, "mobile": MOBILE, "language": "zh"}

CANARIES: Mapping[str, tuple[str, ...]] = {
    "the name": (NAME, "慕容雪", "Ouyang Murongxue"),
    "the document's number": (DOCUMENT["number"], DOCUMENT["number"][-10:], DOCUMENT["number"][:14]),
    "the telephone": (MOBILE, "74183962", "139 7418 3962", "139-7418-3962"),
    "the date of birth": (BORN, "1987-06-05", "1987/06/05", "1987年6月5日"),
}


def forms(secret: bytes) -> set[bytes]:
    """What this secret looks like in clear, encoded, or hashed without a key, which a list of all numbers undoes."""
    seen = {secret, secret[::-1], secret.hex().encode(), quote(secret).encode()}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            seen.add(encode(b"\0" * shift + secret)[4 if shift else 0 :].rstrip(b"=")[:-1])
    for hashed in (hashlib.md5, hashlib.sha1, hashlib.sha256):
        digest = hashed(secret).digest()
        seen |= {digest, digest.hex().encode(), base64.b64encode(digest), base64.urlsafe_b64encode(digest).rstrip(b"=")}
    if (text := secret.decode(errors="ignore")) and not text.isascii():
        seen |= {json.dumps(text)[1:-1].encode(), text.encode("gb18030"), text.encode("utf-16-le")}
    return {form.lower() for form in seen if len(form) >= 6}


LOOKED_FOR = {
    **{what: set().union(*(forms(text.encode()) for text in texts)) for what, texts in CANARIES.items()},
    "the portrait": set().union(*(forms(PORTRAIT[at : at + 24]) for at in range(1_000, len(PORTRAIT) - 24, 5_000))),
}


def canaries_in(haystack: bytes) -> list[str]:
    """What of her is to be found here."""
    low = haystack.lower()
    return [what for what, all_forms in LOOKED_FOR.items() if any(form in low for form in all_forms)]


@dataclass
class Watched:
    """A town of which every word is kept: answers, log lines and spans."""

    town: Town
    logs: io.StringIO
    spans: InMemorySpanExporter
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    async def keep(self, answer: httpx.Response) -> None:
        if not answer.request.url.path.endswith("/reveals"):  # That is what a reveal is for.
            headers = str(sorted(answer.headers.items())).encode()
            self.answers.append((str(answer.request.url.path), headers + await answer.aread()))


@pytest.fixture(scope="module")
async def watched(open_town: Open) -> AsyncIterator[Watched]:
    spans = InMemorySpanExporter()

    def watch(platform: Platform) -> None:
        platform.telemetry.provider.add_span_processor(SimpleSpanProcessor(spans))

    with pytest.MonkeyPatch.context() as monkey, everything_logged(monkey) as logs:
        async with open_town(prepare=watch, trace_sample=True, log_level="debug", log_style="json") as town:
            kept = Watched(town, logs, spans)
            town.web.event_hooks["response"].append(kept.keep)
            yield kept


@contextmanager
def everything_logged(monkey: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All log lines of the process, from debug on, as JSON; what visitors' own clients log is not ours."""
    root, written = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logging("json", "debug")
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    for ours_not in ("httpx", "httpcore"):
        monkey.setattr(logging.getLogger(ours_not), "disabled", True)
    try:
        yield written
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()


@pytest.fixture(scope="module")
async def person(watched: Watched) -> str:
    """Her whole life, with all that goes wrong in it."""
    town, signed = watched.town, {"document": "id_card"}
    person = str((await town.post(CLERK, "/v1/persons", SHOWN, key="hers"))["person_id"])
    await town.post(CLERK, "/v1/persons", SHOWN, key="hers")
    await town.post(HALL, "/v1/persons", SHOWN)
    await everything_that_can_be_mistyped(town, person)
    fact = {"document": DOCUMENT, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": "HRSS-1"}
    await town.post(HRSS, "/v1/facts", fact)
    await town.post(HALL, "/v1/persons/searches", DOCUMENT, expect=200)
    await town.post(CENTRE, f"/v1/persons/{person}/reveals", {"reason": "holder_asks"})
    await town.drain()
    picture = base64.b64encode(PORTRAIT).decode()
    papers = {
        "person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": picture,
        "agent": {"relation": "guardian", "document": "id_card"},
    }  # fmt: skip
    application = (await town.post(CLERK, "/v1/applications", papers))["application_id"]
    path = f"/v1/applications/{application}"
    await town.post(CLERK, f"{path}/supplement-requests", {"reason": "the photograph is blurred"})
    await town.post(CLERK, f"{path}/supplements", {"documents": ["household_book"], "portrait": picture})
    accepted = await town.post(CLERK, f"{path}/acceptances")
    await town.get(CLERK, path)
    await produced(town, "citizen-card", CENTRE, VENDOR, at=CLERK, spoiled="ink")
    batch = await produced(town, "citizen-card", CENTRE, VENDOR, at=CLERK)
    card = f"{accepted['holding_id']}.2"
    copies = [{"kind": "id_card", "whose": whose, "copied": True} for whose in ("holder", "agent")]
    by_agent = signed | {"agent_document": "id_card", "papers": copies}
    await town.post(CLERK, f"/v1/cards/{card}/hand-overs", by_agent)
    await town.drain()
    stopped = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
    await town.advance(stopped["lapses_at"])
    await town.post(ICBC, f"/v1/cards/{card}/written-reports", signed)
    await town.post(ICBC, f"/v1/cards/{card}/reissues", signed)
    await produced(town, "citizen-card", CENTRE, VENDOR, at=ICBC)
    await town.post(ICBC, f"/v1/cards/{accepted['holding_id']}.3/hand-overs", signed)
    await town.drain()
    for seen in (f"/v1/persons/{person}", f"/v1/cards/{card}", f"/v1/cards/{card}/timeline", f"/v1/cards/{card}/loss",
                 f"/v1/progress/{accepted['receipt']}"):  # fmt: skip
        await town.get(CLERK, seen)
    await town.get(CLERK, "/v1/notices", holding_id=accepted["holding_id"])
    await town.call(CENTRE, "GET", f"/v1/batches/{batch['batch_id']}/order-file")
    for page in ("/", "/notices", "/metrics", "/openapi.json"):
        assert (await town.call(OPERATOR, "GET", page)).status_code == 200
    return person


async def everything_that_can_be_mistyped(town: Town, person: str) -> None:
    """Her data, sent to where they do not belong; whatever comes of it, nobody writes them down."""
    number = DOCUMENT["number"]
    wrong = number[:-1] + ("1" if number[-1] != "1" else "2")
    bodies: list[Mapping[str, Any]] = [
        {**SHOWN, "document": DOCUMENT | {"number": wrong}},
        {**SHOWN, "document": DOCUMENT | {"kind": "passport", "issuer": "USA"}},
        {**SHOWN, "birth": "1987-06-06"},
        {**SHOWN, "birth": BORN},
        {**SHOWN, "mobile": f"{MOBILE}0"},
        {**SHOWN, "mobile": int(MOBILE)},
        {**SHOWN, "name": [NAME]},
        {**SHOWN, "language": NAME},
        {**SHOWN, number: NAME},
        {**SHOWN, NAME: number},
        {number: number},
    ]
    for body in bodies:
        answer = await town.call(CLERK, "POST", "/v1/persons", json=dict(body))
        assert 400 <= answer.status_code < 500, answer.text
    unread = f'{{"name": "{NAME}", "number": {number}'.encode()
    await town.call(CLERK, "POST", "/v1/persons", content=unread, headers={"Content-Type": "application/json"})
    await town.call(
        CLERK, "POST", "/v1/persons", content=SHOWN["name"].encode(), headers={"Content-Type": "text/plain"}
    )
    for path in (f"/v1/persons/{number}", f"/v1/cards/{number}", f"/v1/progress/{number}", f"/v1/{NAME}"):
        await town.get(CLERK, path, expect=404)
    await town.get(CLERK, "/v1/notices", holding_id=number, expect=404)
    await town.get(CLERK, "/v1/holdings", person_id=number, expect=404)
    await town.get(CLERK, f"/v1/cards/{person}.1", at=f"{BORN} {NAME}", expect=422)
    fact = {"document": DOCUMENT, "fact": "insured_employee", "valid_from": "2024-03-01", "reference": number}
    await town.post(HRSS, "/v1/facts", fact, expect=422)
    batch = {"programme": NAME, "outlet": MOBILE}
    await town.post(CENTRE, "/v1/batches", batch, expect=422)
    await town.post(CENTRE, "/v1/batches", batch | {"programme": "citizen-card"}, expect=422)


async def test_no_table_outside_the_vault_holds_a_canary(watched: Watched, person: str) -> None:
    found, looked_at = await tables_with_canaries(watched.town)
    assert found == {}
    assert {"identity.fact", "issuance.fact", "loss.outbox", "notice.command", "bus.letter"} <= looked_at


async def test_no_answer_log_line_span_or_figure_repeats_a_canary(watched: Watched, person: str) -> None:
    assert len(watched.answers) > 60
    assert [(path, found) for path, answer in watched.answers if (found := canaries_in(answer))] == []
    lines = watched.logs.getvalue().splitlines()
    assert len(lines) > 60
    assert [line for line in lines if canaries_in(line.encode())] == []
    assert any(json.loads(line).get("event") == "answered" for line in lines)
    spans = watched.spans.get_finished_spans()
    assert len(spans) > 60
    assert [span.name for span in spans if canaries_in(span.to_json().encode())] == []


async def test_no_file_but_the_telephone_outside_holds_a_canary(watched: Watched, person: str) -> None:
    home = watched.town.settings.home
    files = [file for file in home.rglob("*") if file.is_file()]
    assert [file.name for file in files if canaries_in(file.read_bytes())] == ["sms.jsonl"]


@pytest.mark.parametrize("what", LOOKED_FOR)
async def test_the_search_finds_what_is_planted(watched: Watched, person: str, what: str) -> None:
    """A search that cannot fail proves nothing."""
    connection = await asyncpg.connect(watched.town.settings.database_url)
    try:
        await connection.execute("create table public.leak (nth serial, said text, raw bytea)")
        for form in LOOKED_FOR[what]:
            await connection.execute("truncate public.leak")
            try:
                await connection.execute("insert into public.leak (said) values ($1)", f"…{form.decode()}…")
            except (UnicodeDecodeError, asyncpg.DataError):
                await connection.execute("insert into public.leak (raw) values ($1)", form)
            found, _ = await tables_with_canaries(watched.town, only="public")
            assert what in found["public.leak"], form
    finally:
        await connection.execute("drop table public.leak")
        await connection.close()


async def test_after_an_erasure_nobody_can_read_her_and_every_fold_is_the_same(watched: Watched, person: str) -> None:
    town = watched.town
    before = await folded(town)
    boxes = await sealed_for(town, person)
    assert {field for field, _ in boxes} >= {"mobile"}
    await town.post(CENTRE, f"/v1/persons/{person}/erasures", {"reason": "own_request"})
    await town.drain()

    connection = await asyncpg.connect(town.settings.database_url)
    keys = await connection.fetch("select wrapped, erased_at from vault.data_key where person = $1", person)
    assert [(key["wrapped"], key["erased_at"] is not None) for key in keys] == [(None, True)]
    for table in ("claim", "document"):
        assert not await connection.fetchval(f"select count(*) from vault.{table} where person = $1", person)
    await connection.close()

    for vault in (town.house.platform.vault, await another_vault(town)):
        for name, sealed in boxes:
            with pytest.raises(Erased):
                await vault.open(person, name, sealed)
    assert (await town.get(CLERK, f"/v1/persons/{person}"))["erased"] is True
    holding = (await town.get(CLERK, "/v1/holdings", person_id=person))["holdings"][0]["holding_id"]
    assert {notice["to"] for notice in await town.get(CLERK, "/v1/notices", holding_id=holding)} == {"erased"}
    assert (await town.post(HALL, "/v1/persons/searches", DOCUMENT, expect=404))["code"] == "person-unknown"

    after = await folded(town, up_to={stream: version for stream, (version, _) in before.items()})
    assert after == before
    found, _ = await tables_with_canaries(town)
    assert found == {}
    assert not [path for path, answer in watched.answers if canaries_in(answer)]
    assert not canaries_in(watched.logs.getvalue().encode())
    anew = (await town.post(CLERK, "/v1/persons", SHOWN))["person_id"]
    assert anew != person


async def tables_with_canaries(town: Town, only: str = "") -> tuple[dict[str, list[str]], set[str]]:
    """Every table outside the vault in which a row holds a canary, and all that were looked at."""
    connection = await asyncpg.connect(town.settings.database_url)
    try:
        tables = await connection.fetch(
            "select schemaname || '.' || quote_ident(tablename) from pg_tables where schemaname not in "
            "('vault', 'pg_catalog', 'information_schema') and ($1 = '' or schemaname = $1)", only,
        )  # fmt: skip
        found: dict[str, list[str]] = {}
        for (table,) in tables:
            for row in await connection.fetch(f"select * from {table}"):
                cells = (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row.values())
                if here := canaries_in(b"\n".join(cells)):
                    found.setdefault(table, []).extend(here)
        return found, {table for (table,) in tables}
    finally:
        await connection.close()


async def folded(town: Town, up_to: Mapping[str, int] | None = None) -> dict[str, tuple[int, Any]]:
    """Every stream of every service: how many facts it has, and the state to which they fold."""
    connection = await asyncpg.connect(town.settings.database_url)
    streams: dict[str, tuple[int, Any]] = {}
    for service in town.house.services:
        for (stream,) in await connection.fetch(f"select distinct stream from {service.name}.fact"):
            if up_to is not None and stream not in up_to:
                continue
            rows = await service.desks.store.read(stream)
            rows = rows[: up_to[stream]] if up_to is not None else rows
            decider = service.desks[stream.partition("-")[0]].aggregate.decider
            streams[stream] = len(rows), decider.fold(service.desks.codec.read(row.name, row.data) for row in rows)
    await connection.close()
    return streams


async def sealed_for(town: Town, person: str) -> list[tuple[str, Sealed]]:
    """Every envelope that lies about for her, with the field for which it was closed."""
    vault, found = town.house.platform.vault, []
    boxes = {box for stream in (await folded(town)).values() for box in boxes_in(stream)}
    for box in boxes:
        for name in ("particulars", "name", "number", "birth", "mobile", "issuer"):
            try:
                await vault.open(person, name, Sealed(box=box))
            except Exception:
                continue
            found.append((name, Sealed(box=box)))
    assert len(found) == len(boxes), "every envelope is hers, and opens while she is not erased"
    return found


def boxes_in(value: Any) -> Iterator[str]:
    if isinstance(value, Sealed):
        yield value.box
    elif isinstance(value, tuple | list):
        for one in value:
            yield from boxes_in(one)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from boxes_in(getattr(value, name))


async def another_vault(town: Town) -> PostgresVault:
    """The same vault, seen by a process that has no key in memory."""
    platform = town.house.platform
    master = FileMasterKey(town.settings.home / "keys" / "master.json", randomness=platform.randomness)
    vault = platform.vault
    assert isinstance(vault, PostgresVault)
    return PostgresVault(vault._pool, master=master, randomness=platform.randomness, clock=platform.machine)
