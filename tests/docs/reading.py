"""How the pages are read: their fenced blocks, and what a shown output promises of a real one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
ANYTHING = "…"

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?:#|--|//) (\S+/\S+\.\w+)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where it stands."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])


@dataclass(frozen=True)
class Snippet:
    """A quotation: the file that it names in its first line, and the pieces that it quotes, in order."""

    block: Block
    path: str
    pieces: tuple[str, ...]


def snippets(page: Path) -> Iterator[Snippet]:
    """The blocks of a page that name a file in their first line."""
    for block in blocks(page):
        first, _, rest = block.text.partition("\n")
        if named := _PATH.fullmatch(first.strip()):
            pieces = re.split(rf"^\s*(?:#|--|//)? ?{ANYTHING}\s*$", rest, flags=re.MULTILINE)
            yield Snippet(block, named[1], tuple(filter(None, map(squeezed, pieces))))


def squeezed(text: str) -> str:
    """The same text with every stretch of white space as one space."""
    return " ".join(text.split())


def fits(shown: Any, real: Any) -> bool:
    """Whether real JSON is as shown; `…` stands for any text, for further keys, or for further items."""
    match shown:
        case dict():
            named = {key: value for key, value in shown.items() if key != ANYTHING}
            if not isinstance(real, dict) or not (named.keys() <= real.keys()):
                return False
            return (ANYTHING in shown or len(named) == len(real)) and all(fits(named[key], real[key]) for key in named)
        case list() if ANYTHING in shown:
            left = iter(real if isinstance(real, list) else [])
            return all(any(fits(item, one) for one in left) for item in shown if item != ANYTHING)
        case list():
            same_length = isinstance(real, list) and len(shown) == len(real)
            return same_length and all(map(fits, shown, real))
        case str() if ANYTHING in shown:
            return isinstance(real, str) and reads_like(shown, real)
        case _:
            return bool(shown == real)


def reads_like(shown: str, real: str) -> bool:
    """Whether real text is as shown; `…` stands for anything."""
    pattern = ".*?".join(map(re.escape, squeezed(shown).split(ANYTHING)))
    return re.fullmatch(pattern, squeezed(real), re.DOTALL) is not None
