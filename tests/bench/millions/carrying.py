"""New events into a log of ten million: from a full queue, and at a thousand a second from commit to searchable."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import text

from shared.infrastructure.databases import at
from shared.infrastructure.names import app_role
from shared.infrastructure.postgres import Postgres
from shared.messaging.topology import depths
from shared.testing.stand import Stand
from tests.bench.acts import SOURCE
from tests.bench.measure import MismatchError, Say, committed, eventually, go, percentile
from tests.bench.millions import filling, lives
from tests.bench.tamga import Tamga

RATE, TOGETHER = 1_000, 20  # events a second, of which so many in one transaction
WARM = 2 * RATE  # what processes do for the first time is nobody's latency
_SIZE = "SELECT pg_total_relation_size('event')"
_CONTINUE = "INSERT INTO outbox_position (source, last, run) VALUES (:source, :last, '{}')"


@dataclass(frozen=True)
class Carried:
    """What became of events that came to the large log."""

    ingested: float  # events a second, from a full queue
    grown: float  # bytes on disk for each of them
    kept_up: float  # events a second while latency was measured
    latencies: list[float]  # milliseconds from commit to searchable, sorted


class Large(Tamga):
    """Tamga whose log is the large one, and whose grants go on where its past ends."""

    def __init__(self, stand: Stand, postgres: Postgres, blocks: int) -> None:
        super().__init__(stand, start=False)
        self.urls["audit"] = at(postgres.admin_url, database=filling.DATABASE, user=app_role("audit"))
        self.engine = stand.engine(self.urls["audit"])
        with stand.superuser(self.source).begin() as owner:
            last = self.number("SELECT max(position) FROM event WHERE source = 'grants'")
            owner.execute(text(_CONTINUE), {"source": SOURCE, "last": max(last, lives.positions_after(blocks)[SOURCE])})

    def searchable(self, before: int, skip: int) -> list[float]:
        """Return milliseconds from commit to commit of the leaves from `before` on, without the first acts, sorted."""
        query = text("SELECT event_id, pg_xact_commit_timestamp(xmin) AS at FROM event WHERE leaf_index >= :before")
        with self.engine.connect() as connection:
            done = {row.event_id: row.at for row in connection.execute(query, {"before": before})}
        return self._since_commit(done, skip)


def carry(postgres: Postgres, blocks: int, events: int, seconds: float, say: Say) -> Carried:
    """Return what was measured: so many events from a full queue, then RATE a second for so many seconds."""
    with Stand(postgres.admin_url) as stand, Large(stand, postgres, blocks) as system:
        before, size = system.stored(), system.number(_SIZE)
        committed(system, events)
        relay = system.relay()
        go([relay])
        eventually(lambda: depths(system.amqp_url, ["audit"])["audit"].messages >= events, "all are queued", 120)
        system.start()
        rate = _rate(system, before, events)
        grown = (system.number(_SIZE) - size) / events
        say(f"{rate:,.0f} events/s from a full queue, {grown:,.0f} bytes an event")
        before, count = system.stored(), int(seconds * RATE) + WARM
        go(system.committing(count // TOGETHER, first=events, rate=RATE / TOGETHER, together=TOGETHER))
        kept = _rate(system, before, count)
        system.finish()
        latencies = system.searchable(before, events + WARM)
        if len(latencies) != count - WARM:
            raise MismatchError(f"{len(latencies)} of {count - WARM} events are in the log")
        say(f"{kept:,.0f} events/s, p99 {percentile(latencies, 0.99):,.0f} ms")
    return Carried(rate, grown, kept, latencies)


def _rate(system: Large, before: int, count: int) -> float:
    """Wait for that many events more in the log; returns how many came in a second, the first ones left out."""
    eventually(lambda: system.stored() > before, "the first event is in the log", 60)
    begun, there = time.monotonic(), system.stored()
    eventually(lambda: system.stored() - before >= count, "every event is in the log", 300)
    spent = time.monotonic() - begun
    check_ids = text("SELECT count(DISTINCT event_id) FROM event WHERE leaf_index >= :before")
    with system.engine.connect() as connection:
        distinct = connection.execute(check_ids, {"before": before}).scalar_one()
    if distinct != count:
        raise MismatchError(f"{distinct} different events of {count} are in the log")
    return (before + count - there) / spent
