"""The index of changes sorts in what waits every half megabyte: what waits leaves its room behind."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER INDEX event_changes SET (gin_pending_list_limit = 512)")


def downgrade() -> None:
    op.execute("ALTER INDEX event_changes RESET (gin_pending_list_limit)")
