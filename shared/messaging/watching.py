"""The backbone's state as figures: one process that sees every database reconciles in the background and says it.

What stays missing it has sent again. Never in a request, as a rule every half minute, and for a twentieth of the time
unless looks take so long that two minutes would pass without one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping

import structlog
from amqp.exceptions import AMQPError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from shared.database import reading
from shared.messaging.mending import Mender
from shared.messaging.reconcile import Report, reconcile
from shared.messaging.topology import Depth
from shared.observability import gauge

log = structlog.get_logger(__name__)

SECONDS = float(os.environ.get("TAMGA_WATCH_SECONDS", "30"))  # between two looks
_WHOLE = 120  # looks after which everything is summed up from its beginning: once an hour
_SHARE = 20  # times as long as a look took until the next one
LONGEST_PAUSE = 120.0  # seconds until the next one, however long a look took
_AWAY = (SQLAlchemyError, AMQPError, OSError)

UNACCOUNTED = gauge("events_unaccounted", "Published events of which a consumer knows nothing", "consumer", "source")
CONTRADICTORY = gauge("events_contradictory", "Events in two states at once", "consumer", "source")
UNPUBLISHED = gauge("outbox_unpublished", "Committed events not yet published", "source")
HELD_BACK = gauge("outbox_held", "Events that the broker would not take", "source")
AGE = gauge("outbox_age_seconds", "Age of the oldest event not yet published", "source")
SKEW = gauge("clock_skew_seconds", "How far newest events' own time is off the database's clock", "source")
DEPTH = gauge("queue_messages", "Messages that wait in a queue", "queue")
CONSUMERS = gauge("queue_consumers", "Processes that take from a queue", "queue")
PARKED = gauge("events_parked", "Events that wait for a predecessor or their next attempt", "consumer", "why")
QUARANTINED = gauge("events_quarantined", "Events held in quarantine", "consumer")
GAPS = gauge("gaps", "Runs of events that never came", "consumer")
GAP_AGE = gauge("gap_oldest_seconds", "How long the oldest gap has been there", "consumer")
TOOK = gauge("reconcile_seconds", "How long the last look took")
LOOKED = gauge("reconcile_timestamp_seconds", "When the last look ended")

_SENDING = text("""
SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
  (SELECT count(*) FROM outbox WHERE published_at IS NULL AND held_reason IS NOT NULL) AS held,
  (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8
   FROM outbox WHERE published_at IS NULL) AS age,
  (SELECT coalesce(max(abs(extract(epoch FROM recorded_at - "time"))), 0)::float8
   FROM (SELECT recorded_at, "time" FROM outbox ORDER BY row DESC LIMIT 100) AS newest) AS skew
""")
_TAKING = text("""
SELECT (SELECT count(*) FROM inbox_parked WHERE why = 'gap') AS waiting,
  (SELECT count(*) FROM inbox_parked WHERE why = 'retry') AS retrying,
  (SELECT count(*) FROM quarantine WHERE state = 'held') AS quarantined,
  (SELECT count(*) FROM inbox_gap WHERE alarmed_at IS NOT NULL AND closed_at IS NULL) AS gaps,
  (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)::float8 FROM inbox_gap
   WHERE alarmed_at IS NOT NULL AND closed_at IS NULL) AS oldest
""")


def nothing() -> None:
    """Measure nothing more."""


class Watch:
    """Looks at everything from time to time, until told to stop; `beside` is called before each look."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        consumers: Mapping[str, tuple[str, ...]],
        depths: Callable[[], Mapping[str, Depth]],
        *,
        beside: Callable[[], None] = nothing,
    ) -> None:
        self.engines, self.consumers, self.depths, self.beside = engines, consumers, depths, beside
        self._said: int | None = None
        self._looks = 0
        self._mender = Mender(engines)
        self._floors: dict[tuple[str, str], int] = {}

    def run(self, stop: threading.Event) -> None:
        """Look at once and then at intervals; what is away is looked at next time."""
        while not stop.is_set():
            began = time.monotonic()
            self.beside()
            try:
                self.look()
            except _AWAY as error:
                log.warning("the backbone's state can't be seen now", error=str(error).splitlines()[0])
            stop.wait(max(SECONDS, min(LONGEST_PAUSE, _SHARE * (time.monotonic() - began))))

    def look(self) -> Report:
        """Measure everything once, and mend what a look before found missing as well; returns the accounts."""
        began = time.monotonic()
        for service, engine in self.engines.items():
            with reading(engine) as connection:
                _measure(connection, service, consumes=bool(self.consumers.get(service)))
        depths = self.depths()
        for queue, depth in depths.items():
            DEPTH.labels(queue).set(depth.messages)
            CONSUMERS.labels(queue).set(depth.consumers)
        if self._looks % _WHOLE == 0:
            self._floors = {}
        self._looks += 1
        report = reconcile(self.engines, self.consumers, depths, floors=self._floors)
        for account in report.accounts:
            UNACCOUNTED.labels(account.consumer, account.source).set(account.unaccounted)
            CONTRADICTORY.labels(account.consumer, account.source).set(account.contradictory)
        self._say(report)
        self._mender.mend(report)
        TOOK.set(time.monotonic() - began)
        LOOKED.set_to_current_time()
        return report

    def _say(self, report: Report) -> None:
        wrong = report.unaccounted + report.contradictory
        if wrong and wrong != self._said:
            missing = [event for account in report.accounts for event in (*account.missing, *account.twice)]
            log.error("events are not accounted for", count=wrong, some=missing[:20])
        self._said = wrong


def _measure(connection: Connection, service: str, *, consumes: bool) -> None:
    sending = connection.execute(_SENDING).one()
    UNPUBLISHED.labels(service).set(sending.unpublished)
    HELD_BACK.labels(service).set(sending.held)
    AGE.labels(service).set(sending.age)
    SKEW.labels(service).set(sending.skew)
    if consumes:
        taking = connection.execute(_TAKING).one()
        PARKED.labels(service, "gap").set(taking.waiting)
        PARKED.labels(service, "retry").set(taking.retrying)
        QUARANTINED.labels(service).set(taking.quarantined)
        GAPS.labels(service).set(taking.gaps)
        GAP_AGE.labels(service).set(taking.oldest)
