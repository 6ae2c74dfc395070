"""The relay's ear: when a consumer's alarm says that events of this source never came, they go out again.

No service reads another's database. The alarm is an event like any other; each source has a queue for alarms
beside its outbox, and what it still has is marked as not published. The relay then sends it under the same ids,
sequences and positions, and whoever has it already forgets it. The answer says how many the source has not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from amqp.exceptions import AMQPError
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, text
from sqlalchemy import exc as sql

from shared.database import Context, UnitOfWork, system
from shared.events import Actor, Envelope
from shared.events.envelope import UnknownEventError
from shared.events.gaps import Alarm, answered_event
from shared.messaging.delivery import Delivered, Delivery, Inbound, ack
from shared.messaging.link import connect
from shared.messaging.wire import UnreadableError, decode

log = structlog.get_logger(__name__)

AT_ONCE = 10_000  # rows for one request; the consumer asks again for the rest
_WAIT = 1.0  # seconds between looks at whether to stop
_AGAIN = 5.0  # seconds until the next attempt when broker or database are away
_AWAY = (sql.OperationalError, sql.InterfaceError, sql.TimeoutError, AMQPError, OSError)
# The last: words that a database can't take, such as a NUL.
_UNREADABLE = (UnreadableError, UnknownEventError, ValidationError, sql.DataError)

_SEND = """
UPDATE outbox SET published_at = NULL FROM (
  SELECT row, recorded_at FROM outbox WHERE {what} BETWEEN :first AND :last AND published_at IS NOT NULL
  ORDER BY {by} LIMIT :limit
) AS again WHERE outbox.row = again.row AND outbox.recorded_at = again.recorded_at
"""
_HERE = "SELECT count(*) FROM outbox WHERE {what} BETWEEN :first AND :last"
_SEND_THESE = text("""
UPDATE outbox SET published_at = NULL WHERE id = ANY(CAST(:ids AS uuid[])) AND published_at IS NOT NULL
""")
_THESE = text("""
SELECT count(*) AS here, coalesce(min(position), 0) AS first, coalesce(max(position), 0) AS last
FROM outbox WHERE id = ANY(CAST(:ids AS uuid[]))
""")
_COUNTED = {"sequence": "entity = :entity AND sequence", "position": "position"}


def queue_of(source: str) -> str:
    """Return the queue in which a source finds consumers' alarms."""
    return f"{source}.backfill"


def queues(sources: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return {queue: bindings} for the topology."""
    return {queue_of(source): ("*.gap.alarmed",) for source in sources}


def send_again(connection: Connection, alarm: Alarm) -> tuple[int, int]:
    """Have the relay send again what an alarm misses; returns how many go out, and how many are not here."""
    what = _COUNTED[alarm.counted]
    facts = {"first": alarm.first, "last": alarm.last, "entity": alarm.about.partition("/")[2]}
    here = int(connection.execute(text(_HERE.format(what=what)), facts).scalar_one())
    connection.execute(text(_SEND.format(what=what, by=alarm.counted)), facts | {"limit": AT_ONCE})
    return min(here, AT_ONCE), alarm.last - alarm.first + 1 - here


def send_named(engine: Engine, source: str, consumer: str, ids: Sequence[str], by: Actor) -> tuple[int, int]:
    """Have the relay send these events again, on record with who asked; returns as `send_again` does."""
    with UnitOfWork(engine, source, Context(actor=by)) as uow:
        found = uow.connection.execute(_THESE, {"ids": list(ids)}).one()
        uow.connection.execute(_SEND_THESE, {"ids": list(ids)})
        sent, absent = found.here, len(ids) - found.here
        facts = {"consumer": consumer, "about": source, "first": found.first, "last": found.last}
        event = answered_event(source)(sent=sent, absent=absent, **facts)
        uow.record(event, entity=f"backfill:{uow.ids()}")
    log.warning("events go out again", source=source, sent=sent, absent=absent, by=by.id, **facts)
    return sent, absent


def answer(engine: Engine, source: str, alarm: Envelope) -> None:
    """Do what an alarm asks of this source, and say so, in one transaction; nothing when it asks another.

    Raises UnknownEventError or ValidationError for what is no alarm of this release.
    """
    asked = alarm.event()
    if not isinstance(asked, Alarm) or asked.of != source:
        return
    context = Context(
        actor=system(source),
        correlation_id=alarm.correlation_id,
        causation_id=alarm.id,
        traceparent=alarm.traceparent,
    )
    with UnitOfWork(engine, source, context) as uow:
        sent, absent = send_again(uow.connection, asked)
        facts = {"about": asked.about, "first": asked.first, "last": asked.last}
        event = answered_event(source)(consumer=alarm.source, sent=sent, absent=absent, **facts)
        uow.record(event, entity=f"backfill:{alarm.id}")
    log.warning("events go out again", source=source, consumer=alarm.source, sent=sent, absent=absent, **facts)


class Backfill:
    """Takes the alarms that are for one source off its queue until it is told to stop."""

    def __init__(self, source: str, engine: Engine, amqp_url: str, *, queue: str = "") -> None:
        self.source, self.engine, self.amqp_url = source, engine, amqp_url
        self.queue = queue or queue_of(source)

    def run(self, stop: threading.Event) -> None:
        """Listen; come back after whatever broker and database do."""
        while not stop.is_set():
            connection = None
            try:
                connection = connect(self.amqp_url, frame_handler=Inbound)
                self._listen(connection, stop)
            except _AWAY as error:
                log.warning("alarms can't be heard now", source=self.source, error=str(error))
                stop.wait(_AGAIN)
            finally:
                if connection is not None:
                    connection.collect(socket_timeout=1)

    def _listen(self, connection: Any, stop: threading.Event) -> None:
        with Delivery(connection.default_channel, self.queue, self._take, prefetch=1):
            while not stop.is_set():
                try:
                    connection.drain_events(timeout=_WAIT)
                except TimeoutError:
                    connection.heartbeat_check()

    def _take(self, message: Delivered) -> None:
        try:
            answer(self.engine, self.source, decode(message.raw))
        except _UNREADABLE as error:
            # The consumers of events keep what can't be read; here it is only a request, and it comes again.
            log.error("an alarm can't be read", source=self.source, error=str(error))  # noqa: TRY400 - one line
        ack(message)
