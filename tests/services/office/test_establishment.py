"""How a city is organised: who stands under whom, and whose task is what."""

from dataclasses import replace

import pytest

from services.office.domain.establishment import Entrustment, Organisation
from tests.services.office.office_drawer import SMALL_CITY


def test_reach_goes_down_and_never_up_or_aside() -> None:
    assert SMALL_CITY.reaches("province", "east-outlet")
    assert SMALL_CITY.reaches("east", "east")
    assert not SMALL_CITY.reaches("east-outlet", "east")
    assert not SMALL_CITY.reaches("west", "east-outlet")


@pytest.mark.requirement("R18")
def test_districts_and_streets_collect_publicise_and_distribute() -> None:
    assert SMALL_CITY.tasks_of("east") == SMALL_CITY.tasks_of("east-street") == {"collect", "publicise", "distribute"}


@pytest.mark.requirement("R138")
def test_a_community_agency_endorses_only_where_the_police_have_entrusted_it() -> None:
    assert "endorse" in SMALL_CITY.tasks_of("police")
    assert "endorse" in SMALL_CITY.tasks_of("east-outlet")
    assert "endorse" not in replace(SMALL_CITY, entrusted=()).tasks_of("east-outlet")


def test_nobody_entrusts_what_is_not_theirs() -> None:
    with pytest.raises(ValueError, match="none of its own tasks"):
        replace(SMALL_CITY, entrusted=(Entrustment(by="west", to="east", task="endorse"),))


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        (Organisation(id="x", level="moon"), "no duties and no tasks"),
        (Organisation(id="x", level="district", parent="nowhere"), "which there is not"),
        (Organisation(id="x", level="district", parent="x"), "stands under itself"),
    ],
)
def test_a_city_that_makes_no_sense_is_not_founded(strange: Organisation, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        replace(SMALL_CITY, organisations={**SMALL_CITY.organisations, "x": strange})
