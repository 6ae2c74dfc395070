"""Loan products of banks: the newest version of each with what lists need, and every version as it was published."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("bank", sa.String(length=80), nullable=False),
        sa.Column("bank_name", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("instrument", sa.String(length=24), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_min", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("amount_max", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("term_min", sa.Integer(), nullable=False),
        sa.Column("term_max", sa.Integer(), nullable=False),
        sa.Column("rate_min", sa.Numeric(precision=9, scale=4), nullable=False),
        sa.Column("rate_max", sa.Numeric(precision=9, scale=4), nullable=False),
        sa.Column("effective_low", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("effective_high", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("product_pk")),
    )
    op.create_index("product_programme", "product", ["programme", "stage", "updated_at", "id"], unique=False)
    op.create_index("product_bank", "product", ["bank", "updated_at", "id"], unique=False)
    op.create_table(
        "product_version",
        sa.Column("product", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["product"], ["product.id"], name=op.f("product_version_product_fk")),
        sa.PrimaryKeyConstraint("product", "number", name=op.f("product_version_pk")),
    )


def downgrade() -> None:
    op.drop_table("product_version")
    op.drop_table("product")
