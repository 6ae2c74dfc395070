"""Which rows of the outbox have the last numbers, while they are on their way."""

from alembic import op

from shared.messaging.numbering import drop_run, keep_run

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    keep_run(op.execute)


def downgrade() -> None:
    drop_run(op.execute)
