"""Links for choosing a password."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql  # noqa: F401 - used by some versions

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=80), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["account.id"], name=op.f("sign_in_link_user_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("sign_in_link_pk")),
        sa.UniqueConstraint("user_id", name=op.f("sign_in_link_user_id_uq")),
    )


def downgrade() -> None:
    op.drop_table("sign_in_link")
