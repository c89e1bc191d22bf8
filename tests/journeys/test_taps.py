"""Taps over real HTTP on PostgreSQL: a back office brings a file, and the shadow of the purse follows the chip."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg

from libs.testing.town import Town
from libs.web.tokens import Caller
from services.wallet.adapters.cryptograms import SIMULATED_MASTER, SimulatedCryptograms
from services.wallet.adapters.tap_files import compose, pack
from services.wallet.domain.taps.tap import Tap
from tests.platform import CENTRE, ZHOUSHAN

BUS = Caller("till-1", "merchant", ZHOUSHAN, outlet="zs-bus")
COLLEAGUE = Caller("centre-2", "centre", ZHOUSHAN)
AUDITOR = Caller("auditor-1", "auditor", ZHOUSHAN)
TERMINAL = 330900000001
CHIP = 3309000100000009995


def a_file(number: int, taps: Iterable[Tap], sender: str = "zs-bus") -> bytes:
    cards = SimulatedCryptograms(SIMULATED_MASTER)
    return compose(sender, number, [cards.sign(pack(one)) for one in taps])


async def a_purse(pool: asyncpg.Pool) -> None:
    """A chip whose wallet is open, as the wallet's projections write it down."""
    card = "330900-H7YMMB733997376B.1"
    await pool.execute("insert into wallet.tap_chip values ($1, $2, $3) on conflict do nothing", CHIP, card, card[:-2])
    await pool.execute("insert into wallet.tap_opened values ($1) on conflict do nothing", card[:-2])


async def put(town: Town, who: Caller, address: str, raw: bytes) -> tuple[int, dict[str, object]]:
    answer = await town.call(who, "PUT", address, content=raw)
    return answer.status_code, answer.json()


async def test_a_back_office_brings_its_taps_and_is_told_how_each_ended(town: Town) -> None:
    pool = town.house.platform.database
    assert pool is not None
    await a_purse(pool)
    terminals = [{"terminal": TERMINAL, "merchant": "zs-bus", "service": "bus"}]
    assert await town.post(CENTRE, "/v1/terminals", {"terminals": terminals}, expect=200) == {"kept": 1}
    now = datetime.fromisoformat((await town.get(CENTRE, "/v1/city-time"))["now"]).astimezone(UTC)
    first = Tap(
        card=CHIP, counter=1, terminal=TERMINAL, sequence=1, fen=182, balance_fen=4_818, kind=6,
        at=(now - timedelta(hours=2)).replace(microsecond=0), tac=bytes(4),
    )  # fmt: skip
    second = replace(first, counter=2, sequence=2, at=first.at + timedelta(minutes=20))
    dear = replace(second, counter=3, sequence=3, at=second.at + timedelta(minutes=20), fen=5_100)
    raw = a_file(1, [first, second, second, dear])

    status, told = await put(town, BUS, "/v1/tap-files/zs-bus/1", raw)
    assert (status, told["done"], told["cleared"], told["total_fen"]) == (200, True, 4, 5_646)
    assert told["classes"] == {
        "booked": {"records": 2, "fen": 364},
        "duplicate": {"records": 1, "fen": 182},
        "over_ceiling": {"records": 1, "fen": 5_100},
    }
    assert await put(town, BUS, "/v1/tap-files/zs-bus/1", raw) == (200, told)
    assert await town.get(BUS, "/v1/tap-files/zs-bus/1") == told
    rows = await pool.fetch("select account, sum(amount_fen)::bigint from wallet.posting where shard = 64 group by 1")
    assert dict(map(tuple, rows)) == {
        "purse:330900-H7YMMB733997376B.1": -5_464,
        "merchant:330900/zs-bus": 364,
        "suspense:330900/over-ceiling": 5_100,
    }

    status, told = await put(town, BUS, "/v1/tap-files/zs-bus/1", a_file(1, [first]))
    assert (status, told["code"]) == (409, "tap-file-altered")
    status, told = await put(town, BUS, "/v1/tap-files/zs-bus/2", raw)
    assert (status, told["code"]) == (422, "another-heading")
    status, told = await put(town, BUS, "/v1/tap-files/zs-bus/2", raw[:-1])
    assert (status, told["code"]) == (422, "tap-file-unfit")
    status, told = await put(town, BUS, "/v1/tap-files/zs-shop/1", raw)
    assert (status, told["code"]) == (403, "not-allowed")


