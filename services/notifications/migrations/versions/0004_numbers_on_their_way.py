"""Which rows of the outbox have the last numbers, while they are on their way."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE outbox_position ADD COLUMN run bigint[]")


def downgrade() -> None:
    op.execute("""
        UPDATE outbox SET position = p.last - cardinality(p.run) + r.number
        FROM outbox_position p, unnest(p.run) WITH ORDINALITY AS r (row, number)
        WHERE outbox.row = r.row AND outbox.position IS NULL
    """)
    op.execute("ALTER TABLE outbox_position DROP COLUMN run")
