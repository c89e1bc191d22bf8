"""What was written down is read back the same, by this release and by all later ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.eventsourcing.codec import Codec, UnknownName, members
from libs.kernel import Sealed, command, event, value


@value
class Window:
    """A place, and how long it is open."""

    name: str
    open_for: timedelta


@event
class CardNoted:
    """A toy fact with all that a fact may carry."""

    card_id: str
    at: datetime
    amount_fen: int
    reason: str | None
    windows: tuple[Window, ...]
    functions: frozenset[str]
    holder: Sealed


@event(stored_as="card-was-lost")
class Lost:
    """A fact whose class has been renamed since."""

    card_id: str


@command
class RemindHolder:
    """A request that waits for its hour."""

    card_id: str


codec = Codec([CardNoted, Lost, RemindHolder])

instants = st.datetimes(
    min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip
windows = st.builds(Window, name=st.text(), open_for=st.timedeltas(timedelta(0), timedelta(days=3650)))
facts = st.builds(
    CardNoted,
    card_id=st.text(),
    at=instants,
    amount_fen=st.integers(-(2**62), 2**62),
    reason=st.none() | st.text(),
    windows=st.lists(windows, max_size=3).map(tuple),
    functions=st.frozensets(st.text(max_size=5), max_size=3),
    holder=st.builds(Sealed, box=st.text()),
)


@given(facts)
def test_a_fact_is_read_back_as_it_was_written(fact: CardNoted) -> None:
    assert codec.read(*codec.write(fact)) == fact


def test_names_outlive_their_classes() -> None:
    assert codec.write(Lost(card_id="c1")) == ("card-was-lost", '{"card_id":"c1"}')
    assert codec.write(RemindHolder(card_id="c1")) == ("remind-holder", '{"card_id":"c1"}')
    assert codec.names == {"card-noted", "card-was-lost", "remind-holder"}


def test_a_moment_is_written_in_utc() -> None:
    fact = CardNoted(
        card_id="c1", at=datetime(2026, 10, 8, 4, 0, 0, 120_000, UTC), amount_fen=1, reason=None, windows=(),
        functions=frozenset(), holder=Sealed(box="v1.k.x"),
    )  # fmt: skip
    assert '"at":"2026-10-08T04:00:00.120000Z"' in codec.write(fact)[1]


def test_what_an_early_release_wrote_is_read_through_all_later_ones() -> None:
    def lost_had_its_number_only(old: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "card-lost-2", {"card": f"c{old['number']}"}

    def then_it_had_its_id(old: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "card-was-lost", {"card_id": old["card"]}

    later = Codec([Lost], {"card-lost-1": lost_had_its_number_only, "card-lost-2": then_it_had_its_id})
    assert later.read("card-lost-1", '{"number":1}') == Lost(card_id="c1")
    assert later.read("card-lost-2", '{"card":"c2"}') == Lost(card_id="c2")
    assert later.read("card-was-lost", '{"card_id":"c3"}') == Lost(card_id="c3")


def test_a_name_that_nobody_knows_is_not_guessed() -> None:
    with pytest.raises(UnknownName, match="card-flown"):
        codec.read("card-flown", "{}")
    with pytest.raises(UnknownName, match="card-flown"):
        Codec([Lost], {"card-lost-1": lambda old: ("card-flown", old)}).read("card-lost-1", "{}")


def test_a_fact_that_lacks_a_part_is_not_read() -> None:
    with pytest.raises(ValueError, match="card_id"):
        codec.read("card-was-lost", "{}")


def test_a_union_of_one_has_one_member() -> None:
    assert members(Lost) == (Lost,)
    assert members(Lost | CardNoted) == (Lost, CardNoted)
