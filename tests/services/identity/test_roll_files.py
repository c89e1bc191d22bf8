"""A roll's file: what is refused whole, with place and remedy, and what is refused row by row."""

import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.identity.adapters.mobiles import MobileUnfit, _e164, e164
from services.identity.adapters.roll_files import (
    HEADING,
    LINE_MAX_BYTES,
    REMEDIES,
    Fault,
    Reading,
    RollUnreadable,
    Survey,
    look_through,
    pages,
)
from services.simulation.rolls import manifest_of, write

GOOD = "id_card,330902198512310024,林小舟,,13800005678,insured_employee,2020-01-01,HR-1,yes,zs-hall"
READING = Reading(
    on=date(2026, 9, 1),
    encoding="utf-8",
    facts=frozenset({"insured_employee", "insured_resident", "pension_insured"}),
    outlets=frozenset({"zs-hall"}),
)


def looked(data: bytes) -> Survey:
    return look_through(io.BytesIO(data))


def file(*rows: str, heading: str = HEADING, end: str = "\n") -> bytes:
    return "".join(line + end for line in (heading, *rows)).encode()


def refused(data: bytes) -> tuple[int, int, str]:
    with pytest.raises(RollUnreadable) as why:
        looked(data)
    assert str(why.value).count(";") >= 1
    assert why.value.details["remedy"]
    return why.value.details["line"], why.value.details["column"], str(why.value)  # type: ignore[return-value]


class TestWhole:
    def test_a_sound_file_is_measured(self) -> None:
        survey = looked(file(GOOD, GOOD))
        assert (survey.last_line, survey.encoding, survey.size_bytes) == (3, "utf-8", len(file(GOOD, GOOD)))

    def test_a_mark_at_the_beginning_and_windows_line_ends_do_no_harm(self) -> None:
        data = b"\xef\xbb\xbf" + file(GOOD, end="\r\n")
        survey = looked(data)
        (page,) = pages(io.BytesIO(data), survey)
        assert READING.row(2, page.lines[0]).outlet == "zs-hall"

    def test_a_total_is_checked(self) -> None:
        assert looked(file(GOOD, GOOD, "total,2")).last_line == 3
        assert refused(file(GOOD, "total,2"))[:2] == (3, 7)
        assert refused(file("total,0", GOOD))[0] == 3

    @pytest.mark.parametrize(
        ("data", "place"),
        [
            (b"", (1, 1)),
            (file(), (2, 1)),
            (file(GOOD, heading="kind,numbr,name"), (1, 6)),
            (file(GOOD, heading=HEADING + ",extra"), (1, len(HEADING) + 2)),
            (file(GOOD, heading="kind,number"), (1, 13)),
            (file(GOOD)[:-1], (2, len(GOOD.encode()) + 1)),
            (file(GOOD).decode().encode("utf-16"), (1, 1)),
            (file(GOOD, "x" * (LINE_MAX_BYTES + 1)), (3, LINE_MAX_BYTES)),
        ],
    )
    def test_what_is_wrong_as_a_whole_is_refused_with_its_place(self, data: bytes, place: tuple[int, int]) -> None:
        assert refused(data)[:2] == place

    def test_gbk_is_read_as_well(self) -> None:
        data = file(GOOD).decode().encode("gbk")
        survey = looked(data)
        (page,) = pages(io.BytesIO(data), survey)
        assert survey.encoding == "gb18030"
        row = Reading(READING.on, survey.encoding, READING.facts, READING.outlets).row(2, page.lines[0])
        assert row.opened.name == "林小舟"

    def test_two_encodings_in_one_file_are_refused_at_the_line_where_they_meet(self) -> None:
        utf8, gbk = (GOOD + "\n").encode(), (GOOD + "\n").encode("gbk")
        head = (HEADING + "\n").encode()
        for data in (head + utf8 + gbk, head + gbk + utf8):
            line, column, said = refused(data)
            assert (line, column) == (3, GOOD.index("林") + 1)
            assert "UTF-8" in said
        mixed = gbk[:-1].replace(b"zs-hall", "舟山大厅".encode()) + b"\n"
        assert refused(head + mixed)[0] == 2

    def test_bytes_of_no_encoding_are_refused(self) -> None:
        line, column, _ = refused(file(GOOD)[:-1] + b"\xff\xff\n")
        assert (line, column) == (2, len(GOOD) + 1)

    def test_pages_end_again_where_they_ended_before(self) -> None:
        data = file(*[GOOD] * 10)
        survey = looked(data)
        first = [(p.number, p.first_line, p.last_line) for p in pages(io.BytesIO(data), survey, page_rows=4)]
        assert first == [(1, 2, 5), (2, 6, 9), (3, 10, 11)]
        again = [(p.number, p.first_line, p.last_line) for p in pages(io.BytesIO(data), survey, [5], page_rows=3)]
        assert again == [(1, 2, 5), (2, 6, 8), (3, 9, 11)]


