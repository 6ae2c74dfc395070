"""Groups of firms that ask for one loan, and what was locked of their members."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "group_of_firms",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proposal", sa.String(length=80), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("organisation", sa.String(length=80), nullable=False),
        sa.Column("organisation_name", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("members", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["proposal.id"], name=op.f("group_of_firms_proposal_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("group_of_firms_pk")),
        sa.UniqueConstraint("proposal", name=op.f("group_of_firms_proposal_uq")),
    )
    op.create_index("group_own", "group_of_firms", ["organisation", "updated_at", "id"])
    op.create_index("group_programme", "group_of_firms", ["programme", "updated_at", "id"])
    op.create_index("group_members", "group_of_firms", ["members"], postgresql_using="gin")
    op.create_table(
        "group_version",
        sa.Column("proposal", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["proposal.id"], name=op.f("group_version_proposal_fk")),
        sa.PrimaryKeyConstraint("proposal", "number", name=op.f("group_version_pk")),
    )


def downgrade() -> None:
    op.drop_table("group_version")
    op.drop_table("group_of_firms")
