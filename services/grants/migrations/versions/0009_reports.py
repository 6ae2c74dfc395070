"""Reports of grants: when they are due, in which state, and who is to be reminded."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("application", sa.String(length=80), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("organisation", sa.String(length=80), nullable=False),
        sa.Column("organisation_name", sa.String(length=200), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("act_on", sa.Date(), nullable=False),
        sa.Column("remind_on", sa.Date(), nullable=True),
        sa.Column("review_told", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("claimed", sa.Numeric(precision=22, scale=3), nullable=False),
        sa.Column("accepted", sa.Numeric(precision=22, scale=3), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("report_pk")),
    )
    op.create_index("report_one_each", "report", ["application", "number"], unique=True)
    op.create_index("report_list", "report", ["programme", "status", "act_on", "id"])
    op.create_index("report_organisation", "report", ["organisation", "status", "act_on", "id"])
    reminding = sa.text("remind_on IS NOT NULL")
    op.create_index("report_reminding", "report", ["remind_on"], postgresql_where=reminding)


def downgrade() -> None:
    op.drop_table("report")
