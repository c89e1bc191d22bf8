"""How the city says no."""

import pytest

from libs.kernel import Clash, Forbidden, Missing, Refused, Unfit, refusal_code


class TooManyCards(Clash):
    """You hold {count} cards already;
    hand one back first."""


def test_the_docstring_is_the_sentence_with_its_details() -> None:
    assert str(TooManyCards(count=3)) == "You hold 3 cards already; hand one back first."


def test_details_stay_readable_for_machines() -> None:
    assert TooManyCards(count=3).details == {"count": 3}


def test_a_forgotten_detail_is_a_bug() -> None:
    with pytest.raises(KeyError):
        TooManyCards()


def test_a_detail_is_never_read_as_a_form_itself() -> None:
    assert TooManyCards(count="{count}").sentence().startswith("You hold {count} cards")


def test_the_code_is_the_name_in_small_letters() -> None:
    assert refusal_code(TooManyCards) == "too-many-cards"


@pytest.mark.parametrize(("kind", "status"), [(Missing, 404), (Forbidden, 403), (Clash, 409), (Unfit, 422)])
def test_each_way_of_saying_no_has_its_status(kind: type[Refused], status: int) -> None:
    assert kind.status == status
    assert issubclass(kind, Refused)
    assert kind().sentence()
