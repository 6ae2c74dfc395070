"""Banks that are asked one after another."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sequence",
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
        sa.Column("organisation", sa.String(length=80), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("referral", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["proposal"], ["proposal.id"], name=op.f("sequence_proposal_fk")),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("sequence_referral_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("sequence_pk")),
    )
    running, unfinished = sa.text("stage = 'running'"), sa.text("stage <> 'done'")
    op.create_index("sequence_running", "sequence", ["updated_at", "id"], unique=False, postgresql_where=running)
    op.create_index("sequence_one", "sequence", ["proposal"], unique=True, postgresql_where=unfinished)


def downgrade() -> None:
    op.drop_table("sequence")
