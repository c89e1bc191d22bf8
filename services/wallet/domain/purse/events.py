"""What has happened to the wallet of a holding."""

from datetime import datetime

from libs.kernel import event
from services.ids import CardId, HoldingId, PersonId
from services.wallet.domain.bylaw import Origin
from services.wallet.domain.naming import LoadId


@event
class CardNoted:
    """A card works; a wallet can be opened with it. `person_id` is whose it is; empty in what was stored before."""

    holding_id: HoldingId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime
    person_id: PersonId = PersonId("")


@event
class ValidityNoted:
    """The card is valid until another moment than before: it was endorsed, or that was taken back."""

    holding_id: HoldingId
    card_id: CardId
    valid_to: datetime
    at: datetime


@event
class PurseOpened:
    """Opened with formalities at a counter; until then there was no money on this card."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    outlet: str
    document: str
    named: bool


@event
class PurseFrozen:
    """A report of loss stops the money too, from its own moment until its own hour (for ever, if it has none).

    `function` is the wallet's function that the report named; none, if the money stops with the card.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    until: datetime | None
    kind: str
    function: str = ""
    reported_at: datetime | None = None


@event
class PurseReleased:
    """The report has lapsed, or was lifted: the money can be used again from then, or if it cools from `from_at`."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    why: str
    from_at: datetime | None = None


@event
class CardSucceeded:
    """A new card has taken the old one's place, and the account goes with it."""

    holding_id: HoldingId
    old_card_id: CardId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime


@event
class CardEnded:
    """The card has ended without a successor; what is left is paid out."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str


@event
class LoadPaid:
    """Money was paid in for the chip's own purse; the chip has still to take it.

    `counter` is the chip's load counter before the load: what it says at the next contact settles what happened.
    """

    load_id: LoadId
    holding_id: HoldingId
    card_id: CardId
    channel: str
    reference: str
    origin: Origin
    amount_fen: int
    counter: int
    at: datetime
    expires_at: datetime


@event
class LoadConfirmed:
    """The chip has taken the money; `how` says who knows: the terminal, or the chip's counter at a later contact."""

    load_id: LoadId
    holding_id: HoldingId
    card_id: CardId
    origin: Origin
    amount_fen: int
    how: str
    at: datetime


@event
class LoadUncertain:
    """The card left before the terminal knew: nobody charges again, and the next contact tells."""

    load_id: LoadId
    holding_id: HoldingId
    card_id: CardId
    at: datetime


@event
class LoadReversed:
    """The chip has not taken the money: it goes back to the counter, or after the last hour to the holder."""

    load_id: LoadId
    holding_id: HoldingId
    card_id: CardId
    channel: str
    origin: Origin
    amount_fen: int
    how: str
    at: datetime


@event
class LoadFoundLate:
    """A chip shows a load that had been given back after its last hour; the issuer bears it."""

    load_id: LoadId
    holding_id: HoldingId
    card_id: CardId
    amount_fen: int
    at: datetime


@event
class CoolingBegun:
    """A chip is out of use; its money moves when every tap that it made before has come in."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    ends_at: datetime
    latest_at: datetime
    refunds: bool


@event
class CoolingExtended:
    """A terminal that may have taken the chip has not uploaded yet."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    ends_at: datetime


@event
class ChipSettled:
    """What the chip held has moved, once: `to` the account of the new card, or `payable` at a counter."""

    holding_id: HoldingId
    card_id: CardId
    amount_fen: int
    to: str
    at: datetime


@event
class ChipForfeited:
    """An anonymous chip was lost like cash."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime


@event
class AccountPaidOut:
    """The account is empty: cash over the counter, bank money to be sent back, unspent vouchers to nobody."""

    holding_id: HoldingId
    card_id: CardId
    outlet: str
    cash_fen: int
    bank_fen: int
    voucher_fen: int
    fee_fen: int
    at: datetime

    @property
    def total_fen(self) -> int:
        return self.cash_fen + self.bank_fen + self.voucher_fen + self.fee_fen


Event = (
    CardNoted
    | ValidityNoted
    | PurseOpened
    | PurseFrozen
    | PurseReleased
    | CardSucceeded
    | CardEnded
    | LoadPaid
    | LoadConfirmed
    | LoadUncertain
    | LoadReversed
    | LoadFoundLate
    | CoolingBegun
    | CoolingExtended
    | ChipSettled
    | ChipForfeited
    | AccountPaidOut
)
