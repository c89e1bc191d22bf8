"""What can be asked about one adjustment."""

from datetime import datetime
from typing import Literal, TypeAlias

from libs.kernel import command
from libs.kernel.foureyes import Hand, ProposalId
from libs.kernel.why import Cited
from services.ids import HoldingId
from services.wallet.domain.naming import AdjustmentId


@command
class ProposeCorrection:
    """A holder's account is wrong by so much (above nothing: she is owed it); the other side lies at `against`.

    `most_fen` is the cap of her account by her city's bylaw, and the bound of what is put right at once; `cap` is where
    it stands. Where `against` is a pile of suspense, `stands_fen` is what it holds now.
    """

    adjustment_id: AdjustmentId
    holding_id: HoldingId
    against: str
    amount_fen: int
    reason: str
    evidence: str
    most_fen: int
    proposal_id: ProposalId
    by: Hand
    at: datetime
    stands_fen: int = 0
    cap: Cited | None = None


@command
class ProposeWriteOff:
    """Nobody can explain this part of a pile of suspense: let the issuer bear it. `stands_fen` is the pile now.

    `against` is the account that bears it instead, where somebody owns up to it.
    """

    adjustment_id: AdjustmentId
    city: str
    pile: str
    amount_fen: int
    stands_fen: int
    reason: str
    evidence: str
    proposal_id: ProposalId
    by: Hand
    at: datetime
    against: str = ""


@command
class ApproveAdjustment:
    """I have looked at it and at its evidence: book it.

    `stands_fen` is what the pile of suspense holds now, if there is one; `to` says where an account's money goes that
    cannot be put on it.
    """

    adjustment_id: AdjustmentId
    proposal_id: ProposalId
    to: Literal["account", "payable"]
    by: Hand
    at: datetime
    stands_fen: int = 0


@command
class DeclineAdjustment:
    """I have looked at it, and it shall not be booked; or I take back what I proposed."""

    adjustment_id: AdjustmentId
    proposal_id: ProposalId
    reason: str
    by: Hand
    at: datetime


Command: TypeAlias = ProposeCorrection | ProposeWriteOff | ApproveAdjustment | DeclineAdjustment
