"""Cases of taps and rulings on them, the hotlist and its receipts; the functions of clearing anew."""

from libs.runtime.migrations import run_sql
from services.wallet.adapters.clearing import cases_ddl

revision = "wallet_0005"
down_revision = "wallet_0004"


def upgrade() -> None:
    run_sql("drop function if exists wallet.book_taps(integer, integer, timestamptz, text, text, text, text)")
    run_sql(cases_ddl("wallet"))
