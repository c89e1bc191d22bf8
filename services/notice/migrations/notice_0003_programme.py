"""Which programme a holding belongs to, so that a text calls the card by its name; empty for what was told before."""

import sqlalchemy as sa
from alembic import op

revision = "notice_0003"
down_revision = "notice_0002"


def upgrade() -> None:
    op.add_column("holder", sa.Column("programme", sa.Text, nullable=False, server_default=""))
