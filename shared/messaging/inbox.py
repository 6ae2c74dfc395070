"""What a consumer does with an event, whatever carried it: exactly one effect, in the order of its entity.

The inbox row, the handler's changes and its own events are one transaction. Events that wait together may share
one, for a short time; when any of them fails, each gets its own. Nothing here knows the broker, so the same code
runs in the worker, in tests and in the simulation.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import Enum

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, text
from sqlalchemy import exc as sql

from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork, asking, system
from shared.errors import NotFoundError, StaleVersionError
from shared.events import Envelope, event_types
from shared.events.envelope import UnknownEventError
from shared.messaging import heads, quarantine, spans
from shared.messaging.admission import Admission, Verdict, admit, admit_all
from shared.messaging.wire import Raw, Received, UnreadableError, decode, storable
from shared.observability import counter
from shared.telemetry import Span

log = structlog.get_logger(__name__)

TAKEN = counter("events_taken", "Messages that a consumer took, by what became of them", "consumer", "outcome")

Handler = Callable[[UnitOfWork, Envelope], None]
Handlers = Mapping[str, Handler]
Batch = Callable[[Connection, list[Received]], None]

# What may be gone by the next attempt. Deadlocks, serialization failures and lock timeouts are OperationalErrors.
TRANSIENT = (
    sql.OperationalError,
    sql.InterfaceError,
    sql.TimeoutError,
    TimeoutError,
    ConnectionError,
    StaleVersionError,
)
# What the next attempt cannot mend.
HOPELESS = (UnknownEventError, ValidationError, UnreadableError)
_PATIENCE = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600))
_SHARE = 0.025  # seconds for which one transaction takes up further events before it commits
_AT_ONCE = 8  # events that it takes up with one question
# What is not known yet (a person of another source) may come, so that waits as long. Any other failure is most
# likely a bug: two more attempts.
_POISON_ATTEMPTS = 2


class Outcome(Enum):
    """What became of a message; each of them allows the ack."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    PARKED = "parked"
    QUARANTINED = "quarantined"


class StorageDownError(RuntimeError):
    """The consumer's own database cannot be reached: nothing may be acked; wait and try again."""


_GIVEN_UP = text(
    "SELECT EXISTS (SELECT FROM quarantine WHERE consumer = :consumer AND event_id = :id AND state <> 'replayed')"
)
# Two processes that share transactions of several entities lock them in the same order: that of the keys given. Each
# is looked up by itself, for a planner that sees few heads, or none yet, would read them all.
_LOCK_HEADS = text("""
SELECT FROM unnest(CAST(:keys AS text[])) AS wanted (key), LATERAL (
  SELECT FROM inbox_head h WHERE h.consumer = :consumer AND h.entity = wanted.key FOR UPDATE) AS locked
""")


def handle(
    engine: Engine, consumer: str, on: Handlers, envelope: Envelope, raw: Raw, *, clock: Clock = utc_now
) -> Outcome:
    """Handle one event and then the parked ones that waited for it, each in a transaction of its own.

    Every outcome may be acked. Raises StorageDownError when the outcome could not be written down.
    """
    received = Received(envelope, raw)
    outcome, followed = _attempt(engine, consumer, on, received, clock, again=False)
    if followed:
        _release(engine, consumer, on, received.key, clock)
    return outcome


def receive_all(
    engine: Engine, consumer: str, on: Handlers, raws: Sequence[Raw], *, clock: Clock = utc_now
) -> list[Outcome]:
    """Handle messages as they came, in their order; what waits together shares transactions.

    Raises StorageDownError when some outcome could not be written down: none may be acked then.
    """
    outcomes: dict[int, Outcome] = {}
    readable: list[tuple[int, Received]] = []
    for index, raw in enumerate(raws):
        try:
            readable.append((index, Received(decode(raw), raw)))
        except UnreadableError as error:
            outcomes[index] = refuse(engine, consumer, raw, error, clock=clock)
    while readable:
        given = _together(engine, consumer, on, [received for _, received in readable], clock)
        outcomes |= {index: outcome for (index, _), outcome in zip(readable, given, strict=False)}
        readable = readable[len(given) :]
    return counted(consumer, [outcomes[index] for index in range(len(raws))])


