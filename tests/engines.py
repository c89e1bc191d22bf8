"""Which engines the tests run on; nothing changes its meaning because Docker happens to be there."""

import os


def choose_postgres() -> str:
    """`env` (CITYCARD_TEST_DATABASE_URL), `docker` when asked for, else `embedded`."""
    if os.environ.get("CITYCARD_TEST_DATABASE_URL"):
        return "env"
    return os.environ.get("CITYCARD_TEST_POSTGRES", "embedded")


def choose_kafka() -> str:
    """`env` (CITYCARD_TEST_KAFKA), `jars` when the broker's jars are asked for, else `none`."""
    if os.environ.get("CITYCARD_TEST_KAFKA"):
        return "env"
    return os.environ.get("CITYCARD_TEST_KAFKA_ENGINE", "none")
