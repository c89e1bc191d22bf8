"""Whatever is sent, the answer is clear, says what to do, repeats nothing, and nothing is half done."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from libs.kernel.ids import derived
from libs.testing.town import Town, return_file
from libs.web.limits import BODY_MAX_BYTES
from libs.web.tokens import Caller
from services.ids import person_id
from tests.platform import (
    CENTRE,
    CLERK,
    HALL,
    HOTLINE,
    HRSS,
    ICBC,
    OPERATOR,
    PORTRAIT,
    VENDOR,
    ZHOUSHAN,
    a_card_at_the_outlet,
    a_card_in_use,
    applied,
    id_card,
    registered,
)

PROBLEM = {"type", "title", "status", "code", "detail", "retryable", "trace_id"}
NAME, MOBILE = "欧阳明月", "13911112222"
LIN = id_card(born="19870605")
SHOWN: Mapping[str, Any] = {"document": LIN, "name": NAME, "mobile": MOBILE, "language": "zh"}
PERSONAL = (LIN["number"], NAME, MOBILE, "19870605", "1987-06-05")
JSON = {"Content-Type": "application/json"}


async def refused(
    town: Town, who: Caller, path: str, status: int, code: str, *, method: str = "POST", **sent: Any
) -> dict[str, Any]:
    """Sends this; it must be answered with this problem, in the shape of all problems, and leave nothing behind."""
    before = await written_down(town)
    answer = await town.call(who, method, path, **sent)
    assert (answer.status_code, problem_in(answer)["code"]) == (status, code), answer.text
    assert await written_down(town) == before, "nothing is half done"
    return problem_in(answer)


def problem_in(answer: httpx.Response) -> dict[str, Any]:
    said: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert said.keys() - {"errors", "why"} == PROBLEM
    assert (said["type"], said["status"]) == (f"/problems/{said['code']}", answer.status_code)
    assert len(said["trace_id"]) == 32
    assert said["trace_id"] == answer.headers["X-Request-ID"]
    assert len(said["detail"]) > 20
    assert "{" not in said["detail"]
    assert not [one for one in PERSONAL if one in answer.text]
    return said


async def written_down(town: Town) -> dict[str, int]:
    """How many rows of record there are: facts, messages, commands, keys, claims and documents."""
    connection = await asyncpg.connect(town.settings.database_url)
    try:
        tables = [f"{service.name}.{kind}" for service in town.house.services for kind in ("fact", "outbox", "command")]
        tables += ["vault.data_key", "vault.claim", "vault.document"]
        return {table: await connection.fetchval(f"select count(*) from {table}") for table in tables}
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
async def everybody_is_done(town: Town) -> AsyncIterator[None]:
    """What an earlier test has set going has come to rest, and afterwards nobody's work lies aside."""
    await town.drain()
    yield
    await town.drain()
    for home in town.house.households:
        assert not await home.store.parked(), "a due command was put aside"
        for reader in home.readers:
            notebook = town.house.platform.notebook(home.service.name)
            assert not await notebook.parked(reader.name), "a letter was put aside"


# --- what cannot be read ---


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"nonsense", b'{"name": }', b"[1, 2", b'{"a": "\xff\xfe"}', b"\x00", b"[" * 100_000,
        b'{"a":' * 50_000, b'{"counted": ' + b"9" * 5_000 + b"}", b'{"a": "\x01"}',
    ],
    ids=["empty", "open", "word", "hole", "list", "not-utf8", "nul", "deep-list", "deep-object", "huge-int", "control"],
)  # fmt: skip
async def test_a_body_that_is_not_json_is_refused(town: Town, content: bytes) -> None:
    answer = await town.call(CLERK, "POST", "/v1/persons", content=content, headers=JSON)
    assert answer.status_code in (400, 422), answer.text
    assert problem_in(answer)["code"] in ("body-unreadable", "request-invalid")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"])
