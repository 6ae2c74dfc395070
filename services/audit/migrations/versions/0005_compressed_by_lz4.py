"""What is long in the log is compressed by LZ4, several times faster than by PostgreSQL's own way; where it has it."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SET = """
ALTER TABLE event ALTER COLUMN body SET COMPRESSION {way}, ALTER COLUMN leaf SET COMPRESSION {way},
  ALTER COLUMN summary SET COMPRESSION {way}
"""


def upgrade() -> None:
    # A server built without LZ4 keeps its own way; rows written before are read as they are.
    op.execute(f"DO $$ BEGIN {_SET.format(way='lz4')}; EXCEPTION WHEN feature_not_supported THEN NULL; END $$")


def downgrade() -> None:
    op.execute(_SET.format(way="default"))
