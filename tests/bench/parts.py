"""One process of Tamga under measurement: people who act, the relay, or an ordinary consumer.

The audit worker is not here: it is the product's own process, `python -m services.work audit`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

if sys.argv[1] == "effect":
    import shared.messaging.green  # noqa: F401 - before anything else

from uuid import UUID

import psycopg
from sqlalchemy import make_url, text

from shared.database import UnitOfWork, engine_for
from shared.events import Envelope
from shared.process import settle
from tests.bench.acts import SOURCE
from tests.bench.peers.pace import FACTS, in_threads, wait_for_go


def act() -> None:
    """Commit acts, and write down at last when each of them was committed."""
    from tests.bench.acts import act as one  # noqa: PLC0415 - the others do not need it
    from tests.bench.acts import acts as several  # noqa: PLC0415

    url = os.environ["TAMGA_GRANTS_DATABASE_URL"]
    engine = engine_for(url)
    committed: list[tuple[UUID, float]] = []
    together = FACTS.get("together", 1)

    def commit(number: int) -> None:
        made = [one(engine, number)] if together == 1 else several(engine, number, together)
        now = time.time()
        committed.extend((event_id, now) for event_id in made)

    settle()  # as the web process does
    in_threads(lambda: commit)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as database, database.cursor() as cursor:
        cursor.executemany("INSERT INTO bench_committed VALUES (%s, to_timestamp(%s))", committed)


def relay() -> None:
    """Relay from the word on, as the relay process does."""
    from services.relay import relay_of  # noqa: PLC0415 - not with the patched library
    from shared.settings import settings  # noqa: PLC0415

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    own = relay_of(SOURCE, settings())
    settle()  # as the relay process does
    wait_for_go()
    own.run(stop)


def effect() -> int:
    """Run an ordinary consumer: each event in order, one effect each."""
    from shared.messaging import inbox  # noqa: PLC0415 - after the patch
    from shared.messaging.consumer import ServiceWorker, every, run_workers, subscribe  # noqa: PLC0415
    from shared.messaging.wire import Raw  # noqa: PLC0415

    def on_assigned(uow: UnitOfWork, envelope: Envelope) -> None:
        row = {"id": envelope.id, "entity": envelope.entity, "sequence": envelope.sequence}
        uow.connection.execute(
            text("INSERT INTO effect (event_id, entity, sequence) VALUES (:id, :entity, :sequence)"), row
        )

    class Worker(ServiceWorker):
        name = "loans"

        @subscribe("loans")
        def receive(self, raws: list[Raw]) -> list[inbox.Outcome]:
            return inbox.receive_all(self.engine, self.name, {"grants.application.assigned": on_assigned}, raws)

        @every(1)
        def sweep(self) -> int:
            return inbox.sweep(self.engine, self.name, {"grants.application.assigned": on_assigned})

    return run_workers(
        [Worker],
        amqp_url=lambda _: os.environ["TAMGA_LOANS_AMQP_URL"],
        engine=lambda _: engine_for(os.environ["TAMGA_LOANS_DATABASE_URL"]),
    )


if __name__ == "__main__":
    sys.exit({"act": act, "relay": relay, "effect": effect}[sys.argv[1]]())
