"""Functions of the log name each other with their schema: while a backup is read in, there is none to look in."""

from alembic import op

revision = "0016"
down_revision = "0015"
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
    RETURN public.log_changes(replace(body, '\u0000', '\ufffd'));
  END IF;
  RETURN NULL;
END $$
"""
STRETCHED = """
CREATE OR REPLACE FUNCTION log_changes(leaf_index bigint, body text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE COST 1000 AS $$
DECLARE
  changes jsonb;
BEGIN
  changes := public.log_changes(body);
  RETURN changes || jsonb_build_object('', (changes -> '') || to_jsonb(leaf_index >> 14));
END $$
"""


def upgrade() -> None:
    op.execute(CHANGES)
    op.execute(STRETCHED)


def downgrade() -> None:
    """Leave them: what they return is the same."""
