"""What an event changed can be searched for; actors are listed by a hash of their id, half as long."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CHANGES = r"""
CREATE OR REPLACE FUNCTION log_changes(body text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE COST 1000 AS $$
DECLARE
  changes jsonb;
BEGIN
  changes := CAST(body AS jsonb) -> 'changes';
  RETURN changes || jsonb_build_object('', jsonb_path_query_array(changes, '$.keyvalue().key'));
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  IF strpos(body, '\u0000') > 0 THEN
    RETURN log_changes(replace(body, '\u0000', '\ufffd'));
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(CHANGES)
    op.execute("CREATE INDEX event_changes ON event USING gin (log_changes(body) jsonb_path_ops)")
    op.execute("DROP INDEX event_actor")
    op.execute("CREATE INDEX event_actor ON event (hashtextextended(actor_id, 0), leaf_index)")


def downgrade() -> None:
    op.execute("DROP INDEX event_actor")
    op.execute("CREATE INDEX event_actor ON event (actor_id, leaf_index)")
    op.execute("DROP INDEX event_changes")
    op.execute("DROP FUNCTION log_changes(text)")
