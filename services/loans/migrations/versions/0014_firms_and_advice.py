"""Profiles of firms over time, diagnostics, training with attendance, and what advisers do for their firms."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def _text(name: str, length: int = 80) -> Any:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _entity(name: str, *columns: Any) -> None:
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
        _text("programme"),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"{name}_pk")),
    )


def upgrade() -> None:
    op.add_column("proposal", sa.Column("supporter", sa.String(length=80)))
    op.execute("UPDATE proposal SET supporter = state ->> 'supporter'")
    op.create_index("proposal_supporter", "proposal", ["supporter", "organisation", "updated_at"])
    _entity(
        "firm",
        _text("name", 200),
        _text("currency", 3),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("employees", sa.Numeric(precision=12, scale=2)),
        sa.Column("turnover", sa.Numeric(precision=20, scale=4)),
        sa.Column("women_percent", sa.Numeric(precision=7, scale=2)),
    )
    op.create_index("firm_programme", "firm", ["programme", "updated_at", "id"])
    _entity(
        "diagnostic",
        _text("organisation"),
        _text("questionnaire"),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("score", sa.Numeric(precision=6, scale=4), nullable=False),
    )
    op.create_index("diagnostic_of_firm", "diagnostic", ["organisation", "questionnaire", "taken_on", "id"])
    _entity(
        "training",
        _text("organisation"),
        _text("organisation_name", 200),
        _text("course"),
        _text("stage", 16),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
    )
    op.create_index("training_programme", "training", ["programme", "starts", "id"])
    op.create_table(
        "attendance",
        _text("training"),
        _text("organisation"),
        sa.Column("person", sa.Integer(), nullable=False),
        _text("role", 16),
        _text("topic"),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("hours", sa.Numeric(precision=6, scale=2), nullable=False),
        sa.Column("passed_on", sa.Date()),
        sa.Column("valid_until", sa.Date()),
        sa.ForeignKeyConstraint(["training"], ["training.id"], name=op.f("attendance_training_fk")),
        sa.PrimaryKeyConstraint("training", "organisation", "person", name=op.f("attendance_pk")),
    )
    op.create_index("attendance_of_firm", "attendance", ["organisation"])
    _entity(
        "advice",
        _text("organisation"),
        _text("adviser"),
        sa.Column("last_contact", sa.Date()),
        sa.Column("next_due", sa.Date()),
        sa.UniqueConstraint("adviser", "organisation", name=op.f("advice_adviser_organisation_uq")),
    )


def downgrade() -> None:
    for name in ("advice", "attendance", "training", "diagnostic", "firm"):
        op.drop_table(name)
    op.drop_index("proposal_supporter", table_name="proposal")
    op.drop_column("proposal", "supporter")
