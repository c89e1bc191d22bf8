"""Each tap ends in one class, and the books do not care in which order the taps came."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.wallet.domain.taps.bylaw import Bearer, TapBylaw
from services.wallet.domain.taps.clearing import (
    EMPTY,
    Record,
    Register,
    books,
    clear,
    contradictions,
    gaps,
    judge_again,
    legs,
    rule,
    standings,
)
from services.wallet.domain.taps.tap import PARKED, Class, Ruling, Tap
from tests.services.wallet.tap_drawer import (
    BUS,
    LIN,
    LOST,
    METRO,
    NOBODYS,
    OLD,
    STRANGER,
    UNDER,
    WANG,
    WORLD,
    bylaws,
    deliveries,
    good,
    later,
    next_tap,
    records,
    rulings_on,
    tap,
)


def cleared(*uploads: list[Record]) -> tuple[Register, list[Class]]:
    """The register after these uploads, and the classes of the last one's records."""
    register = EMPTY
    classes: tuple[Class, ...] = ()
    for upload in uploads:
        register, classes = clear(register, upload, WORLD)
    return register, list(classes)


def classes_of(*uploads: list[Record]) -> list[Class]:
    return cleared(*uploads)[1]


second = next_tap(tap)
third = next_tap(second)


def test_a_tap_is_booked_from_the_purse_to_the_merchant() -> None:
    register, classes = cleared(good(tap))
    assert classes == [Class.BOOKED]
    assert books(register, WORLD) == {"purse:lin": -182, "merchant:330900/bus-one": 182}


def test_a_tap_that_comes_twice_is_booked_once() -> None:
    assert classes_of(good(tap, tap)) == [Class.BOOKED, Class.DUPLICATE]
    register, classes = cleared(good(tap), good(tap))
    assert classes == [Class.DUPLICATE]
    assert books(register, WORLD)["purse:lin"] == -182


def test_a_counter_that_comes_again_with_another_content_books_nothing_and_is_a_case() -> None:
    clone = replace(tap, fen=364)
    register, classes = cleared(good(tap), good(clone))
    assert classes == [Class.CONFLICT]
    assert books(register, WORLD) == {}
    assert set(contradictions(register, UNDER)) == {tap, clone}


def test_a_terminal_s_sequence_that_comes_again_with_another_content_is_a_case_too() -> None:
    other = replace(tap, card=WANG)
    register, classes = cleared(good(tap, other))
    assert classes == [Class.CONFLICT, Class.CONFLICT]
    assert books(register, WORLD) == {}


def test_a_counter_that_falls_is_a_case_and_its_neighbours_stand() -> None:
    restored = replace(second, at=later(60), sequence=9)
    register, classes = cleared(good(tap, third), good(restored))
    assert classes == [Class.CONFLICT]
    assert books(register, WORLD) == {"purse:lin": -364, "merchant:330900/bus-one": 364}


def test_terminals_whose_clocks_differ_a_little_accuse_nobody() -> None:
    early = replace(second, at=third.at + timedelta(minutes=10), terminal=METRO)
    assert classes_of(good(tap, third), good(early)) == [Class.BOOKED]
    too_early = replace(early, at=early.at + timedelta(seconds=1))
    assert classes_of(good(tap, third), good(too_early)) == [Class.CONFLICT]


def test_a_missing_tap_leaves_a_gap_that_closes_when_it_comes() -> None:
    register, classes = cleared(good(tap, third))
    assert classes == [Class.BOOKED, Class.GAP_OPENED]
    assert list(gaps(register)) == [(LIN, 2, 2)]
    register, classes = cleared(good(tap, third), good(second))
    assert classes == [Class.BOOKED]
    assert list(gaps(register)) == []
    assert books(register, WORLD)["purse:lin"] == -3 * 182


def test_the_first_tap_of_a_card_leaves_a_gap_if_earlier_ones_are_missing() -> None:
    register, classes = cleared(good(third))
    assert classes == [Class.GAP_OPENED]
    assert list(gaps(register)) == [(LIN, 1, 2)]


