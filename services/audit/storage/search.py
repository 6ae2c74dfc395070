"""Searching the log: filters, pages from the newest backwards, and bounded counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import reduce
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, func, or_, select, text

from services.audit.storage.tables import events

# Counts and the histogram look at so many of the newest matches and no more.
SAMPLE = 2000
BUCKETS = 60
MAX_PEOPLE = 50
LETTER = "notifications.delivery."

_BRIEF = (
    "leaf_index", "event_id", "source", "type", "entity", "occurred_at", "actor_id", "actor_kind", "actor_name",
    "role", "organisation", "programme", "case", "outcome", "correlation_id", "causation_id", "body",
)  # fmt: skip
Rows = Sequence[Any]


_FOLLOWS = ("actors", "meant")


@dataclass(frozen=True)
class Filters:
    """What somebody looks for; empty means all."""

    q: str = ""
    person: str = ""
    case: str = ""
    kind: str = ""  # an event type, or the beginning of one that ends at a dot
    organisation: str = ""
    role: str = ""
    programme: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None
    # Which people the names in `person` and in `q` stand for, where these are sealed: ids of actors, and the opaque ids
    # by word. They follow from what is looked for.
    actors: tuple[str, ...] = ()
    meant: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def recorded(self) -> dict[str, str]:
        """Return the filters as they are put on record: who was looked for by a sealed name stands there as sealed."""
        given = self.given()
        for word, ids in self.meant:
            for name in {"q", "person"} & given.keys():
                given[name] = re.sub(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", "|".join(ids[:3]), given[name])
        return given

    def given(self) -> dict[str, str]:
        """Return the filters that are set, as text."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _FOLLOWS}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items() if value
        }


def search(connection: Connection, filters: Filters, *, before: int | None, limit: int) -> Rows:
    """Return up to `limit` + 1 matches with leaf indexes below `before`, the newest first."""
    conditions = _conditions(connection, filters)
    if before is not None:
        conditions.append(events.c.leaf_index < before)
    query = select(*(events.c[name] for name in _BRIEF)).where(*conditions)
    return connection.execute(query.order_by(events.c.leaf_index.desc()).limit(limit + 1)).all()


def _conditions(connection: Connection, filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        events.c[name] == value
        for name in ("organisation", "role", "programme", "outcome")
        if (value := getattr(filters, name))
    ]
    if filters.case:
        conditions.append(events.c["case"] == filters.case.upper())
    if filters.person:
        conditions.append(events.c.actor_id.in_([*people(connection, filters.person), *filters.actors]))
    if filters.kind.endswith("."):
        conditions.append(events.c.type.startswith(filters.kind, autoescape=True))
    elif filters.kind:
        conditions.append(events.c.type == filters.kind)
    if filters.since:
        conditions.append(events.c.occurred_at >= filters.since)
    if filters.until:
        conditions.append(events.c.occurred_at < filters.until)
    if filters.q:
        conditions.append(func.log_words(events.c.summary).bool_op("@@")(_words(filters)))
    return conditions


