"""Versions of agreements and their amendments."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _entity(name: str, *columns: sa.Column[Any]) -> None:
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


def _of_case() -> tuple[sa.Column[Any], sa.Column[Any]]:
    return (
        sa.Column("application", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
    )


def upgrade() -> None:
    _entity("agreement", *_of_case())
    op.create_index("agreement_case", "agreement", ["application", "number"], unique=True)
    _entity("amendment", *_of_case(), sa.Column("status", sa.String(length=20), nullable=False))
    op.create_index("amendment_case", "amendment", ["application", "number"], unique=True)


def downgrade() -> None:
    op.drop_table("amendment")
    op.drop_table("agreement")
