"""What has happened to the cases of one purchase counter."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import event
from libs.kernel.foureyes import FourEyes, Hand, ProposalId
from services.wallet.domain.naming import CounterId, TapCaseId
from services.wallet.domain.taps.tap import Class, Ruling


@event
class RulingProposed:
    """Somebody wants this record ruled on so. Nothing is booked yet."""

    counter_id: CounterId
    case_id: TapCaseId
    standing: Class
    amount_fen: int
    ruling: Ruling
    reason: str
    evidence: str
    proposal_id: ProposalId
    by: Hand
    until: datetime
    at: datetime


@event
class TapRuled:
    """It is decided, once and for all. `eyes` are two people's wherever money moves."""

    counter_id: CounterId
    case_id: TapCaseId
    standing: Class
    amount_fen: int
    ruling: Ruling
    reason: str
    evidence: str
    proposal_id: ProposalId
    by: Hand
    at: datetime
    eyes: FourEyes | None = None


@event
class RulingDeclined:
    """Whoever looked said no, or it was taken back. The case is open as before."""

    counter_id: CounterId
    case_id: TapCaseId
    proposal_id: ProposalId
    reason: str
    by: Hand
    at: datetime


Event: TypeAlias = RulingProposed | TapRuled | RulingDeclined
