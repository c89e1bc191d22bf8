"""A terminal's day is found among all taps without reading them all."""

from libs.runtime.migrations import run_sql

revision = "wallet_0008"
down_revision = "wallet_0007"


def upgrade() -> None:
    run_sql("create index if not exists tap_at on wallet.tap using brin (at)")
