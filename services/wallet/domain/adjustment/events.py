"""What has happened to one adjustment."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import event
from libs.kernel.foureyes import FourEyes, Hand, ProposalId
from services.wallet.domain.naming import AdjustmentId


@event
class AdjustmentProposed:
    """Somebody wants `amount_fen` (signed) put on `account`, out of `against`. Nothing is booked yet."""

    adjustment_id: AdjustmentId
    account: str
    against: str
    amount_fen: int
    reason: str
    evidence: str
    most_fen: int
    proposal_id: ProposalId
    by: Hand
    until: datetime
    at: datetime


@event
class AdjustmentMade:
    """Two people have looked at it, and it is booked. `cap_fen` is the account's cap when it was proposed."""

    adjustment_id: AdjustmentId
    account: str
    against: str
    amount_fen: int
    cap_fen: int
    proposal_id: ProposalId
    eyes: FourEyes
    at: datetime


@event
class AdjustmentDeclined:
    """Whoever looked said no, or it was taken back. Nothing is booked."""

    adjustment_id: AdjustmentId
    proposal_id: ProposalId
    reason: str
    by: Hand
    at: datetime


Event: TypeAlias = AdjustmentProposed | AdjustmentMade | AdjustmentDeclined
