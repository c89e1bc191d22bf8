"""What the loss desk does whenever somebody else has done something."""

from collections.abc import Iterator

from services.issuance.contracts import CardActivated, CardEndorsed, CardReplaced, NewCardDeclined
from services.loss.domain.commands import Command, DeclineNewCard, EnterCard, NoteEndorsement, SucceedCard


def when_a_card_works_let_it_be_lost(told: CardActivated) -> Iterator[Command]:
    """From now on a call about it has somebody to go to."""
    yield EnterCard(holding_id=told.holding_id, card_id=told.card_id, programme=told.programme, at=told.at)


def when_a_new_card_works_close_the_report(told: CardReplaced) -> Iterator[Command]:
    """The old card ended in the same instant; its report has nothing left to stop."""
    yield SucceedCard(
        holding_id=told.holding_id,
        old_card_id=told.old_card_id,
        card_id=told.card_id,
        programme=told.programme,
        at=told.at,
    )


def when_no_new_card_will_come_let_the_report_be_lifted(told: NewCardDeclined) -> Iterator[Command]:
    """The holder stands where she stood before she asked for a new card."""
    if told.old_card_id is not None:
        yield DeclineNewCard(
            holding_id=told.holding_id, card_id=told.old_card_id, kind=told.kind, at=told.at, reason=told.reason
        )


def when_a_card_is_endorsed_see_whether_it_was_reported_lost(told: CardEndorsed) -> Iterator[Command]:
    """The counter looks too, but a call of the same instant may not have come to its ears."""
    yield NoteEndorsement(holding_id=told.holding_id, card_id=told.card_id, at=told.at)


REACTIONS = (
    when_a_card_works_let_it_be_lost,
    when_a_new_card_works_close_the_report,
    when_no_new_card_will_come_let_the_report_be_lifted,
    when_a_card_is_endorsed_see_whether_it_was_reported_lost,
)
HEARS = (CardActivated, CardReplaced, NewCardDeclined, CardEndorsed)
