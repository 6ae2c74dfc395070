"""When a person last gave their password, by session and by key."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("session", "api_key"):
        op.add_column(table, sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table in ("session", "api_key"):
        op.drop_column(table, "confirmed_at")
