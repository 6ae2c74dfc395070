"""Exclusion lists by version, their entries, and what was found of each case."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
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
    _entity("exclusion_list", sa.Column("name", sa.String(length=200), nullable=False))
    op.create_table(
        "exclusion_entry",
        sa.Column("list", sa.String(length=80), nullable=False),
        sa.Column("list_version", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("number", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("list", "list_version", "row", "variant", name=op.f("exclusion_entry_pk")),
    )
    _entity(
        "screening",
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("open_hits", sa.Integer(), nullable=False),
        sa.Column("same_hits", sa.Integer(), nullable=False),
    )
    op.create_index("screening_open", "screening", ["programme", "id"], postgresql_where=sa.text("open_hits > 0"))


def downgrade() -> None:
    op.drop_table("screening")
    op.drop_table("exclusion_entry")
    op.drop_table("exclusion_list")
