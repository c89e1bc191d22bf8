"""The published language as files: a schema for each contract, OpenAPI for each service, and the processes."""

import importlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from libs.messaging.bus import PARTITIONS, topic_of
from libs.messaging.contract import Contract
from libs.runtime.app import describe_problems
from libs.runtime.processes import processes
from libs.runtime.service import Service
from libs.web.problems import EVERYWHERE


def schemas(services: Sequence[Service]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every generated file, by its path under `schemas/`."""
    for service in services:
        for contract in service.tells:
            yield f"contracts/{contract.type_name()}.json", schema_of(contract)
        yield f"openapi/{service.name}.json", openapi_of(service.name, service.router)
    yield "asyncapi.json", asyncapi_of([service.name for service in services])
    yield "processes.json", processes(services)


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


def asyncapi_of(services: Sequence[str]) -> dict[str, Any]:
    """The AsyncAPI 3 document: a channel for each service, and every message that may come on it."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for service in services:
        module = importlib.import_module(f"services.{service}.contracts")
        channels[service] = {
            "address": topic_of(service),
            "description": (module.__doc__ or "").strip(),
            "bindings": {"kafka": {"partitions": PARTITIONS, "bindingVersion": "0.5.0"}},
            "messages": {contract.__name__: _message(contract, parts) for contract in module.TELLS},
        }
        operations[f"hear_{service}"] = {"action": "send", "channel": {"$ref": f"#/channels/{service}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "citycard, the card-lifecycle log",
            "version": "1",
            "description": "CloudEvents 1.0 on Kafka in binary mode: attributes are headers `ce_…`, the value is JSON. "
            "`ce_id` is `<service>/<shard>/<sequence>`, gap-free from 1 in each shard; the key is the routing key.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": parts, "messageTraits": {"cloudEvent": {"headers": _HEADERS}}},
    }


def _message(contract: type[Contract], parts: dict[str, Any]) -> dict[str, Any]:
    payload = contract.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    parts.update(payload.pop("$defs", {}))
    return {
        "name": contract.type_name(),
        "summary": (contract.__doc__ or "").strip(),
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": payload,
    }


_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_partitionkey"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "pattern": "^[a-z]+/[0-9]+/[0-9]+$"},
        "ce_source": {"type": "string"},
        "ce_type": {"type": "string"},
        "ce_subject": {"type": "string", "description": "The stream."},
        "ce_streamversion": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_partitionkey": {"type": "string"},
        "ce_actor": {"type": "string", "description": "Role and opaque id of whoever acted."},
        "ce_channel": {"type": "string"},
        "ce_traceparent": {"type": "string"},
    },
}


def write_schemas(folder: Path, services: Sequence[Service]) -> list[Path]:
    """Write every generated file; returns those that changed. What is no longer generated is taken away."""
    changed = []
    wanted = {folder / path: _text(schema) for path, schema in schemas(services)}
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(path)
    for stale in _generated(folder):
        if stale not in wanted:
            stale.unlink()
            changed.append(stale)
    return changed


def stale_schemas(folder: Path, services: Sequence[Service]) -> list[Path]:
    """The generated files that are not in step with the code."""
    wanted = {folder / path: _text(schema) for path, schema in schemas(services)}
    there = set(_generated(folder))
    differing = {path for path, text in wanted.items() if not path.exists() or path.read_text() != text}
    return sorted(differing | there - wanted.keys())


def _generated(folder: Path) -> list[Path]:
    return [path for kind in ("contracts", "openapi") for path in (folder / kind).glob("*.json")]


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
