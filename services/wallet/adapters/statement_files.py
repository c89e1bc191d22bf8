"""Files that go out to merchants and come in from banks, channels and terminals (docs/statement-files.md).

All have one frame, in UTF-8: a heading, the column names, the lines, and a last line with count, total and checksum.
Whoever reads one believes nothing that does not add up.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from datetime import date

from libs.kernel import Clash, Unfit, value
from services.wallet.domain.reconciliation.matching import Line, Source

FRAME = "citycard-statement"
VERSION = "1"
KINDS = tuple(Source)
COLUMNS = ("reference", "fen", "day", "posted")
FEN_MAX = 10**12
TOTAL_MAX = 10**15
"""What is larger is a mistake, and no entry of the books is."""
LINES_MAX = 1_000_000
FILE_MAX_BYTES = 100_000_000


class StatementUnfit(Unfit):
    """The file cannot be taken, line {line}: {why}. Nothing of it was used; have it made anew and send it again."""


class StatementAltered(Clash):
    """File {number} of {sender} was taken before with another content; a corrected file gets a number of its own.
    Nothing of this one was used."""


@value
class Statement:
    """A file of one sender for one day. `sha256` names its content."""

    kind: str
    sender: str
    number: int
    day: date
    lines: tuple[Line, ...]
    sha256: str = ""

    @property
    def total_fen(self) -> int:
        return sum(line.fen for line in self.lines)


def write(statement: Statement) -> str:
    """The file as it is sent."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((FRAME, VERSION, statement.kind, statement.sender, statement.number, statement.day.isoformat()))
    writer.writerow(COLUMNS)
    writer.writerows((one.reference, one.fen, one.day.isoformat(), one.posted.isoformat()) for one in statement.lines)
    body = out.getvalue()
    return body + f"total,{len(statement.lines)},{statement.total_fen},{_checksum(body)}\n"


def decoded(raw: bytes) -> str:
    """A file's text. Raises StatementUnfit."""
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        raise StatementUnfit(line=line, why="this is not UTF-8") from None


def read(text: str) -> Statement:
    """A file as it came. Raises StatementUnfit, which says where and why."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    rows = text.split("\n")
    if rows[-1] != "" or len(rows) < 4:
        raise StatementUnfit(line=len(rows), why="the file is torn: it must end with the line total,… and a line feed")
    head, columns, *lines, last = rows[:-1]
    kind, sender, number, day = _heading(head)
    if tuple(columns.split(",")) != COLUMNS:
        raise StatementUnfit(line=2, why=f"the columns must be {','.join(COLUMNS)}")
    if len(lines) > LINES_MAX:
        raise StatementUnfit(line=LINES_MAX + 3, why=f"a file holds at most {LINES_MAX} lines")
    found = tuple(_line(nth, line) for nth, line in enumerate(lines, 3))
    seen: dict[str, int] = {}
    for nth, one in enumerate(found, 3):
        if max(one.day, one.posted) > day:
            raise StatementUnfit(line=nth, why=f"a day of it lies after {day}, the day of the file")
        if kind == Source.TERMINALS and not re.fullmatch(f"[0-9]{{1,12}}/{one.day}", one.reference):
            raise StatementUnfit(line=nth, why=f"a terminal's total is called <terminal>/{one.day}, after its day")
        if (first := seen.setdefault(one.reference, nth)) != nth:
            raise StatementUnfit(line=nth, why=f"the reference stands in line {first} already")
    end = re.fullmatch(r"total,([0-9]{1,7}),(-?[0-9]{1,16}),([0-9a-f]{64})", last)
    if end is None:
        raise StatementUnfit(line=len(rows) - 1, why="the last line must be total,<count>,<fen>,<SHA-256>")
    if int(end[1]) != len(found):
        raise StatementUnfit(line=len(rows) - 1, why=f"it announces {end[1]} lines, and {len(found)} are there")
    if int(end[2]) != (total := sum(one.fen for one in found)):
        raise StatementUnfit(line=len(rows) - 1, why=f"it announces {end[2]} fen, and the lines add up to {total}")
    if abs(total) > TOTAL_MAX:
        raise StatementUnfit(line=len(rows) - 1, why=f"a file comes to {TOTAL_MAX} fen at most")
    checksum = _checksum("\n".join(rows[:-2]) + "\n")
    if end[3] != checksum:
        raise StatementUnfit(line=len(rows) - 1, why="the checksum does not fit: something was altered on the way")
    return Statement(kind=kind, sender=sender, number=number, day=day, lines=found, sha256=checksum)


def is_replay(known: Statement | None, come: Statement) -> bool:
    """Whether this file was taken before; `known` is what came under its number. Raises StatementAltered."""
    if known is None:
        return False
    if known.sha256 != come.sha256:
        raise StatementAltered(sender=come.sender, number=come.number)
    return True


def settlement(
    party: str, number: int, day: date, lines: Iterable[Line], source: Source = Source.MERCHANT
) -> Statement:
    """What a merchant, a bank or a channel is sent for a day; `sender` names whose file it is."""
    found = tuple(sorted(lines, key=lambda line: line.reference))
    return Statement(kind=source, sender=party, number=number, day=day, lines=found)


def _heading(line: str) -> tuple[str, str, int, date]:
    parts = line.split(",")
    if len(parts) != 6 or parts[0] != FRAME:
        raise StatementUnfit(line=1, why=f"the heading must be {FRAME},{VERSION},<kind>,<sender>,<number>,<day>")
    _, version, kind, sender, number, day = parts
    if version != VERSION:
        raise StatementUnfit(line=1, why=f"version {VERSION} is read, and not another")
    if kind not in KINDS:
        raise StatementUnfit(line=1, why=f"the kind must be one of {', '.join(KINDS)}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,39}", sender):
        raise StatementUnfit(line=1, why="a sender is named with small letters, digits, points and hyphens")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise StatementUnfit(line=1, why="the number of the file runs from 1")
    return kind, sender, int(number), _day(1, day)


def _line(nth: int, text: str) -> Line:
    parts = text.split(",")
    if len(parts) != len(COLUMNS):
        raise StatementUnfit(line=nth, why=f"{len(COLUMNS)} columns are needed, and {len(parts)} are there")
    reference, fen, day, posted = parts
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,200}", reference):
        raise StatementUnfit(line=nth, why="a reference has 1 to 200 letters, digits, points, slashes and hyphens")
    if not re.fullmatch(r"-?[1-9][0-9]{0,13}", fen) or abs(int(fen)) > FEN_MAX:
        raise StatementUnfit(line=nth, why="an amount is a whole number of fen, not zero, without point or comma")
    return Line(reference=reference, fen=int(fen), day=_day(nth, day), posted=_day(nth, posted))


def _day(nth: int, text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise StatementUnfit(line=nth, why="a day is written YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise StatementUnfit(line=nth, why=f"there is no day {text}") from None


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
