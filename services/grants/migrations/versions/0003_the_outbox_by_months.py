"""The outbox by months."""

from alembic import op

from shared.messaging.partitioning import partition, unite

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    partition(op.execute)


def downgrade() -> None:
    unite(op.execute)
