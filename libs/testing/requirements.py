"""Which requirement is shown by which test: `docs/requirements.md`, made from the tests' own markers.

A test says what it shows: `@pytest.mark.requirement("R41", "R42")` stands on it, its class, its module (`pytestmark`)
or one of its cases. Nothing is run here: that a test passes is the affair of `make test`.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

SAYS, PAGE = Path("docs/requirements.yaml"), Path("docs/requirements.md")


class RequirementUnknown(Exception):
    """A test claims to show a requirement that is not in docs/requirements.yaml."""


def shown_by(tests: Path) -> Mapping[str, Sequence[str]]:
    """For each requirement the tests that show it, as `folder/file.py::name`, in order."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(tests.rglob("test_*.py")):
        for number, name in _claims(ast.parse(path.read_text(encoding="utf-8")), ""):
            found[number].add(f"{path.relative_to(tests.parent)}{name}")
    return {number: sorted(names) for number, names in found.items()}


def _claims(node: ast.AST, inside: str) -> Iterator[tuple[str, str]]:
    """Each requirement with the innermost class and function, as `::Class::test`, that the marker belongs to."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        inside = f"{inside}::{node.name}"
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
        yield from ((str(ast.literal_eval(argument)), inside) for argument in node.args)
    for child in ast.iter_child_nodes(node):
        yield from _claims(child, inside)


def page(says: Mapping[str, Mapping[str, Any]], shown: Mapping[str, Sequence[str]]) -> str:
    """The page, in Markdown. Raises RequirementUnknown."""
    if strange := sorted(set(shown) - set(says)):
        raise RequirementUnknown(f"{shown[strange[0]][0]} shows {strange[0]}, which {SAYS} does not list")
    owners: dict[str, list[str]] = defaultdict(list)
    for number, about in says.items():
        owners[about["owner"]].append(number)
    lines = [
        "# What is asked for, and which test shows it",
        "",
        f"Made by `make docs` from `{SAYS}` and the markers of the tests; edit those. "
        f"**{len(shown)} of {len(says)}** are shown. What is called *later* waits for its owner to be built.",
        "",
        "| Owner | Asked for | Shown | Later |",
        "|---|---:|---:|---:|",
        *(
            f"| {owner} | {len(ours)} | {sum(n in shown for n in ours)} | "
            f"{sum(_later(says[n], n, shown) for n in ours)} |"
            for owner, ours in owners.items()
        ),
    ]
    for owner, ours in owners.items():
        lines += ["", f"## {owner.capitalize()}", "", "| | What must be true | Shown by |", "|---|---|---|"]
        for number in ours:
            about = says[number]
            source = f"{about['from']}, implied" if about.get("implied") else about["from"]
            unshown = f"*later: {owner}*" if _later(about, number, shown) else "*open*"
            tests = "<br>".join(_link(name) for name in shown.get(number, ())) or unshown
            lines.append(f"| {number} | {about['says'].replace('|', chr(92) + '|')} ({source}) | {tests} |")
    return "\n".join(lines) + "\n"


def _later(about: Mapping[str, Any], number: str, shown: Mapping[str, Sequence[str]]) -> bool:
    return bool(about.get("later")) and number not in shown


def _link(name: str) -> str:
    file, _, test = name.partition("::")
    return f"[{test.rpartition('::')[2] or Path(file).stem}](../{file})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page anew, or with `--check` say whether it is in step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of step")
    asked = parser.parse_args(arguments)
    try:
        made = page(yaml.safe_load(SAYS.read_text(encoding="utf-8")), shown_by(Path("tests")))
    except RequirementUnknown as unknown:
        sys.stderr.write(f"{unknown}\n")
        return 1
    if not asked.check:
        PAGE.write_text(made, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
        sys.stderr.write(f"{PAGE} is out of step with the tests: run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
