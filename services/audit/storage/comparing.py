"""Live rows of services beside what the log has of them, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, text, update

from services.audit.domain.comparison import Audited, Live, kind_of
from services.audit.storage.completeness_tables import comparisons
from services.audit.storage.opening import ERASED, SEALED, Opener

BATCH = 500
# Tables whose rows are entities have these columns (docs/adr/0002).
_TABLES = text("""
SELECT table_name FROM information_schema.columns
WHERE table_schema = 'public' AND column_name IN ('id', 'version', 'state', 'last_changes', 'updated_by')
GROUP BY table_name HAVING count(*) = 5 ORDER BY table_name
""")
# One statement, one moment: the row and the number of the last event about it.
_LIVE = """
SELECT t.id, t.version, t.state, t.updated_at, s.last FROM "{table}" t
LEFT JOIN outbox_sequence s ON s.entity = :kind || ':' || t.id
WHERE t.id > :after ORDER BY t.id LIMIT :limit
"""
_AGAIN = """
SELECT t.id, t.version, t.state, t.updated_at, s.last FROM "{table}" t
LEFT JOIN outbox_sequence s ON s.entity = :kind || ':' || t.id WHERE t.id = ANY(CAST(:ids AS text[]))
"""
_THERE = 'SELECT id FROM "{table}" WHERE id = ANY(CAST(:ids AS text[]))'
# The newest act up to a number that says what the state was after it. Of people that is sealed: then it says so.
_AUDITED = text("""
SELECT a.entity, a.newest, e.sequence, e.event_id, e.body, e.occurred_at, e.actor_name, e.actor_id, e."case"
FROM (
  SELECT n.entity, n.upto,
    (SELECT max(sequence) FROM event WHERE source = :source AND event.entity = n.entity) AS newest
  FROM unnest(CAST(:entities AS text[]), CAST(:uptos AS bigint[])) AS n (entity, upto)
) AS a LEFT JOIN LATERAL (
  SELECT * FROM event WHERE source = :source AND event.entity = a.entity AND sequence <= a.upto
    AND (body::json->>'after_hash' IS NOT NULL OR type IN ('portal.user.registered', 'portal.user.changed'))
  ORDER BY sequence DESC LIMIT 1
) AS e ON true WHERE a.newest IS NOT NULL
""")
_HISTORY = text("""
SELECT event_id, body FROM event WHERE source = :source AND entity = :entity AND sequence <= :upto ORDER BY sequence
""")
_ENTITIES = text("""
SELECT DISTINCT entity FROM event WHERE source = :source AND entity > :after ORDER BY entity LIMIT :limit
""")
_LAST = 2**62


def kinds(connection: Connection, source: str) -> dict[str, str]:
    """Return {table: how events call its entities} of a service."""
    return {name: kind_of(source, name) for name in connection.execute(_TABLES).scalars()}


def batch(connection: Connection, table: str, kind: str, after: str) -> list[Live]:
    """Return the next rows of a table after an id, in the order of ids."""
    facts = {"kind": kind, "after": after, "limit": BATCH}
    return [_live(kind, row) for row in connection.execute(text(_LIVE.format(table=table)), facts)]


def again(connection: Connection, table: str, kind: str, ids: Iterable[str]) -> list[Live]:
    """Return these rows as they are now."""
    facts = {"kind": kind, "ids": list(ids)}
    return [_live(kind, row) for row in connection.execute(text(_AGAIN.format(table=table)), facts)]


def _live(kind: str, row: Any) -> Live:
    return Live(f"{kind}:{row.id}", row.version, row.state, row.updated_at.isoformat(), row.last)


def there(connection: Connection, table: str, ids: Sequence[str]) -> set[str]:
    """Return those of the ids that have a row."""
    return set(connection.execute(text(_THERE.format(table=table)), {"ids": list(ids)}).scalars())


def audited(
    connection: Connection, opener: Opener, source: str, wanted: Mapping[str, int | None]
) -> dict[str, Audited]:
    """Return what the log has of entities up to the given numbers (None: all)."""
    facts = {"source": source, "entities": list(wanted), "uptos": [upto or _LAST for upto in wanted.values()]}
    found = {}
    for row in connection.execute(_AUDITED, facts):
        if row.sequence is None:
            found[row.entity] = Audited(row.newest)
            continue
        body = opener.body(row.body, row.event_id)
        readable = body["after_hash"] if body["after_hash"] not in (SEALED, ERASED) else None
        found[row.entity] = Audited(
            row.newest,
            row.sequence,
            str(row.event_id),
            readable,
            row.occurred_at.isoformat(),
            body["actor"]["name"] or row.actor_id,
            row.case,
        )
    return found


def history(connection: Connection, opener: Opener, source: str, entity: str, upto: int) -> list[dict[str, Any]]:
    """Return the changes of an entity's acts up to a number, in their order."""
    rows = connection.execute(_HISTORY, {"source": source, "entity": entity, "upto": upto})
    return [opener.body(row.body, row.event_id)["changes"] for row in rows]


def entities(connection: Connection, source: str, after: str) -> list[str]:
    """Return the next entities of which the log speaks, in its own order."""
    return list(connection.execute(_ENTITIES, {"source": source, "after": after, "limit": BATCH}).scalars())


# --- runs -------------------------------------------------------------------------


def begin(connection: Connection, own: UUID, by: str, now: datetime) -> None:
    """Keep that a comparison has begun."""
    connection.execute(
        insert(comparisons).values(
            id=own, started_at=now, by=by, place=[], rows=0, waiting=0, found=0, findings=[], finished_at=None
        )
    )


def unfinished(connection: Connection, since: datetime) -> Any:
    """Return the newest comparison when it was not finished and began after `since`; else None."""
    query = select(comparisons).order_by(comparisons.c.started_at.desc()).limit(1)
    row = connection.execute(query).first()
    return row if row and row.finished_at is None and row.started_at > since else None


def keep(connection: Connection, own: UUID, **values: Any) -> None:
    """Keep how far a comparison is and what it found."""
    connection.execute(update(comparisons).where(comparisons.c.id == own).values(**values))


def latest(connection: Connection, limit: int = 10) -> list[Any]:
    """Return the newest comparisons that were finished, the newest first."""
    query = select(comparisons).where(comparisons.c.finished_at.is_not(None))
    return list(connection.execute(query.order_by(comparisons.c.started_at.desc()).limit(limit)))


def newest_by(connection: Connection, by: str) -> datetime | None:
    """Return when the newest comparison by somebody, that was finished, began."""
    mine = (comparisons.c.by == by, comparisons.c.finished_at.is_not(None))
    newest: datetime | None = connection.execute(select(func.max(comparisons.c.started_at)).where(*mine)).scalar_one()
    return newest
