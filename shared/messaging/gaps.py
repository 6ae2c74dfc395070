"""Events that never came although later ones did: noticed, alarmed after a while, asked for until they are there.

A consumer that keeps order misses numbers of an entity's sequence; one that takes whole sources misses positions.
The alarm is an event, so it is on the record, and it is the request as well: the source's relay process hears it
and sends again what its outbox still has (see `backfill`). Nothing here knows the broker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Connection, text

from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.gaps import ANSWERS, gap_events
from shared.messaging.heads import moment, skip_discarded
from shared.settings import settings

log = structlog.get_logger(__name__)

SECONDS = 5.0  # between looks
# How long after each request the next one follows, as long as nothing comes.
_AGAIN = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 3600))
_NAMESPACE = UUID("0d4b2c57-3f0e-4c3c-8d5e-6a4f2f1f9a01")


@dataclass(frozen=True)
class Gap:
    """Numbers `first` to `last` that a consumer lacks of an entity ("source/kind:id"), or of a source's positions."""

    entity: str
    first: int
    last: int
    source: str
    since: datetime
    alarmed_at: datetime | None = None
    asked: int = 0
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    sent: int = 0
    absent: int = 0
    closed_at: datetime | None = None

    @property
    def counted(self) -> str:
        return "sequence" if "/" in self.entity else "position"

    def meets(self, other: Gap) -> bool:
        """Say whether the two have a number in common."""
        return self.entity == other.entity and self.first <= other.last and other.first <= self.last

    def is_due(self, now: datetime, grace: timedelta) -> bool:
        """Say whether it is time to ask, for the first time or again."""
        if self.asked_at is None:
            return self.since + grace <= now
        return self.asked_at + _AGAIN[min(self.asked, len(_AGAIN)) - 1] <= now


# What is known of an entity with waiting events: its head, what waits, what is in quarantine. Between two numbers
# that are known and not neighbours lies a gap. Numbers are compared, never counted up to: one may be 2**50.
_HOLES = text("""
WITH behind AS (
  SELECT DISTINCT entity FROM inbox_parked WHERE consumer = :consumer AND why = 'gap'
), known AS (
  SELECT p.entity, p.sequence, p.parked_at AS seen FROM inbox_parked p JOIN behind USING (entity)
  WHERE p.consumer = :consumer
  UNION ALL
  SELECT q.entity, q.sequence, q.first_seen FROM quarantine q JOIN behind USING (entity)
  WHERE q.consumer = :consumer AND q.state <> 'replayed' AND q.sequence IS NOT NULL
  UNION ALL
  SELECT b.entity, coalesce(h.last_sequence, 0), NULL FROM behind b
  LEFT JOIN inbox_head h ON h.consumer = :consumer AND h.entity = b.entity
), steps AS (
  SELECT entity, sequence, lag(sequence) OVER line AS before,
         min(seen) OVER (line ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS since
  FROM known WINDOW line AS (PARTITION BY entity ORDER BY sequence)
)
SELECT entity, before + 1 AS first, sequence - 1 AS last, split_part(entity, '/', 1) AS source, since
FROM steps WHERE sequence > before + 1 ORDER BY entity, first
""")
_OPEN = text("""
SELECT entity, first, last, source, since, alarmed_at, asked, asked_at, answered_at, sent, absent, closed_at
FROM inbox_gap WHERE consumer = :consumer ORDER BY since, entity, first
""")
_KEEP = text("""
INSERT INTO inbox_gap (consumer, entity, first, last, source, since, alarmed_at, asked, asked_at)
VALUES (:consumer, :entity, :first, :last, :source, :since, :alarmed_at, :asked, :asked_at)
ON CONFLICT (consumer, entity, last) DO UPDATE
SET first = excluded.first, alarmed_at = excluded.alarmed_at, asked = excluded.asked, asked_at = excluded.asked_at
""")
_FORGET = text("DELETE FROM inbox_gap WHERE consumer = :consumer AND entity = :entity AND last = :last")
_LEARN = text("""
UPDATE inbox_gap SET answered_at = clock_timestamp(), sent = :sent, absent = :absent
WHERE consumer = :consumer AND entity = :about AND first <= :last AND last >= :first
""")
_WAITING = text("SELECT count(*) FROM inbox_parked WHERE consumer = :consumer AND entity = :entity AND why = 'gap'")


def open_gaps(connection: Connection, consumer: str) -> list[Gap]:
    """Return the gaps that were alarmed and are still open, the oldest first."""
    rows = connection.execute(_OPEN, {"consumer": consumer}).mappings()
    return [gap for gap in (Gap(**row) for row in rows) if gap.alarmed_at and not gap.closed_at]