async def test_a_body_of_another_kind_is_refused(town: Town, media: str) -> None:
    content = json.dumps(SHOWN).encode()
    answer = await town.call(CLERK, "POST", "/v1/persons", content=content, headers={"Content-Type": media})
    assert answer.status_code in (400, 415, 422)
    problem_in(answer)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": 7}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": " \t "}, "/name"),
        ({"name": "林" * 201}, "/name"),
        ({"name": "林\0小舟"}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"name": None}, "/name"),
        ({"name": [NAME]}, "/name"),
        ({"mobile": 13911112222}, "/mobile"),
        ({"mobile": "1" * 41}, "/mobile"),
        ({"language": "fr"}, "/language"),
        ({"birth": 19870605}, "/birth"),
        ({"birth": "19870605"}, "/birth"),
        ({"birth": "1987-13-05"}, "/birth"),
        ({"birth": "1987-06-05T00:00:00Z"}, "/birth"),
        ({"birth": "1087-06-05"}, "/birth"),
        ({"document": LIN["number"]}, "/document"),
        ({"document": {"kind": "library_card", "number": "1"}}, "/document/kind"),
        ({"document": LIN | {"number": 330902}}, "/document/number"),
        ({"document": LIN | {"number": "\0"}}, "/document/number"),
        ({"surname": NAME}, "/surname"),
        ({LIN["number"]: True}, "/…"),
        ({"\ud800": True}, "/"),
        ({NAME: True}, "/…"),
    ],
)
async def test_nothing_is_guessed_and_nothing_unknown_is_passed_over(
    town: Town, change: dict[str, Any], pointer: str
) -> None:
    content = json.dumps({**SHOWN, **change}).encode()
    said = await refused(town, CLERK, "/v1/persons", 422, "request-invalid", content=content, headers=JSON)
    assert [fault["pointer"] for fault in said["errors"]] == [pointer]
    assert all(fault["detail"] for fault in said["errors"])


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
async def test_a_body_that_is_no_object_is_refused(town: Town, body: object) -> None:
    await refused(town, CLERK, "/v1/persons", 422, "request-invalid", json=body)


@pytest.mark.parametrize("counted", ["1", 1.0, 1.5, True, -1, 10_001, 10**100, None])
async def test_a_count_is_a_whole_number_in_its_range(town: Town, counted: object) -> None:
    path = f"/v1/batches/{person_id(ZHOUSHAN, derived('a batch'))}/receipts"
    await refused(town, CLERK, path, 422, "request-invalid", json={"counted": counted})


@pytest.mark.parametrize("body", [{"by_s": 10**30}, {"by_s": -1}, {"to": "9999-12-31T23:59:59-12:00"}])
async def test_city_time_is_not_moved_out_of_this_world(town: Town, body: dict[str, Any]) -> None:
    await refused(town, OPERATOR, "/v1/city-time/advances", 422, "request-invalid", json=body)


async def test_fields_of_several_wrongs_are_all_named(town: Town) -> None:
    said = await refused(town, CLERK, "/v1/persons", 422, "request-invalid", json={"name": 7, "mobile": 8})
    assert [fault["pointer"] for fault in said["errors"]] == ["/document", "/name", "/mobile"]


# --- too much of it ---


async def test_fifty_megabytes_that_are_announced_are_refused_before_they_are_read(town: Town) -> None:
    host, port = town.web.base_url.host, town.web.base_url.port
    reader, writer = await asyncio.open_connection(host, port)
    head = f"POST /v1/persons HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {town.token(CLERK)}\r\n"
    writer.write(f"{head}Idempotency-Key: big\r\nContent-Length: 50000000\r\n\r\n".encode())
    async with asyncio.timeout(5):
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 413 ")
    assert "connection: close" in answer.lower()


async def test_fifty_megabytes_that_nobody_announced_are_refused_as_soon_as_they_are_too_many(town: Town) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 1_000_000

    answer = await town.call(CLERK, "POST", "/v1/persons", content=endless(), headers=JSON)
    assert (answer.status_code, problem_in(answer)["code"]) == (413, "body-too-large")


async def test_whoever_sends_all_of_fifty_megabytes_hears_the_answer(town: Town) -> None:
    answer = await town.call(CLERK, "POST", "/v1/persons", content=b"x" * 50_000_000, headers=JSON)
    assert (answer.status_code, problem_in(answer)["code"]) == (413, "body-too-large")