async def test_a_clerk_finds_two_taps_that_contradict_each_other_and_two_people_rule_on_them(town: Town) -> None:
    pool = town.house.platform.database
    assert pool is not None
    await a_purse(pool)
    terminals = [{"terminal": TERMINAL, "merchant": "zs-bus", "service": "bus"}]
    await town.post(CENTRE, "/v1/terminals", {"terminals": terminals}, expect=200)
    now = datetime.fromisoformat((await town.get(CENTRE, "/v1/city-time"))["now"]).astimezone(UTC)
    first = Tap(
        card=CHIP, counter=40, terminal=TERMINAL, sequence=40, fen=182, balance_fen=4_818, kind=6,
        at=(now - timedelta(hours=1)).replace(microsecond=0), tac=bytes(4),
    )  # fmt: skip
    clone = replace(first, fen=364)
    nobodys = replace(first, counter=41, sequence=41, at=first.at + timedelta(minutes=5), terminal=TERMINAL + 77)
    await put(town, BUS, "/v1/tap-files/zs-bus/40", a_file(40, [first, clone, nobodys]))
    before = await shadow_of(pool)

    listed = (await town.get(AUDITOR, "/v1/tap-cases", standing="conflict"))["cases"]
    ours = [one for one in listed if one["counter"] == 40]
    assert [one["case_id"] for one in ours] == ["330900-zs-bus-40-1", "330900-zs-bus-40-2"]
    assert "请与终端原始记录核对" in ours[0]["reason"]["zh"]
    page = await town.get(CENTRE, "/v1/tap-cases", limit="1")
    assert len(page["cases"]) == 1
    assert page["next"]

    asked = {"ruling": "reject", "reason": "the terminal's own list shows the other", "evidence": "F-40"}
    waits = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-40-2/rulings", asked, expect=202)
    assert (waits["status"], waits["against"][0]["case_id"]) == ("proposed", "330900-zs-bus-40-1")
    assert await shadow_of(pool) == before
    objections, no = "/v1/tap-cases/330900-zs-bus-40-2/objections", {"reason": "that list is of another day"}
    approval = {"proposal_id": waits["ruling"]["proposal_id"]}
    opened = await town.post(COLLEAGUE, objections, approval | no)
    assert (opened["status"], opened["ruling"]) == ("open", None)
    dead = await town.post(COLLEAGUE, "/v1/tap-cases/330900-zs-bus-40-2/approvals", approval, expect=409)
    assert dead["code"] == "proposal-overtaken"
    waits = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-40-2/rulings", asked, expect=202)
    approval = {"proposal_id": waits["ruling"]["proposal_id"]}
    alone = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-40-2/approvals", approval, expect=403)
    assert alone["code"] == "same-hand"
    done = await town.post(COLLEAGUE, "/v1/tap-cases/330900-zs-bus-40-2/approvals", approval)
    assert done["status"] == "ruled"
    late = await town.post(CENTRE, objections, approval | no, expect=409)
    assert late["code"] == "proposal-overtaken"
    assert await shadow_of(pool) == before - 182
    true = await town.get(CENTRE, "/v1/tap-cases/330900-zs-bus-40-1")
    assert (true["status"], true["standing"]) == ("closed", "booked")
    again = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-40-2/rulings", asked | {"ruling": "book"}, expect=409)
    assert again["code"] == "already-ruled"

    held = (await town.get(BUS, "/v1/cities/330900/hotlist"))["newest"]
    receipt = {"version": held, "received_at": now.isoformat()}
    told = await town.post(BUS, f"/v1/terminals/{TERMINAL}/hotlist-receipts", receipt)
    assert (told["terminal"], told["version"]) == (TERMINAL, held)
    ahead = receipt | {"version": held + 1}
    refused = await town.post(BUS, f"/v1/terminals/{TERMINAL}/hotlist-receipts", ahead, expect=422)
    assert refused["code"] == "hotlist-version-unknown"

    parked = {"ruling": "issuer", "reason": "it was ours", "evidence": "F-41"}
    refused = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-40-3/rulings", parked, expect=409)
    assert refused["code"] == "merchant-not-known"
    later = [{"terminal": TERMINAL + 77, "merchant": "zs-bus", "service": "bus"}]
    await town.post(CENTRE, "/v1/terminals", {"terminals": later}, expect=200)
    judged = (await town.post(CENTRE, "/v1/tap-judgements", {}))["judged"]
    assert {"was": "terminal_unknown", "now": "booked", "records": 1, "fen": 182} in judged
    assert await shadow_of(pool) == before - 364
    gaps = (await town.get(AUDITOR, "/v1/tap-gaps"))["gaps"]
    assert [one["to_counter"] for one in gaps if one["card"] == str(CHIP)] == [39]
    await town.drain()
    assert not [home for home in town.house.households if await home.store.parked()]


