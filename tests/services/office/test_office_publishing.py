"""What the city is told of the office: duties and editions, and never who signed."""

from services.office import contracts as told
from services.office.publishing import tell
from tests.services.office.office_drawer import (
    BY_THE_WALL,
    MONDAY,
    TUESDAY,
    clerk_in_the_east,
    dismissed,
    enacted,
    ended,
    founded,
    proposed,
)


def test_a_duty_and_its_end_are_told() -> None:
    assert tell(clerk_in_the_east) == told.Appointed(
        staff_id="S", appointment_id="A1", duty="clerk", organisation="east-outlet", at=MONDAY
    )
    assert tell(dismissed) == told.Dismissed(
        staff_id="S",
        appointment_id="A1",
        at=TUESDAY,
        duty="clerk",
        organisation="east-outlet",
        struck_at=BY_THE_WALL,
    )
    assert tell(ended) == told.AppointmentEnded(
        staff_id="S",
        appointment_id="A1",
        at=TUESDAY,
        duty="clerk",
        organisation="east-outlet",
        struck_at=BY_THE_WALL,
    )


def test_an_edition_is_told_when_it_holds_and_not_before() -> None:
    assert tell(founded) == told.EditionEnacted(city="330900", edition="aa", at=MONDAY, founding=True)
    assert tell(proposed) is None
    assert tell(enacted) == told.EditionEnacted(city="330900", edition="bb", at=TUESDAY)
