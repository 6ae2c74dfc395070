"""Acts on many cases with their rows, and the panels' records."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _entity(name: str, *columns: sa.Column[str]) -> None:
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
        "bulk",
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
    )
    op.create_index("bulk_programme", "bulk", ["programme", "id"], unique=False)
    op.create_index("bulk_running", "bulk", ["id"], unique=False, postgresql_where=sa.text("status = 'running'"))
    op.create_table(
        "bulk_row",
        sa.Column("bulk", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("organisation_name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("command", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("foreseen", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("said", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("bulk", "number", name=op.f("bulk_row_pk")),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index("bulk_row_waiting", "bulk_row", ["bulk", "number"], unique=False, postgresql_where=waiting)
    _entity(
        "panel",
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("call", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
    )
    op.create_index("panel_call", "panel", ["programme", "call", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("panel")
    op.drop_table("bulk_row")
    op.drop_table("bulk")
