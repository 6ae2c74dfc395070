"""Whether it is an event's turn: the inbox row and the head of its entity, in the handler's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from shared.events import Envelope
from shared.messaging import heads
from shared.messaging.wire import Received, entity_key


class Verdict(Enum):
    """What the inbox says of an event: handle it, forget it, or let it wait."""

    NEW = "new"
    DUPLICATE = "duplicate"
    TOO_EARLY = "too early"


# Insert first: a concurrent duplicate waits on the primary key until the first one's transaction ends. The head
# row is locked by the upsert even where its condition is false, so what follows may rely on it.
# OFFSET 0 keeps each EXISTS a look-up by its index: a planner that knows the tables as small, as they were when its
# plan was made, would read all that is parked or in quarantine for every event.
_ADMIT = text("""
WITH e AS (
  SELECT CAST(:consumer AS varchar) AS consumer, CAST(:id AS uuid) AS id, CAST(:key AS varchar) AS key,
         CAST(:sequence AS bigint) AS sequence
), fresh AS (
  INSERT INTO inbox (consumer, event_id, source, type, entity, sequence, position, correlation_id)
  SELECT e.consumer, e.id, :source, :type, :entity, e.sequence, CAST(:position AS bigint), CAST(:correlation AS uuid)
  FROM e WHERE :again
     OR NOT EXISTS (SELECT FROM inbox_parked p WHERE p.consumer = e.consumer AND p.event_id = e.id
                   OFFSET 0)
    AND NOT EXISTS (SELECT FROM quarantine q WHERE q.consumer = e.consumer AND q.event_id = e.id
                    AND q.state <> 'replayed' OFFSET 0)
  ON CONFLICT DO NOTHING RETURNING 1
), head AS (
  INSERT INTO inbox_head AS h (consumer, entity, last_sequence)
  SELECT e.consumer, e.key, e.sequence FROM e, fresh
  WHERE e.sequence = 1 OR EXISTS (SELECT FROM inbox_head i WHERE i.consumer = e.consumer AND i.entity = e.key)
  ON CONFLICT (consumer, entity) DO UPDATE SET last_sequence = excluded.last_sequence
  WHERE h.last_sequence = excluded.last_sequence - 1 RETURNING 1
)
SELECT (SELECT count(*) FROM fresh) AS fresh, (SELECT count(*) FROM head) AS advanced,
  EXISTS (SELECT FROM inbox_parked p, e WHERE p.consumer = e.consumer AND p.entity = e.key
          AND p.event_id <> e.id) AS followed
""")
# The same for several events, which may be of one entity: those of an entity are admitted when they follow its head
# without a hole. The caller has locked the heads that are there. A head is gone to by its place, found by its key:
# joined, all heads of the consumer would be read and compared with each of the events.
_ADMIT_ALL = text("""
WITH e AS (
  SELECT * FROM unnest(
    CAST(:id AS uuid[]), CAST(:source AS text[]), CAST(:type AS text[]), CAST(:entity AS text[]), CAST(:key AS text[]),
    CAST(:sequence AS bigint[]), CAST(:position AS bigint[]), CAST(:correlation_id AS uuid[])
  ) AS e (id, source, type, entity, key, sequence, position, correlation_id)
), fresh AS (
  INSERT INTO inbox (consumer, event_id, source, type, entity, sequence, position, correlation_id)
  SELECT CAST(:consumer AS text), id, source, type, entity, sequence, position, correlation_id FROM e
  WHERE NOT EXISTS (SELECT FROM inbox_parked p WHERE p.consumer = :consumer AND p.event_id = e.id OFFSET 0)
    AND NOT EXISTS (SELECT FROM quarantine q WHERE q.consumer = :consumer AND q.event_id = e.id
                    AND q.state <> 'replayed' OFFSET 0)
  ON CONFLICT DO NOTHING RETURNING event_id
), run AS (
  SELECT key, min(sequence) AS first, max(sequence) AS last FROM e JOIN fresh ON fresh.event_id = e.id
  GROUP BY key HAVING max(sequence) - min(sequence) + 1 = count(*)
), begun AS (
  INSERT INTO inbox_head (consumer, entity, last_sequence) SELECT CAST(:consumer AS text), key, last FROM run
  WHERE first = 1 ORDER BY key ON CONFLICT DO NOTHING RETURNING entity
), gone_on AS (
  UPDATE inbox_head h SET last_sequence = found.last FROM (
    SELECT run.*, (SELECT i.ctid FROM inbox_head i WHERE i.consumer = :consumer AND i.entity = run.key) AS place
    FROM run OFFSET 0
  ) AS found
  WHERE h.ctid = found.place AND h.last_sequence = found.first - 1 RETURNING h.entity
)
SELECT e.id, fresh.event_id IS NOT NULL AS fresh,
  e.key IN (SELECT entity FROM begun UNION ALL SELECT entity FROM gone_on) AS advanced,
  EXISTS (SELECT FROM inbox_parked p WHERE p.consumer = :consumer AND p.entity = e.key AND p.event_id <> e.id OFFSET 0)
    AS followed
