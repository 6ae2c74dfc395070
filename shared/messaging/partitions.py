"""The outbox by months: one partition each, made ahead, and a default one so that an insert never fails.

A unique index on a partitioned table must have the partitioned column in it, so `id`, (`entity`, `sequence`) and
`position` are unique in each partition, and over all partitions by where they come from: UUIDs that begin with
the millisecond, and the two counter tables that only the transaction which writes the number moves on.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
import structlog
from sqlalchemy import DDL, Table, event

log = structlog.get_logger(__name__)

MONTHS_AHEAD = 12
_PARTITION = re.compile(r"outbox_(\d{4}_\d{2}|default)")

# Attaching takes a weaker lock on the outbox than creating in place, so inserts go on meanwhile. Rows of that
# month which the default partition has taken move into the new one; nobody waits longer than a second for it.
MONTH = """
CREATE OR REPLACE FUNCTION outbox_month(month date) RETURNS boolean LANGUAGE plpgsql
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
  name text := to_char(month, '"outbox_"YYYY"_"MM');
  first timestamptz := date_trunc('month', month);
  past timestamptz := date_trunc('month', month) + interval '1 month';
BEGIN
  IF to_regclass(name) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE ONLY outbox_default IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE %I (LIKE outbox INCLUDING DEFAULTS)', name);
  PERFORM outbox_unique(name);
  EXECUTE format('WITH moved AS (DELETE FROM outbox_default WHERE recorded_at >= %L AND recorded_at < %L RETURNING *)
                  INSERT INTO %I SELECT * FROM moved', first, past, name);
  EXECUTE format('ALTER TABLE outbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, past);
  RETURN true;
END $$
"""
UNIQUE_INDEXES = """
CREATE OR REPLACE FUNCTION outbox_unique(name text) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
  EXECUTE format('CREATE UNIQUE INDEX %I ON %I ("id")', name || '_id', name);
  EXECUTE format('CREATE UNIQUE INDEX %I ON %I ("entity", "sequence")', name || '_sequence', name);
  EXECUTE format('CREATE UNIQUE INDEX %I ON %I ("position")', name || '_position', name);
END $$
"""
# The app role may create nothing; this much it may ask for, and no more: the next months, at most three years.
AHEAD_FUNCTION = """
CREATE OR REPLACE FUNCTION outbox_ahead(months integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  made integer := 0;
  this timestamp := date_trunc('month', now());
  month timestamp;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('tamga outbox partitions', 0));
  FOR month IN
    SELECT generate_series(this, this + make_interval(months => least(months, 36)), interval '1 month')
  LOOP
    made := made + outbox_month(month::date)::integer;
  END LOOP;
  RETURN made;
END $$
"""
FUNCTIONS = (UNIQUE_INDEXES, MONTH, AHEAD_FUNCTION)
DEFAULT = (
    "CREATE TABLE outbox_default PARTITION OF outbox DEFAULT",
    "SELECT outbox_unique('outbox_default')",
)


def is_partition(table: str) -> bool:
    """Say whether a table is a partition of the outbox."""
    return _PARTITION.fullmatch(table) is not None


def partitioned(outbox: Table) -> Table:
    """Return the table, which now gets its functions and first partitions whenever it is created from metadata."""
    for statement in (*FUNCTIONS, *DEFAULT, "SELECT outbox_ahead(1)"):
        event.listen(outbox, "after_create", DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
    return outbox


def make_ahead(db: psycopg.Connection[Any], months: int = MONTHS_AHEAD) -> None:
    """Make the partitions of the months to come; one that a long reader keeps from being made has a year's time."""
    try:
        db.execute("SELECT outbox_ahead(%s)", (months,))
    except psycopg.errors.LockNotAvailable as error:
        log.warning("the outbox's next month is made another day", error=str(error).strip())
