"""Taps: their register, and what is known of chips and terminals."""

from libs.runtime.migrations import run_sql
from services.wallet.adapters.clearing import tables_ddl

revision = "wallet_0002"
down_revision = "wallet_0001"


def upgrade() -> None:
    run_sql(tables_ddl("wallet"))
