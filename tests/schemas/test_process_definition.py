"""The city's business is one published definition, and every service works by it because it is read from them all."""

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.cli import SERVICES, build_services, main
from libs.runtime.processes import processes
from libs.runtime.service import Service
from libs.testing.town import memory_platform, town_settings

PUBLISHED = Path(__file__).parents[2] / "schemas" / "processes.json"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> list[Service]:
    return build_services(memory_platform(town_settings(tmp_path_factory.mktemp("home"))))


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PUBLISHED.read_text())
    return found


@pytest.mark.requirement("R165")
def test_all_services_work_by_the_published_definition(services: list[Service], published: dict[str, Any]) -> None:
    assert published == processes(services)
    assert set(published["services"]) == set(SERVICES)
    for service in services:
        streams = published["services"][service.name]
        asked = {name for stream in streams.values() for name in stream["can_be_asked"]}
        happened = {name for stream in streams.values() for name in stream["can_have_happened"]}
        assert asked | happened == set(service.desks.codec.names)
    told = [sentence for stream in _streams(published) for part in stream.values() for sentence in part.values()]
    assert all(told), "every step says what it means"


def _streams(published: dict[str, Any]) -> list[dict[str, Any]]:
    return [stream for streams in published["services"].values() for stream in streams.values()]


@pytest.mark.requirement("R165")
def test_nobody_waits_for_what_nobody_tells_and_no_step_is_written_twice(
    services: list[Service], published: dict[str, Any]
) -> None:
    heard = {contract.type_name() for service in services for contract in service.hears}
    assert heard <= published["messages"].keys()
    written = Counter(
        (name, sentence)
        for message in published["messages"].values()
        for name, sentences in message["then"].items()
        for sentence in sentences
    )
    acted = {
        (service.name, reaction.__name__.replace("_", " ")) for service in services for reaction in service.reactions
    }
    assert written == dict.fromkeys(acted, 1)


@pytest.mark.requirement("R165")
def test_a_loss_can_be_followed_from_desk_to_desk(published: dict[str, Any]) -> None:
    assert "order-reissue" in published["services"]["loss"]["loss"]["can_be_asked"]
    ordered, replaced = (published["messages"][name] for name in ("loss.ReissueOrdered.v1", "issuance.CardReplaced.v1"))
    assert ordered["then"]["issuance"] == ["when a reissue is ordered make a new card"]
    assert {"loss", "notice", "wallet"} <= replaced["then"].keys()


def test_a_definition_that_is_out_of_step_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", str(tmp_path)]) == 0
    (tmp_path / "processes.json").write_text("{}")
    assert main(["schemas", str(tmp_path), "--check"]) == 1
    assert "processes.json is out of step" in capsys.readouterr().err


def test_what_a_service_tells_stands_in_its_published_language(services: list[Service]) -> None:
    for service in services:
        assert tuple(service.tells) == importlib.import_module(f"services.{service.name}.contracts").TELLS
