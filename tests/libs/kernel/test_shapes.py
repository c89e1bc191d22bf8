"""Facts, requests, states and values: what all of them have in common, and the names that are stored."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from libs.kernel import command, event, state, stored_name, value


@event
class CardFound:
    """Somebody handed it in."""

    place: str


@event(stored_as="card-lost")
class CardMislaid:
    """Renamed since, and still stored under its first name."""


@command
class FindCard:
    """Look for it."""


@pytest.mark.parametrize("shape", [event, command, state, value])
def test_every_shape_is_frozen_slotted_and_said_by_name(shape: Callable[[type[Any]], type[Any]]) -> None:
    class Plain:
        place: str

    shaped = shape(Plain)
    one = shaped(place="bus 7")
    assert one == shaped(place="bus 7") != shaped(place="bus 8")
    assert not hasattr(one, "__dict__")
    assert replace(one, place="bus 9").place == "bus 9"
    with pytest.raises(FrozenInstanceError):
        one.place = "elsewhere"
    with pytest.raises(TypeError):
        shaped("bus 7")


def test_facts_and_requests_are_stored_under_a_name_that_can_outlive_them() -> None:
    assert [stored_name(cls) for cls in (CardFound, FindCard, CardMislaid)] == ["card-found", "find-card", "card-lost"]


def test_what_is_not_stored_has_no_stored_name() -> None:
    @value
    class Place:
        name: str

    with pytest.raises(KeyError):
        stored_name(Place)
