"""Tamga as a system under measurement: its own processes on migrated databases."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from sqlalchemy import text

from shared.infrastructure.databases import at
from shared.infrastructure.names import app_role
from shared.messaging import topology
from shared.testing.stand import Stand
from tests.bench.acts import SOURCE, make_cases
from tests.bench.processes import Process
from tests.bench.systems import System

EFFECT = "CREATE TABLE effect (event_id uuid, entity text, sequence bigint, at timestamptz DEFAULT clock_timestamp())"
SERVICES = (SOURCE, "loans", "audit")
_DISORDER = """
SELECT count(*) FROM (
  SELECT sequence, row_number() OVER (PARTITION BY entity ORDER BY {place}) AS nth FROM {table}) AS o
WHERE sequence <> nth
"""


class Tamga(System):
    """Everything on: outbox, relay with confirms, inbox, order, quarantine, the log with its Merkle tree.

    `ordinary` adds a consumer like any service's, one effect an event; `queue` is the one that takes every event;
    without `start` nothing consumes yet.
    """

    name = "Tamga"

    def __init__(self, stand: Stand, *, ordinary: bool = False, queue: str = "audit", start: bool = True) -> None:
        super().__init__(stand)
        self.ordinary, self.queue = ordinary, queue
        self.workers: list[Process] = []
        self.home = tempfile.TemporaryDirectory()
        names = {service: stand.database_name(service) for service in SERVICES}
        self.urls = {name: at(stand.admin_url, database=names[name], user=app_role(name)) for name in SERVICES}
        with stand.owner(names[SOURCE], SOURCE).begin() as owner:
            make_cases(owner)
        with stand.owner(names["loans"], "loans").begin() as owner:
            owner.execute(text(EFFECT))
        self.source, self.loans, self.engine = (stand.engine(self.urls[name]) for name in SERVICES)
        queues = {queue: ("#",)} | ({"loans": ("grants.application.#",)} if ordinary else {})
        topology.apply(self.amqp_url, queues)
        if start:
            self.start()

    def _process(self, *arguments: str, **facts: Any) -> Process:
        environment = {"TAMGA_HOME": self.home.name, "TAMGA_LOG_LEVEL": "WARNING"}
        for name, url in self.urls.items():
            environment |= {f"TAMGA_{name.upper()}_DATABASE_URL": url, f"TAMGA_{name.upper()}_AMQP_URL": self.amqp_url}
        return Process([sys.executable, "-m", *arguments], environment, facts)

    def start(self) -> None:
        """Start what consumes."""
        self.consumers.append(self._process("services.work", "audit"))
        if self.ordinary:
            self.add_ordinary()
        self.await_consumers()

    def add_ordinary(self) -> None:
        """Start one more process of the ordinary consumer."""
        self.workers.append(self._process("tests.bench.parts", "effect"))
        self.consumers.append(self.workers[-1])

    def end_ordinary(self) -> None:
        """End the processes of the ordinary consumer."""
        for worker in self.workers:
            worker.end()
            self.consumers.remove(worker)
        self.workers = []

    def relay(self) -> Process:
        """Return the relay; it begins when told to."""
        self.consumers.append(self._process("tests.bench.parts", "relay", threads=1))
        return self.consumers[-1]

    def end_relay(self, relay: Process) -> None:
        """End a relay."""
        relay.end()
        self.consumers.remove(relay)

    def committing(self, count: int, **facts: Any) -> list[Process]:
        """Return processes that act when told to."""
        self.finish()
        shares = self.shares(count, **facts)
        self.producers = [self._process("tests.bench.parts", "act", **share) for share in shares]
        return self.producers

    def acting(self, count: int, **facts: Any) -> list[Process]:
        """Return the relay and the processes that act."""
        return [self.relay(), *self.committing(count, **facts)]

    def stored(self) -> int:
        return self.number("SELECT coalesce(max(size), 0) FROM tree_head")

    def distinct(self) -> int:
        return self.number("SELECT count(DISTINCT event_id) FROM event")

    def handled(self) -> int:
        """Return how many effects the ordinary consumer had."""
        return self.number("SELECT count(*) FROM effect", self.loans)

    def in_order(self) -> bool:
        """Say whether log and effects have each entity's events in their order, without a hole."""
        log = self.number(_DISORDER.format(place="leaf_index", table="event"))
        return not log + self.number(_DISORDER.format(place="at", table="effect"), self.loans)

    def latencies(self, skip: int) -> list[float]:
        """Return milliseconds from an act's commit to the commit of its effect, without the first acts, sorted."""
        query = "SELECT event_id, pg_xact_commit_timestamp(xmin) AS at FROM effect"
        with self.loans.connect() as connection:
            return self._since_commit({row.event_id: row.at for row in connection.execute(text(query))}, skip)

    def audited(self, skip: int) -> list[float]:
        """Return milliseconds from an act's commit to the commit of its leaf, without the first acts, sorted."""
        query = "SELECT event_id, pg_xact_commit_timestamp(xmin) AS at FROM event"
        with self.engine.connect() as connection:
            return self._since_commit({row.event_id: row.at for row in connection.execute(text(query))}, skip)

    def _since_commit(self, done: dict[Any, Any], skip: int) -> list[float]:
        with self.source.connect() as connection:
            query = text("SELECT event_id, at FROM bench_committed ORDER BY at OFFSET :skip")
            committed = connection.execute(query, {"skip": skip})
            return sorted((done[row.event_id] - row.at).total_seconds() * 1000 for row in committed)

    def end(self) -> None:
        super().end()
        self.home.cleanup()
