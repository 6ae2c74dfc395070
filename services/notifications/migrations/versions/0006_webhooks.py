"""Endpoints of banks' own systems, messages to them with every attempt, and which consents live."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _entity(name: str, *columns: sa.schema.SchemaItem) -> None:
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
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"{name}_pk")),
    )


def upgrade() -> None:
    _entity(
        "endpoint",
        sa.Column("organisation", sa.String(length=80), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
    )
    op.create_index(op.f("endpoint_organisation_ix"), "endpoint", ["organisation"], unique=False)
    _entity(
        "webhook",
        sa.Column("endpoint", sa.String(length=80), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("event_id", "endpoint", name=op.f("webhook_event_id_endpoint_uq")),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("webhook_due", "webhook", ["due_at"], unique=False, postgresql_where=due)
    op.create_index("webhook_of_endpoint", "webhook", ["endpoint", "id"], unique=False)
    op.create_table(
        "webhook_attempt",
        sa.Column("webhook_id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("webhook_attempt_webhook_id_fk")),
        sa.PrimaryKeyConstraint("webhook_id", "number", name=op.f("webhook_attempt_pk")),
    )
    op.create_table(
        "consent",
        sa.Column("referral", sa.String(length=80), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("referral", name=op.f("consent_pk")),
    )


def downgrade() -> None:
    for name in ("consent", "webhook_attempt", "webhook", "endpoint"):
        op.drop_table(name)