def _words(filters: Filters) -> ColumnElement[Any]:
    """Return what full text search looks for: each word itself or, where it is a sealed name, those it stands for."""
    rest = filters.q
    found: list[ColumnElement[Any]] = []
    for word, ids in filters.meant:
        rest = re.sub(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", " ", rest)
        sealed = func.to_tsquery(text("'simple'"), " | ".join(ids))
        found.append(_plain(word).op("||")(sealed))
    if rest.strip() or not found:
        found.append(_plain(rest))
    return reduce(lambda one, other: one.op("&&")(other), found)


def _plain(words: str) -> ColumnElement[Any]:
    return func.websearch_to_tsquery(text("'simple'"), words)


_ACTORS = text("""
WITH RECURSIVE actor AS (
  (SELECT actor_id, actor_name FROM event ORDER BY actor_id, leaf_index DESC LIMIT 1)
  UNION ALL
  SELECT next.actor_id, next.actor_name FROM actor, LATERAL (
    SELECT actor_id, actor_name FROM event WHERE event.actor_id > actor.actor_id
    ORDER BY actor_id, leaf_index DESC LIMIT 1) AS next
)
SELECT actor_id FROM actor
WHERE actor_id IN (CAST(:given AS text), 'user:' || CAST(:given AS text))
  OR strpos(lower(actor_name), lower(CAST(:given AS text))) > 0 LIMIT :limit
""")


def people(connection: Connection, given: str) -> list[str]:
    """Return the ids of actors with that id, or with that text in the name they had last."""
    return list(connection.execute(_ACTORS, {"given": given, "limit": MAX_PEOPLE}).scalars())


@dataclass(frozen=True)
class Overview:
    """Counts over the newest matches: (value, label, count) by facet, and (start, count, refused) by time."""

    counted: int
    more: bool
    facets: dict[str, list[tuple[str, str, int]]]
    bars: list[tuple[datetime, int, int]]


def overview(connection: Connection, filters: Filters) -> Overview:
    """Return counts over at most SAMPLE newest matches."""
    names = ("role", "outcome", "type", "actor_id", "actor_name", "occurred_at")
    query = select(*(events.c[name] for name in names)).where(*_conditions(connection, filters))
    rows = connection.execute(query.order_by(events.c.leaf_index.desc()).limit(SAMPLE + 1)).all()
    rows, more = rows[:SAMPLE], len(rows) > SAMPLE
    facets = {
        "person": _count((row.actor_id, row.actor_name) for row in rows),
        "role": _count((row.role, row.role) for row in rows),
        "kind": _count((row.type, row.type) for row in rows),
        "outcome": _count((row.outcome, row.outcome) for row in rows),
    }
    return Overview(len(rows), more, facets, _bars([(row.occurred_at, row.outcome) for row in rows]))


def _count(pairs: Any, most: int = 6) -> list[tuple[str, str, int]]:
    counts: dict[str, int] = {}
    labels: dict[str, str] = {}
    for value, label in pairs:
        if value:
            counts[value] = counts.get(value, 0) + 1
            labels.setdefault(value, label or value)
    ranked = sorted(counts, key=lambda value: -counts[value])[:most]
    return [(value, labels[value], counts[value]) for value in ranked]


def _bars(acts: list[tuple[datetime, str]]) -> list[tuple[datetime, int, int]]:
    """Return counts in equal spans of whole minutes between the first and the last act."""
    if not acts:
        return []
    first, last = min(acts)[0].replace(second=0, microsecond=0), max(acts)[0]
    minutes = int((last - first).total_seconds() // 60) + 1
    span = timedelta(minutes=-(-minutes // BUCKETS))
    bars = [[0, 0] for _ in range(int((last - first) / span) + 1)]
    for at, outcome in acts:
        bar = bars[int((at - first) / span)]
        bar[0] += 1
        bar[1] += outcome != "success"
    return [(first + number * span, count, refused) for number, (count, refused) in enumerate(bars)]


def event(connection: Connection, event_id: UUID) -> Any:
    """Return a whole stored event, or None."""
    return connection.execute(select(events).where(events.c.event_id == event_id)).first()


def timeline(connection: Connection, case: str, *, before: int | None, limit: int) -> Rows:
    """Return the acts of a case over all services, the newest first; letters that an act set off go with it."""
    acts = events.alias("act")
    theirs = select(acts.c.leaf_index).where(
        acts.c.correlation_id == events.c.correlation_id, acts.c["case"] == case, ~acts.c.type.startswith(LETTER)
    )
    condition = [events.c["case"] == case, or_(~events.c.type.startswith(LETTER), ~theirs.exists())]
    if before is not None:
        condition.append(events.c.leaf_index < before)
    query = select(*(events.c[name] for name in _BRIEF)).where(*condition)
    return connection.execute(query.order_by(events.c.leaf_index.desc()).limit(limit + 1)).all()


def letters(connection: Connection, case: str, correlations: set[UUID], limit: int = 1000) -> Rows:
    """Return what happened to the letters that acts of a case set off, in the order in which it was recorded."""
    query = select(*(events.c[name] for name in _BRIEF)).where(
        events.c.correlation_id.in_(correlations), events.c["case"] == case, events.c.type.startswith(LETTER)
    )
    return connection.execute(query.order_by(events.c.leaf_index).limit(limit)).all()


_NAMES = text("""
SELECT given.id, coalesce(acted.actor_name, registered.name) AS name FROM unnest(CAST(:ids AS text[])) AS given(id)
LEFT JOIN LATERAL (SELECT actor_name FROM event WHERE actor_id = 'user:' || given.id
  ORDER BY leaf_index DESC LIMIT 1) AS acted ON true
LEFT JOIN LATERAL (SELECT CAST(body AS jsonb) #>> '{data,name}' AS name FROM event
  WHERE source = 'portal' AND entity = 'user:' || given.id ORDER BY sequence LIMIT 1) AS registered ON true
""")


def names(connection: Connection, ids: set[str]) -> dict[str, str]:
    """Return the names of people by id: as they last acted under, else as they were registered."""
    if not ids:
        return {}
    return {row.id: row.name for row in connection.execute(_NAMES, {"ids": sorted(ids)}) if row.name}


def programmes_of(connection: Connection, case: str) -> set[str]:
    """Return the programmes that the acts of a case belong to."""
    column: Column[str | None] = events.c.programme
    query = select(column).where(events.c["case"] == case, column.is_not(None)).distinct()
    return {name for name in connection.execute(query).scalars() if name}


def correlated(connection: Connection, correlation_id: UUID, limit: int = 200) -> Rows:
    """Return what one act set off, in the order in which it was recorded."""
    query = select(*(events.c[name] for name in _BRIEF)).where(events.c.correlation_id == correlation_id)
    return connection.execute(query.order_by(events.c.leaf_index).limit(limit)).all()