async def test_a_body_of_the_greatest_size_is_read(town: Town) -> None:
    content = json.dumps({**SHOWN, "name": 7}).encode().ljust(BODY_MAX_BYTES)
    answer = await town.call(CLERK, "POST", "/v1/persons", content=content, headers=JSON)
    assert problem_in(answer)["code"] == "request-invalid"
    answer = await town.call(CLERK, "POST", "/v1/persons", content=content + b" ", headers=JSON)
    assert problem_in(answer)["code"] == "body-too-large"


@pytest.mark.parametrize("length", ["-1", "ten", "1e3"])
async def test_a_length_that_is_no_length_is_refused(town: Town, length: str) -> None:
    host, port = town.web.base_url.host, town.web.base_url.port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"POST /v1/persons HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert (await reader.read(12)) in (b"HTTP/1.1 400", b"HTTP/1.1 413")
    writer.close()


# --- documents and portraits ---


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (LIN["number"][:-1] + ("0" if LIN["number"][-1] != "0" else "1"), "check-character-wrong"),
        ("33090219870605", "number-misshapen"),
        ("330902198702300011", "birth-date-unreal"),
        ("市民卡", "number-misshapen"),
        ("'; drop table identity.fact; --", "number-misshapen"),
    ],
)
async def test_a_document_with_a_slip_of_the_pen_is_refused(town: Town, number: str, code: str) -> None:
    answer = await town.call(CLERK, "POST", "/v1/persons", json={**SHOWN, "document": LIN | {"number": number}})
    assert answer.status_code == 422
    said = problem_in(answer)
    assert said["code"] in (code, "check-character-wrong", "birth-date-unreal")
    assert number not in answer.text


@pytest.mark.parametrize("mobile", ["12345", "not a number", "+1", "139111122223333", "+8613911112222;ext=5"])
async def test_a_number_that_cannot_be_dialled_is_refused(town: Town, mobile: str) -> None:
    said = await refused(town, CLERK, "/v1/persons", 422, "mobile-unfit", json={**SHOWN, "mobile": mobile})
    assert mobile not in said["detail"]


def picture(width: int = 358, height: int = 441, format_: str = "JPEG", colour: str = "white") -> str:
    file = BytesIO()
    Image.new("RGB", (width, height), colour).save(file, format_)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("portrait", "code"),
    [
        ("", "portrait-unreadable"),
        ("not base64!", "portrait-unreadable"),
        (PORTRAIT[:-3], "portrait-unreadable"),
        (PORTRAIT[:4000], "portrait-unreadable"),
        (base64.b64encode(b"GIF89a" + b"x" * 15_000).decode(), "portrait-unreadable"),
        (picture(format_="PNG"), "portrait-unreadable"),
        (picture(100, 100), "portrait-wrong-size"),
        (picture(), "portrait-too-light"),
        (base64.b64encode(b"\xff\xd8" + b"x" * 100_000).decode(), "portrait-too-heavy"),
        ("市民卡" * 100, "portrait-unreadable"),
    ],
)
async def test_a_portrait_that_is_none_is_refused_and_not_kept(town: Town, portrait: str, code: str) -> None:
    papers = {"programme": "citizen-card", "documents": ["id_card"], "portrait": portrait}
    person = person_id(ZHOUSHAN, derived("somebody with a portrait"))
    await refused(town, CLERK, "/v1/applications", 422, code, json={"person_id": person, **papers})


async def test_papers_that_are_refused_leave_no_portrait_behind(town: Town) -> None:
    person = await registered(town, CLERK, HRSS)
    await town.drain()
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["passport"], "portrait": PORTRAIT}
    await refused(town, CLERK, "/v1/applications", 422, "documents-missing", json=papers)
    for change, code in (
        ({"programme": "library-card"}, "programme-unknown"),
        ({"documents": []}, "request-invalid"),
        ({"agent": {"relation": "欧阳明月的母亲", "document": "id_card"}}, "request-invalid"),
    ):
        await refused(town, CLERK, "/v1/applications", 422, code, json=papers | {"documents": ["id_card"]} | change)


# --- return files ---


