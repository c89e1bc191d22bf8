"""How the wallet of a holding can stand."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.kernel import state, value
from services.ids import CardId, ordinal_of
from services.wallet.domain.purse.events import (
    CardEnded,
    CardNoted,
    CardSucceeded,
    Event,
    PurseFrozen,
    PurseOpened,
    PurseReleased,
)


@value
class Card:
    """The card with which the wallet is used, and the moment at which it expires."""

    card_id: CardId
    valid_to: datetime


@value
class Freeze:
    """A stretch in which the money of a card is stopped; open-ended while `until` is None."""

    card_id: CardId
    at: datetime
    until: datetime | None
    kind: str

    def covers(self, at: datetime) -> bool:
        return at >= self.at and (self.until is None or at < self.until)


@state
class Purse:
    """All that the wallet knows about one holding, but for the money itself, which the books know.

    `freeze` is the last report about the present card, or about a card that has not come to our ears yet.
    """

    programme: str = ""
    card: Card | None = None
    opened_at: datetime | None = None
    named: bool = True
    freeze: Freeze | None = None
    ended_at: datetime | None = None
    ending: str = ""

    def heard_of(self, card: CardId) -> bool:
        """Whether this card has come to our ears, itself or through a younger one."""
        return self.card is not None and ordinal_of(card) <= ordinal_of(self.card.card_id)

    def frozen(self, at: datetime) -> bool:
        """Whether a report stops the money of the present card at this instant; a late timer changes nothing here."""
        return (
            self.card is not None
            and self.freeze is not None
            and self.freeze.card_id == self.card.card_id
            and self.freeze.covers(at)
        )


def evolve(purse: Purse, fact: Event) -> Purse:
    match fact:
        case CardNoted():
            return replace(purse, programme=fact.programme, card=Card(card_id=fact.card_id, valid_to=fact.valid_to))
        case PurseOpened():
            return replace(purse, opened_at=fact.at, named=fact.named)
        case PurseFrozen():
            return replace(purse, freeze=Freeze(card_id=fact.card_id, at=fact.at, until=fact.until, kind=fact.kind))
        case PurseReleased():
            assert purse.freeze is not None
            return replace(purse, freeze=replace(purse.freeze, until=fact.at))
        case CardSucceeded():
            kept = purse.freeze if purse.freeze is not None and purse.freeze.card_id == fact.card_id else None
            return replace(
                purse,
                programme=fact.programme,
                card=Card(card_id=fact.card_id, valid_to=fact.valid_to),
                freeze=kept,
                ended_at=None,
                ending="",
            )
        case CardEnded():
            return replace(purse, ended_at=fact.at, ending=fact.reason)
        case _:
            assert_never(fact)
