"""Building a local copy of others' facts anew from their events, beside live traffic, and putting it in place.

A projection is declared by its service: its tables, and what each event does to them (the very handlers that the
consumer runs). The events come from the sources' outboxes, or from the audit log if their months were dropped:
exactly those that the consumer's inbox has as applied, in the order of their handling, each entity's by its
sequence. A short lock against writers of the live tables (not readers) makes both sides stand still for the last
events and the comparison.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from shared.database import Context, UnitOfWork, reading, system
from shared.errors import ConflictError
from shared.events import Actor, Envelope
from shared.events.log import projection_rebuilt
from shared.messaging.inbox import Handlers
from shared.messaging.shadow import Comparison, Shadow, session

Progress = Callable[[int, int], None]
# Reads events by their ids from the audit service's database, which has them for ever.
Archive = Callable[[Connection, Sequence[UUID]], Iterable[Envelope]]
_CHUNK = 1_000
_PASSES = 5  # at most, before the lock: each has only what came during the one before
SHOWN = 20
_TURNS = """
CREATE TEMP TABLE tamga_turn (
  number bigint PRIMARY KEY, event_id uuid NOT NULL UNIQUE, source text NOT NULL, handled_at timestamptz NOT NULL)
"""
# Two workers may write the inbox rows of one entity's neighbours within a microsecond of each other: the sequence
# decides there.
_TAKE_TURNS = text("""
INSERT INTO pg_temp.tamga_turn
SELECT :after + row_number() OVER (ORDER BY turn, source, entity, sequence), event_id, source, handled_at FROM (
  SELECT i.*, max(i.handled_at) OVER (PARTITION BY i.source, i.entity ORDER BY i.sequence) AS turn
  FROM public.inbox i
  WHERE i.consumer = :consumer AND i.type = ANY(:types)
    AND NOT EXISTS (SELECT FROM pg_temp.tamga_turn t WHERE t.event_id = i.event_id)
) AS fresh
""")
_PLANNED = text("""
SELECT type, count(*) AS events FROM inbox WHERE consumer = :consumer AND type = ANY(:types) GROUP BY type ORDER BY type
""")
_TURN = text("""
SELECT event_id, source, handled_at FROM pg_temp.tamga_turn WHERE number > :after ORDER BY number LIMIT :limit
""")
_ENVELOPES = text("""
SELECT id, type, version, entity, sequence, position, "time", correlation_id, causation_id, traceparent, programme,
       "case", outcome, body FROM outbox WHERE id = ANY(CAST(:ids AS uuid[]))
""")


@dataclass(frozen=True)
class Projection:
    """Tables that come from events alone, and what each type of event does to them: that, and nothing else."""

    tables: tuple[str, ...]
    on: Handlers


@dataclass
class Rebuilt:
    """What a rebuild found. `lost` are events that the inbox has, and neither an outbox nor the audit log."""

    service: str
    projection: str
    events: int = 0
    caught_up: int = 0  # of them, those that came during the lock
    from_log: int = 0  # of them, those whose months have left the outbox
    lost: int = 0
    locked_ms: float = 0.0
    swapped: bool = False
    comparison: Comparison = field(default_factory=Comparison)


class _Clock:
    """Says the moment at which an event was handled, then the present one."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)


