"""Standing in for each other."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RUNS = sa.text("NOT ended")


def upgrade() -> None:
    op.create_table(
        "delegation",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("delegator", sa.String(length=80), nullable=False),
        sa.Column("delegator_name", sa.String(length=200), nullable=False),
        sa.Column("delegate", sa.String(length=80), nullable=False),
        sa.Column("delegate_name", sa.String(length=200), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("delegation_pk")),
    )
    op.create_index("delegation_delegate", "delegation", ["delegate", "ends_at"], postgresql_where=RUNS)
    op.create_index("delegation_delegator", "delegation", ["delegator", "ends_at"], postgresql_where=RUNS)
    op.create_index("delegation_programme", "delegation", ["programme", "ends_at"])
    op.create_table(
        "acted_for",
        sa.Column("case", sa.String(length=80), nullable=False),
        sa.Column("delegate", sa.String(length=80), nullable=False),
        sa.Column("delegator", sa.String(length=80), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("case", "delegate", "delegator", name=op.f("acted_for_pk")),
    )


def downgrade() -> None:
    op.drop_table("acted_for")
    op.drop_table("delegation")
