"""One publishing and one consuming service, cut down to what the backbone needs, with a queue of their own.

The event is a real one (`portal.user.deactivated`); its `reason` tells the consumer how to behave: "ok",
"poison", "transient" or "slow:<seconds>". Every effect is a row of a table without any key, so that a
double effect shows.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from shared.clock import new_id
from shared.database import Context, UnitOfWork, service_metadata, system
from shared.events import Actor, Envelope
from shared.events.envelope import Body
from shared.events.portal import UserDeactivated
from shared.messaging import topology
from shared.messaging.link import channel_of
from shared.messaging.relay import Relay
from shared.messaging.topology import Depth
from shared.testing.nursery import GREEN, PLAIN, Child, nursery
from shared.testing.stand import Stand

SOURCE, CONSUMER = "portal", "loans"
TYPE = UserDeactivated.TYPE
EFFECT = "CREATE TABLE effect (event_id uuid, entity text, sequence bigint, at timestamptz DEFAULT clock_timestamp())"
PROCESS = [sys.executable, "-m", "shared.testing.backbone_process"]


def event_of(entity: str, sequence: int, reason: str = "ok", *, event_id: UUID | None = None) -> Envelope:
    """Return an envelope as the relay would send it."""
    return Envelope(
        id=event_id or new_id(),
        source=SOURCE,
        type=TYPE,
        entity=f"user:{entity}",
        sequence=sequence,
        position=None,
        time=datetime.now(UTC),
        correlation_id=new_id(),
        body=Body(data={"user_id": entity, "reason": reason}, actor=Actor(id="test")),
    )


def effect(connection: Connection, envelope: Envelope) -> None:
    """Write the one effect that an event should have."""
    connection.execute(
        text("INSERT INTO effect (event_id, entity, sequence) VALUES (:id, :entity, :sequence)"),
        {"id": envelope.id, "entity": envelope.entity, "sequence": envelope.sequence},
    )


def eventually(check: Callable[[], Any], *, seconds: float = 15.0) -> Any:
    """Return the first true answer of `check`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {seconds} s: {check}")
        time.sleep(0.02)
    return answer


class Backbone:
    """The two databases, the exchange and the queue of one test."""

    def __init__(self, amqp_url: str, source: Engine, consumer: Engine) -> None:
        self.amqp_url, self.source, self.consumer = amqp_url, source, consumer
        self._children: list[Child | subprocess.Popen[bytes]] = []
        token = secrets.token_hex(4)
        self.exchange, self.queue = f"events-{token}", f"loans-{token}"
        topology.apply(self.amqp_url, {self.queue: ("portal.user.#",)}, exchange=self.exchange)

    def commit(self, entity: str, *reasons: str) -> list[UUID]:
        """Commit one transaction with an event for each of `reasons`; returns the events' ids."""
        with UnitOfWork(self.source, SOURCE, Context(actor=system(SOURCE))) as uow:
            return [
                uow.record(UserDeactivated(user_id=entity, reason=reason), entity=f"user:{entity}")
                for reason in reasons or ("ok",)
            ]

    def relay(self, **options: Any) -> Relay:
        """Return a relay of the publishing service."""
        url = self.source.url.render_as_string(hide_password=False)
        return Relay(SOURCE, url, options.pop("amqp_url", self.amqp_url), exchange=self.exchange, **options)

    @contextmanager
    def relaying(self, **options: Any) -> Iterator[Relay]:
        """Run a relay in a thread until the block ends."""
        relay, stop = self.relay(**options), threading.Event()
        thread = threading.Thread(target=relay.run, args=(stop,), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            stop.set()
            thread.join(timeout=20)
            if thread.is_alive():
                raise AssertionError("the relay did not end")

    def process(self, role: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a relay or a worker as a process of its own."""
        environment = os.environ | {"TAMGA_TEST_PROCESS": json.dumps(self.facts(role, options))}
        process = subprocess.Popen(PROCESS, env=environment, cwd=Path(__file__).parents[2])
        self._children.append(process)
        return process

    def worker(self, role: str = "worker", **options: Any) -> Child:
        """Start a worker as a process of its own, within milliseconds."""
        child = nursery(GREEN).child(self.facts(role, options))
        self._children.append(child)
        return child

    def child(self, role: str, **options: Any) -> Child:
        """Start a relay, or who commits without end, as a process of its own, within milliseconds."""
        child = nursery(PLAIN).child(self.facts(role, options))
        self._children.append(child)
        return child

    def facts(self, role: str, options: dict[str, Any]) -> dict[str, Any]:
        """Return what a process has to know to take part."""
        return {
            "role": role,
            "source_url": self.source.url.render_as_string(hide_password=False),
            "consumer_url": self.consumer.url.render_as_string(hide_password=False),
            "amqp_url": self.amqp_url,
            "exchange": self.exchange,
            "queue": self.queue,
        } | options

    @contextmanager
    def working(self, role: str = "worker", **options: Any) -> Iterator[Child]:
        """Run a worker process until the block ends; it must end well."""
        process = self.worker(role, **options)
        try:
            eventually(lambda: self.depth().consumers >= 1 or process.poll() is not None)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)

    def effects(self) -> list[tuple[UUID, str, int]]:
        """Return (event id, entity, sequence) of every effect, in the order in which they came about."""
        with self.consumer.connect() as connection:
            rows = connection.execute(text("SELECT event_id, entity, sequence FROM effect ORDER BY at"))
            return [(row.event_id, row.entity, row.sequence) for row in rows]

    def count(self, query: str, *, at: str = "consumer") -> int:
        """Return the one number that a query answers."""
        with (self.consumer if at == "consumer" else self.source).connect() as connection:
            return int(connection.execute(text(query)).scalar_one())

    def unpublished(self) -> int:
        """Return how many committed events are not marked as published."""
        return self.count("SELECT count(*) FROM outbox WHERE published_at IS NULL", at="source")

    def depth(self) -> Depth:
        """Return the queue's depth."""
        return topology.depths(self.amqp_url, [self.queue])[self.queue]

    def take(self, count: int, *, seconds: float = 10.0) -> list[Any]:
        """Take messages off the queue, as a consumer without any inbox would, and ack them."""
        messages: list[Any] = []
        with channel_of(self.amqp_url) as channel:
            deadline = time.monotonic() + seconds
            while len(messages) < count and time.monotonic() < deadline:
                if message := channel.basic_get(self.queue, no_ack=True):
                    messages.append(message)
                else:
                    time.sleep(0.02)
        return messages

    def close(self) -> None:
        """End what a failing test has left running; remove the queue and the exchange."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
                child.wait()
        with channel_of(self.amqp_url) as channel:
            channel.queue_delete(self.queue)
            channel.exchange_delete(self.exchange)


@contextmanager
def consumer_database(stand: Stand) -> Iterator[Engine]:
    """Give a database with the messaging tables and the one of the effects."""
    with stand.empty_database() as engine:
        service_metadata().create_all(engine)
        with engine.begin() as connection:
            connection.execute(text(EFFECT))
        yield engine


def empty(engine: Engine) -> None:
    """Empty every table of such a database."""
    names = ", ".join(f'"{name}"' for name in [*service_metadata().tables, "effect"])
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


@contextmanager
def backbone_on(broker: Stand | str, source: Engine, consumer: Engine) -> Iterator[Backbone]:
    """Give a backbone on a broker (a stand's, or a URL) and two databases, which are emptied first."""
    empty(source)
    empty(consumer)
    backbone = Backbone(broker if isinstance(broker, str) else broker.amqp_url, source, consumer)
    try:
        yield backbone
    finally:
        backbone.close()
