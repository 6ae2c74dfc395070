"""How far a consumer is with each entity, and the events that wait for their turn: rows and locks, no policy."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.clock import Clock, utc_now
from shared.messaging.wire import Raw, Received, decode

# Attempts of an event that was replayed out of quarantine: no patience is left.
REPLAYED = 1000


def moment(connection: Connection, clock: Clock) -> datetime:
    """Return the present moment by the injected clock or, without one, by the database's.

    What one process puts off another takes up, so they go by the one clock that they share: a machine whose own
    clock is an hour off delays nothing.
    """
    return clock() if clock is not utc_now else connection.execute(text("SELECT clock_timestamp()")).scalar_one()


def lock_head(connection: Connection, consumer: str, entity: str) -> int:
    """Return the last sequence that was applied for an entity (0: none) and lock it for this transaction."""
    connection.execute(
        text(
            "INSERT INTO inbox_head (consumer, entity, last_sequence) VALUES (:consumer, :entity, 0)"
            " ON CONFLICT DO NOTHING"
        ),
        {"consumer": consumer, "entity": entity},
    )
    found = connection.execute(
        text("SELECT last_sequence FROM inbox_head WHERE consumer = :consumer AND entity = :entity FOR UPDATE"),
        {"consumer": consumer, "entity": entity},
    )
    return int(found.scalar_one())


def set_head(connection: Connection, consumer: str, entity: str, sequence: int) -> None:
    """Remember that a consumer is past `sequence`; the caller holds the lock."""
    connection.execute(
        text("UPDATE inbox_head SET last_sequence = :sequence WHERE consumer = :consumer AND entity = :entity"),
        {"consumer": consumer, "entity": entity, "sequence": sequence},
    )


_SKIP = text("""
UPDATE inbox_head h SET last_sequence = q.sequence FROM quarantine q
WHERE h.consumer = :consumer AND h.entity = :entity
  AND q.consumer = :consumer AND q.entity = :entity AND q.state = 'discarded' AND q.sequence = h.last_sequence + 1
""")


def skip_discarded(connection: Connection, consumer: str, entity: str) -> int:
    """Move an entity on past the events that somebody has given up, as far as their turn has come; return how many."""
    skipped = 0
    while connection.execute(_SKIP, {"consumer": consumer, "entity": entity}).rowcount:
        skipped += 1
    return skipped


def park(
    connection: Connection,
    consumer: str,
    received: Received,
    *,
    why: str,
    attempts: int = 0,
    not_before: datetime | None = None,
    error: str | None = None,
) -> None:
    """Keep an event until its predecessor is handled (`why` gap) or its next attempt is due (retry)."""
    envelope, raw = received.envelope, received.raw
    connection.execute(
        text(
            "INSERT INTO inbox_parked (consumer, event_id, entity, sequence, position, why, attempts, not_before,"
            " headers, routing_key, user_id, body, last_error)"
            " VALUES (:consumer, :event_id, :entity, :sequence, :position, :why, :attempts, :not_before,"
            " CAST(:headers AS jsonb), :routing_key, :user_id, :body, :error)"
            " ON CONFLICT (consumer, event_id) DO UPDATE SET why = excluded.why, attempts = excluded.attempts,"
            " not_before = excluded.not_before, last_error = excluded.last_error"
        ),
        {
            "consumer": consumer,
            "event_id": envelope.id,
            "entity": received.key,
            "sequence": envelope.sequence,
            "position": envelope.position,
            "why": why,
            "attempts": attempts,
            "not_before": not_before,
            "headers": raw.headers_json(),
            "routing_key": raw.routing_key[:255],
            "user_id": raw.user_id,
            "body": raw.body,
            "error": error,
        },
    )


def unpark(connection: Connection, consumer: str, received: Received) -> None:
    """Forget a parked event: it is being handled, or was."""
    connection.execute(
        text("DELETE FROM inbox_parked WHERE consumer = :consumer AND event_id = :event_id"),
        {"consumer": consumer, "event_id": received.envelope.id},
    )


def attempts_so_far(connection: Connection, consumer: str, received: Received) -> int:
    """Return how often an event was tried and put off."""
    found = connection.execute(
        text("SELECT attempts FROM inbox_parked WHERE consumer = :consumer AND event_id = :event_id"),
        {"consumer": consumer, "event_id": received.envelope.id},
    )
    return int(found.scalar_one_or_none() or 0)


def next_in_line(connection: Connection, consumer: str, entity: str, now: datetime) -> Received | None:
    """Return the parked event that comes next for an entity, if it is there and due."""
    found = connection.execute(
        text(f"{_DUE} AND p.entity = :entity ORDER BY p.sequence LIMIT 1"),
        {"consumer": consumer, "now": now, "entity": entity},
    )
    row = found.mappings().one_or_none()
    return _received(row) if row else None


def due(connection: Connection, consumer: str, now: datetime, limit: int) -> list[Received]:
    """Return parked events, one an entity, whose turn has come: due retries, and followers nobody released."""
    found = connection.execute(
        text(
            f"SELECT DISTINCT ON (entity) * FROM ({_DUE}) AS waiting"  # noqa: S608 - a constant of this module
            " ORDER BY entity, sequence LIMIT :limit"
        ),
        {"consumer": consumer, "now": now, "limit": limit},
    )
    return [_received(row) for row in found.mappings()]


def parked(connection: Connection, consumer: str, now: datetime, limit: int) -> list[Received]:
    """Return parked events that are due, for a consumer that keeps no order of its own."""
    found = connection.execute(
        text(
            "SELECT * FROM inbox_parked WHERE consumer = :consumer AND (not_before IS NULL OR not_before <= :now)"
            " ORDER BY parked_at LIMIT :limit"
        ),
        {"consumer": consumer, "now": now, "limit": limit},
    )
    return [_received(row) for row in found.mappings()]


_DUE = (
    "SELECT p.* FROM inbox_parked p LEFT JOIN inbox_head h ON h.consumer = p.consumer AND h.entity = p.entity"
    " WHERE p.consumer = :consumer AND (p.not_before IS NULL OR p.not_before <= :now)"
    " AND p.sequence <= coalesce(h.last_sequence, 0) + 1"
)


def _received(row: Any) -> Received:
    raw = Raw(row["headers"], bytes(row["body"]), row["routing_key"], row["user_id"])
    return Received(decode(raw), raw)