async def test_what_cannot_be_true_is_parked_with_a_reason_that_a_clerk_understands(town: Town) -> None:
    pool = town.house.platform.database
    assert pool is not None
    await a_purse(pool)
    now = datetime.fromisoformat((await town.get(CENTRE, "/v1/city-time"))["now"]).astimezone(UTC)
    retired = {"terminal": TERMINAL + 5, "merchant": "zs-bus", "service": "bus"}
    retired["retired_at"] = (now - timedelta(days=1)).isoformat()
    working = {"terminal": TERMINAL, "merchant": "zs-bus", "service": "bus"}
    await town.post(CENTRE, "/v1/terminals", {"terminals": [working, retired]}, expect=200)
    ahead = Tap(
        card=CHIP, counter=60, terminal=TERMINAL, sequence=60, fen=182, balance_fen=4_818, kind=6,
        at=(now + timedelta(days=2)).replace(microsecond=0), tac=bytes(4),
    )  # fmt: skip
    gone = replace(ahead, counter=61, sequence=61, terminal=TERMINAL + 5, at=now.replace(microsecond=0))
    stranger = replace(gone, card=CHIP + 1, terminal=TERMINAL, sequence=62)
    before = await shadow_of(pool)
    status, _ = await put(town, BUS, "/v1/tap-files/zs-bus/60", a_file(60, [ahead, gone, stranger]))
    assert status == 200
    classes = (await town.get(BUS, "/v1/tap-files/zs-bus/60"))["classes"]
    assert classes.keys() == {"card_unknown", "from_the_future", "terminal_retired"}
    reasons = [(await town.get(CENTRE, f"/v1/tap-cases/330900-zs-bus-60-{line}"))["reason"] for line in (1, 2, 3)]
    for reason, zh, en in zip(reasons, ("时钟有误", "已停用", "未开通"), ("clock", "retired", "no purse"), strict=True):
        assert zh in reason["zh"]
        assert en in reason["en"]
    said = {"ruling": "reject", "reason": "the clock was two days ahead", "evidence": "F-60"}
    done = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-60-1/rulings", said)
    assert (done["status"], done["ruling"]["ruling"]) == ("ruled", "reject")
    nobody = said | {"ruling": "book"}
    refused = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-60-3/rulings", nobody, expect=409)
    assert refused["code"] == "purse-not-known"
    unknown = await town.post(CENTRE, "/v1/tap-cases/330900-zs-bus-60-9/rulings", said, expect=404)
    assert unknown["code"] == "tap-case-unknown"
    assert await shadow_of(pool) == before


async def shadow_of(pool: asyncpg.Pool) -> int:
    fen: int = await pool.fetchval(
        "select coalesce(sum(amount_fen), 0)::bigint from wallet.posting where account = $1",
        "purse:330900-H7YMMB733997376B.1",
    )
    return fen
