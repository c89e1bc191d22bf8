"""Which holdings have a card, or one on its way: what stands against a merge."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0003"
down_revision = "identity_0002"


def upgrade() -> None:
    op.create_table(
        "held",
        sa.Column("holding_id", sa.Text, primary_key=True),
        sa.Column("card_id", sa.Text),
        sa.Column("coming", sa.Boolean),
    )
