"""The leaf is no longer stored, its marks are; lists are read backwards from indexes that grow at their ends."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LISTS = {
    "event_actor": "actor_id",
    "event_type": "type",
    "event_case": '"case"',
    "event_organisation": "organisation",
    "event_programme": "programme",
}


def _lists(order: str) -> None:
    for name, column in _LISTS.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON event ({column}, leaf_index{order})")
    op.execute("DROP INDEX event_refused")
    op.execute(f"CREATE INDEX event_refused ON event (leaf_index{order}) WHERE outcome <> 'success'")


def upgrade() -> None:
    op.add_column("event", sa.Column("marks", sa.LargeBinary(), nullable=True))
    _lists("")


def downgrade() -> None:
    _lists(" DESC")
    op.drop_column("event", "marks")