def counted(consumer: str, outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes, which are now in the figures as well."""
    for outcome, times in Counter(outcomes).items():
        TAKEN.labels(consumer, outcome.value).inc(times)
    return outcomes


def _together(engine: Engine, consumer: str, on: Handlers, waiting: list[Received], clock: Clock) -> list[Outcome]:
    """Handle the first of `waiting`, and in the same transaction as many more as there is time for."""
    first = waiting[0]
    if len(waiting) == 1:
        return [handle(engine, consumer, on, first.envelope, first.raw, clock=clock)]
    outcomes: list[Outcome] = []
    followed: dict[str, None] = {}
    until = time.monotonic() + _SHARE
    try:
        with (
            spans.together() as begun,
            UnitOfWork(engine, consumer, _context(consumer, first.envelope), clock=clock) as uow,
        ):
            uow.connection.execute(_LOCK_HEADS, {"consumer": consumer, "keys": sorted({item.key for item in waiting})})
            for at, received in enumerate(waiting):
                if at % _AT_ONCE == 0:
                    if at and time.monotonic() > until:
                        break
                    admitted = admit_all(uow.connection, consumer, waiting[at : at + _AT_ONCE])
                with begun.processing(consumer, received.envelope) as span:
                    uow.go_on(_context(consumer, received.envelope, span))
                    known = admitted.pop(received.envelope.id, None)
                    outcome, others = _apply(uow, consumer, on, received, again=False, known=known)
                outcomes.append(outcome)
                followed |= {received.key: None} if others else {}
    except Exception as error:  # noqa: BLE001 - it comes again for the event that it belongs to, and is kept there
        log.info("events part company", consumer=consumer, count=len(outcomes) + 1, error=type(error).__name__)
        few = waiting[: len(outcomes) + 1]
        return [handle(engine, consumer, on, item.envelope, item.raw, clock=clock) for item in few]
    for key in followed:
        _release(engine, consumer, on, key, clock)
    return outcomes


def refuse(engine: Engine, consumer: str, raw: Raw, error: Exception, *, clock: Clock = utc_now) -> Outcome:
    """Put an unreadable message into quarantine."""
    try:
        with engine.begin() as connection:
            quarantine.hold(connection, consumer, raw, error, attempts=1, now=heads.moment(connection, clock))
        log.error("message quarantined", consumer=consumer, error=str(error))
    except (sql.OperationalError, sql.InterfaceError, sql.TimeoutError) as down:
        raise StorageDownError(str(down)) from down
    return Outcome.QUARANTINED


def receive(engine: Engine, consumer: str, on: Handlers, raw: Raw, *, clock: Clock = utc_now) -> Outcome:
    """Handle a message as it came from the wire, readable or not."""
    try:
        envelope = decode(raw)
    except UnreadableError as error:
        return refuse(engine, consumer, raw, error, clock=clock)
    return handle(engine, consumer, on, envelope, raw, clock=clock)


def sweep(engine: Engine, consumer: str, on: Handlers, *, clock: Clock = utc_now, limit: int = 100) -> int:
    """Try again what is due, and release followers that a crash left behind; returns how many were taken up."""
    try:
        with asking(engine) as connection:
            waiting = heads.due(connection, consumer, heads.moment(connection, clock), limit)
    except (sql.OperationalError, sql.InterfaceError, sql.TimeoutError) as down:
        raise StorageDownError(str(down)) from down
    for received in waiting:
        if _attempt(engine, consumer, on, received, clock, again=True)[0] is Outcome.APPLIED:
            _release(engine, consumer, on, received.key, clock)
    return len(waiting)


def _release(engine: Engine, consumer: str, on: Handlers, key: str, clock: Clock) -> None:
    while True:
        with asking(engine) as connection:
            follower = heads.next_in_line(connection, consumer, key, heads.moment(connection, clock))
            if not follower and heads.skip_discarded(connection, consumer, key):
                continue
        if not follower:
            return
        if _attempt(engine, consumer, on, follower, clock, again=True)[0] in {Outcome.PARKED, Outcome.QUARANTINED}:
            return


def _attempt(
    engine: Engine, consumer: str, on: Handlers, received: Received, clock: Clock, *, again: bool
) -> tuple[Outcome, bool]:
    with spans.processing(consumer, received.envelope, again=again) as span:
        try:
            with UnitOfWork(engine, consumer, _context(consumer, received.envelope, span), clock=clock) as uow:
                return _apply(uow, consumer, on, received, again=again)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is kept, with its traceback, by postpone
            span.fail(error)
            return _postpone(engine, consumer, received, error, clock), False


def _apply(
    uow: UnitOfWork, consumer: str, on: Handlers, received: Received, *, again: bool, known: Admission | None = None
) -> tuple[Outcome, bool]:
    """Do what is to be done about one event; returns also whether others of its entity may wait for it."""
    verdict, followed = known or admit(uow.connection, consumer, received.envelope, again=again)
    if again and verdict is not Verdict.TOO_EARLY:
        heads.unpark(uow.connection, consumer, received)
        result = "applied" if verdict is Verdict.NEW else "duplicate"
        quarantine.note_replay(uow.connection, consumer, received.envelope.id, result)
    if verdict is Verdict.TOO_EARLY:
        heads.park(uow.connection, consumer, received, why="gap")
        return Outcome.PARKED, False
    if verdict is Verdict.DUPLICATE:
        return Outcome.DUPLICATE, False
    _call(on, uow, received.envelope)
    return Outcome.APPLIED, followed


def _call(on: Handlers, uow: UnitOfWork, envelope: Envelope) -> None:
    handler = on.get(envelope.type)
    if handler is None:
        return  # an event of an entity that we follow, of a kind that means nothing to us
    if (envelope.type, envelope.version) not in event_types():
        raise UnknownEventError(envelope.type, envelope.version)
    handler(uow, envelope)


def _context(consumer: str, envelope: Envelope, span: Span | None = None) -> Context:
    return Context(
        actor=system(consumer),
        correlation_id=envelope.correlation_id,
        causation_id=envelope.id,
        traceparent=span.traceparent if span else None,
    )


def _postpone(engine: Engine, consumer: str, received: Received, error: Exception, clock: Clock) -> Outcome:
    """Write down that an attempt failed: the next one later, or quarantine when patience is at its end."""
    try:
        with engine.begin() as connection:
            if heads.lock_head(connection, consumer, received.key) >= received.envelope.sequence:
                # The commit had gone through although its answer was lost, or somebody else was faster.
                heads.unpark(connection, consumer, received)
                return Outcome.DUPLICATE
            if connection.execute(_GIVEN_UP, {"consumer": consumer, "id": received.envelope.id}).scalar_one():
                return Outcome.DUPLICATE  # this attempt began before another process gave the event up
            tried, now = heads.attempts_so_far(connection, consumer, received) + 1, heads.moment(connection, clock)
            if tried > _attempts_allowed(error):
                heads.unpark(connection, consumer, received)
                attempts = tried - heads.REPLAYED if tried > heads.REPLAYED else tried
                quarantine.hold(connection, consumer, received.raw, error, attempts=attempts, now=now)
                log.error("event quarantined", consumer=consumer, id=str(received.envelope.id), error=repr(error))
                return Outcome.QUARANTINED
            due = now + _PATIENCE[tried - 1]
            why = storable(f"{type(error).__name__}: {error}")[:2000]
            log.warning("event put off", consumer=consumer, id=str(received.envelope.id), error=why, until=f"{due}")
            heads.park(connection, consumer, received, why="retry", attempts=tried, not_before=due, error=why)
            return Outcome.PARKED
    except (sql.OperationalError, sql.InterfaceError, sql.TimeoutError) as down:
        raise StorageDownError(str(down)) from down


def _attempts_allowed(error: Exception) -> int:
    if isinstance(error, HOPELESS):
        return 0
    return len(_PATIENCE) if isinstance(error, (*TRANSIENT, NotFoundError)) else _POISON_ATTEMPTS
