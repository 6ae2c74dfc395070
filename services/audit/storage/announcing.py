"""What was announced of the log last, and whether anything of the house's happened since."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

ENTITY = "checkpoint:log"
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('tamga announce', 0))")
_NEWEST = text("""
SELECT time, CAST(body->'data'->>'size' AS bigint) AS size FROM outbox
WHERE entity = :entity ORDER BY sequence DESC LIMIT 1
""")
# What the house does because of time alone, or because of an announcement: it must not call for the next one.
_NEWS = text("""
SELECT EXISTS (
  SELECT FROM event WHERE leaf_index >= :first AND leaf_index < :end
    AND type <> 'audit.checkpoint.announced' AND type NOT LIKE '%.manifest.published'
)
""")


class Announced(NamedTuple):
    """The newest announcement: when, and of how many entries."""

    time: datetime
    size: int


def alone(connection: Connection) -> bool:
    """Say whether this transaction is the only one that announces."""
    return bool(connection.execute(_LOCK).scalar())


def newest(connection: Connection) -> Announced | None:
    """Return the newest announcement: of this service's outbox, as the relay need not have sent it yet."""
    row = connection.execute(_NEWEST, {"entity": ENTITY}).first()
    return Announced(*row) if row else None


def has_news(connection: Connection, first: int, end: int) -> bool:
    """Say whether among the leaves [first, end) is one that people or their deadlines caused."""
    return bool(connection.execute(_NEWS, {"first": first, "end": end}).scalar())
