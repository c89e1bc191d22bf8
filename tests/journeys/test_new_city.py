"""A city that nobody has thought of is added by data alone: its own facts, rules, hours and words; no line of code."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from textwrap import dedent
from typing import Any

import pytest

from libs.runtime.cli import main
from libs.web.tokens import Caller
from tests.platform import PORTRAIT, Open, id_card, produced

DEPLOY = Path(__file__).parents[2] / "deploy"
PENGLAI = "370614"
CLERK = Caller("clerk-p", "clerk", PENGLAI, outlet="pier")
CENTRE = Caller("centre-p", "centre", PENGLAI)
VENDOR = Caller("vendor-p", "vendor", PENGLAI)
HARBOUR = Caller("harbour-p", "department", PENGLAI, department="harbour")
HOTLINE = Caller("hotline-p", "hotline", PENGLAI)

CITY = """\
code: "370614"
title: {zh: 蓬莱仙岛, en: Isle of Penglai}
when_calendar_is_unknown: guess
languages: [zh, en]
recorded: 2026-01-01
sources: {Charter of the Isle: 《仙岛章程》}
outlets:
  pier: {name: {zh: 码头, en: The Pier}, kind: hall}
departments:
  harbour: {title: {zh: 港务局, en: Harbour Office}, facts: [sails]}
words:
  fact: {sails: {zh: 出海登记, en: goes to sea}}
  programme: {isle-pass: {zh: 仙岛通, en: Isle Pass}}
"""
PROGRAMME = """\
title: {zh: 仙岛通, en: Isle Pass}
number: "77"
eligibility: [{from: 2026-01-01, basis: Charter of the Isle (1), value: who.json}]
functions: [{from: 2026-01-01, basis: Charter of the Isle (2), value: what.json}]
catalogue: [{from: 2026-01-01, basis: Charter of the Isle (2), value: [{function: ferry, opens: with_the_card}]}]
issuance:
  promise: [{from: 2026-01-01, basis: Charter of the Isle (3), value: {count: 3, unit: working_days}}]
  activation: [{from: 2026-01-01, basis: Charter of the Isle (3), value: at_hand_over}]
  validity_years: [{from: 2026-01-01, basis: Charter of the Isle (3), value: 3}]
  kept_days: [{from: 2026-01-01, basis: default, value: 30}]
  supplement_days: [{from: 2026-01-01, basis: default, value: 10}]
  documents: [{from: 2026-01-01, basis: Charter of the Isle (4), value: [id_card]}]
  collection_documents: [{from: 2026-01-01, basis: Charter of the Isle (4), value: [id_card]}]
  agent_may_collect: [{from: 2026-01-01, basis: default, value: false}]
  portrait: [{from: 2026-01-01, basis: default, value: social_card}]
"""
LOSS = """\
pre_report_window: [{from: 2026-01-01, basis: Charter of the Isle (5), value: {count: 36, unit: hours}}]
on_lapse: [{from: 2026-01-01, basis: default, value: {then: wake, warn_hours_before: 1}}]
pre_reports_max_in_30_days: [{from: 2026-01-01, basis: default, value: 3}]
pre_report_covers: [{from: 2026-01-01, basis: Charter of the Isle (5), value: [{function: ferry}]}]
written_report_covers: [{from: 2026-01-01, basis: Charter of the Isle (5), value: [{function: ferry}]}]
written_report_at: [{from: 2026-01-01, basis: default, value: [hall]}]
lift: [{from: 2026-01-01, basis: default, value: {where: any_outlet, kinds: [hall]}}]
reissue_at: [{from: 2026-01-01, basis: default, value: [hall]}]
cancel_at: [{from: 2026-01-01, basis: default, value: [hall]}]
documents: [{from: 2026-01-01, basis: default, value: [id_card]}]
"""


def table(policy: str, inputs: Mapping[str, str], outputs: list[str], rules: list[dict[str, str]]) -> str:
    content = {
        "hitPolicy": policy,
        "inputs": [{"id": name, "name": name, "field": field} for name, field in inputs.items()],
        "outputs": [{"id": name, "name": name, "field": name} for name in outputs],
        "rules": rules,
    }
    place = {"x": 0, "y": 0}
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode", "position": place},
        {"id": "table", "name": "table", "type": "decisionTableNode", "position": place, "content": content},
        {"id": "out", "name": "out", "type": "outputNode", "position": place},
    ]
    edges = [
        {"id": "1", "type": "edge", "sourceId": "in", "targetId": "table"},
        {"id": "2", "type": "edge", "sourceId": "table", "targetId": "out"},
    ]
    return json.dumps({"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges})


WHO = table(
    "first",
    {"sails": "facts.sails", "age": "age"},
    ["granted", "rule", "article", "basis", "missing"],
    [
        {
            "_id": "sailor", "sails": "true", "age": ">= 12", "granted": "true", "rule": "'sailor'",
            "article": "'Charter of the Isle (1)'", "basis": "{zh: '出海的岛民', en: 'goes to sea'}", "missing": "[]",
        },
        {
            "_id": "landlubber", "granted": "false", "rule": "'landlubber'", "article": "'Charter of the Isle (1)'",
            "basis": "{zh: '没有出海登记', en: 'the harbour knows nothing of this person'}", "missing": "['sails']",
        },
    ],
)  # fmt: skip
WHAT = table(
    "collect",
    {"sails": "facts.sails"},
    ["function", "granted", "because", "article"],
    [
        {
            "_id": "ferry.sails", "sails": "true", "function": "'ferry'", "granted": "true",
            "because": "{zh: '出海', en: 'goes to sea'}", "article": "'Charter of the Isle (2)'",
        },
        {
            "_id": "ferry.otherwise", "function": "'ferry'", "granted": "false",
            "because": "{zh: '不出海', en: 'stays ashore'}", "article": "'Charter of the Isle (2)'",
        },
    ],
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one city that exists in this file only."""
    copytree(DEPLOY / "calendars", tmp_path / "calendars")
    city = tmp_path / "cities" / "penglai"
    (city / "isle-pass").mkdir(parents=True)
    notices = (DEPLOY / "cities" / "zhoushan" / "notices.yaml").read_text()
    for name, text in {
        "city.yaml": CITY,
        "notices.yaml": notices.replace("舟山市民卡", "仙岛通").replace("Zhoushan Citizen Card", "Isle Pass"),
        "isle-pass/programme.yaml": PROGRAMME,
        "isle-pass/loss.yaml": LOSS,
        "isle-pass/who.json": WHO,
        "isle-pass/what.json": WHAT,
    }.items():
        (city / name).write_text(dedent(text))
    return tmp_path


