"""What can be asked about one difference, and about one day."""

from datetime import date, datetime
from typing import TypeAlias

from libs.kernel import command
from libs.kernel.foureyes import Hand
from services.wallet.domain.naming import DifferenceId, ReconciliationId
from services.wallet.domain.reconciliation.matching import Class, Source, Tally


@command
class JudgeDifference:
    """The day's reconciliation finds that `fen` of this difference belongs into suspense (nothing: all is explained).

    `account` is the sender's account with us; it is empty where what the sender counts is not money that lies there.
    """

    difference_id: DifferenceId
    source: Source
    sender: str
    account: str
    fen: int
    why: Class | None
    since: date
    day: date
    at: datetime


@command
class ExplainDifference:
    """Somebody of the card centre knows why, and no money need move."""

    difference_id: DifferenceId
    reason: str
    evidence: str
    by: Hand
    at: datetime


@command
class RecordReconciliation:
    """A day has been reconciled, with all that no earlier day had covered; how each party stands."""

    reconciliation_id: ReconciliationId
    city: str
    day: date
    tallies: tuple[Tally, ...]
    at: datetime


DifferenceCommand: TypeAlias = JudgeDifference | ExplainDifference
ReconciliationCommand: TypeAlias = RecordReconciliation
