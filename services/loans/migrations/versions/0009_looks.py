"""Looks of banks at referrals; those that the outbox still knows come along."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KNOWN = """
INSERT INTO look (id, proposal, referral, bank, bank_name, person, person_name, role, way, live, fields, at)
SELECT o.id::text, r.proposal, r.id, r.bank, r.bank_name,
       left(replace(o.body->'actor'->>'id', 'user:', ''), 80), left(coalesce(o.body->'actor'->>'name', ''), 200),
       'finance_partner', 'page', o.body->'data'->>'what' NOT LIKE '0 %', '[]'::jsonb, o.time
FROM outbox o JOIN referral r ON r.id = o.body->'data'->>'record'
WHERE o.type = 'loans.record.viewed' AND o.body->'actor'->>'organisation' = r.bank
"""


def upgrade() -> None:
    op.create_table(
        "look",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("proposal", sa.String(length=80), nullable=False),
        sa.Column("referral", sa.String(length=80), nullable=False),
        sa.Column("bank", sa.String(length=80), nullable=False),
        sa.Column("bank_name", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("person_name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["proposal.id"], name=op.f("look_proposal_fk")),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("look_referral_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("look_pk")),
    )
    op.create_index("look_of_proposal", "look", ["proposal", "at", "id"], unique=False)
    op.execute(KNOWN)


def downgrade() -> None:
    op.drop_table("look")
