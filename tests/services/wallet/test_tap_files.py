"""A file of taps is taken whole or refused whole, and the refusal says where and why."""

import hashlib
import io
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wallet.adapters.cryptograms import SimulatedCryptograms
from services.wallet.adapters.tap_files import (
    HEADER,
    RECORD,
    TapFile,
    TapFileUnfit,
    compose,
    inspect,
    pack,
    unpack,
)
from tests.services.wallet.tap_drawer import next_tap, tap

WHOLE = compose("bus-company", 7, [pack(tap), pack(next_tap(tap))])


def read(raw: bytes) -> TapFile:
    return inspect(io.BytesIO(raw), len(raw))


def sealed(raw: bytes) -> bytes:
    """The same file with a checksum that fits again."""
    return raw[:-32] + hashlib.sha256(raw[:-32]).digest()


def with_field(offset: int, form: str, number: int, record: int = 1) -> bytes:
    at = HEADER.size + record * RECORD.size + offset
    packed = struct.pack(form, number)
    return sealed(WHOLE[:at] + packed + WHOLE[at + len(packed) :])


def test_a_whole_file_says_what_it_is() -> None:
    about = read(WHOLE)
    assert (about.sender, about.number, about.records, about.total_fen) == ("bus-company", 7, 2, 364)


def test_the_layout_is_pinned_to_the_byte() -> None:
    assert WHOLE[:68].hex() == (
        "4343544150533031" "6275732d636f6d70616e790000000000" "00000007" "00000002" "000000000000016c"
        "2debee0f223b680b" "0001" "06" "00" "0000004d0b2d4d01" "00000001" "000000b6"
    )  # fmt: skip
    assert len(WHOLE) == 40 + 2 * 40 + 32


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda raw: b"", "does not begin with the heading"),
        (lambda raw: b"CCTAPS02" + raw[8:], "does not begin with the heading"),
        (lambda raw: raw[:-1], "announces 2 records .* and holds 1 and 39 bytes of another"),
        (lambda raw: raw[:-40], "announces 2 records .* and holds 1 "),
        (lambda raw: raw + b"\0", "announces 2 records"),
        (lambda raw: raw[:103] + b"\x09" + raw[104:], "checksum does not fit"),
        (lambda raw: sealed(raw[:36] + struct.pack(">I", 365) + raw[40:]), "says 365 fen, .* add up to 364"),
        (lambda raw: sealed(raw[:8] + b"BUS".ljust(16, b"\0") + raw[24:]), "the sender"),
        (lambda raw: sealed(raw[:24] + bytes(4) + raw[28:]), "number must be from 1"),
        (lambda raw: sealed(raw[:28] + b"\xff\xff\xff\xff" + raw[32:]), "at most 2000000"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_the_reason(spoil: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(TapFileUnfit, match=says):
        read(spoil(WHOLE))


@pytest.mark.parametrize(
    ("offset", "form", "number", "says"),
    [
        (0, ">Q", 10**18 - 1, "record 2: a card number has 19 digits"),
        (8, ">H", 0, "record 2: a purchase counter runs from 1"),
        (10, ">B", 2, "record 2: the kind 2 is no purchase"),
        (11, ">B", 1, "record 2: the byte behind the kind"),
        (12, ">Q", 10**12, "record 2: a terminal number has at most 12 digits"),
        (20, ">I", 2**31, "record 2: a terminal's sequence"),
        (24, ">I", 0, "record 2: 0 fen is no amount"),
        (24, ">I", 2**32 - 1, "record 2: 4294967295 fen is no amount"),
        (28, ">I", 2**31, "record 2: the balance"),
        (32, ">I", 1, "record 2: its moment lies before the year 2000"),
    ],
)
def test_a_record_that_cannot_be_is_named(offset: int, form: str, number: int, says: str) -> None:
    with pytest.raises(TapFileUnfit, match=says):
        read(with_field(offset, form, number))


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_single_altered_byte_goes_unnoticed(place: int, change: int) -> None:
    altered = WHOLE[:place] + bytes([WHOLE[place] ^ change]) + WHOLE[place + 1 :]
    with pytest.raises(TapFileUnfit):
        read(altered)


@given(st.integers(0, len(WHOLE) - 1))
def test_no_torn_file_goes_unnoticed(length: int) -> None:
    with pytest.raises(TapFileUnfit):
        read(WHOLE[:length])


def test_an_empty_upload_of_no_records_is_a_file_like_any_other() -> None:
    assert read(compose("bus-company", 1, [])).records == 0


def test_a_record_comes_back_as_it_was() -> None:
    assert unpack(pack(tap)) == [tap]


def test_a_card_signs_for_itself_alone_and_every_field_counts() -> None:
    cards = SimulatedCryptograms(bytes(16))
    signed = cards.sign(pack(tap))
    assert cards.genuine(signed) == [True]
    assert SimulatedCryptograms(bytes(15) + b"\1").genuine(signed) == [False]
    for place in range(len(signed)):
        altered = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
        assert cards.genuine(altered) == [False]
    other = cards.sign(pack(replace(tap, card=tap.card + 1)))
    assert cards.genuine(other + signed) == [True, True]
    assert other[-4:] != signed[-4:]
