"""What the loss desk does whenever issuance has done something."""

from datetime import timedelta
from typing import Any, get_type_hints

from libs.messaging.contract import Contract
from services.issuance.contracts import CardActivated, CardEndorsed, CardReplaced, NewCardDeclined
from services.loss.domain.commands import Command
from services.loss.reactions import (
    HEARS,
    REACTIONS,
    when_a_card_is_endorsed_see_whether_it_was_reported_lost,
    when_a_card_works_let_it_be_lost,
    when_a_new_card_works_close_the_report,
    when_no_new_card_will_come_let_the_report_be_lifted,
)
from tests.services.loss.desk_drawer import (
    AUTUMN,
    CARD,
    EVENING,
    HOLDING,
    LI,
    MORNING,
    NEXT_CARD,
    SPRING,
    decline,
    enter_card,
    issued,
    note_endorsement,
    obey,
    succeed,
)
from tests.services.loss.desk_drawer import after as standing

activated = CardActivated(
    holding_id=HOLDING, person_id=LI, card_id=CARD, programme="citizen-card", valid_to=SPRING + timedelta(days=3652),
    at=SPRING,
)  # fmt: skip
replaced = CardReplaced(
    holding_id=HOLDING, person_id=LI, old_card_id=CARD, card_id=NEXT_CARD, programme="citizen-card",
    valid_to=AUTUMN + timedelta(days=3652), at=AUTUMN,
)  # fmt: skip
not_made = NewCardDeclined(
    holding_id=HOLDING, person_id=LI, kind="reissue", old_card_id=CARD, reason="not entitled", at=EVENING
)


def without_bylaw(command: Any) -> Command:
    """As a reaction gives it: the shell adds the bylaw."""
    bare: Command = type(command)(
        **{name: None if name == "under" else getattr(command, name) for name in command.__slots__}
    )
    return bare


def test_a_card_that_works_can_be_lost() -> None:
    assert list(when_a_card_works_let_it_be_lost(activated)) == [without_bylaw(enter_card)]


def test_a_new_card_that_works_closes_the_report() -> None:
    assert list(when_a_new_card_works_close_the_report(replaced)) == [without_bylaw(succeed)]


def test_when_no_new_card_will_come_the_report_can_be_lifted() -> None:
    assert list(when_no_new_card_will_come_let_the_report_be_lifted(not_made)) == [decline]


def test_a_card_that_was_endorsed_may_have_been_lost_by_then() -> None:
    endorsed = CardEndorsed(
        holding_id=HOLDING, person_id=LI, card_id=CARD, programme="residence-permit", since=MORNING.date(),
        valid_to=AUTUMN, at=MORNING,
    )  # fmt: skip
    assert list(when_a_card_is_endorsed_see_whether_it_was_reported_lost(endorsed)) == [note_endorsement]


def test_a_declined_first_card_has_no_report_to_lift() -> None:
    first = not_made.model_copy(update={"kind": "first", "old_card_id": None})
    assert list(when_no_new_card_will_come_let_the_report_be_lifted(first)) == []


def test_a_message_that_comes_twice_changes_nothing_more() -> None:
    told: list[tuple[Any, Contract]] = [
        (when_a_card_works_let_it_be_lost, activated),
        (when_a_new_card_works_close_the_report, replaced),
        (when_no_new_card_will_come_let_the_report_be_lifted, not_made),
    ]
    for reaction, message in told:
        [command] = reaction(message)
        once = obey(standing(issued), command)
        assert obey(once, command) == once


def test_nothing_is_heard_without_a_reaction() -> None:
    heard: set[type] = set(HEARS)
    assert {get_type_hints(reaction)["told"] for reaction in REACTIONS} == heard
