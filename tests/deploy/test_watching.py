"""Alerts, dashboard and runbooks speak of metrics, tables, commands and addresses that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from libs.runtime import doctor
from libs.runtime.cli import SERVICES, _parser, build_services
from libs.runtime.house import House
from libs.runtime.settings import Settings
from libs.testing.town import Town, memory_platform, town_settings, within_earshot
from tests.docs.reading import ROOT, blocks
from tests.platform import Open

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
OPERATE = ROOT / "docs" / "operate.md"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "citycard.json").read_text())


@pytest.fixture(scope="module")
async def idle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A house that has been measured once."""
    platform = memory_platform(town_settings(tmp_path_factory.mktemp("home")))
    house = House(platform, build_services(platform))
    await house.measure()
    async with within_earshot(house) as town:
        await town.web.get("/v1/city-time")
        yield town


@pytest.fixture(scope="module")
async def metrics(idle: Town) -> str:
    return (await idle.web.get("/metrics")).text


def named(text: str) -> set[str]:
    return set(re.findall(r"\bcitycard_[a-z_]+", text))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_watches_what_there_is_and_has_a_page(alert: dict[str, Any], metrics: str) -> None:
    assert named(alert["expr"]) - named(metrics) == set()
    assert named(alert["expr"]) or alert["expr"].startswith("up{")
    page = ROOT / alert["annotations"]["runbook_url"]
    assert page.read_text().startswith(f"# {alert['alert']}: ")
    assert alert["labels"]["severity"] in {"page", "ticket"}


def test_labels_in_an_alert_are_labels_of_its_metrics(metrics: str) -> None:
    labels = set(re.findall(r'[{,]([a-z_]+)="', metrics)) | {"job", "instance"}
    for alert in ALERTS:
        used = set(re.findall(r"([a-z_]+)(?:=|!=|=~|!~)\"", alert["expr"]))
        used |= {name.strip() for by in re.findall(r"by \(([^)]*)\)", alert["expr"]) for name in by.split(",")}
        used |= set(re.findall(r"\$labels\.([a-z_]+)", alert["annotations"]["summary"]))
        assert used <= labels, alert["alert"]


def test_the_doctor_and_the_alert_agree_on_how_old_is_too_old() -> None:
    (alert,) = [alert for alert in ALERTS if alert["alert"] == "CitycardOutboxAge"]
    assert alert["expr"].endswith(f"> {doctor.UNSENT_FAIL_S:.0f}")


def test_every_page_belongs_to_an_alert_and_tells_four_things() -> None:
    assert {alert["annotations"]["runbook_url"] for alert in ALERTS} == {
        str(page.relative_to(ROOT)) for page in RUNBOOKS
    }
    for page in RUNBOOKS:
        told = re.findall(r"^\*\*(.+?)\.\*\*", page.read_text(), re.MULTILINE)
        assert told == ["For citizens", "Look", "Do", "Verify"], page.name


def test_prometheus_itself_accepts_the_rules_and_plays_them() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: on Debian, apt-get install prometheus")
    for command in (["check", "config", "prometheus.yaml"], ["test", "rules", "rules_test.yaml"]):
        run = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


def test_every_alert_is_played_on_a_good_day_and_on_a_bad_one() -> None:
    names = sorted(alert["alert"] for alert in ALERTS)
    good, bad = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text())["tests"]
    assert sorted(one["alertname"] for one in good["alert_rule_test"] if not one.get("exp_alerts")) == names
    assert sorted(one["alertname"] for one in bad["alert_rule_test"] if one["exp_alerts"]) == names


def test_metrics_are_as_prometheus_wants_them(metrics: str) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: on Debian, apt-get install prometheus")
    run = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


# --- the dashboard ---


def test_the_dashboard_shows_what_there_is(metrics: str) -> None:
    assert named(json.dumps(DASHBOARD)) - named(metrics) == set()
    for panel in DASHBOARD["panels"]:
        assert panel["targets"], panel["title"]
        assert all(named(target["expr"]) for target in panel["targets"]), panel["title"]
    shown = " ".join(panel["title"].lower() for panel in DASHBOARD["panels"])
    for subject in ("requests", "latency", "refusals", "lag", "outbox", "parked", "notices"):
        assert subject in shown


def test_the_dashboard_can_be_imported() -> None:
    assert DASHBOARD["id"] is None
    assert DASHBOARD["schemaVersion"] >= 39
    assert [one["name"] for one in DASHBOARD["__inputs"]] == ["DS_PROMETHEUS"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [cell for panel in DASHBOARD["panels"] for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells)), "panels lie on one another"
    assert all(0 <= x < 24 for x, _ in cells)
    pages = re.findall(r"docs/runbooks/[a-z-]+\.md", json.dumps(DASHBOARD))
    assert all((ROOT / page).exists() for page in pages)


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y


# --- what the pages tell an operator to type ---


@pytest.mark.parametrize("page", [OPERATE, *RUNBOOKS], ids=lambda page: page.stem)
def test_commands_and_addresses_in_a_page_exist(page: Path, idle: Town) -> None:
    text = page.read_text()
    for typed in re.findall(r"^(citycard .+)$|`(citycard [a-z ]+?)`", text, re.MULTILINE):
        _parser().parse_args("".join(typed).split()[1:])
    routes = [re.sub(r"\{[^}]+\}", "[^/]+", path) for path in idle.app.openapi()["paths"]]
    for path in re.findall(r"127\.0\.0\.1:808\d(/[^\s\"?]+)", text):
        assert any(re.fullmatch(route, path) for route in routes), path


@pytest.mark.parametrize("page", [OPERATE, *RUNBOOKS], ids=lambda page: page.stem)
def test_metrics_in_a_page_exist(page: Path, metrics: str) -> None:
    assert {name for name in named(page.read_text()) if not re.search(rf"\b{name}", metrics)} == set()


async def test_questions_to_the_database_can_be_asked(open_town: Open) -> None:
    questions = [block for page in RUNBOOKS for block in blocks(page) if block.language == "sql"]
    assert questions
    async with open_town() as town:
        stored = {name for service in town.house.services for name in service.desks.codec.names}
        connection = await asyncpg.connect(town.settings.database_url)
        for block in questions:
            await connection.fetch(block.text)
            assert set(re.findall(r"name = '([^']+)'", block.text)) <= stored, str(block)
        await connection.close()


def test_every_setting_is_explained() -> None:
    told = re.findall(r"^\| `CITYCARD_([A-Z_]+)` \|", OPERATE.read_text(), re.MULTILINE)
    assert told == [name.upper() for name in Settings.model_fields]


def test_every_metric_is_explained(metrics: str) -> None:
    families = set(re.findall(r"^# TYPE (citycard_\w+?)(?:_created)? ", metrics, re.MULTILINE))
    families = {name.removesuffix("_created") for name in families}
    assert {name for name in families if name not in OPERATE.read_text()} == set()


def test_the_services_of_the_pages_are_ours() -> None:
    for page in RUNBOOKS:
        for service in re.findall(r"from ([a-z]+)\.", page.read_text()):
            assert service in SERVICES
