"""The file of a roll: looked through whole before anything is done, then read page by page in little memory.

Line 1 is the heading, each further line a person; a last line `total,<count>` is checked if it is there. Columns:
kind, number, name, birth, mobile, facts, valid_from, reference, accurate, outlet (see docs/roll.md).
"""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import BinaryIO

from libs.kernel import Unfit
from libs.kernel.refusals import refusal_code
from services.identity.adapters.mobiles import MobileUnfit, e164
from services.identity.adapters.people import Opened
from services.identity.domain.documents import Document, IssuerMisshapen, Kind, read
from services.identity.domain.particulars import born

COLUMNS = ("kind", "number", "name", "birth", "mobile", "facts", "valid_from", "reference", "accurate", "outlet")
HEADING = ",".join(COLUMNS)
LINE_MAX_BYTES = 128 * 1024  # Ten columns of ten thousand characters still make a line; anything longer makes none.
PAGE_ROWS = 1_000
_CHARS_MAX = {"kind": 40, "number": 64, "name": 100, "birth": 20, "mobile": 40, "facts": 200, "valid_from": 20,
              "reference": 40, "accurate": 10, "outlet": 60}  # fmt: skip
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,39}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


class RollUnreadable(Unfit):
    """Line {line}, column {column}: {fault}; {remedy} Nothing was done."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file turned out to be: its bytes, its lines with the heading and without the total, its encoding."""

    digest: str
    size_bytes: int
    last_line: int
    encoding: str


