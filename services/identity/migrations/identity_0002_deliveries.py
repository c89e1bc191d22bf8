"""How far each department's deliveries have come."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0002"
down_revision = "identity_0001"


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.Text, primary_key=True),
        sa.Column("city", sa.Text),
        sa.Column("department", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("received", sa.Integer, server_default="0"),
        sa.Column("faulty", sa.Integer, server_default="0"),
        sa.Column("waiting", sa.Integer, server_default="0"),
        sa.Column("announced", sa.Integer),
    )
    op.create_index("delivery_of_feed", "delivery", ["city", "department", "at"])
