"""A leg bears all that its line of a statement says, so that a page is read from one index."""

from libs.ledger.postgres import functions, lines_ddl
from libs.runtime.migrations import run_sql
from services.wallet.adapters.clearing import functions_ddl

revision = "wallet_0007"
down_revision = "wallet_0006"


def upgrade() -> None:
    run_sql(lines_ddl("wallet"))
    run_sql(functions("wallet"))
    run_sql(functions_ddl("wallet"))
