"""What can be asked about records that are cases. All cases of one purchase counter of a card are one stream."""

from datetime import datetime
from typing import TypeAlias

from libs.kernel import command
from libs.kernel.foureyes import Hand, ProposalId
from services.wallet.domain.naming import CounterId, TapCaseId
from services.wallet.domain.taps.tap import Class, Ruling


@command
class RuleOnTap:
    """I have looked into it: this is what shall become of it.

    `standing` is how the record stands among all others now; `payee_known` and `purse_known` whether the city knows
    the terminal's merchant and the card's purse.
    """

    counter_id: CounterId
    case_id: TapCaseId
    standing: Class
    payee_known: bool
    purse_known: bool
    amount_fen: int
    ruling: Ruling
    reason: str
    evidence: str
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class ApproveRuling:
    """I have looked at it and at its evidence: let it be so. `standing` is how the record stands now."""

    counter_id: CounterId
    case_id: TapCaseId
    standing: Class
    proposal_id: ProposalId
    by: Hand
    at: datetime


@command
class DeclineRuling:
    """I have looked into it, and it shall not be so; or I take back what I proposed."""

    counter_id: CounterId
    case_id: TapCaseId
    proposal_id: ProposalId
    reason: str
    by: Hand
    at: datetime


@command
class CarryOutRuling:
    """The books and the register follow what was ruled; the city's own command, carried out by `wiring`."""

    counter_id: CounterId
    case_id: TapCaseId
    ruling: Ruling
    at: datetime


Command: TypeAlias = RuleOnTap | ApproveRuling | DeclineRuling | CarryOutRuling
