"""Where each test finds its city."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.notice.town import City


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., City]:
    """Found a city."""
    return lambda *args, **settings: City(tmp_path, *args, **settings)


@pytest.fixture
def city(found: Callable[..., City]) -> City:
    return found()