async def test_a_return_file_is_read_whole_or_not_at_all(town: Town) -> None:
    person = await registered(town, CLERK, HRSS)
    await town.drain()
    await applied(town, CLERK, person, "citizen-card")
    await town.drain()
    where = {"programme": "citizen-card", "outlet": CLERK.outlet}
    batch = (await town.post(CENTRE, "/v1/batches", where))["batch_id"]
    await town.drain()
    seats = (await town.post(CENTRE, f"/v1/batches/{batch}/orders"))["seats"]
    good = return_file(seats)
    heading, *rows, total = good.splitlines()
    stranger = return_file([{"card_number": "3309000100099999996"}]).splitlines()[1]
    wrong = {
        "\n".join([heading, *rows, f"total,{len(rows) + 1}"]): "count-wrong",
        "\n".join([heading, *rows, stranger, f"total,{len(rows) + 1}"]): "card-not-in-batch",
        "\n".join([heading, *rows, rows[0], f"total,{len(rows) + 1}"]): "card-twice",
        "\n".join(["number,ident", *rows, total]): "return-file-unreadable",
        "\n".join([heading, *rows]): "return-file-unreadable",
        "\n".join([heading, rows[0] + ",more", total]): "return-file-unreadable",
        "\n".join([heading, "7,,,,,", total]): "return-file-unreadable",
        "\n".join([heading, rows[0].split(",")[0] + ",XYZ,,,,", total]): "return-file-unreadable",
        f"{heading}\ntotal,{'9' * 5_000}": "return-file-unreadable",
        f"{heading}\ntotal,²": "return-file-unreadable",
        f"{heading}\n{'x' * 200_000}\n{total}": "return-file-unreadable",
        f'{heading}\n"never closed\n{total}': "return-file-unreadable",
        f"{heading}\nbare\rreturn\n{total}": "return-file-unreadable",
        "": "return-file-unreadable",
        "\n\n": "return-file-unreadable",
        "\0": "request-invalid",
    }
    for file, code in wrong.items():
        said = await town.call(VENDOR, "POST", f"/v1/batches/{batch}/returns", json={"file": file})
        assert (said.status_code in (409, 422), problem_in(said)["code"]) == (True, code), file[:80]
    standing = await town.get(CENTRE, f"/v1/batches/{batch}")
    assert (standing["good"], standing["spoiled"], standing["in_work"]) == (0, 0, len(seats))
    read = await town.post(VENDOR, f"/v1/batches/{batch}/returns", {"file": "\ufeff" + good.replace("\n", "\r\n")})
    assert read["good"] == len(seats)
    await town.post(CENTRE, f"/v1/batches/{batch}/dispatches")
    miscounted = await town.call(CLERK, "POST", f"/v1/batches/{batch}/receipts", json={"counted": len(seats) + 1})
    assert problem_in(miscounted)["code"] == "count-differs"
    elsewhere = await town.call(HALL, "POST", f"/v1/batches/{batch}/receipts", json={"counted": len(seats)})
    assert problem_in(elsewhere)["code"] == "wrong-outlet"
    await town.post(CLERK, f"/v1/batches/{batch}/receipts", {"counted": len(seats)})


# --- ids, instants and headers ---

UNKNOWN = person_id(ZHOUSHAN, derived("nobody at all"))
ODD = ["x", "330902198706050000", f"{UNKNOWN[:-1]}{'B' if UNKNOWN[-1] == 'A' else 'A'}", f"{UNKNOWN}.0",
       UNKNOWN.lower(), UNKNOWN + "\n", "３３０９００-4K7MZQ0V5T8WX2N3", "\0", "🂡", "..", "%2e%2e%2f", "' or 1=1 --",
       "a" * 5_000, f"{UNKNOWN}.99999", "\u202e" + UNKNOWN, "é" * 20]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("path", ["/v1/persons/{}", "/v1/cards/{}", "/v1/cards/{}/loss", "/v1/batches/{}",
                                  "/v1/applications/{}", "/v1/progress/{}"])  # fmt: skip
