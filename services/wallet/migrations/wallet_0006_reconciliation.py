"""Files of banks, channels, merchants and terminals, and what both sides have said of each movement."""

from libs.runtime.migrations import run_sql
from services.wallet.adapters.reconciling import ddl

revision = "wallet_0006"
down_revision = "wallet_0005"


def upgrade() -> None:
    run_sql(ddl("wallet"))
