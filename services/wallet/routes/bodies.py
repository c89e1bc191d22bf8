"""What callers send to the wallet."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field, StringConstraints

from libs.web.bodies import Body, Text, When
from services.wallet.domain.money import AMOUNT_MAX_FEN

CardPath = Annotated[str, Path(description="The card, for example `330900-4K7MZQ0V5T8WX2N3.1`.")]
PaymentPath = Annotated[str, Path(description="The payment, as its authorisation named it.")]
TopUpPath = Annotated[str, Path(description="The top-up, as its receipt named it.")]

Fen = Annotated[int, Field(gt=0, le=AMOUNT_MAX_FEN, description="A whole number of fen: 1234 is 12.34 yuan.")]
Reference = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._/-]{1,64}$"),
    Field(description="The caller's own name for this act; it happens once, and no other act may bear it."),
]
Currency = Annotated[Literal["CNY"], Field(description="Only yuan; leave it out, or say CNY.")]


class OpeningBody(Body):
    """The formalities of opening a wallet."""

    document: Literal[
        "id_card", "household_book", "residence_permit", "temporary_residence_permit", "passport",
        "social_security_card",
    ]  # fmt: skip
    """The valid document that the holder showed."""


class TopUpBody(Body):
    """Money paid in at a counter."""

    amount_fen: Fen
    currency: Currency = "CNY"
    origin: Literal["cash", "bank_account", "voucher"]
    """Where it came from; it can only go back there."""
    reference: Reference
    """The number of the counter's receipt."""


class ReversalBody(Body):
    """A mistake of the counter."""

    reason: Text


class PaymentBody(Body):
    """Money that a merchant asks for."""

    card_id: str
    amount_fen: Fen
    currency: Currency = "CNY"
    reference: Reference
    """The merchant's own number of this sale."""
    capture: bool = False
    """Take it at once, instead of only holding it."""


class CaptureBody(Body):
    """What the merchant takes of what was held."""

    amount_fen: Fen
    currency: Currency = "CNY"
    final: bool = True
    """Let go of the rest; otherwise more can be taken later, until the hold expires."""


class RefundBody(Body):
    """What the merchant gives back."""

    amount_fen: Fen
    currency: Currency = "CNY"
    reference: Reference
    """The merchant's own number of this refund."""


class NothingToAdd(Body):
    """An empty body."""


class CorrectionBody(Body):
    """By how much an account is wrong, why, and what shows it."""

    direction: Literal["to_holder", "from_holder"]
    """Whether the holder is owed the money, or has it by mistake."""
    amount_fen: Fen
    currency: Currency = "CNY"
    pile: Annotated[str, StringConstraints(max_length=40)] = ""
    """The pile of suspense in which the other side lies; left out, the issuer bears it."""
    reason: Text
    evidence: Reference
    """The number of the file in which the evidence lies; never a name."""
    reference: Reference


class WriteOffBody(Body):
    """What of a pile of suspense the issuer shall bear."""

    pile: Annotated[str, StringConstraints(max_length=40)]
    amount_fen: Fen
    currency: Currency = "CNY"
    reason: Text
    evidence: Reference
    reference: Reference


class RulingBody(Body):
    """What shall become of a record."""

    ruling: Literal["book", "reject", "issuer"]
    """The holder pays; nobody pays; the merchant is paid and the issuer bears it."""
    reason: Text
    evidence: Reference
    """The number of the file in which the evidence lies; never a name."""


class HotlistReceiptBody(Body):
    """What a terminal holds."""

    version: Annotated[int, Field(ge=0, lt=2**62)]
    received_at: When
    """Since when, by the terminal's clock."""


class ApprovalBody(Body):
    """Which proposal has been looked at."""

    proposal_id: Annotated[str, StringConstraints(max_length=40)]


class ObjectionBody(ApprovalBody):
    """Which proposal has been looked at, and why it shall not be."""

    reason: Text


LoadPath = Annotated[str, Path(description="The load, as its receipt named it.")]
Counter = Annotated[int, Field(ge=0, lt=2**16, description="The chip's load counter, two bytes.")]


class RefundPayOutBody(Body):
    """How what waits for a holder is paid out, and who she is."""

    way: Literal["counter", "bank_transfer"]
    """`counter` for what came as cash, `bank_transfer` for what came from a bank account."""
    document: Literal[
        "id_card", "household_book", "residence_permit", "temporary_residence_permit", "passport",
        "social_security_card",
    ]  # fmt: skip
    """The valid document that the holder showed."""
    bank: Annotated[str, StringConstraints(max_length=40)] = ""
    """Which bank makes the transfer, as its statement files name it."""
    reference: Reference
    """The number of the counter's receipt."""


class LoadBody(Body):
    """Money paid in for the chip's own purse, and what the chip says before it is loaded."""

    amount_fen: Fen
    currency: Currency = "CNY"
    origin: Literal["cash", "bank_account", "voucher"]
    reference: Reference
    counter: Counter
    balance_fen: Annotated[int, Field(ge=0, le=AMOUNT_MAX_FEN)]
    """What the chip holds, as it says."""


class OutcomeBody(Body):
    """What became of a load, as the terminal saw it."""

    outcome: Literal["loaded", "not_loaded", "unknown"]
    counter: Counter | None = None
    """The chip's load counter afterwards, if the terminal could still read it."""


class ContactBody(Body):
    """A terminal has met the chip."""

    counter: Counter
