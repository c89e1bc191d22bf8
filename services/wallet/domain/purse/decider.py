"""A wallet is opened at a counter, stops with its card, and goes with the account to the card's successor."""

from collections.abc import Sequence
from typing import assert_never

from libs.kernel import Clash, Decider, Forbidden, Missing, Unfit
from services.ids import CardId, ordinal_of
from services.wallet.domain.bylaw import Place, WalletBylaw
from services.wallet.domain.purse.commands import (
    Command,
    EndCard,
    FreezePurse,
    NoteCard,
    OpenPurse,
    ReleasePurse,
    SucceedCard,
)
from services.wallet.domain.purse.events import (
    CardEnded,
    CardNoted,
    CardSucceeded,
    Event,
    PurseFrozen,
    PurseOpened,
    PurseReleased,
)
from services.wallet.domain.purse.state import Purse, evolve


class CardUnknown(Missing):
    """The wallet has not heard of card {card_id}; check the number, or try again in a minute if it is new."""


class CardOfYesterday(Clash):
    """Card {card_id} is not the holder's present card; use the one that took its place."""


class CardStopped(Clash):
    """Card {card_id} is reported lost, and its money is stopped; lift the report, or wait for the new card."""


class CardExpired(Clash):
    """Card {card_id} is out of validity, and its money is stopped; exchange it for a new one, the money goes along."""


class CardEndedForGood(Clash):
    """Card {card_id} has ended; what was left on it is paid out at a service hall."""


class NoWalletHere(Clash):
    """Cards of this programme carry no money; there is nothing to open."""


class WrongPlace(Forbidden):
    """This is not done at a {kind}; go to one of: {kinds}."""


class DocumentNotAccepted(Unfit):
    """This document is not accepted for that; bring one of: {documents}."""


def decide(command: Command, purse: Purse) -> Sequence[Event]:
    match command:
        case NoteCard():
            return note(command, purse)
        case OpenPurse():
            return open_purse(command, purse)
        case FreezePurse():
            return freeze(command, purse)
        case ReleasePurse():
            return release(command, purse)
        case SucceedCard():
            return succeed(command, purse)
        case EndCard():
            return end(command, purse)
        case _:
            assert_never(command)


def note(asked: NoteCard, purse: Purse) -> Sequence[Event]:
    """A letter about an older card comes too late to count."""
    if purse.heard_of(asked.card_id):
        return []
    return [
        CardNoted(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            programme=asked.programme,
            valid_to=asked.valid_to,
            at=asked.at,
        )
    ]


def open_purse(asked: OpenPurse, purse: Purse) -> Sequence[Event]:
    """Off until opened with formalities (Zhoushan citizen-card FAQ: at service halls and bank outlets)."""
    check_card(asked.card_id, asked, purse)
    if asked.under is None:
        raise NoWalletHere
    check_counter(asked.place, asked.under.open_at, asked.document, asked.under)
    if purse.opened_at is not None:
        return []
    return [
        PurseOpened(
            holding_id=asked.holding_id,
            card_id=asked.card_id,
            at=asked.at,
            outlet=asked.place.outlet,
            document=asked.document,
            named=asked.under.named,
        )
    ]


def freeze(asked: FreezePurse, purse: Purse) -> Sequence[Event]:
    """Freeze first, ask later; also before the wallet is open, and before the card has come to our ears."""
    if purse.card is not None and ordinal_of(asked.card_id) < ordinal_of(purse.card.card_id):
        return []
    if asked.under is not None and not asked.under.account_reportable:
        return []
    now = purse.freeze
    if now is not None and now.card_id == asked.card_id and now.at == asked.at and now.kind == asked.kind:
        return []
    begins = asked.at
    if now is not None and now.card_id == asked.card_id and now.covers(asked.at):
        begins = now.at  # A signature after a call: what was stopped stays stopped from then.
    return [
        PurseFrozen(holding_id=asked.holding_id, card_id=asked.card_id, at=begins, until=asked.until, kind=asked.kind)
    ]


def release(asked: ReleasePurse, purse: Purse) -> Sequence[Event]:
    """At the hour of the lapse or the lift, not at the moment at which the letter came."""
    now = purse.freeze
    if now is None or now.card_id != asked.card_id or asked.at < now.at:
        return []
    if now.until is not None and now.until <= asked.at:
        return []
    return [PurseReleased(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, why=asked.why)]


def succeed(asked: SucceedCard, purse: Purse) -> Sequence[Event]:
    """The account is the holder's, not the card's: it is used with the new card from its first moment."""
    if purse.heard_of(asked.card_id):
        return []
    return [
        CardSucceeded(
            holding_id=asked.holding_id,
            old_card_id=asked.old_card_id,
            card_id=asked.card_id,
            programme=asked.programme,
            valid_to=asked.valid_to,
            at=asked.at,
        )
    ]


def end(asked: EndCard, purse: Purse) -> Sequence[Event]:
    """The present card has ended, and with it all use of the money."""
    if purse.card is None or purse.card.card_id != asked.card_id or purse.ended_at is not None:
        return []
    return [CardEnded(holding_id=asked.holding_id, card_id=asked.card_id, at=asked.at, reason=asked.reason)]


purses: Decider[Command, Purse, Event] = Decider(Purse(), decide, evolve)


def check_card(card_id: CardId, asked: OpenPurse, purse: Purse) -> None:
    """Whether money may be put on this card now. Raises a refusal that says why not (R96)."""
    if purse.card is None or not purse.heard_of(card_id):
        raise CardUnknown(card_id=card_id)
    if purse.card.card_id != card_id:
        raise CardOfYesterday(card_id=card_id)
    if purse.ended_at is not None:
        raise CardEndedForGood(card_id=card_id)
    if purse.frozen(asked.at):
        raise CardStopped(card_id=card_id)
    if asked.at >= purse.card.valid_to:
        raise CardExpired(card_id=card_id)


def check_counter(place: Place, kinds: frozenset[str], document: str, under: WalletBylaw) -> None:
    if place.kind not in kinds:
        raise WrongPlace(kind=place.kind, kinds=", ".join(sorted(kinds)))
    if document not in under.documents:
        raise DocumentNotAccepted(documents=", ".join(sorted(under.documents)))
