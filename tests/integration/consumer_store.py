"""One consumer's inbox without any broker: events are handed to it, time is moved, its tables are counted."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, text

from shared.database import UnitOfWork
from shared.events import Envelope
from shared.messaging import inbox
from shared.messaging.inbox import Outcome
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import CONSUMER, TYPE, effect
from shared.testing.behaviour import behave
from shared.testing.clock import StandingClock


class Store:
    """One consumer's database, and what its handler does."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.clock = engine, StandingClock()
        self.behave: Callable[[Envelope], None] = behave

    def _on_event(self, uow: UnitOfWork, envelope: Envelope) -> None:
        effect(uow.connection, envelope)
        self.behave(envelope)

    def give(self, envelope: Envelope) -> Outcome:
        """Deliver an event once."""
        return inbox.handle(self.engine, CONSUMER, {TYPE: self._on_event}, envelope, encode(envelope), clock=self.clock)

    def receive(self, raw: Raw) -> Outcome:
        """Deliver a message as it is."""
        return inbox.receive(self.engine, CONSUMER, {TYPE: self._on_event}, raw, clock=self.clock)

    def sweep(self) -> int:
        """Take up what is due."""
        return inbox.sweep(self.engine, CONSUMER, {TYPE: self._on_event}, clock=self.clock)

    def effects(self) -> list[tuple[str, int]]:
        """Return (entity, sequence) of every effect, in order."""
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT entity, sequence FROM effect ORDER BY at")).all()
            return [(row.entity.removeprefix("user:"), row.sequence) for row in rows]

    def count(self, table: str, where: str = "true") -> int:
        """Return how many rows of a table there are."""
        with self.engine.connect() as connection:
            query = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608 - the test's own words
            return int(connection.execute(text(query)).scalar_one())
