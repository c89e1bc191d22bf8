"""Who may give whom which duty, and where."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from libs.kernel.foureyes import NOBODY, HandUnnamed
from libs.testing import conversation
from services.office.domain.establishment import OrganisationUnknown
from services.office.domain.staff.decider import (
    AppointmentUnknown,
    BeyondYourReach,
    DutiesApart,
    DutyNotOfThisPlace,
    EndsBeforeItBegins,
    OwnAppointment,
    staff_desk,
)
from tests.services.office.office_drawer import (
    BY_THE_WALL,
    LIN,
    MONDAY,
    TUESDAY,
    a_clerk_in_the_east,
    a_dismissal,
    clerk_in_the_east,
    dismissed,
    ended,
    the_end_of_tuesday,
    until_tuesday,
)

given = partial(conversation.given, staff_desk)


@pytest.mark.requirement("R163", "R164")
def test_whoever_stands_above_an_outlet_appoints_its_clerks() -> None:
    given().when(a_clerk_in_the_east).then(clerk_in_the_east)
    given().when(replace(a_clerk_in_the_east, reach="east")).then(clerk_in_the_east)
    given().when(replace(a_clerk_in_the_east, reach="province")).then(clerk_in_the_east)


@pytest.mark.requirement("R18", "R163")
@pytest.mark.parametrize("reach", ["west", "police", ""])
def test_a_district_appoints_nobody_in_another_district(reach: str) -> None:
    given().when(replace(a_clerk_in_the_east, reach=reach)).refused(BeyondYourReach)


def test_nobody_appoints_themselves() -> None:
    given().when(replace(a_clerk_in_the_east, by=LIN)).refused(OwnAppointment)
    given().when(replace(a_clerk_in_the_east, by=NOBODY)).refused(HandUnnamed)


@pytest.mark.requirement("R34")
def test_a_community_outlet_has_no_duty_of_the_centre() -> None:
    given().when(replace(a_clerk_in_the_east, duty="centre")).refused(DutyNotOfThisPlace)


def test_there_are_no_duties_at_a_place_that_there_is_not() -> None:
    given().when(replace(a_clerk_in_the_east, organisation="moon")).refused(OrganisationUnknown)


def test_the_same_duty_given_twice_is_given_once() -> None:
    given(clerk_in_the_east).when(replace(a_clerk_in_the_east, appointment_id="A2")).then()


@pytest.mark.requirement("R39")
def test_who_runs_the_platform_does_not_also_order_cards() -> None:
    operator = replace(a_clerk_in_the_east, duty="operator", organisation="centre", appointment_id="A3")
    orders_cards = replace(operator, duty="centre", appointment_id="A4")
    runs = replace(clerk_in_the_east, duty="operator", organisation="centre", appointment_id="A3")

    given().when(operator).then(runs)
    given(runs).when(orders_cards).refused(DutiesApart)


@pytest.mark.requirement("R39")
def test_duties_that_must_be_apart_may_follow_one_another() -> None:
    auditor = replace(
        a_clerk_in_the_east, duty="auditor", organisation="city", reach="city", since=TUESDAY, appointment_id="A5"
    )
    took_office = replace(clerk_in_the_east, duty="auditor", organisation="city", at=TUESDAY, appointment_id="A5")

    given(until_tuesday).when(auditor).then(took_office)
    given(until_tuesday).when(replace(auditor, since=TUESDAY - timedelta(milliseconds=1))).refused(DutiesApart)
    given(clerk_in_the_east, dismissed).when(auditor).then(took_office)


def test_an_appointment_ends_after_it_begins() -> None:
    given().when(replace(a_clerk_in_the_east, until=MONDAY)).refused(EndsBeforeItBegins)


def test_a_duty_ends_when_somebody_in_reach_says_so() -> None:
    given(clerk_in_the_east).when(a_dismissal).then(dismissed)
    given(clerk_in_the_east, dismissed).when(a_dismissal).then()
    given(clerk_in_the_east).when(replace(a_dismissal, reach="west")).refused(BeyondYourReach)
    given(clerk_in_the_east).when(replace(a_dismissal, own=True)).refused(OwnAppointment)
    given().when(a_dismissal).refused(AppointmentUnknown)


def test_a_duty_holds_from_its_first_instant_to_its_last_excluded() -> None:
    staff = staff_desk.fold([clerk_in_the_east, dismissed])

    assert not staff.duties(MONDAY - timedelta(milliseconds=1))
    assert [one.duty for one in staff.duties(MONDAY)] == ["clerk"]
    assert not staff.duties(TUESDAY)


def test_who_is_dismissed_before_taking_office_never_had_it() -> None:
    later = replace(clerk_in_the_east, at=TUESDAY + timedelta(days=1))

    assert not staff_desk.fold([later, dismissed]).duties(later.at)


def test_a_duty_that_was_given_for_a_time_is_told_to_have_ended_when_that_is_over() -> None:
    assert list(staff_desk.due(clerk_in_the_east)) == []
    [strikes] = staff_desk.due(until_tuesday)
    assert (strikes.at, replace(strikes.command, struck_at=BY_THE_WALL)) == (TUESDAY, the_end_of_tuesday)

    given(until_tuesday).when(the_end_of_tuesday).then(ended)
    given(until_tuesday, ended).when(the_end_of_tuesday).then()
    given(until_tuesday, replace(dismissed, at=MONDAY)).when(the_end_of_tuesday).then()
    given().when(the_end_of_tuesday).then()


def test_an_end_changes_nothing_about_when_a_duty_held() -> None:
    assert staff_desk.fold([until_tuesday, ended]).appointments[0].spell == (
        staff_desk.fold([until_tuesday]).appointments[0].spell
    )
