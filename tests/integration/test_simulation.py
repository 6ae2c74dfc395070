"""Deterministic simulation: the inbox on a real database under a seeded scheduler that is as unkind as networks are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from shared.database import UnitOfWork
from shared.events import Envelope
from shared.messaging import inbox
from shared.messaging.wire import encode
from shared.testing.backbone import CONSUMER, TYPE, consumer_database, effect, empty, event_of
from shared.testing.stand import Stand

ENTITIES, EACH = "abc", 5


class CrashError(BaseException):
    """The process dies here: nothing after this line happens, and nothing may catch it."""


class World:
    """Messages in flight, a consumer that crashes around its commits, and a clock that the scheduler moves."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.engine, self.chance = engine, random.Random(seed)  # noqa: S311 - to be repeated
        self.now = datetime(2026, 3, 2, tzinfo=UTC)
        self.flying = [event_of(entity, number) for entity in ENTITIES for number in range(1, EACH + 1)]
        self.armed: str | None = None

    def on_event(self, uow: UnitOfWork, envelope: Envelope) -> None:
        effect(uow.connection, envelope)
        if self.chance.random() < 0.15:
            raise OperationalError("handler", {}, Exception("the network blinked"))

    def at_commit(self, connection: object) -> None:  # noqa: ARG002 - SQLAlchemy's signature
        if self.armed == "before commit":
            self.armed = None
            raise CrashError

    def run(self) -> None:
        """Deliver until nothing flies and nothing waits."""
        for _ in range(2000):
            self.now += timedelta(seconds=self.chance.choice([0, 0, 1, 40]))
            if self.flying and self.chance.random() < 0.8:
                self._deliver(self.chance.choice(self.flying))
            else:
                self._guarded(self._sweep)
            if not self.flying and not self._waiting():
                return
        raise AssertionError("did not come to rest")

    def _deliver(self, envelope: Envelope) -> None:
        fault = self.chance.choice([None, None, None, "before commit", "before ack", "twice"])
        self.armed = fault if fault == "before commit" else None
        acked = self._guarded(lambda: self._handle(envelope))
        self.armed = None
        if acked and fault not in {"before ack", "twice"}:
            self.flying.remove(envelope)

    def _handle(self, envelope: Envelope) -> None:
        clock = lambda: self.now  # noqa: E731 - a clock
        inbox.handle(self.engine, CONSUMER, {TYPE: self.on_event}, envelope, encode(envelope), clock=clock)

    def _sweep(self) -> None:
        inbox.sweep(self.engine, CONSUMER, {TYPE: self.on_event}, clock=lambda: self.now)

    @staticmethod
    def _guarded(act: object) -> bool:
        try:
            act()  # type: ignore[operator]
        except CrashError:
            return False
        return True

    def _waiting(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM inbox_parked")).scalar_one())


@pytest.fixture(scope="module")
def database(stand: Stand) -> Iterator[Engine]:
    """Give a consumer's database; a crash takes its connection with it, so none is kept."""
    with consumer_database(stand) as engine:
        yield create_engine(engine.url, poolclass=NullPool)


@pytest.mark.parametrize("seed", range(4))
def test_any_schedule_ends_in_the_state_of_the_sequential_run(database: Engine, seed: int) -> None:
    """Reordered, repeated, crashed before commit or before ack, failed for now: each effect once, and in order."""
    empty(database)
    world = World(database, seed)
    event.listen(database, "commit", world.at_commit)
    try:
        world.run()
    finally:
        event.remove(database, "commit", world.at_commit)
    with database.connect() as connection:
        rows = connection.execute(text("SELECT entity, sequence FROM effect ORDER BY at")).all()
        held = connection.execute(text("SELECT count(*) FROM quarantine")).scalar_one()
    assert held == 0
    for entity in ENTITIES:
        assert [row.sequence for row in rows if row.entity == f"user:{entity}"] == list(range(1, EACH + 1))