@pytest.mark.requirement("R9", "R167")
async def test_a_city_is_added_by_data_alone(open_town: Open, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bylaws", "check", str(data)]) == 0, capsys.readouterr().err
    async with open_town(data=data) as town:
        # Somebody is registered; the verdict names the fact that is missing, in the words of the city.
        shown = {"document": id_card(), "name": "何仙姑", "mobile": "13800005678", "language": "zh"}
        person = (await town.post(CLERK, "/v1/persons", shown))["person_id"]
        await town.drain()
        why: dict[str, Any] = await town.get(CLERK, f"/v1/persons/{person}/entitlements/isle-pass/why")
        assert why["missing"] == ["sails"]
        assert "出海登记" in why["text"]["zh"]
        assert "《仙岛章程》 (1)" in why["text"]["zh"]

        # The harbour speaks; she applies, and gets a card of the isle's own series.
        fact = {"document": shown["document"], "fact": "sails", "valid_from": "2020-01-01", "reference": "S-1"}
        await town.post(HARBOUR, "/v1/facts", fact)
        await town.drain()
        papers = {"person_id": person, "programme": "isle-pass", "documents": ["id_card"], "portrait": PORTRAIT}
        taken = await town.post(CLERK, "/v1/applications", papers)
        accepted = await town.post(CLERK, f"/v1/applications/{taken['application_id']}/acceptances")
        await produced(town, "isle-pass", CENTRE, VENDOR, CLERK)
        card = f"{accepted['holding_id']}.1"
        handed = await town.post(CLERK, f"/v1/cards/{card}/hand-overs", {"document": "id_card"})
        assert handed["card_number"].startswith(f"{PENGLAI}77")
        await town.drain()
        assert await ferry(town, card)

        # A call stops it for 36 hours, as the charter says.
        stopped = await town.post(HOTLINE, f"/v1/cards/{card}/pre-reports", {"verified_by": "knowledge"})
        begins, lapses = (datetime.fromisoformat(stopped[name]) for name in ("stopped_at", "lapses_at"))
        assert lapses - begins == timedelta(hours=36)
        await town.drain()
        assert not await ferry(town, card)
        await town.advance(lapses.isoformat())
        assert await ferry(town, card)

        # Lost for good: signed for at the pier, where a new card is made that takes the old one's place in one instant.
        await town.post(CLERK, f"/v1/cards/{card}/written-reports", {"document": "id_card"})
        await town.post(CLERK, f"/v1/cards/{card}/reissues", {"document": "id_card"})
        refused = await town.post(CLERK, f"/v1/cards/{card}/lifts", {"document": "id_card"}, expect=409)
        assert refused["code"] == "already-reissued"
        await produced(town, "isle-pass", CENTRE, VENDOR, CLERK)
        new = f"{accepted['holding_id']}.2"
        second = await town.post(CLERK, f"/v1/cards/{new}/hand-overs", {"document": "id_card"})
        assert second["card_number"] > handed["card_number"]
        await town.drain()
        assert await ferry(town, new)
        old = await town.get(CLERK, f"/v1/cards/{card}")
        assert (old["status"], old["ended_at"]) == ("ended", second["active_from"])
        assert not await ferry(town, card)
        told = await town.get(CLERK, "/v1/notices", holding_id=accepted["holding_id"])
        assert "仙岛通" in told[0]["text"]


async def ferry(town: Any, card: str) -> bool:
    seen = await town.get(CLERK, f"/v1/cards/{card}")
    (one,) = seen["functions"]
    assert one["function"] == "ferry"
    return bool(one["usable"])
