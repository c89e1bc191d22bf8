"""The office's facts, and the memory of its readers."""

from libs.eventsourcing.postgres import ddl
from libs.messaging.notebook import DDL
from libs.runtime.migrations import run_sql

revision = "office_0001"
down_revision = None


def upgrade() -> None:
    run_sql(ddl("office"))
    run_sql(DDL.replace("{schema}", "office"))