class Rebuild:
    """One rebuild of one projection of one service. `run` may be called once."""

    def __init__(
        self,
        service: str,
        name: str,
        projection: Projection,
        engines: Mapping[str, Engine],
        *,
        archive: Archive = lambda _, __: (),
        progress: Progress = lambda _, __: None,
    ) -> None:
        self.service, self.projection, self.engines = service, projection, engines
        self.archive, self.progress = archive, progress
        self.report = Rebuilt(service, name)
        self._engine = session(engines[service])
        self._clock = _Clock()
        self._planned = 0
        self.shadows: list[Shadow] = []

    def run(self, by: Actor, *, swap: bool = False) -> Rebuilt:
        """Build, compare and, if asked, swap; returns what was found.

        Raises ConflictError when the projection can't be rebuilt, or is too busy to be locked.
        """
        try:
            self._prepare()
            for _ in range(_PASSES):
                if not self._pass():
                    break
            self._finish(by, swap=swap)
        finally:
            self._engine.dispose()
        return self.report

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            self.shadows = [Shadow(connection, name) for name in self.projection.tables]
            for shadow in self.shadows:
                shadow.make(connection)
            connection.execute(text(_TURNS))

    def _unit_of_work(self, context: Context) -> UnitOfWork:
        return UnitOfWork(self._engine, self.service, context, clock=self._clock)

    def _pass(self) -> int:
        """Apply what the inbox has and the shadows have not; returns how many events."""
        with self._engine.begin() as connection:
            fresh = self._take_turns(connection)
        while self.report.events < self._planned:
            with self._unit_of_work(Context(actor=system(self.service))) as uow:
                self._apply(uow, _CHUNK)
            self.progress(self.report.events, self._planned)
        with self._engine.begin() as connection:
            for shadow in self.shadows:
                connection.execute(text(f"ANALYZE {shadow.own}"))
        return fresh

    def planned(self) -> dict[str, int]:
        """Return how many events of each type the copy would be built from."""
        facts = {"consumer": self.report.service, "types": list(self.projection.on)}
        with reading(self.engines[self.service]) as connection:
            return {row.type: row.events for row in connection.execute(_PLANNED, facts)}

    def _take_turns(self, connection: Connection) -> int:
        facts = {"after": self._planned, "consumer": self.service, "types": list(self.projection.on)}
        fresh = connection.execute(_TAKE_TURNS, facts).rowcount
        self._planned += fresh
        return fresh

    def _apply(self, uow: UnitOfWork, limit: int) -> None:
        turns = uow.connection.execute(_TURN, {"after": self.report.events, "limit": limit}).all()
        envelopes = dict(self._envelopes(turns))
        if gone := [turn.event_id for turn in turns if turn.event_id not in envelopes]:
            with reading(self.engines["audit"]) as connection:
                kept = {envelope.id: envelope for envelope in self.archive(connection, gone)}
            self.report.from_log += len(kept)
            envelopes |= kept
        for turn in turns:
            envelope = envelopes.get(turn.event_id)
            self.report.events += 1
            if envelope is None:
                self.report.lost += 1
                continue
            self._clock.at = turn.handled_at
            self._handle(uow, envelope)
        self._clock.at = None

    def _envelopes(self, turns: Any) -> Iterator[tuple[UUID, Envelope]]:
        ids: dict[str, list[UUID]] = {}
        for turn in turns:
            ids.setdefault(turn.source, []).append(turn.event_id)
        for source, wanted in ids.items():
            with reading(self.engines[source]) as connection:
                for row in connection.execute(_ENVELOPES, {"ids": wanted}).mappings():
                    yield row["id"], Envelope(source=source, **row)

    def _handle(self, uow: UnitOfWork, envelope: Envelope) -> None:
        context = Context(
            actor=system(self.service), correlation_id=envelope.correlation_id, causation_id=envelope.id
        )  # fmt: skip
        try:
            uow.go_on(context)
            self.projection.on[envelope.type](uow, envelope)
        except Exception as error:
            message = "Event %(id)s (%(type)s) can't be applied anew: %(why)s"
            raise ConflictError(message, id=envelope.id, type=envelope.type, why=str(error).split("\n")[0]) from error

    def _finish(self, by: Actor, *, swap: bool) -> None:
        with self._unit_of_work(Context(actor=by)) as uow:
            began = self._lock(uow.connection)
            self.report.caught_up = self._take_turns(uow.connection)
            while self.report.events < self._planned:
                self._apply(uow, _CHUNK)
            for shadow in self.shadows:
                shadow.compare(uow.connection, self.report.comparison, SHOWN)
            if swap:
                self._swap(uow.connection)
            uow.go_on(Context(actor=by))
            self._record(uow)
        self.report.locked_ms = round((time.monotonic() - began) * 1000, 1)

    def _lock(self, connection: Connection) -> float:
        names = ", ".join(shadow.live for shadow in self.shadows)
        try:
            connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
        except OperationalError as error:
            raise ConflictError("The tables are busy; nothing has been changed; try again") from error
        return time.monotonic()

    def _swap(self, connection: Connection) -> None:
        if self.report.lost:
            message = "%(count)s events of this copy are neither in an outbox nor in the audit log: what is live stays"
            raise ConflictError(message, count=self.report.lost)
        for shadow in self.shadows:
            shadow.replace_live(connection)
        self.report.swapped = True

    def _record(self, uow: UnitOfWork) -> None:
        uow.connection.execute(text("SET LOCAL search_path TO public"))
        found, name = self.report.comparison, self.report.projection
        event = projection_rebuilt(self.service)(
            projection=name,
            events=self.report.events,
            rows=found.rows,
            only_live=found.only_live,
            only_rebuilt=found.only_rebuilt,
            different=found.different,
            swapped=self.report.swapped,
        )
        uow.record(event, entity=f"projection:{name}")
