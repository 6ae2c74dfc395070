"""Reading the log by what somebody looks for, from the newest backwards, with a bound on the work."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, func, or_, select, text

from services.audit.storage.conditions import Filters, acting, between, conditions, facets
from services.audit.storage.tables import STRETCH, events

__all__ = ["Filters", "Looked", "event", "look", "search", "timeline"]
LETTER = "notifications.delivery."
# A page looks back for so long and then says how far it came; an export looks through everything.
BUDGET = 0.06  # seconds
_FIRST_WINDOW = 4096  # leaves; each next window is as large as the time that is left lets it be
_GROWTH, _CAUTION = 8, 0.6
# Words and changes are judged leaf by leaf among the newest few, where what is frequent is found; then by their index.
_NEWEST, _STRETCH = 1024, 1 << STRETCH
_FEW = 500  # of entries that something has: each of them is looked at
_BY_INDEX = text("SELECT set_config('enable_indexscan', 'off', true), set_config('enable_seqscan', 'off', true)")
_AS_USUAL = text("SELECT set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'on', true)")
NARROW = 2_000  # a span of time with fewer events is found by its times

_BRIEF = (
    "leaf_index", "event_id", "source", "type", "entity", "occurred_at", "actor_id", "actor_kind", "actor_name",
    "role", "organisation", "programme", "case", "outcome", "correlation_id", "causation_id", "body",
)  # fmt: skip
FACETS = (
    "leaf_index", "occurred_at", "actor_id", "actor_name", "role", "organisation", "type", "entity", "programme",
    "source", "outcome",
)  # fmt: skip
Rows = Sequence[Any]


@dataclass(frozen=True)
class Looked:
    """The newest matches, and down to which leaf was looked; None when nothing older can match, or the list is full."""

    rows: list[Any]
    reached: int | None = None
    punctual: bool = False  # only what was recorded up to LATE after the end of the asked time was looked through


def search(connection: Connection, filters: Filters, *, before: int | None, limit: int) -> Rows:
    """Return up to `limit` + 1 matches with leaf indexes below `before`, the newest first, however long it takes."""
    wanted = conditions(filters, acting(connection, filters))
    if before is not None:
        wanted.append(events.c.leaf_index < before)
    return _newest(connection, _BRIEF, wanted, limit + 1)


def look(
    connection: Connection,
    filters: Filters,
    *,
    before: int | None,
    limit: int,
    columns: Sequence[str] = _BRIEF,
    budget: float = BUDGET,
) -> Looked:
    """Return up to `limit` matches below `before`, as far back as the time allows.

    What one index answers is read from it. Anything else is looked for in windows of leaves, each larger than the
    one before, so that two things that hardly ever meet cost a bounded time and not a walk over the whole log.
    """
    top = _end(connection) if before is None else before
    actors = acting(connection, filters)
    if _direct(connection, filters):
        own = [*conditions(filters, actors), events.c.leaf_index < top]
        return Looked(_newest(connection, columns, own, limit))
    if (few := _few_entries(connection, filters, actors, top)) is not None:
        own = [*conditions(filters, actors, judged=True), events.c.leaf_index.in_(few)]
        return Looked(_newest(connection, columns, own, limit))
    bottom, begin = _bottom(connection, filters), _top(connection, filters, top)
    inside = bool(filters.q or filters.changed)
    wanted, found = conditions(filters, actors, by_leaf=True, judged=inside), list[Any]()
    punctual, top, asked = begin < top, begin, False
    for low, high in _windows(top, bottom, budget, *((_NEWEST, _STRETCH) if inside else (_FIRST_WINDOW, 0))):
        if inside and high < begin and not asked:
            connection.execute(_BY_INDEX)
            asked = True
        found += _newest(connection, columns, [*wanted, *between(filters, low, high)], limit - len(found))
        top = low
        if len(found) >= limit:
            break
    if asked:
        connection.execute(_AS_USUAL)
    whole = len(found) >= limit or top <= bottom
    return Looked(found, None if whole else top, punctual)


def _few_entries(connection: Connection, filters: Filters, actors: tuple[str, ...], top: int) -> list[int] | None:
    """Return the leaves below `top` of what hardly ever occurs and is looked for with something else, or None."""
    if len(filters.given().keys() - {"size"}) < 2:
        return None
    for facet in facets(filters, actors):
        # In no order: asked for the newest, the planner might walk the log for them.
        query = select(events.c.leaf_index).where(facet).limit(_FEW + 1)
        found = list(connection.execute(query).scalars())
        if len(found) <= _FEW:
            return [index for index in found if index < top]
    return None


def _newest(connection: Connection, columns: Sequence[str], wanted: list[ColumnElement[bool]], limit: int) -> list[Any]:
    query = select(*(events.c[name] for name in columns)).where(*wanted)
    return list(connection.execute(query.order_by(events.c.leaf_index.desc()).limit(limit)).all())


def _windows(top: int, bottom: int, budget: float, size: int, then: int) -> Iterator[tuple[int, int]]:
    """Yield (low, high) from the newest backwards for as long as the next one fits into the time that is left.

    The first has `size` leaves, the second `then`; 0: as many as the first one's time tells.
    """
    begun = time.perf_counter()
    if then and top > bottom:
        yield (low := max(bottom, top - size)), top
        size, top = then, low
    while top > bottom and (not then or time.perf_counter() - begun < budget):
        started = time.perf_counter()
        low = max(bottom, top - size)
        yield low, top
        now = time.perf_counter()
        took, left = now - started, budget - (now - begun)
        if left < took:
            return
        size, top = int(size * min(_GROWTH, max(1.0, _CAUTION * left / max(took, 1e-6)))), low


def _direct(connection: Connection, filters: Filters) -> bool:
    """Say whether one index gives these matches in their order, or so few that sorting them costs nothing."""
    given = filters.given().keys() - {"size"}
    if filters.case or ":" in filters.entity or given <= {"organisation"} or given <= {"programme"}:
        return True
    if given == {"kind"}:
        return not filters.kind.endswith(".")
    if given == {"outcome"}:
        return True
    if filters.since or filters.until:
        return _few(connection, filters)
    return False


def _few(connection: Connection, filters: Filters) -> bool:
    spans = [events.c.occurred_at >= filters.since] if filters.since else []
    spans += [events.c.occurred_at < filters.until] if filters.until else []
    some = select(events.c.occurred_at).where(*spans).limit(NARROW + 1).subquery()
    return (connection.execute(select(func.count()).select_from(some)).scalar() or 0) <= NARROW


def _end(connection: Connection) -> int:
    """Return how many leaves there are."""
    newest = connection.execute(select(func.max(events.c.leaf_index))).scalar()
    return 0 if newest is None else int(newest) + 1


# An event is recorded after it happened; clocks of services may differ by this at most.
SKEW = timedelta(hours=1)
LATE = timedelta(days=1)
_FIRST_SINCE = text("""
WITH RECURSIVE half(low, high) AS (
  SELECT CAST(0 AS bigint), coalesce(max(leaf_index), -1) + 1 FROM event
  UNION ALL
  SELECT CASE WHEN middle.recorded_at < :moment THEN (low + high) / 2 + 1 ELSE low END,
    CASE WHEN middle.recorded_at < :moment THEN high ELSE (low + high) / 2 END
  FROM half, LATERAL (SELECT recorded_at FROM event WHERE leaf_index = (low + high) / 2) AS middle WHERE low < high
)
SELECT low FROM half WHERE low >= high
""")


def reach(connection: Connection, filters: Filters) -> tuple[int, int]:
    """Return the leaves [low, high) among which a search looks: all, or those recorded around the asked time."""
    end = _end(connection) if filters.size is None else min(filters.size, _end(connection))
    return _bottom(connection, filters), _top(connection, filters, end)


def _bottom(connection: Connection, filters: Filters) -> int:
    """Return the first leaf that can be as new as is asked for: leaves are in the order of recording."""
    return _recorded(connection, filters.since - SKEW) if filters.since else 0


def _top(connection: Connection, filters: Filters, top: int) -> int:
    """Return the leaf below which lies what happened before `until` and was recorded in time."""
    if filters.until is None:
        return top
    last = select(events.c.leaf_index).where(events.c.occurred_at < filters.until)
    near = connection.execute(last.order_by(events.c.occurred_at.desc()).limit(1)).scalar()
    return min(top, max(_recorded(connection, filters.until + LATE), 0 if near is None else int(near) + 1))


def _recorded(connection: Connection, moment: datetime) -> int:
    """Return the first leaf that was recorded at that moment or later."""
    return int(connection.execute(_FIRST_SINCE, {"moment": moment}).scalar() or 0)


def brief(connection: Connection, indexes: Sequence[int]) -> list[Any]:
    """Return what lists show of these leaves, the newest first."""
    query = select(*(events.c[name] for name in _BRIEF)).where(events.c.leaf_index.in_(indexes))
    return list(connection.execute(query.order_by(events.c.leaf_index.desc())).all())


def event(connection: Connection, event_id: UUID) -> Any:
    """Return a whole stored event, or None."""
    return connection.execute(select(events).where(events.c.event_id == event_id)).first()


def of_entities(connection: Connection, source: str, entities: set[str], limit: int) -> Rows:
    """Return what happened to these entities of a service, each in the order of its own events."""
    query = select(*(events.c[name] for name in _BRIEF), events.c.sequence).where(
        events.c.source == source, events.c.entity.in_(sorted(entities))
    )
    return connection.execute(query.order_by(events.c.entity, events.c.sequence).limit(limit)).all()


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
LEFT JOIN LATERAL (SELECT actor_name FROM event
  WHERE hashtextextended(actor_id, 0) = hashtextextended('user:' || given.id, 0) AND actor_id = 'user:' || given.id
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
