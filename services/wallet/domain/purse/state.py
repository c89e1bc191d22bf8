"""How the wallet of a holding can stand."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.kernel import state, value
from services.ids import CardId, ordinal_of
from services.wallet.domain.bylaw import Origin
from services.wallet.domain.naming import LoadId
from services.wallet.domain.purse.events import (
    AccountPaidOut,
    CardEnded,
    CardNoted,
    CardSucceeded,
    ChipForfeited,
    ChipSettled,
    CoolingBegun,
    CoolingExtended,
    Event,
    LoadConfirmed,
    LoadFoundLate,
    LoadPaid,
    LoadReversed,
    LoadUncertain,
    PurseFrozen,
    PurseOpened,
    PurseReleased,
    ValidityNoted,
)


@value
class Card:
    """The card with which the wallet is used, and the moment at which it expires."""

    card_id: CardId
    valid_to: datetime


@value
class Freeze:
    """A stretch in which the money of a card is stopped; open-ended while `until` is None.

    `function` is the wallet's function on whose clock it runs; none, if it runs on the whole card's.
    """

    card_id: CardId
    at: datetime
    until: datetime | None
    kind: str
    function: str = ""
    reported_at: datetime | None = None

    def covers(self, at: datetime) -> bool:
        return at >= self.at and (self.until is None or at < self.until)


@value
class Load:
    """A load of the chip: paid, and not yet known to be on it. `uncertain` once a terminal has lost sight of it."""

    load_id: LoadId
    card_id: CardId
    channel: str
    origin: Origin
    amount_fen: int
    counter: int
    expires_at: datetime
    uncertain: bool = False


@value
class Cooling:
    """A chip out of use whose late taps are waited for, at the longest until `latest_at`."""

    card_id: CardId
    ends_at: datetime
    latest_at: datetime
    refunds: bool


@state
class Purse:
    """All that the wallet knows about one holding, but for the money itself, which the books know.

    `freeze` is the last report about the present card, or about a card that has not come to our ears yet. `loads` are
    paid and not yet known to be on their chip, one of a card at most; `expired` were given back because nobody ever
    knew, and no contact with the chip has shown since that it never took them.
    """

    programme: str = ""
    person_id: str = ""
    card: Card | None = None
    opened_at: datetime | None = None
    named: bool = True
    freeze: Freeze | None = None
    ended_at: datetime | None = None
    ending: str = ""
    loads: tuple[Load, ...] = ()
    expired: tuple[Load, ...] = ()
    outcomes: tuple[tuple[LoadId, str, int], ...] = ()
    cooling: tuple[Cooling, ...] = ()
    settled: frozenset[CardId] = frozenset()
    paid_out: AccountPaidOut | None = None

    def outcome_of(self, load: LoadId) -> str | None:
        """`pending`, `confirmed`, `uncertain` or `reversed`; None for a load that nobody has paid."""
        return next((outcome for known, outcome, _ in self.outcomes if known == load), None)

    def amount_of(self, load: LoadId) -> int | None:
        """What was paid in for this load, in fen."""
        return next((fen for known, _, fen in self.outcomes if known == load), None)

    def load_of(self, card: CardId) -> Load | None:
        """What was paid for this chip and is not yet known to be on it."""
        return next((load for load in self.loads if load.card_id == card), None)

    def waiting(self, load: LoadId) -> Load | None:
        """This load, while nobody knows whether the chip has taken it."""
        return next((one for one in self.loads if one.load_id == load), None)

    def cooling_of(self, card: CardId) -> Cooling | None:
        return next((one for one in self.cooling if one.card_id == card), None)

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
        case CardNoted():  # Also a new first card, long after the last one has ended: the account is the holder's.
            closed = purse.paid_out is not None
            return replace(
                _with_card(purse, fact),
                person_id=fact.person_id,
                opened_at=None if closed else purse.opened_at,
                paid_out=None,
            )
        case ValidityNoted():
            return replace(purse, card=Card(card_id=fact.card_id, valid_to=fact.valid_to))
        case PurseOpened():
            return replace(purse, opened_at=fact.at, named=fact.named)
        case PurseFrozen():
            freeze = Freeze(
                card_id=fact.card_id,
                at=fact.at,
                until=fact.until,
                kind=fact.kind,
                function=fact.function,
                reported_at=fact.reported_at,
            )
            return replace(purse, freeze=freeze)
        case PurseReleased():
            assert purse.freeze is not None
            wakes = max(purse.freeze.at, fact.from_at or fact.at)  # Lifted before it began, it never begins.
            return replace(purse, freeze=replace(purse.freeze, until=wakes))
        case CardSucceeded():
            return _with_card(purse, fact)
        case CardEnded():
            return replace(purse, ended_at=fact.at, ending=fact.reason)
        case LoadPaid():
            load = Load(
                load_id=fact.load_id,
                card_id=fact.card_id,
                channel=fact.channel,
                origin=fact.origin,
                amount_fen=fact.amount_fen,
                counter=fact.counter,
                expires_at=fact.expires_at,
            )
            paid = _with_outcome(purse, fact.load_id, "pending", fact.amount_fen)
            return replace(paid, loads=(*purse.loads, load), expired=_not_disproved(purse.expired, load))
        case LoadUncertain():
            uncertain = tuple(
                replace(one, uncertain=one.uncertain or one.load_id == fact.load_id) for one in purse.loads
            )
            return replace(_with_outcome(purse, fact.load_id, "uncertain"), loads=uncertain)
        case LoadConfirmed():
            return replace(_with_outcome(purse, fact.load_id, "confirmed"), loads=_without(purse.loads, fact.load_id))
        case LoadReversed():
            lost = [one for one in purse.loads if one.load_id == fact.load_id and fact.how == "expired"]
            return replace(
                _with_outcome(purse, fact.load_id, "reversed"),
                loads=_without(purse.loads, fact.load_id),
                expired=(*purse.expired, *lost),
            )
        case LoadFoundLate():
            left = _without(purse.expired, fact.load_id)
            return replace(_with_outcome(purse, fact.load_id, "confirmed"), expired=left)
        case CoolingBegun():
            cooling = Cooling(
                card_id=fact.card_id, ends_at=fact.ends_at, latest_at=fact.latest_at, refunds=fact.refunds
            )
            return replace(purse, cooling=(*purse.cooling, cooling))
        case CoolingExtended():
            return replace(
                purse,
                cooling=tuple(
                    replace(one, ends_at=fact.ends_at) if one.card_id == fact.card_id else one for one in purse.cooling
                ),
            )
        case ChipSettled() | ChipForfeited():
            return replace(
                purse,
                cooling=tuple(one for one in purse.cooling if one.card_id != fact.card_id),
                settled=purse.settled | {fact.card_id},
            )
        case AccountPaidOut():
            return replace(purse, paid_out=fact)
        case _:
            assert_never(fact)


def _with_card(purse: Purse, fact: CardNoted | CardSucceeded) -> Purse:
    """The account is used with this card from now on; of reports only one about this very card still counts."""
    kept = purse.freeze if purse.freeze is not None and purse.freeze.card_id == fact.card_id else None
    card = Card(card_id=fact.card_id, valid_to=fact.valid_to)
    return replace(purse, programme=fact.programme, card=card, freeze=kept, ended_at=None, ending="")


def _without(loads: tuple[Load, ...], load: LoadId) -> tuple[Load, ...]:
    return tuple(one for one in loads if one.load_id != load)


def _not_disproved(expired: tuple[Load, ...], load: Load) -> tuple[Load, ...]:
    """A chip that counts as before an expired load never took it; the next count is this load's, not that one's."""
    return tuple(one for one in expired if (one.card_id, one.counter) != (load.card_id, load.counter))


OUTCOMES_KEPT = 20


def _with_outcome(purse: Purse, load: LoadId, outcome: str, fen: int | None = None) -> Purse:
    """The last loads and what became of them; an older one is told by the statement."""
    others = tuple(one for one in purse.outcomes if one[0] != load)
    paid = purse.amount_of(load) or 0 if fen is None else fen
    return replace(purse, outcomes=(*others, (load, outcome, paid))[-OUTCOMES_KEPT:])
