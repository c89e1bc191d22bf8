"""The published language as files: JSON Schema for each contract, OpenAPI for each service, written from the code."""

import importlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from libs.messaging.contract import Contract
from libs.runtime.app import describe_problems
from libs.web.problems import EVERYWHERE


def schemas(services: Sequence[str], routers: dict[str, APIRouter]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every generated file, by its path under `schemas/`."""
    for service in services:
        for contract in importlib.import_module(f"services.{service}.contracts").TELLS:
            yield f"contracts/{contract.type_name()}.json", schema_of(contract)
        yield f"openapi/{service}.json", openapi_of(service, routers[service])


def schema_of(contract: type[Contract]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a contract's data."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"citycard:{contract.type_name()}",
        **contract.model_json_schema(mode="serialization"),
    }


def openapi_of(service: str, router: APIRouter) -> dict[str, Any]:
    """The OpenAPI 3.1 document of one service."""
    promise = (importlib.import_module(f"services.{service}").__doc__ or "").strip()
    app = FastAPI(
        title=f"citycard {service}",
        description=promise,
        version="1",
        responses=EVERYWHERE,
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(router)
    describe_problems(app)
    return app.openapi()


def write_schemas(folder: Path, services: Sequence[str], routers: dict[str, APIRouter]) -> list[Path]:
    """Write every generated file; returns those that changed. What is no longer generated is taken away."""
    changed = []
    wanted = {folder / path: _text(schema) for path, schema in schemas(services, routers)}
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(path)
    for stale in (path for kind in ("contracts", "openapi") for path in (folder / kind).glob("*.json")):
        if stale not in wanted:
            stale.unlink()
            changed.append(stale)
    return changed


def stale_schemas(folder: Path, services: Sequence[str], routers: dict[str, APIRouter]) -> list[Path]:
    """The generated files that are not in step with the code."""
    wanted = {folder / path: _text(schema) for path, schema in schemas(services, routers)}
    there = {path for kind in ("contracts", "openapi") for path in (folder / kind).glob("*.json")}
    return sorted(
        {path for path, text in wanted.items() if not path.exists() or path.read_text() != text} | there - wanted.keys()
    )


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
