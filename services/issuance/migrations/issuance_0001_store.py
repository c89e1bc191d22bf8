"""The facts of issuance, and the memory of its readers."""

from libs.eventsourcing.postgres import ddl
from libs.messaging.notebook import DDL
from libs.runtime.migrations import run_sql

revision = "issuance_0001"
down_revision = None


def upgrade() -> None:
    run_sql(ddl("issuance"))
    run_sql(DDL.replace("{schema}", "issuance"))
