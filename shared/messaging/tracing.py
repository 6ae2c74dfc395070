"""What happened, in what order and how fast: events and their effects across the services' databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from shared.database import reading


@dataclass
class Effect:
    """One consumer has handled an event, so many milliseconds after it was committed."""

    consumer: str
    at: datetime
    milliseconds: float


@dataclass
class Step:
    """One event, what it brought about at its consumers, and the events that those published because of it."""

    id: UUID
    source: str
    type: str
    entity: str
    case: str | None
    recorded_at: datetime
    published_at: datetime | None
    causation_id: UUID | None
    correlation_id: UUID
    effects: list[Effect] = field(default_factory=list)
    because: list[Step] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Filters:
    """Which events to list; empty means all. `type` is a prefix, `since` is included."""

    source: str | None = None
    type: str | None = None
    entity: str | None = None
    case: str | None = None
    since: datetime | None = None
    limit: int = 50


_STEPS = """
SELECT id, type, entity, "case", recorded_at, published_at, causation_id, correlation_id FROM outbox
"""


def trace(engines: Mapping[str, Engine], correlation_id: UUID) -> list[Step]:
    """Return the tree of everything that one act set off, its roots first in time."""
    steps: dict[UUID, Step] = {}
    for source, engine in engines.items():
        with reading(engine) as connection:
            found = connection.execute(text(f"{_STEPS} WHERE correlation_id = :id"), {"id": correlation_id})
            steps |= {row.id: Step(source=source, **row._mapping) for row in found}  # noqa: SLF001 - SQLAlchemy's name
    _add_effects(engines, correlation_id, steps)
    ordered = sorted(steps.values(), key=lambda step: step.recorded_at)
    roots: list[Step] = []
    for step in ordered:
        cause = steps.get(step.causation_id) if step.causation_id else None
        (cause.because if cause else roots).append(step)
    return roots


def _add_effects(engines: Mapping[str, Engine], correlation_id: UUID, steps: dict[UUID, Step]) -> None:
    query = text("SELECT consumer, event_id, handled_at FROM inbox WHERE correlation_id = :id ORDER BY handled_at")
    for engine in engines.values():
        with reading(engine) as connection:
            if not has_inbox(connection):
                continue
            for row in connection.execute(query, {"id": correlation_id}):
                if step := steps.get(row.event_id):
                    passed = (row.handled_at - step.recorded_at).total_seconds() * 1000
                    step.effects.append(Effect(row.consumer, row.handled_at, round(passed, 1)))


def has_inbox(connection: Any) -> bool:
    """Say whether this service consumes events."""
    return connection.execute(text("SELECT to_regclass('inbox')")).scalar_one() is not None


def list_events(engines: Mapping[str, Engine], filters: Filters) -> list[Step]:
    """Return events of all services, newest first."""
    query = text(
        f"{_STEPS} WHERE (CAST(:type AS text) IS NULL OR starts_with(type, :type))"
        " AND (CAST(:entity AS text) IS NULL OR entity = :entity)"
        ' AND (CAST(:case AS text) IS NULL OR "case" = :case)'
        " AND (CAST(:since AS timestamptz) IS NULL OR recorded_at >= :since) ORDER BY row DESC LIMIT :limit"
    )
    wanted = asdict(filters)
    found: list[Step] = []
    for source, engine in engines.items():
        if filters.source in {None, source}:
            with reading(engine) as connection:
                rows = connection.execute(query, wanted).mappings()
                found += [Step(source=source, **row) for row in rows]
    return sorted(found, key=lambda step: step.recorded_at, reverse=True)[: filters.limit]


def lag(engines: Mapping[str, Engine]) -> list[dict[str, Any]]:
    """Return how far behind each service is: what it has not published, and what waits at it."""
    answers = []
    for service, engine in engines.items():
        with reading(engine) as connection:
            sending = connection.execute(_SENDING).mappings().one()
            waiting = connection.execute(_WAITING).mappings().one() if has_inbox(connection) else {}
        answers.append({"service": service} | dict(sending) | dict(waiting))
    return answers


_SENDING = text("""
SELECT count(*) AS unpublished, count(*) FILTER (WHERE held_until IS NOT NULL) AS held_back,
       coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS oldest_seconds,
       min(held_reason) AS held_reason
FROM outbox WHERE published_at IS NULL
""")
_WAITING = text("""
SELECT (SELECT count(*) FROM inbox_parked WHERE why = 'gap') AS waiting_for_predecessor,
       (SELECT count(*) FROM inbox_parked WHERE why = 'retry') AS retrying,
       (SELECT count(*) FROM quarantine WHERE state = 'held') AS quarantined
""")
