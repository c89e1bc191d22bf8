"""The glossary names words that the code really uses, each once."""

import re
from collections import Counter
from functools import cache

import pytest

from tests.docs.reading import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
READ = ("libs/**/*.py", "services/**/*.py", "services/**/*.sql", "deploy/**/*.yaml", "deploy/**/*.json")


def _rows() -> list[list[str]]:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if "`" in "".join(row)]


def _identifiers() -> list[str]:
    """What stands in code marks in the column of identifiers, which is the last but one."""
    return [identifier for row in _rows() for identifier in re.findall(r"`([^`]+)`", row[-2])]


@cache
def _code() -> str:
    files = [path for pattern in READ for path in sorted(ROOT.glob(pattern))]
    names = " ".join(str(path.relative_to(ROOT)) for path in files)
    return names + " ".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("identifier", _identifiers())
def test_every_identifier_occurs_in_the_code(identifier: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(identifier)}(?![\w-])", _code())


def test_every_row_says_what_its_word_means() -> None:
    assert _rows()
    assert all(len(row) in (3, 5) and all(row) for row in _rows())


def test_one_word_stands_for_one_thing() -> None:
    words = Counter(row[0] for row in _rows())
    assert [word for word, times in words.items() if times > 1] == []
