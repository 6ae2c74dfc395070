"""What is improved after a decline: a plan for each, with the figures of before and after."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "improvement",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proposal", sa.String(length=80), nullable=False),
        sa.Column("referral", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("organisation", sa.String(length=80), nullable=False),
        *[
            sa.Column(name, sa.String(length=200), nullable=False)
            for name in ("organisation_name", "bank_name", "title")
        ],
        sa.Column("again", sa.String(length=80), nullable=True),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("readiness_before", sa.Numeric(precision=6, scale=4), nullable=False),
        sa.Column("readiness_after", sa.Numeric(precision=6, scale=4), nullable=True),
        sa.Column("dscr_before", sa.Numeric(precision=12, scale=3), nullable=True),
        sa.Column("dscr_after", sa.Numeric(precision=12, scale=3), nullable=True),
        sa.ForeignKeyConstraint(["proposal"], ["proposal.id"], name=op.f("improvement_proposal_fk")),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("improvement_referral_fk")),
        sa.ForeignKeyConstraint(["again"], ["referral.id"], name=op.f("improvement_again_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("improvement_pk")),
        sa.UniqueConstraint("referral", name=op.f("improvement_referral_uq")),
    )
    op.create_index("improvement_proposal", "improvement", ["proposal"], unique=False)
    op.create_index("improvement_programme", "improvement", ["programme", "updated_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("improvement")
