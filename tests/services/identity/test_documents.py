"""What the counter reads from a number, and what it says when there is a slip in it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel import Refused, Unfit
from libs.kernel.checkdigits import mod_11_2, mrz
from libs.kernel.writing import normalised
from services.identity.domain.documents import (
    BirthDateAhead,
    BirthDateTooLongAgo,
    BirthDateUnreal,
    CheckCharacterWrong,
    Document,
    IssuerMisshapen,
    Kind,
    KindMistaken,
    NumberMisshapen,
    Sex,
    mask,
    read,
)

TODAY = date(2026, 3, 2)
CITIZEN = "330902198512310024"
HMT = "810000199408230021"
FOREIGNER = "911124198108030024"
PASSPORT = "E12345678"
HK = "H12345678"
TAIWAN = "12345678"


def refused(kind: Kind, text: str) -> Refused | None:
    try:
        read(kind, text, TODAY)
    except Refused as refusal:
        return refusal
    return None


def with_check(body: str) -> str:
    return body + (mrz(body) if body[0].isalpha() else mod_11_2(body))


citizen_bodies = st.builds(
    lambda area, birth, sequence: f"{area:06}{birth:%Y%m%d}{sequence:03}",
    st.integers(100_000, 799_999),
    st.dates(date(1900, 1, 1), TODAY),
    st.integers(0, 999),
)
citizens = citizen_bodies.map(with_check)
foreigners = citizen_bodies.map(lambda body: with_check("9" + body[1:]))
hmt_residents = citizen_bodies.map(lambda body: with_check("830000" + body[6:]))
foreigners_of_2017 = citizen_bodies.map(lambda body: with_check("FRA" + body[:4] + body[8:14] + body[14]))
checked = st.one_of(
    st.tuples(st.just(Kind.ID_CARD), citizens),
    st.tuples(st.just(Kind.FOREIGNER_PERMANENT_RESIDENCE), foreigners),
    st.tuples(st.just(Kind.RESIDENCE_PERMIT_HMT), hmt_residents),
    st.tuples(st.just(Kind.FOREIGNER_PERMANENT_RESIDENCE), foreigners_of_2017),
)


@pytest.mark.parametrize(
    ("kind", "number", "birth", "sex"),
    [
        (Kind.ID_CARD, "11010519491231002X", date(1949, 12, 31), Sex.FEMALE),
        (Kind.ID_CARD, "330102199001010012", date(1990, 1, 1), Sex.MALE),
        (Kind.ID_CARD, "330902198512310024", date(1985, 12, 31), Sex.FEMALE),
        (Kind.ID_CARD, "320206200002290014", date(2000, 2, 29), Sex.MALE),
        (Kind.RESIDENCE_PERMIT_HMT, "810000199408230021", date(1994, 8, 23), Sex.FEMALE),
        (Kind.RESIDENCE_PERMIT_HMT, "830000199201300022", date(1992, 1, 30), Sex.FEMALE),
        (Kind.RESIDENCE_PERMIT_HMT, "810000199001010019", date(1990, 1, 1), Sex.MALE),
        (Kind.RESIDENCE_PERMIT_HMT, "820000199001010029", date(1990, 1, 1), Sex.FEMALE),
        (Kind.RESIDENCE_PERMIT_HMT, "830000199001010012", date(1990, 1, 1), Sex.MALE),
        (Kind.FOREIGNER_PERMANENT_RESIDENCE, "911124198108030024", date(1981, 8, 3), Sex.FEMALE),
        (Kind.FOREIGNER_PERMANENT_RESIDENCE, "932682198501010017", date(1985, 1, 1), Sex.MALE),
        (Kind.FOREIGNER_PERMANENT_RESIDENCE, "933840199001010013", date(1990, 1, 1), Sex.MALE),
    ],
)
def test_a_right_number_tells_birth_and_sex(kind: Kind, number: str, birth: date, sex: Sex) -> None:
    document = read(kind, number, TODAY)
    assert (document.number, document.birth, document.sex) == (number, birth, sex)


def test_a_wrong_check_character_is_refused() -> None:
    with pytest.raises(CheckCharacterWrong):
        read(Kind.ID_CARD, "330102199001010013", TODAY)


@pytest.mark.parametrize(
    "code", ["91350100M000100Y43", "91110000600037341L", "91330100MA200022X0", "91350203M0001QAY9B"]
)
def test_the_credit_code_of_a_unit_is_no_person(code: str) -> None:
    with pytest.raises(KindMistaken, match="credit code of a unit"):
        read(Kind.ID_CARD, code, TODAY)


@given(checked, st.integers(0, 17), st.integers(1, 9))
def test_every_single_wrong_digit_is_refused(right: tuple[Kind, str], place: int, slip: int) -> None:
    kind, number = right
    place %= len(number)
    if number[place].isdigit():
        wrong = str((int(number[place]) + slip) % 10)
        with pytest.raises(Unfit):
            read(kind, number[:place] + wrong + number[place + 1 :], TODAY)


@given(citizens, st.integers(0, 16))
def test_neighbours_that_changed_places_are_refused(number: str, place: int) -> None:
    first, second = number[place], number[place + 1]
    if first != second:
        with pytest.raises(Unfit):
            read(Kind.ID_CARD, number[:place] + second + first + number[place + 2 :], TODAY)


@given(checked)
def test_a_right_number_is_read_as_it_stands(right: tuple[Kind, str]) -> None:
    kind, number = right
    assert read(kind, number, TODAY).number == number


@pytest.mark.parametrize(
    "typed",
    [
        "11010519491231002x",
        "１１０１０５１９４９１２３１００２Ｘ",
        "１１０１０５１９４９１２３１００２ｘ",
        " 110105 19491231 002X\n",
        "110105\u300019491231\u00a0002X",
        "110105-19491231-002x",
        "\u202d11010519491231002X\u202c",
        "\ufeff11010519491231002X",
    ],
)
def test_typing_habits_do_not_matter(typed: str) -> None:
    assert read(Kind.ID_CARD, typed, TODAY) == read(Kind.ID_CARD, "11010519491231002X", TODAY)


@given(st.text(max_size=80))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    "typed", ["", "٣٣٠١٠٢١٩٩٠٠١٠١٠٠١٢", "3301021990010100", "3" * 10_000, "X" * 18, "330102１" + "\x00"]
)
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(NumberMisshapen, match="an ID card has eighteen digits"):
        read(Kind.ID_CARD, typed, TODAY)


@given(st.sampled_from(Kind), st.text(max_size=90), st.text(max_size=5))
def test_whatever_is_typed_is_read_or_refused(kind: Kind, text: str, issuer: str) -> None:
    try:
        document = read(kind, text, TODAY, issuer)
    except Unfit:
        return
    assert document.number == normalised(document.number)


def test_an_area_that_nobody_knows_any_more_does_not_matter() -> None:
    assert read(Kind.ID_CARD, with_check("79999919900101001"), TODAY)


def test_a_day_that_never_was_is_refused() -> None:
    for day in ("19010229", "19900431", "19901301", "19900100", "00000101"):
        with pytest.raises(BirthDateUnreal):
            read(Kind.ID_CARD, with_check(f"330102{day}001"), TODAY)


def test_nobody_is_born_tomorrow_but_somebody_is_born_today() -> None:
    born_today = with_check("33010220260302001")
    assert read(Kind.ID_CARD, born_today, TODAY).birth == TODAY
    with pytest.raises(BirthDateAhead):
        read(Kind.ID_CARD, born_today, date(2026, 3, 1))


def test_nobody_is_older_than_a_hundred_and_fifty() -> None:
    assert read(Kind.ID_CARD, with_check("33010218750303001"), TODAY)
    with pytest.raises(BirthDateTooLongAgo):
        read(Kind.ID_CARD, with_check("33010218750302001"), TODAY)


def test_a_number_of_fifteen_digits_is_read_as_the_one_that_replaced_it() -> None:
    old = read(Kind.HOUSEHOLD_BOOK, "110105491231002", TODAY)
    assert old == read(Kind.HOUSEHOLD_BOOK, "11010519491231002X", TODAY)


def test_id_card_household_book_and_residence_permit_name_one_person() -> None:
    kinds = (Kind.ID_CARD, Kind.HOUSEHOLD_BOOK, Kind.RESIDENCE_PERMIT)
    assert {read(kind, CITIZEN, TODAY).match_key for kind in kinds} == {f"citizen:{CITIZEN}"}


@pytest.mark.parametrize(
    ("kind", "old", "renewed", "match_key"),
    [
        (Kind.HK_MACAU_PERMIT, "H1234567801", "H12345678", "hk_macau:H12345678"),
        (Kind.HK_MACAU_PERMIT, "m8765432102", "M87654321", "hk_macau:M87654321"),
        (Kind.TAIWAN_PERMIT, "1234567801(B)", "12345678", "taiwan:12345678"),
        (Kind.TAIWAN_PERMIT, "1234567801", "1234567802", "taiwan:12345678"),
    ],
)
def test_a_renewed_permit_makes_no_second_person(kind: Kind, old: str, renewed: str, match_key: str) -> None:
    assert read(kind, old, TODAY).match_key == read(kind, renewed, TODAY).match_key == match_key


def test_hong_kong_and_macau_do_not_share_people() -> None:
    keys = {read(Kind.HK_MACAU_PERMIT, number, TODAY).match_key for number in ("H12345678", "M12345678")}
    assert len(keys) == 2


def test_both_forms_of_the_permanent_residence_card_are_read() -> None:
    old = read(Kind.FOREIGNER_PERMANENT_RESIDENCE, with_check("USA11008501011"), TODAY)
    assert (old.birth, old.sex) == (date(1985, 1, 1), None)
    assert old.match_key == f"foreigner:{old.number}"


def test_two_digits_of_a_birth_year_are_read_as_the_later_century() -> None:
    def born(yymmdd: str) -> date | None:
        return read(Kind.FOREIGNER_PERMANENT_RESIDENCE, with_check(f"USA1100{yymmdd}1"), TODAY).birth

    assert born("260302") == TODAY
    assert born("260303") == date(1926, 3, 3)
    assert born("000229") == date(2000, 2, 29)


def test_passports_of_two_states_may_bear_the_same_number() -> None:
    assert read(Kind.PASSPORT, "l898902c3", TODAY).match_key == "passport:L898902C3"
    assert read(Kind.PASSPORT, "L898902C3", TODAY, issuer="uto").match_key == "passport:UTO:L898902C3"
    with pytest.raises(IssuerMisshapen):
        read(Kind.PASSPORT, "L898902C3", TODAY, issuer="Utopia")


@pytest.mark.parametrize(
    ("chosen", "number", "looks_like"),
    [
        (Kind.ID_CARD, HMT, "a residence permit for Hong Kong, Macau and Taiwan residents"),
        (Kind.ID_CARD, FOREIGNER, "a foreigner's permanent residence card"),
        (Kind.ID_CARD, with_check("USA11008501011"), "a foreigner's permanent residence card"),
        (Kind.HOUSEHOLD_BOOK, PASSPORT, "a passport"),
        (Kind.ID_CARD, HK, "a travel permit for Hong Kong and Macau residents"),
        (Kind.ID_CARD, TAIWAN, "a travel permit for Taiwan residents"),
        (Kind.RESIDENCE_PERMIT_HMT, CITIZEN, "an ID card"),
        (Kind.FOREIGNER_PERMANENT_RESIDENCE, CITIZEN, "an ID card"),
        (Kind.PASSPORT, CITIZEN, "an ID card"),
        (Kind.HK_MACAU_PERMIT, TAIWAN, "a travel permit for Taiwan residents"),
        (Kind.HK_MACAU_PERMIT, PASSPORT, "a passport"),
        (Kind.TAIWAN_PERMIT, HK, "a travel permit for Hong Kong and Macau residents"),
    ],
)
def test_a_number_under_the_wrong_kind_is_told_what_it_looks_like(chosen: Kind, number: str, looks_like: str) -> None:
    with pytest.raises(KindMistaken) as mistaken:
        read(chosen, number, TODAY)
    assert mistaken.value.details["looks_like"] == f"the number of {looks_like}"


def test_a_slip_in_the_first_digit_is_called_a_slip() -> None:
    with pytest.raises(CheckCharacterWrong):
        read(Kind.ID_CARD, "9" + CITIZEN[1:], TODAY)


@given(st.sampled_from(Kind), checked, st.integers(-1, 17))
def test_no_refusal_repeats_what_was_typed(kind: Kind, right: tuple[Kind, str], slip: int) -> None:
    number = right[1] if slip < 0 else right[1][:slip] + "Q" + right[1][slip + 1 :]
    refusal = refused(kind, number)
    if refusal:
        assert set(refusal.details) <= {"kind", "form", "looks_like"}
        assert not any(part in f"{refusal} {refusal.details}" for part in (number, number[6:14]))
        assert refusal.__cause__ is None
        assert refusal.__suppress_context__ or refusal.__context__ is None


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (CITIZEN, "330902********0024"),
        ("H12345678", "H12****78"),
        ("12345678", "12****78"),
        ("E1234", "E***4"),
        ("7", "*"),
        ("", ""),
    ],
)
def test_a_mask_leaves_what_its_holder_recognises(number: str, shown: str) -> None:
    assert mask(number) == shown


def test_a_document_in_a_log_shows_a_mask() -> None:
    assert repr(read(Kind.ID_CARD, CITIZEN, TODAY)) == "Document(id_card, 330902********0024)"
    assert f"{Document(kind=Kind.PASSPORT, number=PASSPORT, match_key='')}" == "Document(passport, E12****78)"
