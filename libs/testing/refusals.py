"""Every refusal of a service: for those who ask whether somebody has thought about each of them."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

from libs.kernel import Refused


def refusals_of(package: str) -> set[type[Refused]]:
    """All ways of saying no that a package declares itself."""
    return {
        found
        for module in _modules(package)
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Refused) and found.__module__ == module.__name__
    }


def raised_bare(package: str, kinds: set[type[Refused]]) -> list[str]:
    """Where a package raises one of these refusals without naming first what it cites."""
    return [
        f"{module.__name__}:{found.lineno}"
        for module in _modules(package)
        for found in ast.walk(ast.parse(Path(str(module.__file__)).read_text()))
        if isinstance(found, ast.Raise) and found.exc is not None and _is_bare(found.exc, module, kinds)
    ]


def _is_bare(raised: ast.expr, module: ModuleType, kinds: set[type[Refused]]) -> bool:
    named = raised.func if isinstance(raised, ast.Call) else raised
    path = ast.unparse(named).split(".")
    found: object = module
    for step in path:
        found = getattr(found, step, None)
    return found in kinds and not (isinstance(raised, ast.Call) and raised.args)


def _modules(package: str) -> Iterator[ModuleType]:
    top = import_module(package)
    yield top
    for module in walk_packages(top.__path__, f"{package}."):
        if ".migrations" not in module.name:
            yield import_module(module.name)