FROM e LEFT JOIN fresh ON fresh.event_id = e.id
""")
_TAKE_BACK = text("DELETE FROM inbox WHERE consumer = :consumer AND event_id = ANY(CAST(:ids AS uuid[]))")


_FIELDS = ("id", "source", "type", "entity", "sequence", "position", "correlation_id")


class Admission(NamedTuple):
    """What the inbox says of an event, and whether others of its entity were parked a moment ago."""

    verdict: Verdict
    followed: bool = False


def admit(connection: Connection, consumer: str, envelope: Envelope, *, again: bool = False) -> Admission:
    """Write the event into the inbox if its turn has come; part of the handler's transaction.

    NEW: the row is written and the entity's head moved on. DUPLICATE: it was handled, or waits parked or in
    quarantine already (`again` is for the attempt that takes it from there). TOO_EARLY: a predecessor is missing.
    """
    key = entity_key(envelope)
    facts = {name: getattr(envelope, name) for name in ("id", "source", "type", "entity", "sequence", "position")}
    facts |= {"consumer": consumer, "key": key, "again": again, "correlation": envelope.correlation_id}
    row = connection.execute(_ADMIT, facts).one()
    if not row.fresh:
        return Admission(Verdict.DUPLICATE)
    if row.advanced:
        return Admission(Verdict.NEW, row.followed)
    # Rare: a gap, an event that was given up, or a head that came into being a moment ago.
    head = heads.lock_head(connection, consumer, key)
    if head == envelope.sequence - 1:
        heads.set_head(connection, consumer, key, envelope.sequence)
        return Admission(Verdict.NEW, followed=True)
    connection.execute(text("DELETE FROM inbox WHERE consumer = :consumer AND event_id = :id"), facts)
    return Admission(Verdict.DUPLICATE if envelope.sequence <= head else Verdict.TOO_EARLY)


def admit_all(connection: Connection, consumer: str, batch: Sequence[Received]) -> dict[UUID, Admission]:
    """Admit events in one statement; returns what the inbox says of those that need no closer look.

    The rest has left no trace: `admit` each in its turn. The caller holds the locks of the entities' heads.
    """
    plain = _in_order(batch)
    facts: dict[str, Any] = {name: [getattr(item.envelope, name) for item in plain] for name in _FIELDS}
    facts |= {"consumer": consumer, "key": [item.key for item in plain]}
    admitted: dict[UUID, Admission] = {}
    unsettled = []
    for row in connection.execute(_ADMIT_ALL, facts):
        if row.fresh and not row.advanced:
            unsettled.append(row.id)
        else:
            admitted[row.id] = Admission(Verdict.NEW, row.followed) if row.fresh else Admission(Verdict.DUPLICATE)
    if unsettled:
        connection.execute(_TAKE_BACK, {"consumer": consumer, "ids": unsettled})
    return admitted


def _in_order(batch: Sequence[Received]) -> list[Received]:
    """Return the events that come after all others of their entity before them: each once, none too late."""
    last: dict[str, int] = {}
    found = []
    for item in batch:
        if item.envelope.sequence > last.get(item.key, 0):
            last[item.key] = item.envelope.sequence
            found.append(item)
    return found
