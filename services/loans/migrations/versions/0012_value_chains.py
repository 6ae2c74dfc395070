"""Tripartite agreements, deliveries under them, deductions and transfers."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SIDES = ("organisation", "buyer", "bank")
SUMS = ("value", "by_rule", "deduction", "net")


def _entity(name: str, *more: Any) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("id", name=op.f(f"{name}_pk")),
    )


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length=length), nullable=False)


def _of_agreement(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["agreement"], ["tripartite.id"], name=op.f(f"{table}_agreement_fk"))


def upgrade() -> None:
    _entity(
        "tripartite",
        _text("programme", 80),
        *[_text(name, 80) for name in SIDES],
        *[_text(f"{name}_name", 200) for name in SIDES],
        _text("stage", 16),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("currency", 3),
        sa.Column("referrals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("season_to", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("next_by", sa.Date(), nullable=True),
    )
    for name in (*SIDES, "programme"):
        op.create_index(f"tripartite_{name}", "tripartite", [name, "updated_at", "id"])
    op.create_index("tripartite_referrals", "tripartite", ["referrals"], postgresql_using="gin")
    live = sa.text("stage IN ('in_force', 'under_notice')")
    op.create_index("tripartite_live", "tripartite", ["id"], postgresql_where=live)
    drawn = sa.text("stage IN ('draft', 'proposed')")
    op.create_index("tripartite_one_drawn", "tripartite", list(SIDES), unique=True, postgresql_where=drawn)
    op.create_table(
        "tripartite_text",
        _text("agreement", 80),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _text("sha256", 64),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        _text("written_by", 200),
        _of_agreement("tripartite_text"),
        sa.PrimaryKeyConstraint("agreement", "number", name=op.f("tripartite_text_pk")),
    )
    _entity(
        "transfer",
        _text("agreement", 80),
        _text("stage", 16),
        sa.Column("amount", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=True),
        _text("payment", 80),
        _of_agreement("transfer"),
    )
    op.create_index("transfer_agreement", "transfer", ["agreement", "on", "id"])
    once = sa.text("stage <> 'refused'")
    op.create_index("transfer_one", "transfer", ["agreement", "payment"], unique=True, postgresql_where=once)
    _deliveries()


def _deliveries() -> None:
    _entity(
        "delivery",
        _text("agreement", 80),
        _text("number", 80),
        _text("good", 40),
        _text("good_name", 200),
        _text("unit", 20),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=False),
        _text("currency", 3),
        *[sa.Column(name, sa.Numeric(precision=20, scale=4), nullable=False) for name in SUMS],
        sa.Column("delivered_on", sa.Date(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("objection_until", sa.Date(), nullable=False),
        _text("stage", 16),
        _text("dispute", 2000),
        sa.Column("transfer", sa.String(length=80), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=True),
        _of_agreement("delivery"),
        sa.ForeignKeyConstraint(["transfer"], ["transfer.id"], name=op.f("delivery_transfer_fk")),
    )
    op.create_index("delivery_agreement", "delivery", ["agreement", "delivered_on", "id"])
    stands = sa.text("stage <> 'taken_back'")
    op.create_index("delivery_one", "delivery", ["agreement", "number"], unique=True, postgresql_where=stands)
    op.create_table(
        "deduction",
        _text("delivery", 80),
        _text("loan", 80),
        sa.Column("amount", sa.Numeric(precision=20, scale=4), nullable=False),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=op.f("deduction_delivery_fk")),
        sa.ForeignKeyConstraint(["loan"], ["loan.id"], name=op.f("deduction_loan_fk")),
        sa.PrimaryKeyConstraint("delivery", "loan", name=op.f("deduction_pk")),
    )
    op.create_index("deduction_loan", "deduction", ["loan"])


def downgrade() -> None:
    for name in ("deduction", "delivery", "transfer", "tripartite_text", "tripartite"):
        op.drop_table(name)