class Fault(Exception):
    """Why a row cannot be right: the column, and a code that `REMEDIES` explains."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(code)
        self.field, self.code = field, code


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """A sound row."""

    line: int
    document: Document
    opened: Opened
    old_form: bool
    facts: tuple[str, ...]
    valid_from: date
    reference: str
    accurate: bool
    outlet: str


@dataclass(frozen=True, slots=True)
class Page:
    """Lines that are carried out together; `digest` is the SHA-256 of their bytes, `lines` are without line ends."""

    number: int
    first_line: int
    lines: tuple[bytes, ...]
    digest: str

    @property
    def last_line(self) -> int:
        return self.first_line + len(self.lines) - 1


REMEDIES = {
    "columns": "a row has ten columns; compare it with the heading",
    "quotes": "a quotation mark is left open; close it in the same line, or double it inside a quoted field",
    "nul": "the row holds a NUL byte, so the file was damaged or badly exported; export it again",
    "too-long": "the field is longer than any right value; compare it with the record",
    "unreadable": "the field holds characters that cannot be read; export the file again, in UTF-8",
    "kind-unknown": "name the kind of document as docs/roll.md lists them, for example id_card",
    "number-misshapen": "copy the number from the document as it is printed there",
    "check-character-wrong": "the number has a slip in it; compare it with the document",
    "kind-mistaken": "the number is that of another kind of document; compare both with the document",
    "birth-date-unreal": "the birth date in the number is not in the calendar; compare it with the document",
    "birth-date-ahead": "the birth date in the number is still to come; compare it with the document",
    "birth-date-too-long-ago": "the birth date in the number is too long ago; compare it with the document",
    "issuer-misshapen": "passports cannot be listed on a roll; the person applies at a counter",
    "birth-date-needed": "the number does not tell the birth date; fill the column birth",
    "birth-date-mismatch": "column birth and number do not agree; compare both with the document",
    "birth-date-implausible": "the birth date is still to come or too long ago; compare it with the document",
    "name-missing": "fill in the name as it is printed on the document",
    "mobile-unfit": "correct the number, or leave the column empty",
    "fact-unknown": "your department may not state this fact; leave it out, or ask the card centre",
    "day-unreal": "write a day of the calendar as YYYY-MM-DD",
    "day-ahead": "it does not hold yet; list the person when it does",
    "reference-unfit": "name your own record with letters, digits and . / _ - (no 15 digits in a row)",
    "accurate-unclear": "write yes or no",
    "outlet-unknown": "name an outlet of this city as its pack lists them",
    "twice-in-roll": "the person stands on this roll before; nothing is to be done",
    "not-insured": "no fact of which this programme asks for one; the person may apply at a counter",
    "record-not-accurate": "correct the record at its source, then list the person again",
    "no-second-generation-id": "the person needs a second-generation ID card first, or applies at a counter",
    "not-entitled": "the city's table does not entitle the person; ask why at a counter",
    "erased": "the data of this person were erased; the person registers again at a counter",
    "old-and-new-form": "the register knows this document in another form; a clerk compares (duplicate case)",
    "other-name": "the register knows this document under another name; a clerk compares (duplicate case)",
    "refused": "the register does not accept it; ask the card centre",
}


def look_through(file: BinaryIO) -> Survey:
    """Read a file once from end to end, and do nothing. Raises RollUnreadable with place and remedy."""
    seen = _Looking()
    for raw in _raw_lines(file):
        seen.line(raw)
    return seen.survey()


class _Looking:
    """What is known of a file after so many of its lines."""

    def __init__(self) -> None:
        self._hash, self._size, self._lines = hashlib.sha256(), 0, 0
        self._last = b""
        self._utf8_line = self._utf8_column = 0
        self._other: tuple[int, int] | None = None
        self._total: int | None = None

    def line(self, raw: bytes) -> None:
        self._lines += 1
        self._hash.update(raw)
        self._size += len(raw)
        self._last = raw
        if self._lines == 1:
            _refuse_wrong_heading(raw)
        if self._total is not None:
            raise _unreadable(self._lines, 1, "there is more behind the total", "Put the total into the last line.")
        if not raw.isascii():
            self._note_encoding(raw)
        elif raw.startswith(b"total,"):
            self._read_total(raw)

    def _note_encoding(self, raw: bytes) -> None:
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            self._note_other(raw, len(raw[: error.start].decode(errors="replace")) + 1)
        else:
            if not self._utf8_line and any(char > "\u0800" for char in text):
                self._utf8_line, self._utf8_column = self._lines, _first_foreign(text)
        if self._other and self._utf8_line:
            line, column = max(self._other, (self._utf8_line, self._utf8_column))
            raise _unreadable(
                line, column, "the file mixes UTF-8 and GBK", "Export it again as a whole, in UTF-8 (or all in GBK)."
            )

    def _note_other(self, raw: bytes, column: int) -> None:
        """A line that is not UTF-8: it must be GBK, every field of it."""
        if self._other is None:
            self._other = self._lines, column
        try:
            raw.decode("gb18030")
        except UnicodeDecodeError as error:
            at = max(column, len(raw[: error.start].decode("gb18030", errors="replace")) + 1)
            raise _unreadable(
                self._lines, at, "these bytes are neither UTF-8 nor GBK", "Export the file again, in UTF-8."
            ) from None
        if not self._utf8_line:
            for field in raw.split(b","):
                if not field.isascii() and _is_utf8_chinese(field):
                    self._utf8_line, self._utf8_column = self._lines, column

    def _read_total(self, raw: bytes) -> None:
        said = raw.rstrip(b"\r\n").decode().split(",", 1)[1].rstrip(",")
        found = self._lines - 2
        if not said.isdigit() or int(said) != found:
            raise _unreadable(
                self._lines, 7, f"the last line declares {said[:20]!r} persons, but {found} lines came",
                "Part of the file is missing, or too much; ask for the whole file.",
            )  # fmt: skip
        self._total = found

    def survey(self) -> Survey:
        rows = self._lines - 1 - (self._total is not None)
        if self._lines == 0:
            raise _unreadable(1, 1, "the file is empty", f"It begins with the heading {HEADING}")
        if not self._last.endswith(b"\n"):
            raise _unreadable(
                self._lines, len(self._last) + 1, "the last line has no end, so the file may be torn",
                "Ask for the whole file; if it is whole, end its last line with a line break.",
            )  # fmt: skip
        if rows == 0:
            raise _unreadable(2, 1, "there is nobody on this roll", "Put one person into each line below the heading.")
        encoding = "gb18030" if self._other else "utf-8"
        return Survey(self._hash.hexdigest(), self._size, rows + 1, encoding)


def pages(file: BinaryIO, survey: Survey, carried: Sequence[int] = (), page_rows: int = PAGE_ROWS) -> Iterator[Page]:
    """The rows of a file that was looked through, page by page.

    Pages that were carried out before end again where they ended then: `carried` are their last lines.
    """
    lines: list[bytes] = []
    first, number = 2, 1
    ends = {*carried, survey.last_line}
    full = max(carried, default=1)
    for nth, raw in enumerate(_raw_lines(file), 1):
        if nth == 1:
            continue
        if nth > survey.last_line:
            break
        lines.append(raw)
        if nth in ends or (nth > full and len(lines) == page_rows):
            yield _page(number, first, lines)
            number, first, lines = number + 1, first + len(lines), []


def _page(number: int, first_line: int, raw: list[bytes]) -> Page:
    return Page(
        number, first_line, tuple(line.rstrip(b"\r\n") for line in raw), hashlib.sha256(b"".join(raw)).hexdigest()
    )


@dataclass(frozen=True)
class Reading:
    """How the rows of one roll are read: as of a day, in an encoding, with the words that its city knows."""

    on: date
    encoding: str
    facts: frozenset[str]
    outlets: frozenset[str]

    def row(self, line: int, raw: bytes) -> Row:
        """The row in this line. Raises Fault."""
        kind_, number, name, birth_, mobile_, facts_, valid_from_, reference, accurate, outlet = self._fields(raw)
        kind = _kind(_plain(kind_))
        try:
            document = read(kind, number, self.on)
        except Unfit as refused:
            raise Fault("kind" if isinstance(refused, IssuerMisshapen) else "number", _code(refused)) from None
        if kind is Kind.PASSPORT:
            raise Fault("kind", "issuer-misshapen")
        name = " ".join(name.split())
        if not name:
            raise Fault("name", "name-missing")
        if not name.isprintable() or "\ufffd" in name:
            raise Fault("name", "unreadable")
        try:
            birth = born(document, _day("birth", birth_) if birth_.strip() else None, self.on)
        except Unfit as refused:
            raise Fault("birth", _code(refused)) from None
        try:
            mobile = e164(_plain(mobile_)) if mobile_.strip() else ""
        except MobileUnfit:
            raise Fault("mobile", "mobile-unfit") from None
        facts = tuple(dict.fromkeys(fact.strip() for fact in _plain(facts_).split("+") if fact.strip()))
        if any(fact not in self.facts for fact in facts):
            raise Fault("facts", "fact-unknown")
        valid_from = _day("valid_from", valid_from_)
        if valid_from > self.on:
            raise Fault("valid_from", "day-ahead")
        if not _REFERENCE.fullmatch(reference) or re.search(r"[0-9]{15}", reference):
            raise Fault("reference", "reference-unfit")
        if (word := _plain(accurate).lower()) not in ("yes", "no"):
            raise Fault("accurate", "accurate-unclear")
        if (outlet := _plain(outlet)) not in self.outlets:
            raise Fault("outlet", "outlet-unknown")
        return Row(
            line=line,
            document=document,
            opened=Opened(name=name, number=document.number, issuer="", birth=birth, mobile=mobile),
            old_form=kind is Kind.ID_CARD and sum(char.isalnum() for char in number) == 15,
            facts=facts,
            valid_from=valid_from,
            reference=reference,
            accurate=word == "yes",
            outlet=outlet,
        )

    def _fields(self, raw: bytes) -> list[str]:
        if b"\0" in raw:
            raise Fault("row", "nul")
        fields = cells(raw, self.encoding)
        if len(fields) != len(COLUMNS):
            raise Fault("row", "columns")
        if len(raw) > 100:
            for column, field in zip(COLUMNS, fields, strict=True):
                if len(field) > _CHARS_MAX[column]:
                    raise Fault(column, "too-long")
        return fields


def cells(raw: bytes, encoding: str) -> list[str]:
    """The fields of a line. Raises Fault."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise Fault("row", "unreadable") from None
    if '"' not in text:
        return text.split(",")
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        raise Fault("row", "quotes") from None
    return rows[0]


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise Fault("kind", "kind-unknown") from None