async def test_an_id_that_was_never_given_out_is_not_found(town: Town, path: str, odd: str) -> None:
    answer = await town.call(CLERK, "GET", path.format(quote(odd, safe="")))
    said = problem_in(answer)
    assert answer.status_code in (404, 422), answer.text
    assert said["code"] in ("id-mistyped", "no-such-address", "receipt-unknown", "request-invalid")
    if len(odd) > 2:
        assert odd not in answer.text


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/persons/{}", "person-unknown"),
        ("/v1/cards/{}.1", "card-unknown"),
        ("/v1/cards/{}.1/timeline", "card-unknown"),
        ("/v1/cards/{}.1/loss", "card-unknown"),
        ("/v1/applications/{}.A0123ABCD", "application-unknown"),
        ("/v1/batches/{}", "batch-unknown"),
        ("/v1/batches/{}/order-file", "batch-unknown"),
        ("/v1/progress/0000-0000-0000", "receipt-unknown"),
    ],
)
async def test_what_could_exist_and_does_not_is_not_found(town: Town, path: str, code: str) -> None:
    await refused(town, CLERK, path.format(UNKNOWN), 404, code, method="GET")


async def test_a_card_that_nobody_issued_cannot_be_touched(town: Town) -> None:
    card, signed = f"/v1/cards/{UNKNOWN}.1", {"document": "id_card"}
    await refused(town, CLERK, f"{card}/hand-overs", 404, "card-unknown", json=signed)
    await refused(town, CLERK, f"{card}/activations", 404, "card-unknown", json={})
    for act in ("written-reports", "lifts", "reissues"):
        await refused(town, ICBC, f"{card}/{act}", 404, "card-unknown", json=signed)
    await refused(town, CLERK, f"/v1/notices/{UNKNOWN}.N0123456789AB/decisions", 404, "notice-unknown",
                  json={"send_again": True})  # fmt: skip


@pytest.mark.parametrize(
    "at",
    [
        "2026-10-01",
        "2026-10-01T09:00:00",
        "now",
        "0",
        "1790000000",
        "",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-10-01T09:00:00 08:00",
    ],
)
async def test_an_instant_without_its_offset_is_refused(town: Town, at: str) -> None:
    for path in (f"/v1/cards/{UNKNOWN}.1", f"/v1/cards/{UNKNOWN}.1/liability"):
        params = {"at": at, "function": "medical"}
        said = await refused(town, CLERK, path, 422, "request-invalid", method="GET", params=params)
        assert [fault["pointer"] for fault in said["errors"]] == ["at"]


