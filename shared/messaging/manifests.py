"""Each source tells the record how far it has written, regularly and when nothing happened: a manifest.

What is lost shows by what comes after it; the last thing that is lost has nothing after it, and what was deleted
before it went out never had a position. A manifest comes after everything, has the digest of what stands under which
positions, and the number of events that the entities' counters know of. It is an event like any other, so that it
takes the same way, and a lost one leaves a hole.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from shared.database import Context, UnitOfWork, system
from shared.events.manifests import manifest_event
from shared.messaging.heads import moment

log = structlog.get_logger(__name__)

# Seconds from one manifest to the next while something happens, and while nothing does.
SECONDS = float(os.environ.get("TAMGA_MANIFEST_SECONDS", "60"))
IDLE_SECONDS = 3600.0
SPAN = 50_000  # positions that one manifest speaks of: what is read at once is bounded
_LOOK = 5.0  # seconds, at most, between looks whether one is due

# Both sides make the digest by this, each of its own table.
DIGEST = (
    "encode(sha256(convert_to(coalesce(string_agg({position} || ' ' || {id} || chr(10), '' ORDER BY {position}), '')"
)
DIGEST += ", 'UTF8')), 'hex')"

_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('tamga manifest', 0))")
_BEFORE = text("""
SELECT recorded_at, (body->'data'->>'last')::bigint AS last FROM outbox
WHERE entity = :entity ORDER BY sequence DESC LIMIT 1
""")
# One statement, so that all of it is seen at one moment. What is numbered and not yet marked is in the relay's run:
# up to the first of those every row has its position itself.
_STATE = text("""
WITH run AS (
  SELECT p.last - cardinality(p.run) + r.number AS position, r.row
  FROM outbox_position p, unnest(p.run) WITH ORDINALITY AS r (row, number) WHERE p.source = :source
), open AS (
  SELECT o.row FROM outbox o WHERE o.published_at IS NULL AND o.position IS NULL
)
SELECT coalesce((SELECT last FROM outbox_position WHERE source = :source), 0) AS numbered,
  coalesce((SELECT min(run.position) - 1 FROM run JOIN open USING (row)),
           (SELECT last FROM outbox_position WHERE source = :source), 0) AS settled,
  (SELECT count(*) FROM open WHERE row NOT IN (SELECT row FROM run)) AS waiting,
  (SELECT coalesce(sum(last), 0)::bigint FROM outbox_sequence) AS recorded,
  CASE WHEN EXISTS (SELECT FROM outbox_dropped) THEN coalesce((SELECT min(position) FROM outbox), 1) ELSE 1 END AS kept
""")
_NEWS = text("""
SELECT EXISTS (SELECT FROM outbox WHERE position BETWEEN :first AND :last AND type <> :type)
""")
_SPAN = text(f"""
SELECT count(*) AS events, {DIGEST.format(position="position", id="id")} AS digest,
  coalesce(max(abs(extract(epoch FROM recorded_at - "time"))) * 1000, 0)::bigint AS skew_ms
FROM outbox WHERE position BETWEEN :first AND :last
""")  # noqa: S608 - constants of this module


def publish(uow: UnitOfWork, *, now: datetime | None = None, at_once: bool = False) -> bool:
    """Record the next manifest if it is due, or `at_once`; say whether one was recorded.

    Runs beside others of its kind: who comes second does nothing.
    """
    connection, source = uow.connection, uow.source
    if not connection.execute(_LOCK).scalar_one():
        return False
    event, entity = manifest_event(source), f"manifest:{source}"
    before = connection.execute(_BEFORE, {"entity": entity}).first()
    if before and not at_once and not _is_due(connection, before, event.TYPE, now or moment(connection, uow.clock)):
        return False
    state = connection.execute(_STATE, {"source": source}).one()
    first = before.last + 1 if before else state.kept
    facts = {"first": first, "last": max(first - 1, min(state.settled, first + SPAN - 1))}
    span = _spanned(connection, facts)
    deleted = max(0, state.recorded - state.numbered - state.waiting)
    counted = {"recorded": state.recorded, "numbered": state.numbered, "waiting": state.waiting, "deleted": deleted}
    uow.record(event(**facts, **span, **counted), entity=entity)
    return True


def _is_due(connection: Connection, before: Any, kind: str, now: datetime) -> bool:
    """Say whether it is time; asked often, so only what an index knows is asked, and the counters are not summed up."""
    age = now - before.recorded_at
    if age < timedelta(seconds=SECONDS):
        return False
    beyond = {"first": before.last + 1, "last": 2**62, "type": kind}
    return age >= timedelta(seconds=IDLE_SECONDS) or bool(connection.execute(_NEWS, beyond).scalar_one())


def _spanned(connection: Connection, facts: dict[str, Any]) -> dict[str, Any]:
    return dict(connection.execute(_SPAN, facts).mappings().one())


class Manifests:
    """Tells one source's manifests until it is told to stop."""

    def __init__(self, source: str, engine: Engine) -> None:
        self.source, self.engine = source, engine

    def run(self, stop: threading.Event) -> None:
        """Look often whether a manifest is due; a database that is away is asked again."""
        while not stop.wait(min(_LOOK, SECONDS)):
            try:
                with UnitOfWork(self.engine, self.source, Context(actor=system(self.source))) as uow:
                    publish(uow)
            except SQLAlchemyError as error:
                log.warning("no manifest now", source=self.source, error=str(error).splitlines()[0])
