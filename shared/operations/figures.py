"""One service's figures, from its own database: what waits, is held or is missing, how far back it goes, how large."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from shared.messaging import gaps

_THERE = text("SELECT to_regclass('outbox') IS NOT NULL AS outbox, to_regclass('inbox') IS NOT NULL AS inbox")
# What has been told to wait is not late before its time.
_SENDING = text("""
SELECT count(*) FILTER (WHERE due) AS outbox_unpublished,
  coalesce(extract(epoch FROM clock_timestamp() - min(greatest(recorded_at, not_before)) FILTER (WHERE due)), 0)::float
    AS outbox_oldest_seconds,
  count(*) FILTER (WHERE held_reason IS NOT NULL) AS outbox_held
FROM (SELECT recorded_at, not_before, held_reason, coalesce(not_before <= clock_timestamp(), true) AS due
      FROM outbox WHERE published_at IS NULL) AS waiting
""")
_TAKING = text("""
SELECT (SELECT count(*) FROM inbox_parked) AS parked,
  (SELECT count(*) FROM quarantine WHERE state = 'held') AS quarantined
""")
# Partitions are made from the present month on, so the first of them is the oldest that is kept.
_MONTHS = text(r"""
SELECT min(substr(month, 8)) AS outbox_first_month,
  bool_or(month = to_char(now() AT TIME ZONE 'UTC' + interval '1 month', '"outbox_"YYYY_MM')) AS outbox_next_month
FROM (SELECT c.relname AS month FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_\d{4}_\d{2}$') AS months
""")
# What any role may ask; of other roles' sessions only that they are there.
_STORING = text("""
SELECT pg_database_size(current_database()) AS database_bytes, numbackends AS database_connections,
  (SELECT setting::int FROM pg_settings WHERE name = 'max_connections') AS database_connections_allowed,
  (SELECT count(*) FROM pg_stat_activity) AS database_connections_all,
  deadlocks AS database_deadlocks,
  (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float
   FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()) AS database_longest_seconds,
  (SELECT wal_bytes::bigint FROM pg_stat_wal) AS database_wal_bytes
FROM pg_stat_database WHERE datname = current_database()
""")


def figures(connection: Connection, service: str) -> dict[str, Any]:
    """Return the figures of a service's database itself, and of messaging: of the tables that it has."""
    there = connection.execute(_THERE).one()
    found: dict[str, Any] = dict(connection.execute(_STORING).mappings().one())
    if there.outbox:
        found |= dict(connection.execute(_SENDING).mappings().one())
        found |= dict(connection.execute(_MONTHS).mappings().one())
    if there.inbox:
        found |= dict(connection.execute(_TAKING).mappings().one())
        missing = gaps.all_open(connection, service)
        found["gaps"] = sum(gap.alarmed_at is not None for gap in missing)
        found["gaps_unalarmed"] = len(missing) - found["gaps"]
    return found
