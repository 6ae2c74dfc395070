"""The one step from an outbox that is one table to one that is partitioned by month, and back; rows stay.

Every service's migration takes it. It is as it was when released: what changes later is a step of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.messaging.partitions import DEFAULT, FUNCTIONS

Execute = Callable[[str], object]
_ONE_BY_MONTHS = """
CREATE TABLE outbox (LIKE outbox_before INCLUDING DEFAULTS INCLUDING IDENTITY,
                     CONSTRAINT outbox_pk PRIMARY KEY (row, recorded_at)) PARTITION BY RANGE (recorded_at)
"""
_ONE = """
CREATE TABLE outbox (LIKE outbox_before INCLUDING DEFAULTS INCLUDING IDENTITY,
                     CONSTRAINT outbox_pk PRIMARY KEY (row),
                     CONSTRAINT outbox_entity_sequence_uq UNIQUE (entity, sequence),
                     CONSTRAINT outbox_id_uq UNIQUE (id), CONSTRAINT outbox_position_uq UNIQUE (position))
"""
_MONTHS = """
SELECT outbox_month(month::date) FROM (
  SELECT DISTINCT date_trunc('month', recorded_at AT TIME ZONE 'UTC') AS month FROM outbox_before
) AS months ORDER BY month
"""
_WAITING = """
CREATE INDEX outbox_waiting ON outbox (entity, sequence)
WHERE published_at IS NULL AND (not_before IS NOT NULL OR held_until IS NOT NULL)
"""
_INDEXES = (
    'CREATE INDEX outbox_case ON outbox ("case", "row")',
    "CREATE INDEX outbox_correlation_id_ix ON outbox (correlation_id)",
    'CREATE INDEX outbox_unpublished ON outbox ("row") WHERE published_at IS NULL',
    _WAITING,
)
# Names of indexes and sequences are taken as long as the table before has them.
_ASIDE = (
    "ALTER TABLE outbox RENAME TO outbox_before",
    "DROP INDEX outbox_case, outbox_correlation_id_ix, outbox_unpublished, outbox_waiting",
    "ALTER TABLE outbox_before DROP CONSTRAINT outbox_pk",
    "ALTER SEQUENCE outbox_row_seq RENAME TO outbox_before_row_seq",
)
_OVER = (
    "INSERT INTO outbox OVERRIDING SYSTEM VALUE SELECT * FROM outbox_before ORDER BY row",
    "SELECT setval(pg_get_serial_sequence('outbox', 'row'), coalesce(max(row), 0) + 1, false) FROM outbox",
    "DROP TABLE outbox_before",
)
_DROPPED = """
CREATE TABLE outbox_dropped (
  partition varchar(40) NOT NULL, type varchar(120) NOT NULL, events bigint NOT NULL, sum numeric NOT NULL,
  first_at timestamptz NOT NULL, last_at timestamptz NOT NULL,
  dropped_at timestamptz NOT NULL, dropped_by varchar(120) NOT NULL,
  CONSTRAINT outbox_dropped_pk PRIMARY KEY (partition, type))
"""


def partition(execute: Execute) -> None:
    """Partition the outbox by month, with a partition for every month that has rows."""
    for statement in (*_ASIDE, _ONE_BY_MONTHS, *_INDEXES, *FUNCTIONS, *DEFAULT, _MONTHS, *_OVER, _DROPPED):
        execute(statement)


def unite(execute: Execute) -> None:
    """Make the outbox one table again."""
    gone = ("DROP TABLE outbox_dropped", "DROP FUNCTION outbox_ahead, outbox_month, outbox_unique")
    for statement in (*_ASIDE, _ONE, *_INDEXES, *_OVER, *gone):
        execute(statement)
