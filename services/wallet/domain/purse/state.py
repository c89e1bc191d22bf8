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

    `freeze` is the last report about the present card, or about a card that has not come to our ears yet. `load` is
    paid and not yet known to be on the chip; `expired` are loads that were given back because nobody ever knew.
    """

    programme: str = ""
    person_id: str = ""
    card: Card | None = None
    opened_at: datetime | None = None
    named: bool = True
    freeze: Freeze | None = None
    ended_at: datetime | None = None
    ending: str = ""
    load: Load | None = None
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
        case CardNoted():
            return replace(
                purse,
                programme=fact.programme,
                person_id=fact.person_id,
                card=Card(card_id=fact.card_id, valid_to=fact.valid_to),
            )
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
            return replace(_with_outcome(purse, fact.load_id, "pending", fact.amount_fen), load=load)
        case LoadUncertain():
            assert purse.load is not None
            uncertain = replace(purse.load, uncertain=True)
            return replace(_with_outcome(purse, fact.load_id, "uncertain"), load=uncertain)
        case LoadConfirmed():
            return replace(_with_outcome(purse, fact.load_id, "confirmed"), load=None)
        case LoadReversed():
            assert purse.load is not None
            expired = (*purse.expired, purse.load) if fact.how == "expired" else purse.expired
            return replace(_with_outcome(purse, fact.load_id, "reversed"), load=None, expired=expired)
        case LoadFoundLate():
            left = tuple(load for load in purse.expired if load.load_id != fact.load_id)
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


OUTCOMES_KEPT = 20


def _with_outcome(purse: Purse, load: LoadId, outcome: str, fen: int | None = None) -> Purse:
    """The last loads and what became of them; an older one is told by the statement."""
    others = tuple(one for one in purse.outcomes if one[0] != load)
    paid = purse.amount_of(load) or 0 if fen is None else fen
    return replace(purse, outcomes=(*others, (load, outcome, paid))[-OUTCOMES_KEPT:])
