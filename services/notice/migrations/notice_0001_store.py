"""Notice's facts, and the memory of its readers."""

from libs.eventsourcing.postgres import ddl
from libs.messaging.notebook import DDL
from libs.runtime.migrations import run_sql

revision = "notice_0001"
down_revision = None


def upgrade() -> None:
    run_sql(ddl("notice"))
    run_sql(DDL.replace("{schema}", "notice"))
