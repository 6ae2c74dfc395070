"""Words and changes are indexed with the stretch of the log in which they are: frequent ones are found by it."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WORDS = """
CREATE OR REPLACE FUNCTION log_words(leaf_index bigint, summary text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    RETURN to_tsvector('simple', summary) || array_to_tsvector(ARRAY[' ' || (leaf_index >> 14)]);
END $$
"""
CHANGES = """
CREATE OR REPLACE FUNCTION log_changes(leaf_index bigint, body text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE COST 1000 AS $$
DECLARE
  changes jsonb;
BEGIN
  changes := log_changes(body);
  RETURN changes || jsonb_build_object('', (changes -> '') || to_jsonb(leaf_index >> 14));
END $$
"""
PENDING = "gin_pending_list_limit = 512"


def upgrade() -> None:
    op.execute("DROP INDEX event_words")
    op.execute("DROP INDEX event_changes")
    op.execute(WORDS)
    op.execute(CHANGES)
    op.execute("CREATE INDEX event_words ON event USING gin (log_words(leaf_index, summary))")
    op.execute(
        f"CREATE INDEX event_changes ON event USING gin (log_changes(leaf_index, body) jsonb_path_ops) WITH ({PENDING})"
    )


def downgrade() -> None:
    op.execute("DROP INDEX event_words")
    op.execute("DROP INDEX event_changes")
    op.execute("DROP FUNCTION log_words(bigint, text)")
    op.execute("DROP FUNCTION log_changes(bigint, text)")
    op.execute("CREATE INDEX event_words ON event USING gin (log_words(summary))")
    op.execute(f"CREATE INDEX event_changes ON event USING gin (log_changes(body) jsonb_path_ops) WITH ({PENDING})")
