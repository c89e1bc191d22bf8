"""Up to which row a delivery has come, where its department numbers them."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0005"
down_revision = "identity_0004"


def upgrade() -> None:
    op.add_column("delivery", sa.Column("highest", sa.Integer, server_default="0"))
