"""The published language: generated, in step, proven by real messages, and only ever growing."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from libs.messaging.compatibility import breaks
from libs.messaging.contract import Contract
from libs.runtime.cli import SERVICES, main

SCHEMAS = Path(__file__).parents[2] / "schemas"
CONTRACTS: dict[str, type[Contract]] = {
    contract.type_name(): contract
    for service in SERVICES
    for contract in importlib.import_module(f"services.{service}.contracts").TELLS
}
MUSEUM = sorted((SCHEMAS / "museum").glob("*.json"))
RELEASED = sorted((SCHEMAS / "released").glob("*/*.json"))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_generated_files_are_in_step_with_the_code() -> None:
    assert main(["schemas", str(SCHEMAS), "--check"]) == 0


def test_a_file_that_is_out_of_step_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas", str(tmp_path)]) == 0
    (tmp_path / "contracts" / "loss.CardStopped.v1.json").write_text("{}")
    (tmp_path / "contracts" / "loss.Forgotten.v1.json").write_text("{}")
    assert main(["schemas", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().err
    assert "loss.CardStopped.v1.json" in said
    assert "loss.Forgotten.v1.json" in said
    assert "make schemas" in said


@pytest.mark.parametrize("service", SERVICES)
def test_each_openapi_document_is_one(service: str) -> None:
    validate(read(SCHEMAS / "openapi" / f"{service}.json"))


@pytest.mark.parametrize("service", SERVICES)
def test_each_path_belongs_to_one_service(service: str) -> None:
    others = {
        path for other in SERVICES if other != service for path in read(SCHEMAS / f"openapi/{other}.json")["paths"]
    }
    assert not others & read(SCHEMAS / "openapi" / f"{service}.json")["paths"].keys()


def test_every_contract_has_a_message_in_the_museum() -> None:
    assert {path.stem for path in MUSEUM} >= CONTRACTS.keys()


@pytest.mark.parametrize("path", MUSEUM, ids=lambda path: path.stem)
def test_an_old_message_parses_for_ever(path: Path) -> None:
    event = read(path)
    schema = read(SCHEMAS / "contracts" / f"{event['type']}.json")
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(event["data"])
    told = CONTRACTS[event["type"]].model_validate(event["data"])
    assert still_says(json.loads(told.model_dump_json()), event["data"])


def still_says(now: Any, once: Any) -> bool:
    """Whether all that a message said is still there, at any depth; what has been added since does no harm."""
    match now, once:
        case dict(), dict():
            return all(name in now and still_says(now[name], value) for name, value in once.items())
        case list(), list():
            return len(now) == len(once) and all(map(still_says, now, once))
    return bool(now == once)


@pytest.mark.parametrize(
    ("now", "still"),
    [
        ({"a": [{"b": 1, "new": 0}]}, True),
        ({"a": [{"b": 2}]}, False),
        ({"a": [{}]}, False),
        ({"a": []}, False),
        ({"a": [{"b": 1}, {"b": 1}]}, False),
    ],
)
def test_an_old_message_may_gain_and_never_lose(now: Any, still: bool) -> None:
    assert still_says(now, {"a": [{"b": 1}]}) is still


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_a_released_contract_only_grows_optional_fields(path: Path) -> None:
    contract = CONTRACTS.get(path.stem)
    assert contract is not None, f"{path.stem} was released and cannot be withdrawn"
    assert breaks(read(path), contract.model_json_schema(mode="serialization")) == []


FIELDS: dict[str, Any] = {"a": {"type": "string"}, "b": {"type": "integer"}}
OLD: dict[str, Any] = {"type": "object", "required": ["a"], "properties": FIELDS}


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, ""),
        ({"properties": FIELDS | {"c": {"type": "string"}}}, ""),
        ({"properties": {"a": {"type": "string"}}}, "/b: is gone"),
        ({"required": ["a", "b"]}, "/b: must now be there"),
        ({"required": []}, "/a: was always there and may now be missing"),
        ({"required": ["a", "c"], "properties": FIELDS | {"c": {}}}, "/c: is new and not optional"),
        ({"properties": FIELDS | {"b": {"type": "string"}}}, "/b: was integer, is string"),
        ({"properties": FIELDS | {"a": {"type": "string", "enum": ["x"]}}}, "/a: was string, is string x"),
    ],
)
def test_only_optional_fields_may_be_added_to_a_version(change: dict[str, Any], broken: str) -> None:
    assert breaks(OLD, OLD | change) == ([broken] if broken else [])
