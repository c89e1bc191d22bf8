"""Tests run in containers when a variable asks for it, and never because Docker happens to be there."""

import sys

import pytest

from libs.runtime.cli import SERVICES
from libs.runtime.embedded_postgres import SETTINGS
from libs.runtime.engines import CONNECTIONS_MAX
from tests import engines


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("DATABASE_URL", "POSTGRES", "KAFKA", "KAFKA_ENGINE"):
        monkeypatch.delenv(f"CITYCARD_TEST_{name}", raising=False)
    return monkeypatch


def test_without_a_variable_nobody_looks_for_docker(unset: pytest.MonkeyPatch) -> None:
    unset.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert (engines.choose_postgres(), engines.choose_kafka()) == ("embedded", "none")


def test_a_variable_asks_for_containers(unset: pytest.MonkeyPatch) -> None:
    unset.setenv("CITYCARD_TEST_POSTGRES", "docker")
    unset.setenv("CITYCARD_TEST_KAFKA_ENGINE", "docker")
    assert (engines.choose_postgres(), engines.choose_kafka()) == ("docker", "docker")


def test_an_address_wins_over_everything(unset: pytest.MonkeyPatch) -> None:
    unset.setenv("CITYCARD_TEST_POSTGRES", "docker")
    unset.setenv("CITYCARD_TEST_DATABASE_URL", "postgresql://there")
    assert engines.choose_postgres() == "env"


def test_containers_are_those_of_the_compose_file() -> None:
    assert engines.image("postgres").startswith("postgres:")
    assert engines.image("kafka").startswith("apache/kafka:4")


def test_who_asks_without_the_library_is_told_what_to_install(unset: pytest.MonkeyPatch) -> None:
    unset.setitem(sys.modules, "testcontainers.postgres", None)
    with pytest.raises(RuntimeError, match="pip install 'testcontainers"), engines.postgres_container():
        pass


def test_all_services_as_processes_of_their_own_and_an_operator_fit_into_the_embedded_database() -> None:
    superusers_only = 3
    assert (len(SERVICES) + 1) * CONNECTIONS_MAX <= int(SETTINGS["max_connections"]) - superusers_only
