"""A publishing service and the record, with a line between them that can lose, repeat and disorder messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from services.audit import handlers
from services.audit.handlers import manifests as judging
from shared.clock import Clock
from shared.database import Context, UnitOfWork, system
from shared.events.grants import AttemptRefused
from shared.messaging import batch, gaps, manifests
from shared.messaging.publisher import Result
from shared.messaging.relay import Relay
from shared.messaging.wire import Raw, headers_of
from shared.testing.stand import Stand

SOURCE = "grants"
Loses = Callable[[dict[str, Any]], bool]


def _clock(off: float) -> Clock:
    return lambda: datetime.now(UTC) + timedelta(seconds=off)


class Line:
    """Stands for the broker: confirms everything, and keeps what it does not lose."""

    def __init__(self, loses: Loses) -> None:
        self.loses, self.messages = loses, list[Raw]()

    def publish(self, source: str, rows: Sequence[dict[str, Any]], **_options: Any) -> Result:
        """Take rows as the broker does."""
        for row in rows:
            if not self.loses(row):
                headers = headers_of(row | {"source": source})
                self.messages.append(Raw(headers, row["body"].encode(), row["type"], source, str(row["id"])))
        return Result(confirmed=[row["row"] for row in rows])


class House:
    """Grants and the record."""

    def __init__(self, stand: Stand, source: Engine | None = None) -> None:
        self.source, self.audit = source or stand.database(SOURCE), stand.database("audit")
        self.root, self.audit_root = stand.superuser(self.source), stand.superuser(self.audit)

    def act(self, entity: str = "attempt:1", *, count: int = 1, off: float = 0) -> list[UUID]:
        """Commit events about an entity, by a clock that is `off` by so many seconds."""
        event = AttemptRefused(action="grants.x", target=None, problem="denied", detail="")
        with UnitOfWork(self.source, SOURCE, Context(actor=system(SOURCE)), clock=_clock(off)) as uow:
            return [uow.record(event, entity=entity) for _ in range(count)]

    def manifest(self) -> None:
        """Tell how far grants has written."""
        with UnitOfWork(self.source, SOURCE, Context(actor=system(SOURCE))) as uow:
            manifests.publish(uow, at_once=True)

    def relay(self, loses: Loses = lambda _row: False, *, source: str = SOURCE) -> list[Raw]:
        """Publish what grants, or the record itself, has committed; returns the messages that came through."""
        line, engine = Line(loses), self.source if source == SOURCE else self.audit
        relay = Relay(source, engine.url.render_as_string(hide_password=False), "")
        with relay._session() as db:
            while relay.relay_batch(db, line):  # type: ignore[arg-type]
                pass
        return line.messages

    def deliver(self, messages: Sequence[Raw]) -> None:
        """Hand messages to the record."""
        batch.handle_batch(self.audit, "audit", handlers.append, messages)

    def carry(self, loses: Loses = lambda _row: False) -> None:
        """Publish and deliver."""
        self.deliver(self.relay(loses))

    def compare(self, *, later: float = 0) -> None:
        """Judge manifests, `later` seconds from now."""
        self.tick(judging.compare, later)

    def tick(self, act: Callable[[UnitOfWork], object], later: float = 0) -> None:
        """Run a timer of the record's worker, `later` seconds from now."""
        moment = datetime.now(UTC) + timedelta(seconds=later)
        with UnitOfWork(self.audit, "audit", Context(actor=system("audit")), clock=lambda: moment) as uow:
            act(uow)

    def watch(self, *, later: float = 0) -> None:
        """Look for gaps."""
        self.tick(gaps.watch, later)

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        """Return what the record says of itself: the facts of its events of that kind."""
        query = text("SELECT body->'data' FROM outbox WHERE type = :type ORDER BY row")
        with self.audit.connect() as connection:
            return list(connection.execute(query, {"type": f"audit.{kind}"}).scalars())

    def verdicts(self) -> list[str]:
        """Return the verdicts on the manifests, in their order."""
        with self.audit.connect() as connection:
            return list(connection.execute(text("SELECT verdict FROM manifest ORDER BY leaf_index")).scalars())

    def leaves(self) -> int:
        """Return how long the log is."""
        with self.audit.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM event")).scalar_one())

    def destroy(self, statement: str, **values: Any) -> None:
        """Do in grants' database what nobody may, as who owns it."""
        with self.root.begin() as connection:
            assert connection.execute(text(statement), values).rowcount > 0


__all__ = ["SOURCE", "House"]
