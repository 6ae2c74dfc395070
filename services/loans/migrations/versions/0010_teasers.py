"""Anonymised teasers of proposals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "teaser",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proposal", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("bank", sa.String(length=80), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("face", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["proposal.id"], name=op.f("teaser_proposal_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("teaser_pk")),
    )
    op.create_index("teaser_bank", "teaser", ["bank", "updated_at", "id"], unique=False)
    op.create_index(
        "teaser_one_shown",
        "teaser",
        ["proposal", "bank"],
        unique=True,
        postgresql_where=sa.text("stage IN ('shown', 'interested', 'not_for_us')"),
    )


def downgrade() -> None:
    op.drop_table("teaser")
