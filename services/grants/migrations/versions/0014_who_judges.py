"""Those who judge cases have interests; what is known of people and organisations says who is related."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def _entity(name: str, *columns: Any) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"{name}_pk")),
    )


def upgrade() -> None:
    op.add_column("person", sa.Column("email_domain", sa.String(length=255), nullable=True))
    _entity("assessor", sa.Column("name", sa.String(length=200), nullable=False))
    _entity(
        "recusal",
        sa.Column("application", sa.String(length=80), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
    )
    op.create_index("recusal_case", "recusal", ["application"], unique=False)


def downgrade() -> None:
    op.drop_table("recusal")
    op.drop_table("assessor")
    op.drop_column("person", "email_domain")