async def test_an_instant_long_ago_or_far_ahead_is_answered(town: Town) -> None:
    _, card = await a_card_in_use(town)
    for at in ("1901-01-01T00:00:00Z", "2999-12-31T23:59:59.999+08:00"):
        found = await town.get(CLERK, f"/v1/cards/{card}", at=at)
        assert not any(one["usable"] for one in found["functions"])
        await town.get(CLERK, f"/v1/cards/{card}/liability", at=at, function="medical")
        lost = {"verified_by": "knowledge", "lost_at": at}
        assert (await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", lost))["status"] == "pre_reported"


async def test_headers_that_try_to_be_clever_change_nothing(town: Town) -> None:
    for headers in (
        {"traceparent": "00-zz-zz-zz"},
        {"traceparent": "x" * 5_000},
        {"X-Request-ID": "forged\tline"},
        {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    ):
        answer = await town.call(CLERK, "GET", f"/v1/persons/{UNKNOWN}", headers=headers)
        assert problem_in(answer)["code"] == "person-unknown"
        assert "forged" not in str(answer.headers)
    key = "a%0d%0aSet-Cookie:x"
    answer = await town.call(CLERK, "POST", f"/v1/cards/{UNKNOWN}.1/activations", key=key, json={})
    assert "set-cookie" not in answer.headers
    nothing = await town.call(CLERK, "GET", "/v1/cards%0d%0aX-Evil:%20yes")
    assert problem_in(nothing)["code"] == "no-such-address"
    assert "x-evil" not in nothing.headers


async def test_no_such_address_and_no_such_method_are_said_so(town: Town) -> None:
    assert problem_in(await town.call(CLERK, "GET", "/v1/nothing"))["code"] == "no-such-address"
    wrong = await town.call(CLERK, "DELETE", f"/v1/persons/{UNKNOWN}")
    assert problem_in(wrong)["code"] == "method-not-allowed"
    assert wrong.headers["Allow"] == "GET"


# --- two at once ---


async def test_of_two_clerks_in_the_same_millisecond_exactly_one_hands_the_card_over(town: Town) -> None:
    _, card = await a_card_at_the_outlet(town)
    clerks = [Caller(f"clerk-{nth}", "clerk", ZHOUSHAN, outlet=CLERK.outlet) for nth in range(20, 28)]
    path, body = f"/v1/cards/{card}/hand-overs", {"document": "id_card"}
    answers = await asyncio.gather(*(town.call(clerk, "POST", path, json=body) for clerk in clerks))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {problem_in(answer)["code"] for answer in answers if answer.is_error} == {"already-handed-over"}
    await town.drain()
    entries = (await town.get(CLERK, f"/v1/cards/{card}/timeline"))["entries"]
    assert [one["what"] for one in entries].count("CardActivated") == 1


async def test_lifting_and_reissuing_race_and_exactly_one_wins(town: Town) -> None:
    _, card = await a_card_in_use(town)
    signed = {"document": "id_card"}
    await town.post(ICBC, f"/v1/cards/{card}/written-reports", signed)
    lift, reissue = await asyncio.gather(
        *(town.call(ICBC, "POST", f"/v1/cards/{card}/{act}", json=signed) for act in ("lifts", "reissues"))
    )
    assert reissue.status_code == 201, "a lift that is only proposed stands in nobody's way"
    assert lift.status_code in (202, 409)
    if lift.is_error:
        assert problem_in(lift)["code"] == "already-reissued"
    else:
        look = {"proposal_id": lift.json()["proposals"][0]["proposal_id"]}
        late = await town.call(HALL, "POST", f"/v1/cards/{card}/approvals", json=look)
        assert (late.status_code, problem_in(late)["code"]) == (409, "proposal-overtaken")


async def test_a_note_with_odd_characters_goes_all_the_way(town: Town) -> None:
    """What PostgreSQL could not keep would be refused at the door; everything else reaches every read model."""
    person = await registered(town, CLERK, HRSS)
    papers = {"person_id": person, "programme": "citizen-card", "documents": ["id_card"], "portrait": PORTRAIT}
    application = (await town.post(CLERK, "/v1/applications", papers))["application_id"]
    path = f"/v1/applications/{application}/rejections"
    await town.drain()
    for reason in ("\0", "a\0b", "\ud800", "x" * 201, ""):
        content = json.dumps({"reason": reason}).encode()
        await refused(town, CLERK, path, 422, "request-invalid", content=content, headers=JSON)
    odd = "{0} %s \\u0000 <b> '\" 𠮷 🂡 \u202e ´"
    assert (await town.post(CLERK, path, {"reason": odd}))["reason"] == odd
    await town.drain()


# --- whatever else comes to mind ---

_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(
    ["id_card", "knowledge", "citizen-card", "zs-dinghai", UNKNOWN, "2026-10-01", "2026-10-01T09:00:00+08:00", "\0", ""]
)  # fmt: skip
_names = st.sampled_from(["document", "kind", "number", "name", "mobile", "reason", "file", "counted", "person_id",
                          "programme", "documents", "portrait", "to", "by_s", "verified_by", "lost_at"])  # fmt: skip
_bodies = st.dictionaries(
    _names | st.text(max_size=5),
    st.recursive(_leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3)),
    max_size=5,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(body=_bodies, nth=st.integers(0, 1_000))
async def test_no_body_whatever_is_our_fault(town: Town, body: dict[str, Any], nth: int) -> None:
    posts = sorted(path for path, acts in town.app.openapi()["paths"].items() if "post" in acts)
    path = posts[nth % len(posts)].replace("{card_id}", f"{UNKNOWN}.1")
    path = path.replace("{application_id}", f"{UNKNOWN}.A0123ABCD").replace("{notice_id}", f"{UNKNOWN}.N0123456789AB")
    path = path.replace("{person_id}", UNKNOWN).replace("{batch_id}", UNKNOWN).replace("{proposal_id}", UNKNOWN)
    content = json.dumps(body).encode()
    callers = (CLERK, CENTRE, VENDOR, HRSS, OPERATOR)
    for answer in await asyncio.gather(
        *(town.call(who, "POST", path, content=content, headers=JSON) for who in callers)
    ):
        assert answer.status_code < 500, f"{path} {body}: {answer.text}"
        if answer.is_error:
            problem_in(answer)
