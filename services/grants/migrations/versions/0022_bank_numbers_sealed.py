"""Bank numbers and kept bank files sealed at rest, each saying under which key."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("payee_number", "value", type_=sa.String(length=200), existing_nullable=False)
    op.add_column("payee_number", sa.Column("key", sa.String(length=8), nullable=True))
    op.add_column("payee_number", sa.Column("mark", sa.String(length=64), nullable=True))
    op.create_index(op.f("payee_number_mark_ix"), "payee_number", ["mark"])
    op.drop_index("payee_number_value", "payee_number")
    op.create_table(
        "sealed_file",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kept", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("sealed_file_pk")),
    )


def downgrade() -> None:
    op.drop_table("sealed_file")
    op.create_index("payee_number_value", "payee_number", ["value"])
    op.drop_index(op.f("payee_number_mark_ix"), "payee_number")
    op.drop_column("payee_number", "mark")
    op.drop_column("payee_number", "key")
