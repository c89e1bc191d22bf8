"""The cases that wait for a clerk, of a whole city."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0004"
down_revision = "identity_0003"


def upgrade() -> None:
    op.create_table(
        "suspect",
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("city", sa.Text),
        sa.Column("roll_id", sa.Text),
        sa.Column("why", sa.Text),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("ruling", sa.Text, server_default=""),
    )
    op.create_index("suspect_of_city", "suspect", ["city", "ruling", "since"])
