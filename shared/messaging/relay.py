"""Carries a service's committed events to the broker: in order, none lost, duplicates only after a crash.

One leader a source, by an advisory lock. The lock, the numbering and the marking share one database session,
so a statement that succeeds proves that this relay still leads. Per batch: transaction A writes down, in one row,
which rows have the next positions; the broker confirms them; transaction B writes position and mark into each.
A crash between leads to publishing again under the same ids and positions, which the inbox forgets.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import structlog
from amqp.exceptions import AMQPError
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from shared.database import CHANNEL
from shared.messaging import spans
from shared.messaging.partitions import make_ahead
from shared.messaging.publisher import LARGEST, Publisher, PublishError
from shared.messaging.wire import EXCHANGE
from shared.observability import gauge

log = structlog.get_logger(__name__)

OLDEST = gauge("outbox_oldest_seconds", "Age of the oldest event not yet published, as its relay sees it", "source")

BATCH = 500
_IDLE = 0.5  # seconds without a notification until the relay looks by itself
_PACE = 0.006  # seconds from one batch to the next while there is a trickle, so that acts share batches
_TEND = 0.1  # seconds between looks at what the broker says unasked
_STANDBY = 0.25  # seconds between tries to become leader
_LOOK = 5.0  # seconds between measurements
_BEAT = 1.0  # seconds between signs of life
_HOLD = 30.0  # seconds until an event that the broker refused is tried again
_AHEAD_FIRST, _AHEAD_AGAIN = 3_600.0, 86_400.0  # seconds until the outbox's next months are made, and made again
_DRAIN = 5.0  # seconds to publish what is committed when asked to end
_LONGEST_BACKOFF = 2.0  # seconds between tries while the broker or the database is away
BROKEN = (AMQPError, PublishError, OSError)

# A leader whose machine is gone says no goodbye: the server itself finds out within ten seconds and frees the lock.
# How much is unpublished no statistics can know. A planner that takes it for nothing reads and sorts all that waits
# for every batch; kept from sorting, it takes what comes first out of the index that is made for it.
_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=20000 -c lock_timeout=10000 -c tcp_keepalives_idle=5"
    " -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2 -c tcp_user_timeout=10000"
    " -c client_connection_check_interval=2000"
    " -c jit=off -c enable_bitmapscan=off -c enable_sort=off"
)
_LEAD = "SELECT pg_try_advisory_lock(hashtextextended('tamga relay ' || %s, 0))"

# Transaction A. An event that waits (undo window, refused by the broker) holds back its entity's later
# events, and nobody else's; it gets its position when it goes out for the first time. Only where unpublished
# rows may be is looked at: from a row and in the months that are measured every few seconds.
_NEXT = """
WITH waiting AS (
  SELECT jsonb_object_agg(entity, first) AS first FROM (
    SELECT DISTINCT ON (entity) entity, sequence AS first FROM outbox
    WHERE published_at IS NULL AND (not_before IS NOT NULL OR held_until IS NOT NULL)
      AND greatest(not_before, held_until) > clock_timestamp()
      AND recorded_at >= %(since)s AND recorded_at < %(until)s
    ORDER BY entity, sequence) AS entities
), batch AS (
  SELECT o.* FROM outbox o
  WHERE o.published_at IS NULL AND o.row >= %(first)s AND o.recorded_at >= %(since)s AND o.recorded_at < %(until)s
    AND coalesce(o.sequence < ((SELECT first FROM waiting) -> o.entity)::bigint, true)
  ORDER BY o.row LIMIT %(limit)s
), counter AS (
  INSERT INTO outbox_position AS p (source, last, run)
  SELECT %(source)s, count(*), array_agg(row ORDER BY row) FROM batch WHERE position IS NULL HAVING count(*) > 0
  ON CONFLICT (source) DO UPDATE SET last = p.last + excluded.last, run = excluded.run RETURNING last, run
)
SELECT b.row, b.id, b.type, b.version, b.entity, b.sequence, b.time, b.correlation_id, b.causation_id, b.traceparent,
       b.programme, b."case", b.outcome, b.body::text AS body,
       coalesce(b.position, c.last - cardinality(c.run) + count(*) FILTER (WHERE b.position IS NULL) OVER so_far)
         AS position
