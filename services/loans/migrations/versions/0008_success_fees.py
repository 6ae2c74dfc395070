"""Success fees of advisers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SUMS = ("earned", "lost", "approved", "paid", "returned")


def upgrade() -> None:
    op.create_table(
        "fee",
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
        sa.Column("firm_name", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        *[sa.Column(name, sa.Numeric(precision=20, scale=4), nullable=False) for name in SUMS],
        sa.ForeignKeyConstraint(["proposal"], ["proposal.id"], name=op.f("fee_proposal_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("fee_pk")),
        sa.UniqueConstraint("proposal", name=op.f("fee_proposal_uq")),
    )
    op.create_index("fee_programme", "fee", ["programme", "updated_at", "id"], unique=False)
    op.create_index("fee_own", "fee", ["organisation", "updated_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("fee")
