"""Folds the journal again and again, and says when what is kept is not what was booked."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

from libs.kernel import Refused
from libs.ledger.entry import Audit, Ledger

FOLD = 1_000
LOOK = 5_000


class MoneyHalted(Refused):
    """The books do not agree with themselves, so no money moves until somebody has looked; nothing was done. Ask again
    later."""

    status: ClassVar[int] = 503


class Auditor:
    """One of these runs in every process that books.

    It looks at all that is new, each time, with the accounts that were wrong last time, and at everything from time to
    time. `report(drift_fen, faults, entries)` hears what came of each look; when the drift is above the limit, or an
    entry is not what it was, `refuse_if_drifting` says no to whoever would move money.
    """

    def __init__(
        self,
        ledger: Ledger,
        monotonic: Callable[[], float],
        report: Callable[[int, int, int], None],
        limit_fen: int = 0,
        full_every_s: float = 600.0,
    ) -> None:
        self._ledger, self._monotonic, self._report = ledger, monotonic, report
        self._limit_fen, self._full_every_s = limit_fen, full_every_s
        self._full_at = float("-inf")
        self._marks: Mapping[int, int] = {}
        self.last = Audit()

    async def look(self) -> None:
        """Fold what is new, and compare. Raises Outage."""
        while await self._ledger.fold(FOLD):
            pass
        if self._monotonic() >= self._full_at + self._full_every_s:
            audit = await self._ledger.audit()
            self._full_at = self._monotonic()
        else:
            suspects = [account for account, _, _ in self.last.drifted]
            audit = await self._ledger.audit_after(self._marks, suspects, LOOK)
            audit = with_what_was_wrong(audit, self.last)
        self._marks, self.last = audit.marks, audit
        self._report(audit.drift_fen, len(audit.unbalanced) + len(audit.gaps), sum(audit.marks.values()))

    @property
    def halted(self) -> bool:
        return self.last.drift_fen > self._limit_fen or bool(self.last.unbalanced or self.last.gaps)

    def refuse_if_drifting(self) -> None:
        """Before any money moves. Raises MoneyHalted."""
        if self.halted:
            raise MoneyHalted


def with_what_was_wrong(audit: Audit, before: Audit) -> Audit:
    """A broken entry stays broken until a look at everything finds it whole."""
    return replace(
        audit,
        unbalanced=sorted({*before.unbalanced, *audit.unbalanced}),
        gaps=sorted({*before.gaps, *audit.gaps}),
    )
