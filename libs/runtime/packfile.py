"""Files of a city pack: YAML that knows where each thing stands, and refuses what it would silently change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong in a pack, where, and what to do; `line` is 0 where a whole file is meant."""

    path: Path
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words}" if self.line else f"{self.path}: {self.words}"


class PackUnfit(Exception):
    """A city pack that cannot be used; the text says which file, which line and what is wrong there."""

    def __init__(self, words: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(words)
        self.findings = tuple(findings)


class _Strict(Loader):  # type: ignore[misc]
    """Refuses a key that stands twice and a date that no calendar has; YAML itself would keep the last and crash."""

    faults: list[tuple[int, str]]

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if (before := first.setdefault(str(key.value), line)) != line:
                self.faults.append(
                    (line, f"the key `{key.value}` stands here again, after line {before}; keep one of them")
                )
        return super().construct_mapping(node, deep)

    def construct_day(self, node: Any) -> Any:
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            self.faults.append(
                (node.start_mark.line + 1, f"{node.value} is a date that no calendar has; compare it with its source")
            )
            return None


_Strict.add_constructor("tag:yaml.org,2002:timestamp", _Strict.construct_day)


def read_yaml(path: Path) -> Any:
    """What stands in a file. Raises PackUnfit with every key that stands twice and every date that does not exist."""
    try:
        loader = _Strict(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = "is no UTF-8 text; save it as UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise PackUnfit(f"{path.name} {reason}", [Finding(path, 0, reason)]) from error
    loader.faults = []
    try:
        found = loader.get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        words = getattr(error, "problem", None) or "cannot be read"
        raise PackUnfit(f"{path.name} is not YAML: {error}", [Finding(path, line, f"is not YAML: {words}")]) from error
    finally:
        loader.dispose()
    if loader.faults:
        findings = [Finding(path, line, words) for line, words in loader.faults]
        raise PackUnfit("; ".join(map(str, findings)), findings)
    return found


def line_of(path: Path, steps: Sequence[str | int]) -> int:
    """The line on which this step into a YAML or JSON file stands, or the last one on the way that is there; else 0."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=Loader)
    except (OSError, ValueError, yaml.YAMLError):
        return 0
    line = 0
    for step in steps:
        children = dict(_children(node))
        if step not in children:
            break
        line, node = children[step]
    return line


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint at what somebody may have meant."""
    found = get_close_matches(word, known, 1)
    return f"; did you mean `{found[0]}`?" if found else ""


def _children(node: Any) -> Iterator[tuple[str | int, tuple[int, Any]]]:
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield key.value, (key.start_mark.line + 1, child)
    elif isinstance(node, yaml.SequenceNode):
        for nth, child in enumerate(node.value):
            yield nth, (child.start_mark.line + 1, child)
