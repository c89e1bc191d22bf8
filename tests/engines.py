"""Which engines the tests run on; nothing changes its meaning because Docker happens to be there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import yaml

COMPOSE = "deploy/compose.yaml"


def choose_postgres() -> str:
    """`env` (CITYCARD_TEST_DATABASE_URL), `docker` when asked for, else `embedded`."""
    if os.environ.get("CITYCARD_TEST_DATABASE_URL"):
        return "env"
    return os.environ.get("CITYCARD_TEST_POSTGRES", "embedded")


def choose_kafka() -> str:
    """`env` (CITYCARD_TEST_KAFKA), `jars` or `docker` when asked for, else `none`."""
    if os.environ.get("CITYCARD_TEST_KAFKA"):
        return "env"
    return os.environ.get("CITYCARD_TEST_KAFKA_ENGINE", "none")


@contextmanager
def postgres_container() -> Iterator[str]:
    """The PostgreSQL of compose.yaml in a container of its own; its address."""
    kind = _testcontainers("postgres", "PostgresContainer")
    with kind(image("postgres"), username="citycard", password="citycard", dbname="postgres", driver=None) as started:
        yield started.get_connection_url()


@contextmanager
def kafka_container() -> Iterator[str]:
    """The Kafka of compose.yaml in a container of its own; its address."""
    with _testcontainers("kafka", "KafkaContainer")(image("kafka")).with_kraft() as started:
        yield started.get_bootstrap_server()


def image(service: str) -> str:
    """The image that compose.yaml names for an engine."""
    with open(COMPOSE) as file:
        named: str = yaml.safe_load(file)["services"][service]["image"]
    return named


def _testcontainers(module: str, name: str) -> Any:
    try:
        return getattr(import_module(f"testcontainers.{module}"), name)
    except ImportError as missing:
        raise RuntimeError(
            "Docker was asked for by variable: pip install 'testcontainers[kafka,postgres]', or unset "
            "CITYCARD_TEST_POSTGRES and CITYCARD_TEST_KAFKA_ENGINE"
        ) from missing
