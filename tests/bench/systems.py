"""What is measured: a system on a database and a virtual host of its own, and the peers as such systems."""

from __future__ import annotations

import time
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from shared.messaging.topology import depths
from shared.testing.stand import Stand
from tests.bench.acts import CASES
from tests.bench.processes import ROOT, Process

PEER_PYTHON = str(ROOT / ".venv-bench/bin/python")
ACTORS, THREADS = 2, 4  # processes that act, and threads in each: the same for every system
PEER_TABLES = """
CREATE TABLE state (id varchar(80) PRIMARY KEY, version integer NOT NULL, body jsonb);
CREATE TABLE stored (id uuid PRIMARY KEY, entity text NOT NULL, sent timestamptz, body jsonb NOT NULL,
                     at timestamptz NOT NULL DEFAULT clock_timestamp());
INSERT INTO state SELECT 'application:BSO-2026-' || lpad(n::text, 5, '0'), 1 FROM generate_series(0, :cases - 1) n
"""


class System:
    """One system: its processes, and what it has stored. Use as a context manager."""

    name: str
    engine: Engine  # of the database in which the messages' rows end up
    queue: str

    def __init__(self, stand: Stand) -> None:
        self.stand, self.amqp_url = stand, stand.amqp_url
        self.consumers: list[Process] = []
        self.producers: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """End every process of the system."""
        for process in (*self.producers, *self.consumers):
            process.end()
        self.consumers, self.producers = [], []

    def finish(self) -> None:
        """Wait until everybody has acted; raises when one of them failed."""
        for process in self.producers:
            process.finish()
        self.producers = []

    def shares(self, count: int, **facts: Any) -> list[dict[str, Any]]:
        """Return how `count` acts are shared among the acting processes."""
        actors, first, rate = facts.pop("actors", ACTORS), facts.pop("first", 0), facts.pop("rate", None)
        common = {"threads": THREADS, "cases": CASES, "amqp_url": self.amqp_url, "state": True} | facts
        common["rate"] = rate / actors if rate else None
        bounds = [first + count * number // actors for number in range(actors + 1)]
        return [common | {"first": low, "count": high - low} for low, high in pairwise(bounds)]

    def await_consumers(self, wanted: int = 1) -> None:
        """Wait until as many consumers are on the queue as there shall be."""
        deadline = time.monotonic() + 30
        while (depth := depths(self.amqp_url, [self.queue]).get(self.queue)) is None or depth.consumers < wanted:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} has no consumer on {self.queue}")
            time.sleep(0.1)

    def number(self, statement: str, engine: Engine | None = None) -> int:
        """Return the one number that a query answers."""
        with (engine or self.engine).connect() as connection:
            return int(connection.execute(text(statement)).scalar_one())

    def milliseconds(self, statement: str, engine: Engine | None = None) -> list[float]:
        """Return a query's times, sorted."""
        with (engine or self.engine).connect() as connection:
            return sorted(float(value) for value in connection.execute(text(statement)).scalars())

    def megabytes(self) -> float:
        """Return the memory of what carries and consumes, without those who act."""
        return sum(process.megabytes() for process in self.consumers)


class Peer(System):
    """A peer in its own environment: its script consumes and produces."""

    def __init__(self, stand: Stand, name: str, script: str, queue: str) -> None:
        super().__init__(stand)
        self.name, self.script, self.queue = name, f"tests/bench/peers/{script}.py", queue
        self._database = stand.empty_database()
        self.engine = self._database.__enter__()
        with self.engine.begin() as connection:
            for statement in PEER_TABLES.split(";"):
                connection.execute(text(statement), {"cases": CASES} if ":cases" in statement else {})
        plain = make_url(self.engine.url).set(drivername="postgresql")
        self._url = plain.render_as_string(hide_password=False)
        self.consumers = [self._process("consume", {"amqp_url": self.amqp_url, "threads": 1, "cases": CASES})]
        self.await_consumers()

    def _process(self, role: str, facts: dict[str, Any]) -> Process:
        return Process([PEER_PYTHON, self.script, role], {}, facts | {"database_url": self._url})

    def acting(self, count: int, **facts: Any) -> list[Process]:
        """Return processes that act when told to."""
        self.finish()
        self.producers = [self._process("produce", share) for share in self.shares(count, **facts)]
        return self.producers

    def carrying(self, count: int, **facts: Any) -> list[Process]:
        """Return processes that send what acts brought about whose state is written already."""
        return self.acting(count, state=False, **facts)

    def stored(self) -> int:
        return self.number("SELECT count(*) FROM stored")

    def distinct(self) -> int:
        return self.number("SELECT count(DISTINCT id) FROM stored")

    def empty(self) -> None:
        """Forget the messages' rows."""
        self.finish()
        with self.engine.begin() as connection:
            connection.execute(text("TRUNCATE stored"))

    def latencies(self, skip: int) -> list[float]:
        """Return milliseconds from the state's commit to the commit of the message's row, without the first, sorted."""
        since = "extract(epoch FROM pg_xact_commit_timestamp(xmin) - sent) * 1000"
        return self.milliseconds(f"SELECT {since} FROM stored ORDER BY sent OFFSET {skip}")  # noqa: S608 - ours

    def end(self) -> None:
        super().end()
        self._database.__exit__(None, None, None)
