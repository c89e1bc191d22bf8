"""The read models of issuance: the production queue, the progress of applications, stops, and the timeline."""

import sqlalchemy as sa
from alembic import op

revision = "issuance_0002"
down_revision = "issuance_0001"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "queue",
        sa.Column("holding_id", sa.Text, primary_key=True),
        sa.Column("application_id", sa.Text),
        sa.Column("programme", sa.Text),
        sa.Column("outlet", sa.Text),
        sa.Column("since", MOMENT),
        sa.Column("waiting", sa.Boolean),
    )
    op.create_index("queue_by_outlet", "queue", ["programme", "outlet", "since"])
    op.create_table(
        "progress",
        sa.Column("application_id", sa.Text, primary_key=True),
        sa.Column("receipt_hash", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("since", MOMENT),
        sa.Column("promised_by", MOMENT),
        sa.Column("outlet", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("progress_by_receipt", "progress", ["receipt_hash"])
    op.create_table(
        "stop",
        sa.Column("card_id", sa.Text, primary_key=True),
        sa.Column("function", sa.Text, primary_key=True),
        sa.Column("report", sa.Integer, primary_key=True),
        sa.Column("from_at", MOMENT),
        sa.Column("until", MOMENT),
    )
    op.create_table(
        "timeline",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("holding_id", sa.Text),
        sa.Column("at", MOMENT),
        sa.Column("order", sa.Text),
        sa.Column("service", sa.Text),
        sa.Column("what", sa.Text),
        sa.Column("channel", sa.Text),
        sa.Column("actor", sa.Text),
        sa.Column("details", sa.Text),
    )
    op.create_index("timeline_by_holding", "timeline", ["holding_id", "order"])