FROM batch b LEFT JOIN counter c ON true WINDOW so_far AS (ORDER BY b.row) ORDER BY b.row
"""

# Transaction B need not be on disk at once: a mark that a crash of the database forgets is made again.
_MARK = """
UPDATE outbox SET published_at = clock_timestamp(), held_reason = NULL, held_until = NULL,
  position = (%(positions)s::bigint[])[width_bucket(row, %(rows)s::bigint[])]
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS s
WHERE row = ANY(%(rows)s::bigint[]) AND published_at IS NULL AND recorded_at >= %(since)s AND recorded_at < %(until)s
"""
# What has a number and is not confirmed keeps it, before the next numbers are given.
_KEEP = """
UPDATE outbox SET position = p.last - cardinality(p.run) + r.number
FROM outbox_position p, unnest(p.run) WITH ORDINALITY AS r (row, number)
WHERE p.source = %(source)s AND outbox.row = r.row AND outbox.position IS NULL
  AND recorded_at >= %(since)s AND recorded_at < %(until)s
"""
_REFUSE = """
UPDATE outbox SET held_reason = %(reason)s, held_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE row = %(row)s AND recorded_at >= %(since)s AND recorded_at < %(until)s
"""
# A row of a transaction that was open for longer than the day on either side, or while ten thousand other rows went
# out, is found by the next measurement. Rows before the first are not even looked at: as long as somebody has an old
# snapshot (a backup), the index keeps an entry of each that was published since.
_OLDEST = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS age,
       least(min(recorded_at), clock_timestamp() - interval '1 day') AS since,
       greatest(max(recorded_at), clock_timestamp()) + interval '1 day' AS until,
       coalesce(min(row), %(last)s) - 10000 AS first
FROM outbox WHERE published_at IS NULL
"""


