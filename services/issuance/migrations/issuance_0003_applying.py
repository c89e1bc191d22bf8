"""Open applications with their promises, and birthdays in envelopes."""

import sqlalchemy as sa
from alembic import op

revision = "issuance_0003"
down_revision = "issuance_0002"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "open_application",
        sa.Column("application_id", sa.Text, primary_key=True),
        sa.Column("city", sa.Text),
        sa.Column("holding_id", sa.Text),
        sa.Column("programme", sa.Text),
        sa.Column("outlet", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("waits_for", sa.Text),
        sa.Column("promised_by", MOMENT),
        sa.Column("due_by", MOMENT),
    )
    op.create_index("open_application_by_holding", "open_application", ["holding_id"])
    op.create_index("open_application_by_due", "open_application", ["city", "due_by"])
    op.create_table(
        "person",
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("birth", sa.Text),
    )
