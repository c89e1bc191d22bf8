"""What the wallet does whenever somebody else has done something."""

from collections.abc import Iterator

from services.issuance.contracts import CardActivated, CardCancelled, CardEndorsed, CardReplaced, EndorsementTakenBack
from services.loss.contracts import CardStopped, CardWoken
from services.wallet.domain.bylaw import MONEY
from services.wallet.domain.purse.commands import (
    Command,
    EndCard,
    FreezePurse,
    NoteCard,
    NoteValidity,
    ReleasePurse,
    SucceedCard,
)


def when_a_card_works_let_a_wallet_be_opened(told: CardActivated) -> Iterator[Command]:
    """Off until opened with formalities; but now there is a card to open it with."""
    yield NoteCard(
        holding_id=told.holding_id,
        card_id=told.card_id,
        programme=told.programme,
        valid_to=told.valid_to,
        at=told.at,
        person_id=told.person_id,
    )


def when_a_card_is_endorsed_its_money_goes_on(told: CardEndorsed) -> Iterator[Command]:
    """For another year, like the card."""
    yield _valid_until(told)


def when_an_endorsement_is_taken_back_its_money_ends_as_before(told: EndorsementTakenBack) -> Iterator[Command]:
    """With the card, again."""
    yield _valid_until(told)


def _valid_until(told: CardEndorsed | EndorsementTakenBack) -> Command:
    return NoteValidity(holding_id=told.holding_id, card_id=told.card_id, valid_to=told.valid_to, at=told.at)


def when_a_card_stops_freeze_its_money(told: CardStopped) -> Iterator[Command]:
    """At the instant at which its own function stops, if the report names one of the wallet's; with the card if not."""
    stops = {one.function: one.from_at for one in told.functions}
    begins = next((stops[function] for function in MONEY if function in stops), told.at)
    yield FreezePurse(
        holding_id=told.holding_id,
        card_id=told.card_id,
        at=begins,
        until=told.until,
        kind=told.kind,
        names=tuple(stops),
        reported_at=None if begins == told.at else told.at,
    )


def when_a_card_wakes_release_its_money(told: CardWoken) -> Iterator[Command]:
    """At the hour at which it woke, or once its own functions have cooled."""
    cooled = [one.from_at for one in told.cooling if one.function in MONEY]
    yield ReleasePurse(
        holding_id=told.holding_id,
        card_id=told.card_id,
        at=told.at,
        why=told.why,
        names=tuple(told.functions),
        from_at=max(cooled, default=None),
    )


def when_a_new_card_works_move_the_account(told: CardReplaced) -> Iterator[Command]:
    """The account is the holder's; the old card ended in the same instant."""
    yield SucceedCard(
        holding_id=told.holding_id,
        old_card_id=told.old_card_id,
        card_id=told.card_id,
        programme=told.programme,
        valid_to=told.valid_to,
        at=told.at,
    )


def when_a_card_ends_let_nobody_use_its_money(told: CardCancelled) -> Iterator[Command]:
    """What is left waits to be paid out."""
    yield EndCard(holding_id=told.holding_id, card_id=told.card_id, at=told.at, reason=told.reason)


REACTIONS = (
    when_a_card_works_let_a_wallet_be_opened,
    when_a_card_is_endorsed_its_money_goes_on,
    when_an_endorsement_is_taken_back_its_money_ends_as_before,
    when_a_card_stops_freeze_its_money,
    when_a_card_wakes_release_its_money,
    when_a_new_card_works_move_the_account,
    when_a_card_ends_let_nobody_use_its_money,
)
HEARS = (
    CardActivated, CardEndorsed, EndorsementTakenBack, CardStopped, CardWoken, CardReplaced, CardCancelled,
)  # fmt: skip
