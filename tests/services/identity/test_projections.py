"""What identity remembers, and what it lets pass."""

import json
from pathlib import Path

import pytest

from libs.testing.bus_contract import message
from services.identity.contracts import TELLS
from services.identity.projections import REMEMBERS, project

MUSEUM = Path(__file__).parents[3] / "schemas" / "museum"


@pytest.mark.parametrize("contract", TELLS, ids=lambda contract: contract.__name__)
def test_a_read_model_is_written_from_what_is_remembered_and_from_nothing_else(contract: type) -> None:
    """Of all else that identity tells – three letters for each person of a roll – its reader notes the place alone."""
    said = json.loads((MUSEUM / f"{contract.type_name()}.json").read_text())["data"]  # type: ignore[attr-defined]
    told = contract.model_validate(said)  # type: ignore[attr-defined]
    assert bool(list(project(told, message(0, 1)))) == (contract in REMEMBERS)