class Relay:
    """The relay of one source. `run` returns soon after `stop` is set, whatever the network does meanwhile."""

    def __init__(
        self,
        source: str,
        database_url: str,
        amqp_url: str,
        *,
        heartbeat: Path | None = None,
        exchange: str = EXCHANGE,
        batch: int = BATCH,
        confirm_timeout: float = 10.0,
    ) -> None:
        self.source, self.amqp_url, self.batch, self.confirm_timeout = source, amqp_url, batch, confirm_timeout
        url = make_url(database_url).set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._heartbeat, self._exchange = heartbeat, exchange
        self.state = "starting"
        self.oldest = 0.0
        self._refused = False  # the whole of the last batch
        self._measured = self._beaten = 0.0
        self._window: dict[str, Any] = {"since": "-infinity", "until": "infinity", "first": 0}
        self._last = 0  # row that went out
        self._make_ahead = time.monotonic() + _AHEAD_FIRST

    def run(self, stop: threading.Event) -> None:
        """Lead or stand by until `stop` is set; reconnect with backoff after every failure."""
        failures = 0
        while not stop.is_set():
            try:
                with self._session() as db:
                    if self._lead(db, stop):
                        failures = 0
                        self._serve(db, stop)
            except psycopg.Error as error:
                failures += 1
                self._say("database away", error=str(error).strip())
                stop.wait(_backoff(failures))
        self._say("stopped")

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        db = psycopg.connect(
            self._conninfo,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=5,
            application_name=f"tamga relay {self.source}",
            options=_OPTIONS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10000,
        )
        try:
            yield db
        finally:
            db.close()

    def _lead(self, db: psycopg.Connection[dict[str, Any]], stop: threading.Event) -> bool:
        while not stop.is_set():
            row = db.execute(_LEAD, (self.source,)).fetchone()
            if row and row["pg_try_advisory_lock"]:
                db.execute(f"LISTEN {CHANNEL}".encode())
                return True
            self._say("standby")
            stop.wait(_STANDBY)
        return False

    def _serve(self, db: psycopg.Connection[dict[str, Any]], stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            publisher = None
            try:
                publisher = Publisher(self.amqp_url, exchange=self._exchange)
                failures = 0
                self._publish(db, publisher, stop)
                publisher.close()
            except BROKEN as error:
                failures += 1
                self._say("broker away", error=str(error))
                if publisher:
                    publisher.abandon()
                self._measure(db)
                stop.wait(_backoff(failures))
            except BaseException:
                if publisher:
                    publisher.abandon()
                raise

    def _publish(self, db: psycopg.Connection[dict[str, Any]], publisher: Publisher, stop: threading.Event) -> None:
        wait_on = partial(self._blocked, db, publisher, stop)
        tend = 0.0
        self._measure(db)
        self._keep(db)  # what a relay before this one had under way
        while not stop.is_set():
            if time.monotonic() > tend:
                publisher.tend()
                tend = time.monotonic() + _TEND
            self._measure(db)
            if publisher.blocked and self._blocked(db, publisher, stop):
                publisher.tend(wait=_IDLE)
                continue
            self._say("leading")
            paced = time.monotonic() + _PACE
            count = self.relay_batch(db, publisher, wait_on)
            if self._refused:
                return  # a channel that was told "full" may never hear that there is room again: ask on a new one
            if count < self.batch:
                list(db.notifies(timeout=_IDLE, stop_after=1))
                stop.wait(paced - time.monotonic())
                list(db.notifies(timeout=0))  # the next look sees what these tell of
        end = time.monotonic() + _DRAIN
        while not publisher.blocked and time.monotonic() < end and self.relay_batch(db, publisher):
            pass

    def _blocked(self, db: psycopg.Connection[dict[str, Any]], publisher: Publisher, stop: threading.Event) -> bool:
        """Say that the broker has us blocked, see to it that we still lead; returns whether to wait on."""
        self._say("blocked", reason=publisher.blocked)
        self._measure(db)
        return not stop.is_set()

    def relay_batch(
        self,
        db: psycopg.Connection[dict[str, Any]],
        publisher: Publisher,
        wait_on: Callable[[], bool] = lambda: False,
    ) -> int:
        """Take the next rows through numbering, publishing and marking; return how many there were."""
        window, self._refused = self._window, False
        rows = db.execute(_NEXT, window | {"limit": self.batch, "source": self.source}).fetchall()
        if not rows:
            return 0
        fitting, refused = _fitting(rows)
        with spans.publishing(self.source, fitting):
            result = publisher.publish(self.source, fitting, timeout=self.confirm_timeout, wait_on=wait_on)
        self._refused = bool(result.refused) and not result.confirmed
        known = {row["row"]: row for row in rows}
        if result.confirmed:
            confirmed = sorted(result.confirmed)
            positions = [known[row]["position"] for row in confirmed]
            db.execute(_MARK, window | {"rows": confirmed, "positions": positions})
            self._last = confirmed[-1]
        if len(result.confirmed) < len(rows):
            self._keep(db)
        for row, reason in (refused | result.refused).items():
            with spans.about(known[row]):
                log.error("event held back", source=self.source, row=row, reason=reason)
            db.execute(_REFUSE, window | {"reason": reason, "seconds": _HOLD, "row": row})
        return len(rows)

    def _keep(self, db: psycopg.Connection[dict[str, Any]]) -> None:
        db.execute(_KEEP, self._window | {"source": self.source})

    def _measure(self, db: psycopg.Connection[dict[str, Any]]) -> None:
        if time.monotonic() - self._measured < _LOOK:
            return
        self._measured = time.monotonic()
        row = db.execute(_OLDEST, {"last": self._last}).fetchone()
        self.oldest = row["age"] if row else 0.0
        if row:
            self._window = {name: row[name] for name in ("since", "until", "first")}
        if time.monotonic() > self._make_ahead:
            self._make_ahead = time.monotonic() + _AHEAD_AGAIN
            make_ahead(db)
        OLDEST.labels(self.source).set(self.oldest)

    def _say(self, state: str, **facts: Any) -> None:
        if state != self.state:
            log.info("relay", source=self.source, state=state, **facts)
        beat = state != self.state or time.monotonic() > self._beaten + _BEAT
        self.state = state
        if self._heartbeat and beat:
            self._beaten = time.monotonic()
            self._heartbeat.write_text(json.dumps({"state": state, "oldest_seconds": round(self.oldest, 3)}))


def _fitting(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Return the rows that may go out, and those too large for the broker; both without such rows' followers."""
    too_large: dict[str, tuple[int, int]] = {}
    fitting = []
    for row in rows:
        if row["entity"] in too_large:
            continue
        if (size := len(row["body"].encode())) > LARGEST:
            too_large[row["entity"]] = (row["row"], size)
        else:
            fitting.append(row)
    return fitting, {row: f"{size} bytes are more than {LARGEST}" for row, size in too_large.values()}


def _backoff(failures: int) -> float:
    return float(min(_LONGEST_BACKOFF, 0.2 * 2 ** min(failures, 10)))
