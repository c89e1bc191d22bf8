"""The wallet's facts and books, and the memory of its readers."""

from libs.ledger.postgres import ddl
from libs.messaging.notebook import DDL
from libs.runtime.migrations import run_sql

revision = "wallet_0001"
down_revision = None


def upgrade() -> None:
    run_sql(ddl("wallet"))
    run_sql(DDL.replace("{schema}", "wallet"))
