"""How fast the backbone is on this machine; printed as ratios against one-by-one confirms of the same run.

Run with `python tests/bench/bench_backbone.py`; uses TAMGA_TEST_DATABASE_URL and TAMGA_TEST_AMQP_URL when they
are set, else throw-away servers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.messaging.publisher import Publisher
from shared.testing.backbone import SOURCE, Backbone, backbone_on, consumer_database, eventually
from shared.testing.stand import Stand

ONE_BY_ONE = 200
BACKLOG = 4_000
SINGLE_ACTS = 100
ENTITIES = 200


def _fill(backbone: Backbone, count: int) -> None:
    for start in range(0, count, 1000):
        with UnitOfWork(backbone.source, SOURCE, Context(actor=system(SOURCE))) as uow:
            for number in range(start, min(start + 1000, count)):
                person = f"e{number % ENTITIES}"
                uow.record(UserDeactivated(user_id=person, reason="ok"), entity=f"user:{person}")


def _relay(backbone: Backbone, batch: int, count: int) -> float:
    """Return events a second through numbering, confirmed publishing and marking."""
    _fill(backbone, count)
    relay = backbone.relay(batch=batch)
    url = backbone.source.url.set(drivername="postgresql").render_as_string(hide_password=False)
    publisher = Publisher(backbone.amqp_url, exchange=backbone.exchange)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as db:
        began = time.monotonic()
        while relay.relay_batch(db, publisher):
            pass
        seconds = time.monotonic() - began
    publisher.close()
    return count / seconds


def _drain(backbone: Backbone, role: str, count: int) -> float:
    """Return events a second from the queue to the consumer's commits."""
    handled: Callable[[], int] = lambda: backbone.count("SELECT count(*) FROM inbox")  # noqa: E731 - two callers
    with backbone.working(role):
        eventually(handled, seconds=30)
        first, began = handled(), time.monotonic()
        eventually(lambda: handled() >= count, seconds=300)
        return (count - first) / (time.monotonic() - began)


def _latencies(backbone: Backbone) -> list[float]:
    """Return milliseconds from commit to the consumer's effect, for single acts with pauses, sorted."""
    with backbone.relaying(), backbone.working():
        backbone.commit("warm")
        eventually(backbone.effects)
        for number in range(SINGLE_ACTS):
            backbone.commit(f"e{number % 7}")
            time.sleep(0.03)
        eventually(lambda: len(backbone.effects()) == SINGLE_ACTS + 1)
    with backbone.source.connect() as connection:
        recorded: dict[UUID, datetime] = {
            row.id: row.recorded_at for row in connection.execute(text("SELECT id, recorded_at FROM outbox"))
        }
    with backbone.consumer.connect() as connection:
        handled = connection.execute(text("SELECT event_id, at FROM effect ORDER BY at")).all()[1:]
    return sorted((row.at - recorded[row.event_id]).total_seconds() * 1000 for row in handled)


def main() -> int:
    """Measure and print; returns the exit code."""
    table = Table("What", "Figure", "Ratio", title="Backbone")
    with Stand() as stand, consumer_database(stand) as source, consumer_database(stand) as consumer:
        with backbone_on(stand, source, consumer) as backbone:
            single = _relay(backbone, 1, ONE_BY_ONE)
        table.add_row("relay, one confirm at a time", f"{single:,.0f} events/s", "1.0")
        with backbone_on(stand, source, consumer) as backbone:
            batched = _relay(backbone, 500, BACKLOG)
            table.add_row("relay, batches of 500", f"{batched:,.0f} events/s", f"{batched / single:.1f}")
            rate = _drain(backbone, "worker", BACKLOG)
            table.add_row("consumer, one transaction an event", f"{rate:,.0f} events/s", f"{rate / single:.1f}")
        with backbone_on(stand, source, consumer) as backbone:
            _relay(backbone, 500, BACKLOG)
            rate = _drain(backbone, "batch", BACKLOG)
            table.add_row("batch consumer", f"{rate:,.0f} events/s", f"{rate / single:.1f}")
        with backbone_on(stand, source, consumer) as backbone:
            times = _latencies(backbone)
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            figure = times[int(len(times) * share)]
            table.add_row(f"commit to handled, single acts, {name}", f"{figure:.1f} ms", "")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
