"""Guarantee facilities, consents to guarantors, and guarantees."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _text(name: str, length: int = 80, *, empty: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=empty)


def _sum(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Numeric(precision=20, scale=4), nullable=False)


def _entity(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        _text("id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        _text("updated_by"),
        _text("updated_by_name", 200),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"{name}_pk")),
    )


def upgrade() -> None:
    _entity(
        "facility",
        *[_text(name) for name in ("programme", "guarantor")],
        _text("guarantor_name", 200),
        _text("stage", 16),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("name", 200),
        _text("currency", 3),
        _sum("ceiling"),
        sa.Column("coverage", sa.Numeric(precision=9, scale=4), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("waits", sa.Boolean(), nullable=False),
    )
    op.create_index("facility_programme", "facility", ["programme", "updated_at", "id"], unique=False)
    op.create_index("facility_own", "facility", ["guarantor", "updated_at", "id"], unique=False)
    _entity(
        "permission",
        *[_text(name) for name in ("loan", "proposal", "programme", "organisation", "bank", "guarantor")],
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["loan"], ["loan.id"], name=op.f("permission_loan_fk")),
    )
    live = sa.text("live")
    op.create_index("permission_one_live", "permission", ["loan", "guarantor"], unique=True, postgresql_where=live)
    _entity(
        "guarantee",
        *[_text(name) for name in ("facility", "loan", "permission", "proposal", "programme", "organisation")],
        _text("organisation_name", 200),
        _text("bank"),
        _text("bank_name", 200),
        _text("guarantor"),
        _text("guarantor_name", 200),
        _text("stage", 16),
        sa.Column("live", sa.Boolean(), nullable=False),
        _text("currency", 3),
        *[_sum(name) for name in ("principal", "sum", "committed", "spent", "net")],
        sa.Column("coverage", sa.Numeric(precision=9, scale=4), nullable=False),
        *[sa.Column(name, sa.Date(), nullable=True) for name in ("issued_on", "ended_on", "acts_on")],
        *[
            sa.ForeignKeyConstraint([name], [f"{name}.id"], name=op.f(f"guarantee_{name}_fk"))
            for name in ("facility", "loan", "permission")
        ],
    )
    op.create_index("guarantee_one_live", "guarantee", ["loan"], unique=True, postgresql_where=live)
    for name in ("facility", "programme", "guarantor", "bank"):
        op.create_index(f"guarantee_{name}", "guarantee", [name, "updated_at", "id"], unique=False)
    op.create_index("guarantee_loan", "guarantee", ["loan"], unique=False)
    op.create_index("guarantee_acts_on", "guarantee", ["acts_on"], unique=False)


def downgrade() -> None:
    for name in ("guarantee", "permission", "facility"):
        op.drop_table(name)