def test_more_than_the_dearest_trip_waits_in_suspense() -> None:
    register, classes = cleared(good(replace(tap, fen=1_001)))
    assert classes == [Class.OVER_CEILING]
    assert books(register, WORLD) == {"purse:lin": -1_001, "suspense:330900/over-ceiling": 1_001}


def test_the_ceiling_is_that_of_the_day_of_the_trip() -> None:
    dear = replace(tap, terminal=METRO, fen=1_500)
    assert classes_of(good(replace(dear, at=WORLD.now - timedelta(days=2)))) == [Class.BOOKED]
    assert classes_of(good(dear)) == [Class.OVER_CEILING]  # 6:00 on 28 September in Shanghai: the new tariff holds.


def test_a_service_without_a_tariff_has_no_ceiling_that_anything_could_be_below() -> None:
    world = replace(WORLD, ceilings={})
    assert clear(EMPTY, good(tap), world)[1] == (Class.OVER_CEILING,)


def test_after_a_report_the_issuer_bears_what_terminals_still_accept() -> None:
    before = replace(tap, card=LOST, at=later(29))
    between = next_tap(before, at=later(31), terminal=METRO)
    after = next_tap(between, at=later(51))
    register, classes = cleared(good(before, between, after))
    assert classes == [Class.BOOKED, Class.AFTER_REPORT, Class.AFTER_HOTLIST]
    assert books(register, WORLD) == {
        "purse:lost": -182, "issuer-loss:330900": -364, "merchant:330900/bus-one": 182, "merchant:330900/metro": 364,
    }  # fmt: skip


def test_a_city_may_let_the_merchant_bear_what_its_terminal_should_have_refused() -> None:
    between = replace(tap, card=LOST, at=later(31), terminal=METRO)
    after = next_tap(between, at=later(51))
    under = TapBylaw(before_receipt=Bearer.HOLDER, after_receipt=Bearer.MERCHANT)
    world = replace(WORLD, under=under)
    register, _ = clear(EMPTY, good(between, after), world)
    assert books(register, world) == {"purse:lost": -182, "merchant:330900/metro": 182}


def test_a_tap_that_the_card_did_not_sign_is_worth_nothing_and_accuses_nobody() -> None:
    forged = Record(tap=replace(tap, fen=999), genuine=False)
    register, classes = cleared(good(tap), [forged])
    assert classes == [Class.BAD_CRYPTOGRAM]
    assert books(register, WORLD)["purse:lin"] == -182


def test_what_cannot_be_judged_yet_is_parked_with_its_reason() -> None:
    assert classes_of(good(replace(tap, at=WORLD.now + timedelta(seconds=601)))) == [Class.FROM_THE_FUTURE]
    assert classes_of(good(replace(tap, at=WORLD.now + timedelta(seconds=600)))) == [Class.BOOKED]
    assert classes_of(good(replace(tap, at=WORLD.now - timedelta(days=30, seconds=1)))) == [Class.STALE]
    assert classes_of(good(replace(tap, terminal=NOBODYS))) == [Class.TERMINAL_UNKNOWN]
    assert classes_of(good(replace(tap, terminal=OLD))) == [Class.TERMINAL_RETIRED]
    assert classes_of(good(replace(tap, terminal=OLD, at=later(-1)))) == [Class.BOOKED]
    assert classes_of(good(replace(tap, card=STRANGER))) == [Class.CARD_UNKNOWN]


def test_a_clock_that_is_a_year_ahead_accuses_no_other_tap() -> None:
    ahead = replace(second, at=later(60 * 24 * 365))
    assert classes_of(good(tap, ahead, third)) == [Class.BOOKED, Class.FROM_THE_FUTURE, Class.BOOKED]


