"""Signed checkpoints of the journal."""

from libs.runtime.migrations import run_sql
from services.wallet.adapters.checkpoints import DDL

revision = "wallet_0003"
down_revision = "wallet_0002"


def upgrade() -> None:
    run_sql(DDL.replace("{schema}", "wallet"))
