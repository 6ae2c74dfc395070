"""What happened lately and how far behind everybody is, across the services' databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from shared.database import reading


@dataclass
class Step:
    """One event as lists show it."""

    id: UUID
    source: str
    type: str
    entity: str
    case: str | None
    recorded_at: datetime
    published_at: datetime | None
    causation_id: UUID | None
    correlation_id: UUID

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