class TestRow:
    def test_what_keyboards_add_does_no_harm(self) -> None:
        row = "id_card,３３０９０２１９８５１２３１００２４, 林小舟 ,,１３８００００５６７８,"
        row += "insured_employee,２０２０-０１-０１,HR-1,YES,zs-hall"
        read = READING.row(2, row.encode())
        assert (read.opened.number, read.opened.name, read.opened.mobile) == (
            "330902198512310024", "林小舟", "+8613800005678",
        )  # fmt: skip
        lower = READING.row(2, GOOD.replace("330902198512310024", "11010519491231002x").encode())
        assert lower.opened.number == "11010519491231002X"
        quoted_row = READING.row(2, GOOD.replace("林小舟", '"林,小舟"').encode())
        assert quoted_row.opened.name == "林,小舟"

    @pytest.mark.parametrize(
        ("before", "after", "field", "code"),
        [
            ("330902198512310024", "330902198512310025", "number", "check-character-wrong"),
            ("330902198512310024", "33090219851231002", "number", "number-misshapen"),
            ("id_card", "card", "kind", "kind-unknown"),
            ("id_card,330902198512310024", "passport,E1234567", "kind", "issuer-misshapen"),
            ("林小舟", "", "name", "name-missing"),
            ("林小舟", "林\x07舟", "name", "unreadable"),
            ("林小舟", "林" * 10_000, "name", "too-long"),
            ("林小舟", "林\0舟", "row", "nul"),
            ("林小舟", '"林小舟', "row", "quotes"),
            (",yes", "", "row", "columns"),
            ("13800005678", "12345", "mobile", "mobile-unfit"),
            ("insured_employee", "hukou", "facts", "fact-unknown"),
            ("2020-01-01", "2021-02-29", "valid_from", "day-unreal"),
            ("2020-01-01", "2026-09-02", "valid_from", "day-ahead"),
            ("林小舟,", "林小舟,1985-13-01", "birth", "day-unreal"),
            ("林小舟,", "林小舟,1986-01-01", "birth", "birth-date-mismatch"),
            ("HR-1", "330902198512310024", "reference", "reference-unfit"),
            ("yes", "perhaps", "accurate", "accurate-unclear"),
            ("zs-hall", "nowhere", "outlet", "outlet-unknown"),
        ],
    )
    def test_what_cannot_be_right_is_named_with_its_column_and_a_remedy(
        self, before: str, after: str, field: str, code: str
    ) -> None:
        with pytest.raises(Fault) as fault:
            READING.row(2, GOOD.replace(before, after, 1).encode())
        assert (fault.value.field, fault.value.code) == (field, code)
        assert REMEDIES[code]

    @given(st.binary(max_size=300))
    @settings(max_examples=300)
    def test_any_bytes_are_a_row_or_a_fault_that_can_be_explained(self, raw: bytes) -> None:
        code = ""
        try:
            READING.row(2, raw)
        except Fault as fault:
            code = fault.code
        assert not code or code in REMEDIES


@given(st.from_regex(r"1[0-9]{10}", fullmatch=True))
@settings(max_examples=500)
def test_a_chinese_number_is_judged_by_its_pattern_as_by_all_that_the_library_knows(number: str) -> None:
    def judged(by: object) -> str:
        try:
            return str(by(number))  # type: ignore[operator]
        except MobileUnfit:
            return "unfit"

    assert judged(e164) == judged(_e164)


def test_the_same_seed_makes_the_same_roll_to_the_byte(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    assert write(one, 500, seed=5) == write(other, 500, seed=5)
    assert one.read_bytes() == other.read_bytes()
    assert manifest_of(one).read_bytes() == manifest_of(other).read_bytes()
    write(other, 500, seed=6)
    assert one.read_bytes() != other.read_bytes()
