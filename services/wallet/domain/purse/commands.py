"""What can be asked about the wallet of a holding."""

from datetime import datetime
from typing import Literal

from libs.kernel import command
from services.ids import CardId, HoldingId, PersonId
from services.wallet.domain.bylaw import Origin, Place, WalletBylaw
from services.wallet.domain.naming import LoadId


@command
class NoteCard:
    """Issuance says that the first card of a holding works."""

    holding_id: HoldingId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime
    person_id: PersonId = PersonId("")


@command
class NoteValidity:
    """Issuance says that the card is valid until another moment than before."""

    holding_id: HoldingId
    card_id: CardId
    valid_to: datetime
    at: datetime


@command
class OpenPurse:
    """The holder opens the wallet at a counter."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    place: Place
    document: str
    under: WalletBylaw | None


@command
class FreezePurse:
    """The loss desk has stopped the functions that it `names`, or if it names none the whole card.

    `at` is when the money stops; `reported_at` is the moment of the report, where that is another one.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    until: datetime | None
    kind: str
    under: WalletBylaw | None = None
    names: tuple[str, ...] = ()
    reported_at: datetime | None = None


@command
class ReleasePurse:
    """The loss desk says that the functions that it `names` stand as before, or if it names none the whole card.

    `from_at` is when the money may be used again, if that is later than `at`.
    """

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    why: str
    names: tuple[str, ...] = ()
    from_at: datetime | None = None


@command
class SucceedCard:
    """Issuance says that a new card works, and that the old one has ended in the same instant."""

    holding_id: HoldingId
    old_card_id: CardId
    card_id: CardId
    programme: str
    valid_to: datetime
    at: datetime
    under: WalletBylaw | None = None


@command
class EndCard:
    """A card has ended for good."""

    holding_id: HoldingId
    card_id: CardId
    at: datetime
    reason: str
    under: WalletBylaw | None = None


@command
class PayLoad:
    """Somebody pays money in for the chip's own purse; `counter` and `balance_fen` are what the chip says now."""

    load_id: LoadId
    holding_id: HoldingId
    card_id: CardId
    place: Place
    reference: str
    origin: Origin
    amount_fen: int
    counter: int
    balance_fen: int
    at: datetime
    under: WalletBylaw | None


@command
class TellOutcome:
    """The terminal says what became of a load."""

    load_id: LoadId
    holding_id: HoldingId
    outcome: Literal["loaded", "not_loaded", "unknown"]
    counter: int | None
    at: datetime


@command
class MeetChip:
    """A terminal has met the chip, and its load counter says what became of a load that nobody knew about."""

    holding_id: HoldingId
    card_id: CardId
    counter: int
    at: datetime


@command
class ExpireLoad:
    """The last hour of a load has struck: whoever paid gets the money back."""

    load_id: LoadId
    holding_id: HoldingId
    expires_at: datetime


@command
class EndCooling:
    """The hour has come at which a chip's money may move, if every terminal's batch is in.

    The shell adds what the books and the terminals say: `batches_in`, the chip's shadow, and whether the account of the
    present card has room for it.
    """

    holding_id: HoldingId
    card_id: CardId
    ends_at: datetime
    at: datetime | None = None
    batches_in: bool = False
    shadow_fen: int = 0
    account_has_room: bool = False


@command
class PayOut:
    """The holder of a card that has ended fetches what is left; the shell adds what the books say."""

    holding_id: HoldingId
    card_id: CardId
    place: Place
    document: str
    at: datetime
    cash_fen: int
    bank_fen: int
    voucher_fen: int
    held_fen: int
    under: WalletBylaw | None


Command = (
    NoteCard
    | NoteValidity
    | OpenPurse
    | FreezePurse
    | ReleasePurse
    | SucceedCard
    | EndCard
    | PayLoad
    | TellOutcome
    | MeetChip
    | ExpireLoad
    | EndCooling
    | PayOut
)
