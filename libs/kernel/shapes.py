"""The four kinds of value that a domain is made of; all of them frozen, slotted and keyword-only."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

_STORED_NAMES: dict[type, str] = {}


def _frozen(cls: type[T]) -> type[T]:
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """A value that is equal when its parts are equal."""
    return _frozen(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def state(cls: type[T]) -> type[T]:
    """How things can stand."""
    return _frozen(cls)


@overload
def event(cls: type[T], /) -> type[T]: ...
@overload
def event(*, stored_as: str) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True)
def event(cls: type[Any] | None = None, /, *, stored_as: str = "") -> Any:
    """A fact. It is stored for ever under a name that outlives its class: rename the class, keep `stored_as`."""
    return _named(cls, stored_as)


@overload
def command(cls: type[T], /) -> type[T]: ...
@overload
def command(*, stored_as: str) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True)
def command(cls: type[Any] | None = None, /, *, stored_as: str = "") -> Any:
    """A request. One that waits for its hour is stored too, so it bears a name like a fact."""
    return _named(cls, stored_as)


def stored_name(cls: type) -> str:
    """The name under which values of this class are stored, for example `loss-pre-reported`."""
    return _STORED_NAMES[cls]


def _named(cls: type[Any] | None, stored_as: str) -> Any:
    def name(bare: type[T]) -> type[T]:
        shaped = _frozen(bare)
        _STORED_NAMES[shaped] = stored_as or re.sub(r"(?<!^)(?=[A-Z])", "-", bare.__name__).lower()
        return shaped

    return name if cls is None else name(cls)
