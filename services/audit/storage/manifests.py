"""What sources told of how far they have written, beside what the log holds of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from services.audit.domain.manifest import Held, Told
from services.audit.storage.completeness_tables import manifests
from shared.events.manifests import MANIFESTS
from shared.messaging.manifests import DIGEST

# `before` is what the manifest before it told of rows that are gone: only what is gone since is new.
_FRESH = text("""
SELECT e.leaf_index, e.source, e.occurred_at, e.recorded_at, e.body::jsonb->'data' AS data
FROM unnest(CAST(:types AS text[])) AS t (type) CROSS JOIN LATERAL (
  SELECT leaf_index, source, occurred_at, recorded_at, body FROM event
  WHERE event.type = t.type AND leaf_index > (
    SELECT coalesce(max(leaf_index), -1) FROM manifest WHERE source = split_part(t.type, '.', 1))
  ORDER BY leaf_index LIMIT :limit
) AS e ORDER BY e.leaf_index
""")
_HELD = text(f"""
SELECT count(*) AS events, {DIGEST.format(position="position", id="event_id")} AS digest
FROM event WHERE source = :source AND position BETWEEN :first AND :last
""")  # noqa: S608 - a constant of ours
_DELETED = text("SELECT deleted FROM manifest WHERE source = :source ORDER BY leaf_index DESC LIMIT 1")
_LATEST = text("""
SELECT DISTINCT ON (source) source, first, last, recorded, deleted, told_at, verdict
FROM manifest ORDER BY source, leaf_index DESC
""")
_COUNTS = text("""
SELECT source, count(*) AS manifests, count(*) FILTER (WHERE verdict = 'sound') AS sound,
       coalesce(max(skew_ms) FILTER (WHERE told_at > now() - interval '1 day'), 0) AS skew_ms,
       count(*) FILTER (WHERE disputed_at IS NOT NULL AND verdict NOT IN ('sound', 'waiting')) AS disputed
FROM manifest GROUP BY source ORDER BY source
""")
_REACH = text("""
SELECT s.source, (SELECT max(position) FROM event e WHERE e.source = s.source) AS last
FROM unnest(CAST(:sources AS text[])) AS s (source)
""")
_DISPUTED = text("SELECT count(*) FROM manifest WHERE verdict <> 'sound' AND disputed_at IS NOT NULL")


def take_in(connection: Connection, limit: int = 500) -> int:
    """Keep the manifests that came into the log since the last time, not yet judged; returns how many."""
    rows = connection.execute(_FRESH, {"types": list(MANIFESTS), "limit": limit}).all()
    for row in rows:
        data = row.data
        before = int(connection.execute(_DELETED, {"source": row.source}).scalar_one_or_none() or 0)
        names = ("first", "last", "events", "digest", "recorded", "deleted")
        connection.execute(
            insert(manifests).values(
                leaf_index=row.leaf_index,
                source=row.source,
                told_at=row.occurred_at,
                received_at=row.recorded_at,
                verdict="waiting",
                skew_ms=data.get("skew_ms", 0),
                fresh_deleted=max(0, data["deleted"] - before),
                **{name: data[name] for name in names},
            )
        )
    return len(rows)


def unsettled(connection: Connection, limit: int = 200) -> list[Any]:
    """Return manifests that wait or are missing something, the oldest first."""
    query = select(manifests).where(manifests.c.verdict.in_(["waiting", "missing", "different"]))
    return list(connection.execute(query.order_by(manifests.c.leaf_index).limit(limit)))


def told(row: Any) -> Told:
    """Return what a stored manifest tells."""
    return Told(row.first, row.last, row.events, row.digest, row.fresh_deleted)


def held(connection: Connection, source: str, first: int, last: int) -> Held:
    """Return what the log holds under these positions."""
    row = connection.execute(_HELD, {"source": source, "first": first, "last": last}).one()
    return Held(row.events, row.digest)


def decide(connection: Connection, row: Any, verdict: str, found: int, now: datetime, *, disputed: bool) -> None:
    """Keep the verdict on a manifest; `disputed` for the first time that something is wrong with it."""
    values: dict[str, Any] = {"verdict": verdict, "found": found, "compared_at": now}
    if disputed:
        values["disputed_at"] = now
    connection.execute(update(manifests).where(manifests.c.leaf_index == row.leaf_index).values(**values))


def latest(connection: Connection) -> dict[str, Any]:
    """Return each source's newest manifest."""
    return {row.source: row for row in connection.execute(_LATEST)}


def counts(connection: Connection) -> dict[str, Any]:
    """Return per source how many manifests there are, how many are sound, and how many disputed."""
    return {row.source: row for row in connection.execute(_COUNTS)}


def disputed(connection: Connection, limit: int = 50) -> list[Any]:
    """Return the newest manifests that the log does not bear out."""
    query = select(manifests).where(manifests.c.verdict != "sound", manifests.c.disputed_at.is_not(None))
    return list(connection.execute(query.order_by(manifests.c.leaf_index.desc()).limit(limit)))


def count_disputed(connection: Connection) -> int:
    """Return how many manifests the log does not bear out."""
    return int(connection.execute(_DISPUTED).scalar_one())


def reach(connection: Connection, sources: Sequence[str]) -> dict[str, int]:
    """Return the last position of each source in the log, 0 where there is none."""
    return {row.source: row.last or 0 for row in connection.execute(_REACH, {"sources": list(sources)})}
