"""What the log holds of a period, counted for a certificate."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from services.audit.domain.certificate import SourceLine

_PERIOD = text("""
SELECT source, count(position) AS events, count(position) FILTER (WHERE programme = :programme) AS of_programme,
       min(position) AS first, max(position) AS last
FROM event WHERE occurred_at >= :since AND occurred_at < :until AND leaf_index < :size GROUP BY source ORDER BY source
""")
_THERE = text("""
SELECT count(DISTINCT position) AS there, count(*) FILTER (WHERE position < before) AS late FROM (
  SELECT position, max(position) OVER (ORDER BY leaf_index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM event WHERE source = :source AND position BETWEEN :first AND :last AND leaf_index < :size
) AS arrived
""")
# A manifest that stands right after what it speaks of tells of its own position by being there.
_TOLD = text("""
SELECT count(*) AS manifests, count(*) FILTER (WHERE m.verdict = 'sound') AS sound,
       coalesce(max(CASE WHEN e.position = m.last + 1 THEN e.position ELSE m.last END)
                FILTER (WHERE m.verdict = 'sound'), 0) AS told
FROM manifest m JOIN event e USING (leaf_index)
WHERE m.source = :source AND m.last >= :first AND m.first <= :last
""")


def lines(
    connection: Connection, programme: str, since: datetime, until: datetime, size: int
) -> tuple[SourceLine, ...]:
    """Return per source what happened from `since` to before `until`, among the first `size` entries of the log."""
    found = []
    period = {"programme": programme, "since": since, "until": until, "size": size}
    for row in connection.execute(_PERIOD, period).all():
        if row.first is None:
            continue
        place = {"source": row.source, "first": row.first, "last": row.last, "size": size}
        there, told = connection.execute(_THERE, place).one(), connection.execute(_TOLD, place).one()
        found.append(
            SourceLine(
                row.source,
                row.events,
                row.of_programme,
                row.first,
                row.last,
                row.last - row.first + 1 - there.there,
                there.late,
                told.manifests,
                told.sound,
                told.told,
            )
        )
    return tuple(found)
