"""Loans followed to the end: repayment tapes with their lines and sums, and what a loan is held against."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SUMS = (
    *("outstanding", "over_0", "over_30", "over_60", "over_90"),
    *("restructured", "over_30_or_restructured", "written_off"),
)
LOAN: dict[str, Any] = {
    "currency": sa.String(length=3),
    "payouts": sa.Text(),
    "timetable": sa.Text(),
    "whole": sa.Boolean(),
    "stage": sa.String(length=24),
    "bucket": sa.SmallInteger(),
    "settled_on": sa.Date(),
    "restructured": sa.Boolean(),
    "profile": postgresql.JSONB(astext_type=sa.Text()),
    "disclosed": postgresql.JSONB(astext_type=sa.Text()),
}


def upgrade() -> None:
    for name, kind in LOAN.items():
        op.add_column("loan", sa.Column(name, kind, nullable=True))
    op.create_index("loan_of_bank", "loan", ["bank", "programme", "id"], unique=False)
    op.create_table(
        "tape",
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
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("tape_pk")),
    )
    op.create_index("tape_of_programme", "tape", ["programme", "as_of"], unique=False)
    op.create_index(
        "tape_one_counts",
        "tape",
        ["bank", "programme", "month"],
        unique=True,
        postgresql_where=sa.text("stage = 'applied'"),
    )
    _lines()
    _sums()


def _lines() -> None:
    amounts = ("principal_paid", "interest_paid", "fees_paid", "said_outstanding")
    op.create_table(
        "tape_line",
        sa.Column("tape", sa.String(length=80), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("loan", sa.String(length=80), nullable=False),
        sa.Column("carried", sa.Boolean(), nullable=False),
        sa.Column("wrong", sa.Boolean(), nullable=False),
        sa.Column("differs", sa.Boolean(), nullable=False),
        *[sa.Column(name, sa.Numeric(precision=20, scale=4), nullable=True) for name in amounts],
        sa.Column("said_days", sa.Integer(), nullable=True),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("outstanding", sa.Numeric(precision=20, scale=4), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("owed", sa.Numeric(precision=20, scale=4), nullable=True),
        sa.Column("stage", sa.String(length=24), nullable=True),
        sa.Column("bucket", sa.SmallInteger(), nullable=True),
        sa.Column("restructured", sa.Boolean(), nullable=True),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["tape"], ["tape.id"], name=op.f("tape_line_tape_fk")),
        sa.PrimaryKeyConstraint("tape", "line", name=op.f("tape_line_pk")),
    )
    op.create_index("tape_line_one", "tape_line", ["tape", "loan"], unique=True, postgresql_where=sa.text("NOT wrong"))
    op.create_index("tape_line_loan", "tape_line", ["loan"], unique=False)
    op.create_index("tape_line_late", "tape_line", ["tape", "days"], unique=False, postgresql_where=sa.text("days > 0"))


def _sums() -> None:
    op.create_table(
        "tape_sum",
        sa.Column("tape", sa.String(length=80), nullable=False),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=80), nullable=False),
        sa.Column("loans", sa.Integer(), nullable=False),
        sa.Column("late_loans", sa.Integer(), nullable=False),
        sa.Column("written_off_loans", sa.Integer(), nullable=False),
        *[sa.Column(name, sa.Numeric(precision=20, scale=4), nullable=False) for name in SUMS],
        sa.ForeignKeyConstraint(["tape"], ["tape.id"], name=op.f("tape_sum_tape_fk")),
        sa.PrimaryKeyConstraint("tape", "audience", "currency", "dimension", "value", name=op.f("tape_sum_pk")),
    )
    op.create_table(
        "funnel",
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("bank", sa.String(length=80), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("programme", "bank", name=op.f("funnel_pk")),
    )


def downgrade() -> None:
    for table in ("funnel", "tape_sum", "tape_line", "tape"):
        op.drop_table(table)
    op.drop_index("loan_of_bank", table_name="loan")
    for name in reversed(LOAN):
        op.drop_column("loan", name)
