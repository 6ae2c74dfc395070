"""Legal holds, and erasures of people's data."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _entity(name: str, *columns: sa.schema.SchemaItem) -> None:
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
    _entity(
        "hold",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("which", sa.String(length=120), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
    )
    op.create_index("hold_open", "hold", ["scope", "which"], unique=False, postgresql_where=sa.text("open"))
    _entity("erasure", sa.Column("stage", sa.String(length=16), nullable=False))
    op.create_index("erasure_recent", "erasure", ["updated_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("erasure")
    op.drop_table("hold")
