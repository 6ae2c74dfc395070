"""What sources tell of how far they have written, with the verdicts; comparisons of live rows with the log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "manifest",
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("fresh_deleted", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("compared_at", sa.DateTime(timezone=True)),
        sa.Column("disputed_at", sa.DateTime(timezone=True)),
    )
    op.create_index("manifest_source", "manifest", ["source", "leaf_index"])
    op.create_index("manifest_open", "manifest", ["leaf_index"], postgresql_where=sa.text("verdict <> 'sound'"))
    op.create_table(
        "comparison",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("place", JSONB(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("findings", JSONB(), nullable=False),
    )
    op.create_index("comparison_started_at_ix", "comparison", ["started_at"])


def downgrade() -> None:
    op.drop_table("comparison")
    op.drop_table("manifest")
