"""A return file that cannot be read says in which line, and why."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.issuance.adapters.return_files import COLUMNS, REASON_MAX, ReturnFileUnreadable, read
from services.issuance.domain.batch.commands import ReturnRow
from tests.services.issuance.card_drawer import IDENT, NUMBER, OTHER_NUMBER, bad_row, row

HEADING = "card_number,card_ident,atr,box,failed_step,reason"
GOOD = f"{NUMBER},{IDENT},3B,7/1,,"
SPOILED = f"{OTHER_NUMBER},,,,chip,dead"


def lines(*some: str, end: str = "\n") -> str:
    return end.join(some) + end


def why_not(text: str) -> tuple[object, object]:
    with pytest.raises(ReturnFileUnreadable) as refused:
        read(text)
    assert refused.value.sentence()
    return refused.value.details["line"], refused.value.details["why"]


def test_a_file_is_read_line_by_line() -> None:
    assert read(lines(HEADING, GOOD, SPOILED, "total,2")) == ((row, bad_row), 2)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_vendors_end_their_lines_as_they_like(end: str) -> None:
    assert read(lines(HEADING, GOOD, "total,1", end=end)) == ((row,), 1)
    assert read(lines(HEADING, GOOD, "total,1", end=end).rstrip()) == ((row,), 1)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read("\ufeff" + lines(HEADING, GOOD, "total,1")) == ((row,), 1)


def test_spaces_around_a_field_are_passed_over() -> None:
    assert read(lines(HEADING, f" {NUMBER} , {IDENT},3B ,7/1,,", "total,1")) == ((row,), 1)


def test_the_count_is_for_the_batch_to_judge() -> None:
    assert read(lines(HEADING, GOOD, "total,7")) == ((row,), 7)
    assert read(lines(HEADING, "total,0")) == ((), 0)


def test_empty_lines_are_passed_over_and_counted() -> None:
    rows, _ = read(lines(HEADING, "", GOOD, "", SPOILED, "total,2"))
    assert [one.line for one in rows] == [3, 5]
    assert why_not(lines(HEADING, "", "nonsense", "total,1"))[0] == 3


@pytest.mark.parametrize("text", ["", "\n\n", "card_number\n", lines(HEADING.upper(), GOOD, "total,1"), lines(GOOD)])
def test_a_file_begins_with_its_heading(text: str) -> None:
    assert why_not(text) == (1, f"the heading must be {HEADING}")
    assert ",".join(COLUMNS) == HEADING


@pytest.mark.parametrize(
    "last",
    ["", GOOD, "total", "total,", "total,one", "total,-1", "total,²", "sum,1", "total,1,1", "total," + "9" * 5000],
)
def test_a_file_ends_with_its_count(last: str) -> None:
    line, why = why_not(lines(HEADING, GOOD, last))
    assert (line, why) == (3 if last else 2, "the last line must be total,<count>")


def test_a_heading_alone_is_no_file() -> None:
    assert why_not(lines(HEADING)) == (1, "the last line must be total,<count>")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (NUMBER, "6 columns are needed, 1 are there"),
        (GOOD + ",", "6 columns are needed, 7 are there"),
        (f"{NUMBER[:-1]},{IDENT},,,,", "a card number has 19 digits"),
        (f"{NUMBER[:-1]}x,{IDENT},,,,", "a card number has 19 digits"),
        (f"{NUMBER[:-1]}²,{IDENT},,,,", "a card number has 19 digits"),
        (f"{NUMBER},{IDENT[:-1]},,,,", "a card identification code has 32 hexadecimal digits in capitals"),
        (f"{NUMBER},{IDENT.lower()},,,,", "a card identification code has 32 hexadecimal digits in capitals"),
        (f"{NUMBER},,,,chip,{'x' * (REASON_MAX + 1)}", f"a reason has at most {REASON_MAX} bytes"),
        (f"{NUMBER},,,,chip,{'坏' * 17}", f"a reason has at most {REASON_MAX} bytes"),
    ],
)
def test_a_line_that_is_wrong_says_why(line: str, why: str) -> None:
    assert why_not(lines(HEADING, GOOD, line, "total,2")) == (3, why)


def test_a_reason_of_just_fifty_bytes_is_taken() -> None:
    for reason in ("x" * REASON_MAX, "坏" * 16 + "xx"):
        [spoiled], _ = read(lines(HEADING, f"{NUMBER},,,,chip,{reason}", "total,1"))
        assert spoiled.reason == reason


@pytest.mark.parametrize("field", ["a\rb", "x" * 200_000])
def test_what_is_not_csv_is_refused_and_does_not_break_the_desk(field: str) -> None:
    line, why = why_not(lines(HEADING, GOOD, f"{NUMBER},,,{field},chip,dead", "total,2"))
    assert line in (2, 3)
    assert why


def test_a_quoted_field_may_hold_a_comma() -> None:
    assert read(lines(HEADING, f'{NUMBER},,,,chip,"dead, bent"', "total,1"))[0][0].reason == "dead, bent"


@for_all(st.text(alphabet=st.sampled_from('total,019"\r\n ²A' + NUMBER[:3]), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, lines(HEADING, text), lines(HEADING, GOOD, text, "total,1")):
        try:
            rows, _ = read(whole)
        except ReturnFileUnreadable:
            continue
        assert all(isinstance(one, ReturnRow) for one in rows)
