"""Orders of the queue have their indexes; a search can be kept under a name."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OPEN = sa.text("is_open")
INDEXES = {
    "application_open_updated": (["programme", "updated_at", "id"], OPEN),
    "application_updated": (["programme", "updated_at", "id"], None),
    "application_open_since": (["programme", "since", "id"], OPEN),
    "application_open_amount": (["programme", "currency", "amount", "id"], OPEN),
    "application_stage_since": (["programme", "stage", "since", "id"], None),
}


def upgrade() -> None:
    for name, (columns, where) in INDEXES.items():
        op.create_index(name, "application", columns, unique=False, postgresql_where=where)
    op.create_table(
        "saved_view",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("programme", sa.String(length=80), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("owner_name", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.Column("sort", sa.String(length=20), nullable=False),
        sa.Column("board", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("saved_view_pk")),
    )
    op.create_index("saved_view_name", "saved_view", ["programme", "owner", "name"], unique=True)


def downgrade() -> None:
    op.drop_table("saved_view")
    for name in INDEXES:
        op.drop_index(name, table_name="application")