@given(deliveries(), bylaws)
def test_any_order_and_any_doubling_of_the_same_taps_gives_the_same_books(
    delivery: tuple[list[Record], list[list[Record]]], under: TapBylaw
) -> None:
    world = replace(WORLD, under=under)
    sent, chunks = delivery
    once, _ = clear(EMPTY, sent, world)
    come = EMPTY
    for chunk in chunks:
        come, _ = clear(come, chunk, world)
    assert books(come, world) == books(once, world)
    assert standings(come, under) == standings(once, under)
    assert sorted(gaps(come)) == sorted(gaps(once))


@given(deliveries(), bylaws, st.data())
def test_it_does_not_matter_between_which_taps_a_ruling_fell(
    delivery: tuple[list[Record], list[list[Record]]], under: TapBylaw, data: st.DataObject
) -> None:
    world = replace(WORLD, under=under)
    sent, chunks = delivery
    rulings = data.draw(rulings_on(sent))
    once, _ = clear(EMPTY, sent, world)
    for record, ruling in rulings:
        once = rule(once, record, ruling)
    acts: list[list[Record] | tuple[Record, Ruling]] = data.draw(st.permutations([*chunks, *rulings]))
    come = EMPTY
    for act in acts:
        come = clear(come, act, world)[0] if isinstance(act, list) else rule(come, *act)
    assert standings(come, under) == standings(once, under)
    assert sorted(gaps(come)) == sorted(gaps(once))
    assert books(come, world) == books(once, world)
    assert sum(books(come, world).values()) == 0


@given(records(), st.data())
def test_whatever_people_rule_no_counter_charges_its_card_twice(sent: list[Record], data: st.DataObject) -> None:
    register, _ = clear(EMPTY, sent, WORLD)
    for record, ruling in data.draw(rulings_on(sent)):
        register = rule(register, record, ruling)
    charged = Counter(
        (one.card, one.counter)
        for one, standing in standings(register, UNDER).items()
        if any(account.startswith("purse:") for account, _ in legs(one, standing, WORLD, register.ruled.get(one)))
    )
    assert not charged or max(charged.values()) == 1


@given(records())
def test_what_is_judged_again_in_the_same_city_stands_as_it_stood(sent: list[Record]) -> None:
    register, _ = clear(EMPTY, sent, WORLD)
    assert judge_again(register, WORLD) == register


@given(records())
def test_what_is_judged_again_when_the_city_knows_more_stands_as_if_it_had_known(sent: list[Record]) -> None:
    poorer = replace(WORLD, terminals={BUS: WORLD.terminals[BUS]}, cards={LIN: WORLD.cards[LIN]})
    register, _ = clear(EMPTY, sent, poorer)
    at_once, _ = clear(EMPTY, sent, WORLD)
    assert books(judge_again(register, WORLD), WORLD) == books(at_once, WORLD)


@given(records())
def test_the_books_sum_to_zero_and_no_tap_is_charged_twice(sent: list[Record]) -> None:
    register, _ = clear(EMPTY, sent, WORLD)
    assert sum(books(register, WORLD).values()) == 0
    charged = Counter(
        (one.card, one.counter)
        for one, standing in standings(register, UNDER).items()
        if standing not in PARKED | {Class.CONFLICT}
    )
    assert not charged or max(charged.values()) == 1


@given(records(), st.integers(1, 5))
def test_the_classes_add_up_to_the_records(sent: list[Record], size: int) -> None:
    register, classes = EMPTY, list[Class]()
    for start in range(0, len(sent), size):
        register, ended = clear(register, sent[start : start + size], WORLD)
        classes += ended
    assert len(classes) == len(sent)


@given(records())
def test_nothing_is_booked_from_what_is_contradicted(sent: list[Record]) -> None:
    register, _ = clear(EMPTY, sent, WORLD)
    contradicted = set(contradictions(register, UNDER))
    assert {one for one, standing in standings(register, UNDER).items() if standing is Class.CONFLICT} == contradicted


def test_the_drawer_s_terminals_are_known() -> None:
    assert {BUS, METRO, OLD} == set(WORLD.terminals)
    assert isinstance(tap, Tap)
