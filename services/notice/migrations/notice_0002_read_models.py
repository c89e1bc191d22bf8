"""Whose a holding is, how its holder is reached (in a closed envelope), and which notices there are."""

import sqlalchemy as sa
from alembic import op

revision = "notice_0002"
down_revision = "notice_0001"


def upgrade() -> None:
    op.create_table(
        "holder",
        sa.Column("holding_id", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Text, nullable=False),
    )
    op.create_table(
        "contact",
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("mobile_box", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
    )
    op.create_table(
        "notice",
        sa.Column("notice_id", sa.Text, primary_key=True),
        sa.Column("holding_id", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("notice_of_holding", "notice", ["holding_id", "at"])
    op.create_index("notice_at", "notice", ["at"])
