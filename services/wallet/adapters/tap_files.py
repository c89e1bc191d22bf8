"""Uploads of taps: a binary file of fixed records, with count, total and checksum (docs/tap-files.md).

    header   40 bytes  magic "CCTAPS01", sender 16 (ASCII, padded with zeros), number u32, records u32, total u64 (fen)
    record   40 bytes  card u64, counter u16, kind u8, 0 u8, terminal u64, sequence u32, fen u32, balance u32,
                       at u32 (seconds since 1970, UTC), cryptogram 4
    trailer  32 bytes  SHA-256 over all that comes before it

All numbers are big-endian. A file that is not whole and right is refused as a whole, and the refusal says where.
"""

import hashlib
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from libs.kernel import Unfit, value
from services.wallet.domain.taps.tap import COUNTER_MAX, FEN_MAX, Tap

MAGIC = b"CCTAPS01"
HEADER = struct.Struct(">8s16sIIQ")
RECORD = struct.Struct(">QHBBQIIII4s")
TRAILER_BYTES = 32
RECORDS_MAX = 2_000_000
FILE_MAX_BYTES = HEADER.size + RECORDS_MAX * RECORD.size + TRAILER_BYTES
KINDS = (5, 6, 9)
TERMINAL_MAX = 999_999_999_999
CARD_MIN, CARD_MAX = 10**18, 2**63 - 1
AT_MIN = 946_684_800
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ_AT_ONCE = 5_000


class TapFileUnfit(Unfit):
    """The file of taps cannot be taken: {why}. Nothing was booked; have it made anew and send it again."""


@value
class TapFile:
    """What an upload says of itself, once all of it has been found true."""

    sender: str
    number: int
    records: int
    total_fen: int
    sha256: bytes


def inspect(file: BinaryIO, size: int) -> TapFile:
    """Read a whole upload and believe nothing. Raises TapFileUnfit."""
    file.seek(0)
    head = file.read(HEADER.size)
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise TapFileUnfit(why="it does not begin with the heading of a tap file (CCTAPS01)")
    _, name, number, records, total = HEADER.unpack(head)
    sender = name.rstrip(b"\0").decode("ascii", "replace")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,15}", sender):
        raise TapFileUnfit(why="the sender in the heading is not of small letters, digits and hyphens")
    if not 1 <= number <= FEN_MAX:
        raise TapFileUnfit(why="the file's number must be from 1 to 2147483647")
    if records > RECORDS_MAX:
        raise TapFileUnfit(why=f"it announces {records} records, and a file holds at most {RECORDS_MAX}")
    wanted = HEADER.size + records * RECORD.size + TRAILER_BYTES
    if size != wanted:
        whole, torn = divmod(max(0, size - HEADER.size - TRAILER_BYTES), RECORD.size)
        torn_words = f" and {torn} bytes of another" if torn else ""
        raise TapFileUnfit(
            why=f"it announces {records} records ({wanted} bytes) and holds {whole}{torn_words} ({size} bytes)"
        )
    digest, found, nth = hashlib.sha256(head), 0, 0
    while nth < records:
        part = file.read(min(_READ_AT_ONCE, records - nth) * RECORD.size)
        digest.update(part)
        found += _sum(part, nth + 1)
        nth += len(part) // RECORD.size
    checksum = file.read(TRAILER_BYTES)
    if checksum != digest.digest():
        raise TapFileUnfit(why="its checksum does not fit: something was altered or lost on the way")
    if found != total:
        raise TapFileUnfit(why=f"the heading says {total} fen, and its records add up to {found}")
    return TapFile(sender=sender, number=number, records=records, total_fen=total, sha256=checksum)


def _sum(part: bytes, first: int) -> int:
    """The money in these records, each of which is checked. Raises TapFileUnfit."""
    total = 0
    for nth, (card, counter, kind, zero, terminal, sequence, fen, balance, at, _) in enumerate(
        RECORD.iter_unpack(part), first
    ):
        if not (
            CARD_MIN <= card <= CARD_MAX and counter >= 1 and kind in KINDS and not zero and terminal <= TERMINAL_MAX
            and sequence <= FEN_MAX and 1 <= fen <= FEN_MAX and balance <= FEN_MAX and at >= AT_MIN
        ):  # fmt: skip
            raise TapFileUnfit(
                why=f"record {nth}: {_fault(card, counter, kind, zero, terminal, sequence, fen, balance)}"
            )
        total += fen
    return total


def _fault(card: int, counter: int, kind: int, zero: int, terminal: int, sequence: int, fen: int, balance: int) -> str:
    if not CARD_MIN <= card <= CARD_MAX:
        return "a card number has 19 digits"
    if counter < 1:
        return f"a purchase counter runs from 1 to {COUNTER_MAX}"
    if kind not in KINDS:
        return f"the kind {kind} is no purchase (5, 6 or 9)"
    if zero:
        return "the byte behind the kind must be 0"
    if terminal > TERMINAL_MAX:
        return "a terminal number has at most 12 digits"
    if sequence > FEN_MAX:
        return f"a terminal's sequence is at most {FEN_MAX}"
    if not 1 <= fen <= FEN_MAX:
        return f"{fen} fen is no amount; it lies between 1 and {FEN_MAX}"
    if balance > FEN_MAX:
        return "the balance that the chip says is left is too large"
    return "its moment lies before the year 2000"


def chunks(path: Path, start: int, records: int, at_once: int) -> Iterator[tuple[int, bytes]]:
    """The records of an inspected file from number `start` (0 is the first) on: (number of its first, raw records)."""
    with path.open("rb") as file:
        file.seek(HEADER.size + start * RECORD.size)
        while start < records:
            raw = file.read(min(at_once, records - start) * RECORD.size)
            if not raw:
                raise TapFileUnfit(why="it became shorter while it was read")
            yield start, raw
            start += len(raw) // RECORD.size


def pack(tap: Tap) -> bytes:
    """A tap as a record; moments are cut to the second."""
    return RECORD.pack(
        tap.card, tap.counter, tap.kind, 0, tap.terminal, tap.sequence, tap.fen, tap.balance_fen,
        int(tap.at.timestamp()), tap.tac,
    )  # fmt: skip


def unpack(raw: bytes) -> Sequence[Tap]:
    """The taps in these records."""
    return [
        Tap(
            card=card, counter=counter, terminal=terminal, sequence=sequence, fen=fen, balance_fen=balance, kind=kind,
            at=EPOCH + timedelta(seconds=at), tac=tac,
        )
        for card, counter, kind, _, terminal, sequence, fen, balance, at, tac in RECORD.iter_unpack(raw)
    ]  # fmt: skip


def compose(sender: str, number: int, records: Iterable[bytes]) -> bytes:
    """A whole file of these records, as a terminal's back office writes it."""
    body = b"".join(records)
    total = sum(fields[6] for fields in RECORD.iter_unpack(body))
    head = HEADER.pack(MAGIC, sender.encode("ascii"), number, len(body) // RECORD.size, total)
    return head + body + hashlib.sha256(head + body).digest()
