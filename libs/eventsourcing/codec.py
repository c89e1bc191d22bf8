"""Facts and commands to JSON and back, under names that outlive their classes."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from pydantic import TypeAdapter

from libs.kernel.shapes import stored_name

Upcast = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]


def members(union: Any) -> tuple[type, ...]:
    """The classes of a union such as `Event = LossPreReported | LossLifted`, or the one class that it is."""
    return get_args(union) or (union,)


class UnknownName(Exception):
    """A stored name that this code does not know: it was written by a later release, or its class lost its name."""


class Codec:
    """Writes and reads the facts and commands of one service.

    `upcasts` turns what an earlier release stored into what this one reads: from an old name and its parsed JSON to a
    newer name and JSON, as often as needed.
    """

    def __init__(self, classes: Iterable[type], upcasts: Mapping[str, Upcast] | None = None) -> None:
        self._adapters: dict[str, TypeAdapter[Any]] = {stored_name(cls): TypeAdapter(cls) for cls in classes}
        self._upcasts = upcasts or {}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._adapters)

    def write(self, thing: Any) -> tuple[str, str]:
        """The stored name and the JSON text of a fact or a command."""
        name = stored_name(type(thing))
        return name, self._adapters[name].dump_json(thing).decode()

    def read(self, name: str, data: str) -> Any:
        """The fact or command that was stored. Raises UnknownName."""
        if name in self._upcasts:
            raw = json.loads(data)
            while name in self._upcasts:
                name, raw = self._upcasts[name](raw)
            data = json.dumps(raw)
        adapter = self._adapters.get(name)
        if adapter is None:
            raise UnknownName(name)
        return adapter.validate_json(data)