def all_open(connection: Connection, consumer: str) -> list[Gap]:
    """Return the gaps that are open, the oldest first; those without `alarmed_at` are too young for an alarm."""
    known = [Gap(**row) for row in connection.execute(_OPEN, {"consumer": consumer}).mappings()]
    holes = [Gap(**row) for row in connection.execute(_HOLES, {"consumer": consumer}).mappings()]
    still = [gap for gap in known if not gap.closed_at]
    fresh = [hole for hole in holes if not any(gap.meets(hole) for gap in still)]
    return sorted([*still, *fresh], key=lambda gap: gap.since)


def watch(uow: UnitOfWork) -> None:
    """Alarm what has been missing for too long, ask again for what has not come, close what has."""
    consumer, now = uow.source, moment(uow.connection, uow.clock)
    grace = timedelta(seconds=settings().gap_seconds)
    _skip_given_up(uow.connection, consumer)
    known = [Gap(**row) for row in uow.connection.execute(_OPEN, {"consumer": consumer}).mappings()]
    holes = [Gap(**row) for row in uow.connection.execute(_HOLES, {"consumer": consumer}).mappings()]
    # Gaps in positions are kept by whoever takes the events in; gaps in sequences are what is missing now.
    counted = [gap for gap in known if gap.counted == "position"]
    noted = {gap: gap for gap in known if gap.counted == "sequence"}
    for hole in holes:
        before = next((gap for gap in noted if gap.meets(hole)), None)
        if before is None:
            counted.append(hole)
            continue
        del noted[before]
        counted.append(_moved(uow, before, hole))
    for gap in [*noted, *(gap for gap in counted if gap.closed_at)]:
        _close(uow, gap)
    for gap in counted:
        if not gap.closed_at and gap.is_due(now, grace):
            _ask(uow, gap)


def _skip_given_up(connection: Connection, consumer: str) -> None:
    behind = text("SELECT DISTINCT entity FROM inbox_parked WHERE consumer = :consumer AND why = 'gap'")
    for entity in connection.execute(behind, {"consumer": consumer}).scalars().all():
        skip_discarded(connection, consumer, entity)


def _moved(uow: UnitOfWork, before: Gap, hole: Gap) -> Gap:
    """Return a known gap as it is now; what has shrunk is being filled, so it is asked for soon if that stops."""
    if (before.first, before.last) == (hole.first, hole.last):
        return before
    uow.connection.execute(_FORGET, {"consumer": uow.source, "entity": before.entity, "last": before.last})
    moved = replace(before, first=hole.first, last=hole.last, asked=1, asked_at=moment(uow.connection, uow.clock))
    _keep(uow, moved)
    return moved


def _keep(uow: UnitOfWork, gap: Gap) -> None:
    names = ("entity", "first", "last", "source", "since", "alarmed_at", "asked", "asked_at")
    uow.connection.execute(_KEEP, {"consumer": uow.source} | {name: getattr(gap, name) for name in names})


def _ask(uow: UnitOfWork, gap: Gap) -> None:
    now = moment(uow.connection, uow.clock)
    asking = replace(gap, alarmed_at=gap.alarmed_at or now, asked=gap.asked + 1, asked_at=now)
    _keep(uow, asking)
    facts = {"consumer": uow.source, "entity": gap.entity}
    waiting = int(uow.connection.execute(_WAITING, facts).scalar_one())
    alarmed, _ = gap_events(uow.source)
    event = alarmed(counted=gap.counted, waiting=waiting, **_said(asking))
    uow.record(event, entity=f"gap:{_id(uow.source, gap)}")
    log.error("events are missing", consumer=uow.source, waiting=waiting, **_said(asking))


def _close(uow: UnitOfWork, gap: Gap) -> None:
    uow.connection.execute(_FORGET, {"consumer": uow.source, "entity": gap.entity, "last": gap.last})
    if gap.alarmed_at:
        _, closed = gap_events(uow.source)
        uow.record(closed(**_said(gap)), entity=f"gap:{_id(uow.source, gap)}")
        log.info("what was missing has come", consumer=uow.source, **_said(gap))


def _said(gap: Gap) -> dict[str, Any]:
    facts = {name: getattr(gap, name) for name in ("first", "last", "since", "asked")}
    return facts | {"of": gap.source, "about": gap.entity}


def _id(consumer: str, gap: Gap) -> UUID:
    return uuid5(_NAMESPACE, f"{consumer} {gap.entity}")


def learn(connection: Connection, consumer: str, envelope: Envelope) -> None:
    """Note what a source has answered, if it was this consumer that asked."""
    answer = envelope.data
    if answer["consumer"] == consumer:
        facts = {name: answer[name] for name in ("about", "first", "last", "sent", "absent")}
        connection.execute(_LEARN, facts | {"consumer": consumer})


def on_answer(uow: UnitOfWork, envelope: Envelope) -> None:
    """Handle a source's answer."""
    learn(uow.connection, uow.source, envelope)


ON: dict[str, Callable[[UnitOfWork, Envelope], None]] = dict.fromkeys(ANSWERS, on_answer)
TIMERS = ((SECONDS, watch),)
