"""Drafts of calls, and every version of a programme's pack that is still known here."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The outbox is the log: it has the versions of the months that it keeps. The present one is known in any case.
PUBLISHED = """
INSERT INTO programme_version (programme, version, sha256, pack, at, by_name)
SELECT DISTINCT ON (1, 2)
       body->'data'->>'programme_id', (body->'data'->>'pack_version')::int, body->'data'->>'sha256',
       body->'data'->'pack', time, coalesce(body->'actor'->>'name', '')
FROM outbox WHERE type = 'portal.programme.loaded' AND outcome = 'success'
"""
PRESENT = """
INSERT INTO programme_version (programme, version, sha256, pack, at, by_name)
SELECT id, (state->>'pack_version')::int, state->>'sha256', state->'pack', updated_at, updated_by_name FROM programme
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.create_table(
        "call_draft",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_by_name", sa.String(length=200), nullable=False),
        sa.Column("last_changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("call", sa.String(length=80), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("call_draft_pk")),
    )
    op.create_index(
        "call_draft_one_open", "call_draft", ["programme", "call"], unique=True, postgresql_where=sa.text("open")
    )
    op.create_table(
        "programme_version",
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("pack", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("edited_call", sa.String(length=80), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("programme", "version", name=op.f("programme_version_pk")),
    )
    op.execute(PUBLISHED)
    op.execute(PRESENT)


def downgrade() -> None:
    op.drop_table("programme_version")
    op.drop_table("call_draft")
