"""Links of letters by which a person does one act."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action_link",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("link", sa.String(length=80), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("referral", sa.String(length=80), nullable=False),
        sa.Column("good_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("action_link_pk")),
    )
    op.create_index(op.f("action_link_person_ix"), "action_link", ["person"], unique=False)
    op.create_table(
        "link_use",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("link_use_pk")),
    )


def downgrade() -> None:
    op.drop_table("link_use")
    op.drop_table("action_link")
