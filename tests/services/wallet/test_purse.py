"""A wallet opens at a counter, stops with its card, loads its chip in two steps, and pays out what is left."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.testing.conversation import Given
from libs.testing.conversation import given as given_at
from services.wallet.booking import book_purse
from services.wallet.domain.bylaw import OnLoss
from services.wallet.domain.money import AmountUnfit, ReferenceReused, WalletNotOpened
from services.wallet.domain.purse import decider as purses
from services.wallet.domain.purse.events import ChipForfeited, CoolingBegun, CoolingExtended, Event, LoadFoundLate
from tests.services.wallet.purse_drawer import (
    AUTUMN,
    CARD,
    COMMUNITY,
    HERS,
    LAPSE,
    LOAD,
    NEXT_CARD,
    NEXT_DAY,
    NEXT_LOAD,
    NIGHT,
    OURS,
    SECOND,
    TEN_YEARS,
    confirmed,
    cooling,
    end,
    end_cooling,
    ended,
    endorsed,
    expire,
    expired,
    freeze,
    frozen,
    loaded,
    meet,
    note,
    note_validity,
    noted,
    open_it,
    opened,
    paid,
    paid_out,
    pay_load,
    pay_out,
    release,
    released,
    reversed_,
    settled,
    sign,
    signed,
    succeed,
    succeeded,
    uncertain,
)


def given(*facts: Event) -> Given:
    return given_at(purses.purses, *facts)


# -- the card


def test_an_endorsed_card_s_money_goes_on_for_another_year() -> None:
    given(noted, opened).when(note_validity).then(endorsed)
    given(noted, opened, endorsed).when(note_validity).then()
    given(noted, endorsed).when(replace(open_it, at=TEN_YEARS)).then(replace(opened, at=TEN_YEARS))
    given(noted, endorsed).when(replace(open_it, at=endorsed.valid_to)).refused(purses.CardExpired)
    for past in ((), (noted, succeeded)):
        given(*past).when(note_validity).then()


def test_the_books_of_an_endorsed_card_s_account_stay_open_as_long() -> None:
    after = purses.purses.fold([noted, opened, endorsed])
    booking = book_purse([endorsed], after)
    assert booking is not None
    assert [one.open_until for one in booking.standings] == [endorsed.valid_to]


# -- opening


@pytest.mark.requirement("R94")
def test_a_wallet_is_opened_at_a_counter_and_once() -> None:
    given(noted).when(open_it).then(opened)
    given(noted, opened).when(open_it).then()


def test_what_cannot_be_opened() -> None:
    given().when(open_it).refused(purses.CardUnknown)
    given(noted).when(replace(open_it, place=COMMUNITY)).refused(purses.WrongPlace)
    given(noted).when(replace(open_it, document="library_card")).refused(purses.DocumentNotAccepted)
    given(noted).when(replace(open_it, under=None)).refused(purses.NoWalletHere)


@pytest.mark.requirement("R96")
def test_no_wallet_is_opened_with_a_lost_an_expired_or_an_ended_card() -> None:
    given(noted, frozen).when(replace(open_it, at=NIGHT)).refused(purses.CardStopped)
    given(noted, frozen).when(replace(open_it, at=LAPSE)).then(replace(opened, at=LAPSE))
    given(noted).when(replace(open_it, at=TEN_YEARS - SECOND)).then(replace(opened, at=TEN_YEARS - SECOND))
    given(noted).when(replace(open_it, at=TEN_YEARS)).refused(purses.CardExpired)
    given(noted, ended).when(replace(open_it, at=AUTUMN)).refused(purses.CardEndedForGood)
    given(noted, succeeded).when(open_it).refused(purses.CardOfYesterday)
    given(noted).when(replace(open_it, card_id=NEXT_CARD)).refused(purses.CardUnknown)


# -- freezing


def test_a_report_freezes_before_the_wallet_is_open_and_before_the_card_is_known() -> None:
    given().when(freeze).then(frozen)
    given(frozen, noted).when(replace(open_it, at=NIGHT)).refused(purses.CardStopped)
    given(noted, opened).when(freeze).then(frozen)


def test_a_report_heard_twice_freezes_once() -> None:
    given(noted, opened, frozen).when(freeze).then()


def test_a_signature_after_a_call_keeps_what_was_stopped_stopped_from_then() -> None:
    given(noted, opened, frozen).when(sign).then(signed)


def test_a_release_counts_from_its_own_hour_and_only_once() -> None:
    given(noted, opened, signed).when(release).then(released)
    given(noted, opened, signed, released).when(release).then()
    given(noted, opened).when(release).then()
    given(noted, opened, frozen).when(replace(release, at=LAPSE, why="lapsed")).then()


def test_money_that_has_a_clock_of_its_own_stops_and_wakes_by_that_clock_alone() -> None:
    begins = NIGHT + timedelta(hours=24)
    ours = replace(OURS, account_borne=True)
    named = replace(freeze, at=begins, names=("account",), reported_at=NIGHT, under=ours)
    stops = replace(frozen, at=begins, function="account", reported_at=NIGHT)
    others = replace(freeze, names=("medical", "bank_debit"), under=ours)
    given(noted, opened).when(others).then()
    given(noted, opened).when(named).then(stops)
    given(noted, opened, stops).when(named).then()
    given(noted, opened, stops).when(replace(open_it, at=begins)).refused(purses.CardStopped)
    given(noted, stops).when(replace(open_it, at=begins - SECOND)).then(replace(opened, at=begins - SECOND))
    given(noted, opened, stops).when(replace(others, at=begins, until=None)).then()
    given(noted, opened, stops).when(replace(release, at=begins, names=("medical",))).then()
    wakes = replace(released, at=begins)
    given(noted, opened, stops).when(replace(release, at=begins, names=("account",))).then(wakes)
    given(noted, opened, stops).when(replace(release, at=begins)).then(wakes)


def test_lifted_before_it_was_to_stop_the_money_never_stops() -> None:
    begins = NIGHT + timedelta(hours=24)
    stops = replace(frozen, at=begins, function="account", reported_at=NIGHT)
    lifted = replace(released, at=NIGHT + SECOND)
    given(noted, stops).when(replace(release, at=NIGHT + SECOND)).then(lifted)
    given(noted, stops, lifted).when(replace(open_it, at=begins)).then(replace(opened, at=begins))


def test_money_without_a_clock_of_its_own_is_stopped_until_the_last_function_wakes() -> None:
    some, later = replace(freeze, names=("medical",)), replace(freeze, names=("bank_debit",), until=TEN_YEARS)
    given(noted, opened).when(some).then(frozen)
    given(noted, opened, frozen).when(later).then(replace(frozen, until=TEN_YEARS))
    given(noted, opened, replace(frozen, until=TEN_YEARS)).when(some).then()
    given(noted, opened, signed).when(replace(some, at=NEXT_DAY)).then()
    given(noted, opened, signed).when(replace(release, names=("medical",))).then()
    given(noted, opened, signed).when(release).then(released)


def test_a_purse_that_cools_stays_closed_until_it_has_cooled() -> None:
    cooled = NEXT_DAY + timedelta(days=1)
    wakes = replace(released, from_at=cooled)
    given(noted, signed).when(replace(release, names=("epurse",), from_at=cooled)).then(wakes)
    given(noted, signed, wakes).when(replace(open_it, at=cooled - SECOND)).refused(purses.CardStopped)
    given(noted, signed, wakes).when(replace(open_it, at=cooled)).then(replace(opened, at=cooled))


def test_a_report_about_a_card_of_yesterday_stops_nothing() -> None:
    given(noted, opened, succeeded).when(freeze).then()


def test_where_the_account_cannot_be_reported_a_report_stops_nothing() -> None:
    given(noted, opened).when(replace(freeze, under=replace(OURS, account_reportable=False))).then()


def test_letters_about_older_cards_come_too_late() -> None:
    given(noted, succeeded).when(note).then()
    given(noted, succeeded).when(succeed).then()


# -- loading the chip


@pytest.mark.requirement("R95")
def test_a_load_is_paid_then_confirmed() -> None:
    given(noted, opened).when(pay_load).then(paid)
    given(noted, opened, paid).when(loaded).then(confirmed)
    given(noted, opened, paid, confirmed).when(loaded).then()


def test_a_load_said_twice_is_paid_once_and_its_number_names_no_other_sum() -> None:
    given(noted, opened, paid).when(pay_load).then()
    given(noted, opened, paid, confirmed).when(pay_load).then()
    given(noted, opened, paid).when(replace(pay_load, amount_fen=5_001)).refused(ReferenceReused)


@pytest.mark.requirement("R96")
def test_what_cannot_be_loaded() -> None:
    given(noted).when(pay_load).refused(WalletNotOpened)
    given(noted, opened, frozen).when(replace(pay_load, at=NIGHT)).refused(purses.CardStopped)
    given(noted, opened).when(replace(pay_load, place=COMMUNITY)).refused(purses.WrongPlace)
    given(noted, opened).when(replace(pay_load, amount_fen=99)).refused(purses.LoadOutOfBounds)
    given(noted, opened).when(replace(pay_load, amount_fen=0)).refused(AmountUnfit)
    given(noted, opened).when(replace(pay_load, amount_fen=-5)).refused(AmountUnfit)


def test_the_cap_counts_what_the_chip_says_it_holds() -> None:
    room = OURS.purse_cap_fen - 5_000
    given(noted, opened).when(replace(pay_load, balance_fen=room)).then(paid)
    given(noted, opened).when(replace(pay_load, balance_fen=room + 1)).refused(purses.AboveThePurseCap)


def test_a_chip_that_was_not_written_gives_the_money_back_to_the_counter() -> None:
    given(noted, opened, paid).when(replace(loaded, outcome="not_loaded", counter=7)).then(reversed_)


def test_a_card_that_left_too_soon_leaves_the_load_uncertain_until_its_counter_is_read() -> None:
    given(noted, opened, paid).when(replace(loaded, outcome="unknown", counter=None)).then(uncertain)
    given(noted, opened, paid, uncertain).when(replace(loaded, outcome="unknown", counter=None)).then()
    given(noted, opened, paid, uncertain).when(meet).then(replace(confirmed, how="counter"))
    given(noted, opened, paid, uncertain).when(replace(meet, counter=7)).then(replace(reversed_, how="counter"))


def test_the_next_load_settles_the_last_one_first() -> None:
    again = replace(pay_load, load_id=NEXT_LOAD, reference="l-2", counter=8, at=NIGHT)
    given(noted, opened, paid, uncertain).when(again).then(
        replace(confirmed, how="counter"),
        replace(paid, load_id=NEXT_LOAD, reference="l-2", counter=8, at=NIGHT, expires_at=NIGHT + timedelta(hours=720)),
    )


@pytest.mark.parametrize("counter", [6, 9, 0])
def test_a_counter_that_fell_or_jumped_books_nothing(counter: int) -> None:
    given(noted, opened, paid, uncertain).when(replace(meet, counter=counter)).refused(purses.CounterDoesNotFit)
    given(noted, opened, paid).when(replace(loaded, counter=counter)).refused(purses.CounterDoesNotFit)


def test_the_counter_begins_anew_after_two_bytes() -> None:
    last = replace(paid, counter=65_535)
    given(noted, opened, last).when(replace(meet, counter=0)).then(replace(confirmed, how="counter"))


def test_a_load_that_nobody_knows_about_goes_back_at_its_last_hour_and_that_of_a_known_one_strikes_nothing() -> None:
    given(noted, opened, paid, uncertain).when(expire).then(expired)
    given(noted, opened, paid, confirmed).when(expire).then()


def test_a_chip_that_shows_an_expired_load_after_all_is_the_issuers_loss() -> None:
    late = LoadFoundLate(load_id=LOAD, holding_id=HERS, card_id=CARD, amount_fen=5_000, at=AUTUMN)
    given(noted, opened, paid, uncertain, expired).when(replace(meet, at=AUTUMN)).then(late)
    given(noted, opened, paid, uncertain, expired, late).when(replace(meet, at=AUTUMN)).then()


def test_a_chip_that_counts_as_before_an_expired_load_never_took_it_and_the_next_count_is_another_loads() -> None:
    second, read = replace(paid, load_id=NEXT_LOAD, at=AUTUMN), replace(meet, counter=8, at=AUTUMN)
    given(noted, opened, paid, uncertain, expired, second).when(read).then(
        replace(confirmed, load_id=NEXT_LOAD, how="counter", at=AUTUMN)
    )


def test_the_old_chips_load_waits_for_its_own_end_whatever_is_loaded_on_the_new_one() -> None:
    new = replace(paid, load_id=NEXT_LOAD, card_id=NEXT_CARD)
    given(noted, opened, paid, uncertain, succeeded, new).when(expire).then(expired)
    given(noted, opened, paid, uncertain, succeeded, new).when(replace(meet, counter=8)).then(
        replace(confirmed, how="counter")
    )


def test_an_outcome_of_a_load_that_nobody_paid_is_refused() -> None:
    given(noted, opened).when(loaded).refused(purses.LoadUnknown)


# -- a new card, an old chip


@pytest.mark.requirement("R63")
def test_a_new_card_takes_the_account_and_the_old_chip_cools_from_the_report() -> None:
    cools = replace(cooling, ends_at=max(AUTUMN, NIGHT + timedelta(days=15)))
    given(noted, opened, signed).when(succeed).then(cools, succeeded)


def test_a_chip_that_was_exchanged_without_a_loss_cools_from_the_exchange() -> None:
    cools = replace(cooling, ends_at=AUTUMN + timedelta(days=15))
    given(noted, opened).when(succeed).then(cools, succeeded)


def test_a_card_without_a_wallet_has_nothing_to_cool() -> None:
    given(noted).when(succeed).then(succeeded)


def test_the_chips_money_moves_once_when_every_batch_is_in() -> None:
    given(noted, opened, cooling, succeeded).when(end_cooling).then(settled)
    given(noted, opened, cooling, succeeded, settled).when(end_cooling).then()


def test_while_a_terminal_is_silent_the_money_waits_but_not_for_ever() -> None:
    silent = replace(end_cooling, batches_in=False)
    waits = CoolingExtended(holding_id=HERS, card_id=CARD, at=AUTUMN, ends_at=AUTUMN + timedelta(days=1))
    given(noted, opened, cooling, succeeded).when(silent).then(waits)
    at_last = cooling.latest_at
    extended = replace(waits, ends_at=at_last)
    given(noted, opened, cooling, succeeded, extended).when(replace(silent, ends_at=at_last, at=at_last)).then(
        replace(settled, at=at_last)
    )


def test_a_chip_with_a_load_that_nobody_knows_the_end_of_is_not_settled_before_that_has_ended() -> None:
    begun = replace(cooling, ends_at=AUTUMN)
    waits = CoolingExtended(holding_id=HERS, card_id=CARD, at=AUTUMN, ends_at=AUTUMN + timedelta(days=1))
    given(noted, opened, paid, begun, succeeded).when(end_cooling).then(waits)
    given(noted, opened, paid, begun, succeeded, expired).when(end_cooling).then(settled)


def test_a_settled_chip_that_shows_an_expired_load_costs_nobody_anything() -> None:
    facts = (noted, opened, paid, uncertain, expired, succeeded, settled)
    given(*facts).when(replace(meet, at=AUTUMN)).then()


def test_an_hour_that_was_put_off_strikes_nothing() -> None:
    waits = CoolingExtended(holding_id=HERS, card_id=CARD, at=AUTUMN, ends_at=AUTUMN + timedelta(days=1))
    given(noted, opened, cooling, succeeded, waits).when(end_cooling).then()


def test_what_the_account_has_no_room_for_waits_at_a_counter() -> None:
    given(noted, opened, cooling, succeeded).when(replace(end_cooling, account_has_room=False)).then(
        replace(settled, to="payable")
    )
    given(noted, opened, ended, cooling).when(end_cooling).then(replace(settled, to="payable"))


def test_an_anonymous_chip_is_lost_like_cash() -> None:
    anonymous = replace(opened, named=False)
    forfeits = replace(succeed, under=replace(OURS, purse_on_loss=OnLoss.FORFEIT))
    begun, _ = purses.purses.decide(forfeits, purses.purses.fold([noted, anonymous, signed]))
    assert isinstance(begun, CoolingBegun)
    gone = ChipForfeited(holding_id=HERS, card_id=CARD, at=AUTUMN)
    given(noted, anonymous, begun, succeeded).when(replace(end_cooling, ends_at=begun.ends_at)).then(gone)


# -- the end


@pytest.mark.requirement("R68")
def test_what_is_left_of_an_ended_card_is_paid_out_by_where_it_came_from_and_once() -> None:
    given(noted, opened).when(pay_out).refused(purses.StillInUse)
    given(noted, opened, ended).when(pay_out).then(paid_out)
    given(noted, opened, ended, paid_out).when(pay_out).then()
    given(noted, opened, ended).when(replace(pay_out, held_fen=1)).refused(purses.MoneyStillHeld)
    given(noted, ended).when(pay_out).refused(WalletNotOpened)
    given(noted, opened, ended).when(replace(pay_out, place=COMMUNITY)).refused(purses.WrongPlace)


def test_a_fee_is_taken_from_the_cash_part_and_rounded_half_up() -> None:
    dear = replace(pay_out, cash_fen=950, under=replace(OURS, refund_fee_per_mille=10))
    given(noted, opened, ended).when(dear).then(replace(paid_out, cash_fen=940, fee_fen=10))


def test_an_end_is_heard_once() -> None:
    facts = purses.purses.decide(end, purses.purses.fold([noted, opened]))
    assert facts[0] == ended
    given(noted, opened, *facts).when(end).then()


def test_a_new_card_after_the_last_one_has_ended_has_the_account_again_and_after_a_pay_out_opens_a_new_one() -> None:
    again, open_again = replace(noted, card_id=NEXT_CARD), replace(open_it, card_id=NEXT_CARD)
    given(noted, opened, ended, again).when(open_again).then()
    given(noted, opened, ended, again).when(replace(pay_load, card_id=NEXT_CARD)).then(replace(paid, card_id=NEXT_CARD))
    given(noted, opened, ended, paid_out, again).when(open_again).then(replace(opened, card_id=NEXT_CARD))
