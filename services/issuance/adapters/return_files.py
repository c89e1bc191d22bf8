"""The card vendor's files: what is ordered, and what came back.

Both are CSV in UTF-8 with a heading. The return file has the columns below and ends with the line `total,<count>`; an
empty `failed_step` means that the card is good.
"""

import csv
import io
import re

from libs.kernel import Unfit
from services.issuance.domain.batch.commands import ReturnRow
from services.issuance.domain.batch.state import Batch, Piece

COLUMNS = ("card_number", "card_ident", "atr", "box", "failed_step", "reason")
REASON_MAX = 50  # bytes, as vendors' systems have it


class ReturnFileUnreadable(Unfit):
    """The return file cannot be read, line {line}: {why}. Nothing was read; correct it and send it again."""


def read(text: str) -> tuple[tuple[ReturnRow, ...], int]:
    """The rows of a return file and the count that its last line declares. Raises ReturnFileUnreadable."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise ReturnFileUnreadable(line=reader.line_num, why=str(error)) from error
    if not lines or tuple(lines[0][1]) != COLUMNS:
        raise ReturnFileUnreadable(line=1, why=f"the heading must be {','.join(COLUMNS)}")
    *body, (end, last) = lines
    if len(last) != 2 or last[0] != "total" or not re.fullmatch("[0-9]{1,6}", last[1]):
        raise ReturnFileUnreadable(line=end, why="the last line must be total,<count>")
    return tuple(_row(nth, line) for nth, line in body[1:]), int(last[1])


def _row(nth: int, line: list[str]) -> ReturnRow:
    if len(line) != len(COLUMNS):
        raise ReturnFileUnreadable(line=nth, why=f"{len(COLUMNS)} columns are needed, {len(line)} are there")
    number, ident, atr, box, step, reason = (field.strip() for field in line)
    if not (number.isascii() and number.isdigit() and len(number) == 19):
        raise ReturnFileUnreadable(line=nth, why="a card number has 19 digits")
    if ident and not (len(ident) == 32 and all(char in "0123456789ABCDEF" for char in ident)):
        raise ReturnFileUnreadable(line=nth, why="a card identification code has 32 hexadecimal digits in capitals")
    if len(reason.encode()) > REASON_MAX:
        raise ReturnFileUnreadable(line=nth, why=f"a reason has at most {REASON_MAX} bytes")
    return ReturnRow(line=nth, card_number=number, ident=ident, atr=atr, box=box, failed_step=step, reason=reason)


def order_file(batch: Batch) -> str:
    """What the vendor is to make: sequence, card number and holding; personal data follow sealed to the vendor."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("sequence", "card_number", "holding"))
    ordered = [(nth, seat) for nth, seat in enumerate(batch.seats, 1) if seat.piece not in (Piece.OFFERED, Piece.VOID)]
    writer.writerows((nth, seat.card_number, seat.holding_id) for nth, seat in ordered)
    writer.writerow(("total", len(ordered)))
    return out.getvalue()
