"""Young lines of a statement are soon read from the index alone, like old ones."""

from libs.runtime.migrations import run_sql

revision = "wallet_0009"
down_revision = "wallet_0008"


def upgrade() -> None:
    run_sql("alter table wallet.posting set (autovacuum_vacuum_insert_scale_factor = 0.01)")
