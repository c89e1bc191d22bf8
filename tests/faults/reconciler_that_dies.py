"""The day's reconciliation in a process of its own, killed when it has written down so many differences."""

import asyncio
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from libs.ledger.postgres import PostgresLedger
from libs.runtime.citypack import load_packs
from libs.runtime.lease import MemoryLeases
from libs.runtime.service import Desks
from libs.testing.clocks import StandingClock
from services.wallet.adapters.reconciler import Reconciler
from services.wallet.adapters.reconciliation_bylaws import ReconciliationBylaws
from services.wallet.adapters.reconciling import Reconciling
from services.wallet.wiring import DIFFERENCE, RECONCILIATION

PACKS = Path(__file__).parents[2] / "deploy"


class Mortal(Reconciling):
    """Notes so many differences, durably, and then lets nobody do anything more; none is more than there are."""

    left: int | None = None

    async def note(self, *given: Any) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        await super().note(*given)
        self.left = None if self.left is None else self.left - 1


async def reconcile(dsn: str, schema: str, moment: str, dies_after: int | None = None) -> None:
    clock = StandingClock(datetime.fromisoformat(moment))
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        ledger, reconciling = PostgresLedger(pool, schema, clock), Mortal(pool, schema, clock)
        reconciling.left = dies_after
        await Reconciler(
            Desks([DIFFERENCE, RECONCILIATION], ledger, clock),
            ledger,
            reconciling,
            ReconciliationBylaws(load_packs(PACKS)),
            clock,
            MemoryLeases(lambda: 0.0, "here", {}),
            lambda: None,
            lambda *_: None,
            lambda *_: None,
        ).look()


if __name__ == "__main__":
    asyncio.run(reconcile(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
