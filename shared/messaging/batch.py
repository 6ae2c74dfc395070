"""A consumer that takes many events in one transaction and keeps an order of its own (the audit log)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy import exc as sql

from shared.clock import Clock, utc_now
from shared.database import asking
from shared.engine import ask
from shared.events.gaps import ANSWERS
from shared.messaging import gaps, heads, positions, quarantine, spans
from shared.messaging.inbox import TRANSIENT, Batch, Outcome, StorageDownError, counted
from shared.messaging.wire import Raw, Received, UnreadableError, decode

_FIELDS = ("id", "source", "type", "entity", "sequence", "position", "correlation_id")
# What was parked (replayed out of quarantine) is taken up now, so it waits no more. Lists of ids and texts go in binary
# form (`b`): as text each of their items costs the driver more than a microsecond, and the server must read it again.
_ADMIT = """
WITH unparked AS (
  DELETE FROM inbox_parked p WHERE p.consumer = %(consumer)s AND p.event_id = ANY(CAST(%(id)b AS uuid[]))
  RETURNING event_id
), replayed AS (
  UPDATE quarantine q SET replay_result = 'applied', replay_result_at = clock_timestamp() FROM unparked
  WHERE q.consumer = %(consumer)s AND q.event_id = unparked.event_id AND q.state = 'replayed'
)
INSERT INTO inbox (consumer, event_id, source, type, entity, sequence, position, correlation_id)
SELECT %(consumer)s::text, e.* FROM unnest(
  CAST(%(id)b AS uuid[]), CAST(%(source)b AS text[]), CAST(%(type)b AS text[]), CAST(%(entity)b AS text[]),
  CAST(%(sequence)s AS bigint[]), CAST(%(position)s AS bigint[]), CAST(%(correlation_id)b AS uuid[])) AS e (id)
WHERE NOT EXISTS (
  SELECT FROM quarantine q WHERE q.consumer = %(consumer)s AND q.event_id = e.id AND q.state <> 'replayed')
ON CONFLICT DO NOTHING RETURNING event_id
"""


def handle_batch(
    engine: Engine, consumer: str, act: Batch, raws: Sequence[Raw], *, clock: Clock = utc_now
) -> list[Outcome]:
    """Give the new events among `raws` to `act` in one transaction; every message may be acked afterwards.

    When the batch fails it is halved until the culprit stands alone, and that one goes into quarantine.
    Raises StorageDownError when nothing could be written.
    """
    outcomes: dict[int, Outcome] = {}
    readable: list[tuple[int, Received]] = []
    for index, raw in enumerate(raws):
        try:
            readable.append((index, Received(decode(raw), raw)))
        except UnreadableError as error:
            outcomes[index] = _refuse(engine, consumer, raw, error, clock)
    given = _apply(engine, consumer, act, [received for _, received in readable], clock)
    outcomes |= {index: outcome for (index, _), outcome in zip(readable, given, strict=True)}
    return counted(consumer, [outcomes[index] for index in range(len(raws))])


def sweep_batch(engine: Engine, consumer: str, act: Batch, *, clock: Clock = utc_now, limit: int = 500) -> int:
    """Take up what was replayed out of quarantine; returns how many events."""
    try:
        with asking(engine) as connection:
            waiting = heads.parked(connection, consumer, heads.moment(connection, clock), limit)
    except (sql.OperationalError, sql.InterfaceError, sql.TimeoutError) as down:
        raise StorageDownError(str(down)) from down
    if waiting:
        _apply(engine, consumer, act, waiting, clock)
    return len(waiting)


def admit_batch(connection: Connection, consumer: str, batch: list[Received]) -> list[Received]:
    """Write the batch into the inbox and return those that are new, in their order."""
    facts: dict[str, Any] = {name: [getattr(item.envelope, name) for item in batch] for name in _FIELDS}
    new = {event_id for (event_id,) in ask(connection, _ADMIT, facts | {"consumer": consumer})}
    fresh = []
    for item in batch:
        if item.envelope.id in new:
            new.discard(item.envelope.id)  # the same event twice in one batch counts once
            fresh.append(item)
    return fresh


def _apply(engine: Engine, consumer: str, act: Batch, batch: list[Received], clock: Clock) -> list[Outcome]:
    if not batch:
        return []
    try:
        with spans.taking_in(consumer, batch), engine.begin() as connection:
            fresh = admit_batch(connection, consumer, batch)
            if fresh:
                act(connection, fresh)
                _note(connection, consumer, fresh)
            taken = {id(item) for item in fresh}
            return [Outcome.APPLIED if id(item) in taken else Outcome.DUPLICATE for item in batch]
    except TRANSIENT as error:
        raise StorageDownError(str(error)) from error
    except Exception as error:  # noqa: BLE001 - halved until one event is left, which is kept with its traceback
        if len(batch) == 1:
            return [_refuse(engine, consumer, batch[0].raw, error, clock)]
    middle = len(batch) // 2
    first = _apply(engine, consumer, act, batch[:middle], clock)
    return first + _apply(engine, consumer, act, batch[middle:], clock)


def _note(connection: Connection, consumer: str, fresh: list[Received]) -> None:
    positions.note(connection, consumer, [(item.envelope.source, item.envelope.position) for item in fresh])
    for item in fresh:
        if item.envelope.type in ANSWERS:
            gaps.learn(connection, consumer, item.envelope)


def _refuse(engine: Engine, consumer: str, raw: Raw, error: Exception, clock: Clock) -> Outcome:
    try:
        with engine.begin() as connection:
            connection.execute(
                text("DELETE FROM inbox_parked WHERE consumer = :consumer AND event_id = :event_id"),
                {"consumer": consumer, "event_id": quarantine.identify(raw)},
            )
            quarantine.hold(connection, consumer, raw, error, attempts=1, now=heads.moment(connection, clock))
            positions.note(
                connection, consumer, [quarantine.place(raw, readable=not isinstance(error, UnreadableError))]
            )
    except (sql.OperationalError, sql.InterfaceError, sql.TimeoutError) as down:
        raise StorageDownError(str(down)) from down
    return Outcome.QUARANTINED
