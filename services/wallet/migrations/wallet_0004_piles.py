"""The books judge a pile of suspense when it is written off: functions anew, tables as they were."""

from libs.ledger.postgres import functions
from libs.runtime.migrations import run_sql

revision = "wallet_0004"
down_revision = "wallet_0003"


def upgrade() -> None:
    run_sql(functions("wallet"))