def _plain(text: str) -> str:
    """Full-width letters and digits as plain ones."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def _day(column: str, text: str) -> date:
    if (found := _some_day(_plain(text))) is None:
        raise Fault(column, "day-unreal")
    return found


@lru_cache(maxsize=50_000)
def _some_day(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _code(refused: Unfit) -> str:
    return refusal_code(type(refused))


def _raw_lines(file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while raw := file.readline(LINE_MAX_BYTES + 1):
        number += 1
        if len(raw) > LINE_MAX_BYTES:
            raise _unreadable(
                number, LINE_MAX_BYTES, f"the line is longer than {LINE_MAX_BYTES} bytes",
                "The line breaks may have been lost; export the file again.",
            )  # fmt: skip
        yield raw


def _refuse_wrong_heading(raw: bytes) -> None:
    if raw.startswith(_UTF16):
        raise _unreadable(1, 1, "the file is in UTF-16", "Save it in UTF-8.")
    found = raw.removeprefix(_BOM).rstrip(b"\r\n").decode("utf-8", errors="replace")
    names = [name.strip().strip('"').lower() for name in unicodedata.normalize("NFKC", found).split(",")]
    if names == list(COLUMNS):
        return
    wrong = next((n for n, (one, due) in enumerate(zip(names, COLUMNS, strict=False)) if one != due), None)
    nth = min(len(names), len(COLUMNS)) if wrong is None else wrong
    column = len(",".join(found.split(",")[:nth])) + (2 if nth else 1)
    due = f"{COLUMNS[nth]!r}" if nth < len(COLUMNS) else "the end of the line"
    there = f"{names[nth][:40]!r}" if nth < len(names) else "nothing"
    raise _unreadable(1, column, f"the heading has {there} where {due} is due", f"It must be {HEADING}")


def _is_utf8_chinese(field: bytes) -> bool:
    try:
        return any("\u3400" <= char <= "\u9fff" for char in field.decode())
    except UnicodeDecodeError:
        return False


def _first_foreign(text: str) -> int:
    return next(nth for nth, char in enumerate(text, 1) if char > "\u0800")


def _unreadable(line: int, column: int, fault: str, remedy: str) -> RollUnreadable:
    return RollUnreadable(line=line, column=column, fault=fault, remedy=remedy)


def quoted(values: list[str]) -> str:
    """A line of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()
