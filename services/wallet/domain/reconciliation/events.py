"""What has happened to one difference, and to one day. No fact bears a sender's own reference: it may name anybody."""

from datetime import date, datetime
from typing import TypeAlias

from libs.kernel import event
from libs.kernel.foureyes import Hand
from services.wallet.domain.naming import DifferenceId, ReconciliationId
from services.wallet.domain.reconciliation.matching import Class, Source, Tally


@event
class DifferenceSuspended:
    """Nobody can explain `fen` of this any more; `moved_fen` went from the sender's account into its pile of suspense.

    `nth` counts what was moved because of this difference, from 1.
    """

    difference_id: DifferenceId
    source: Source
    sender: str
    account: str
    pile: str
    fen: int
    moved_fen: int
    nth: int
    why: Class
    since: date
    day: date
    at: datetime


@event
class DifferenceResolved:
    """The other side has come after all: what lay in suspense because of it is back on the sender's account."""

    difference_id: DifferenceId
    account: str
    pile: str
    moved_fen: int
    nth: int
    day: date
    at: datetime


@event
class DifferenceExplained:
    """Somebody knows why; no money moved."""

    difference_id: DifferenceId
    fen: int
    reason: str
    evidence: str
    by: Hand
    at: datetime


@event
class DayReconciled:
    """How each party stood at the end of a day."""

    reconciliation_id: ReconciliationId
    city: str
    day: date
    tallies: tuple[Tally, ...]
    at: datetime


DifferenceEvent: TypeAlias = DifferenceSuspended | DifferenceResolved | DifferenceExplained
ReconciliationEvent: TypeAlias = DayReconciled
