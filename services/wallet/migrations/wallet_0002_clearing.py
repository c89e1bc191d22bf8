"""Taps: their register, what is known of chips and terminals, and the functions that clear them."""

from libs.runtime.migrations import run_sql
from services.wallet.adapters.clearing import ddl

revision = "wallet_0002"
down_revision = "wallet_0001"


def upgrade() -> None:
    run_sql(ddl("wallet"))
