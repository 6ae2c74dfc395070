"""The one step to an outbox whose last numbers stand in one row while they are on their way, and back.

Every service's migration takes it. It is as it was when released: what changes later is a step of its own.
"""

from __future__ import annotations

from collections.abc import Callable

Execute = Callable[[str], object]
# What was under way when its relay ended has its numbers nowhere else.
_INTO_ROWS = """
UPDATE outbox SET position = p.last - cardinality(p.run) + r.number
FROM outbox_position p, unnest(p.run) WITH ORDINALITY AS r (row, number)
WHERE outbox.row = r.row AND outbox.position IS NULL
"""


def keep_run(execute: Execute) -> None:
    """Give the counter a place for the rows that have its last numbers."""
    execute("ALTER TABLE outbox_position ADD COLUMN run bigint[]")


def drop_run(execute: Execute) -> None:
    """Write the last numbers into their rows, and take the place away."""
    execute(_INTO_ROWS)
    execute("ALTER TABLE outbox_position DROP COLUMN run")
