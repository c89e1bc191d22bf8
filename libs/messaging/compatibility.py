"""A contract's version only ever gains optional fields; anything else is a new version beside it."""

from collections.abc import Iterator
from typing import Any


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What a reader of the old JSON Schema, or of old messages, would stumble over in the new one; empty if nothing."""
    return list(_breaks(old, new, old, new, ""))


def _breaks(
    old: dict[str, Any], new: dict[str, Any], old_root: dict[str, Any], new_root: dict[str, Any], where: str
) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if _kind(old) != _kind(new):
        yield f"{where or '/'}: was {_kind(old)}, is {_kind(new)}"
        return
    before, now = old.get("properties", {}), new.get("properties", {})
    needed_before, needed_now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before.keys() - now.keys()):
        yield f"{where}/{name}: is gone"
    for name in sorted(needed_now - needed_before):
        yield f"{where}/{name}: {'must now be there' if name in before else 'is new and not optional'}"
    for name in sorted(needed_before - needed_now & now.keys()):
        if name in now:
            yield f"{where}/{name}: was always there and may now be missing"
    for name in sorted(before.keys() & now.keys()):
        yield from _breaks(before[name], now[name], old_root, new_root, f"{where}/{name}")
    if "items" in old and "items" in new:
        yield from _breaks(old["items"], new["items"], old_root, new_root, f"{where}[]")


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Any = root
    for step in schema["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    resolved: dict[str, Any] = found
    return resolved


def _kind(schema: dict[str, Any]) -> str:
    """What a value may be: its type, format and constants, regardless of titles and descriptions."""
    if "anyOf" in schema:
        return " or ".join(sorted(_kind(one) for one in schema["anyOf"]))
    constants = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    words = [str(schema.get("type", "anything")), schema.get("format", ""), *map(str, constants)]
    return " ".join(word for word in words if word)
