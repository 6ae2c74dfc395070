"""One transaction per request or message: engines, the unit of work, and storage of entities.

An entity is stored as its canonical state (JSONB) beside the columns that queries need, under an
optimistic version. State and outbox rows are written in the same transaction, by `UnitOfWork` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    MetaData,
    NestedTransaction,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared import telemetry
from shared.clock import Clock, Ids, new_id, utc_now
from shared.engine import asking, commit, engine_for, reading
from shared.entity import Entity, Recorded
from shared.events import Actor, Event
from shared.messaging.outbox import CHANNEL, publish
from shared.messaging.tables import inbox_tables, outbox_tables
from shared.repository import Change, Repository, store


def service_metadata(*, publishes: bool = True, consumes: bool = True) -> MetaData:
    """Return metadata that has the messaging tables already."""
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_ix",
            "uq": "%(table_name)s_%(column_0_N_name)s_uq",
            "ck": "%(table_name)s_%(constraint_name)s_ck",
            "fk": "%(table_name)s_%(column_0_N_name)s_fk",
            "pk": "%(table_name)s_pk",
        }
    )
    if publishes:
        outbox_tables(metadata)
    if consumes:
        inbox_tables(metadata)
    return metadata


def entity_table(name: str, metadata: MetaData, *columns: Any) -> Table:
    """Return a table that stores one kind of entity: its state, its version, who changed it last, and `columns`."""
    return Table(
        name,
        metadata,
        Column("id", String(80), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("state", JSONB, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        Column("updated_by", String(80), nullable=False),
        Column("updated_by_name", String(200), nullable=False),
        Column("last_changes", JSONB, nullable=False),
        *columns,
        info={"entity": True},
    )


@dataclass(frozen=True)
class Standing:
    """How an actor stands to a case where people stand in for each other.

    `lent` is {role: (user id, name)} of those in whose place they act in a role; `as_one` are the actors' ids that
    count as this one where two persons are needed.
    """

    case: str
    name: str
    lent: Mapping[str, tuple[str, str]]
    as_one: frozenset[str]


@dataclass(frozen=True)
class Context:
    """On whose behalf a unit of work acts, and what caused it."""

    actor: Actor
    correlation_id: UUID = field(default_factory=new_id)
    causation_id: UUID | None = None
    traceparent: str | None = field(default_factory=telemetry.root)
    reason: str | None = None
    standing: Standing | None = None

    def because(self, reason: str | None) -> Context:
        """Return this context with the reason that the person gave for the act."""
        return replace(self, reason=reason)


def system(service: str) -> Actor:
    """Return the actor for what a service does on its own account (timers, consumers)."""
    return Actor(id=f"service:{service}", kind="system", name=service)


class UnitOfWork:
    """One transaction. Use as a context manager at the edge: leaves with commit, or with rollback on any error.

    Handlers use `connection` for SQL (through their storage module), repositories for entities, and
    `record` for the rare event that has no entity of its own.
    """

    def __init__(
        self, engine: Engine, source: str, context: Context, *, clock: Clock = utc_now, ids: Ids = new_id
    ) -> None:
        self.engine, self.source, self.context, self.clock, self.ids = engine, source, context, clock, ids
        self._connection: Connection | None = None
        self._held: NestedTransaction | None = None
        self._tracked: dict[tuple[str, str], tuple[Entity, Repository[Any], dict[str, Any] | None]] = {}
        self._first: dict[tuple[str, str], int] = {}
        self._loose: list[dict[str, Any]] = []
        self.recorded = 0  # how many events it has written so far
        self.after_commit: list[Callable[[], None]] = []

    @property
    def connection(self) -> Connection:
        """Return the connection of this transaction."""
        if self._connection is None:
            raise RuntimeError("the unit of work has not been entered")
        return self._connection

    def now(self) -> datetime:
        """Return the present moment by the injected clock."""
        return self.clock()

    def __enter__(self) -> Self:
        self._connection = self.engine.connect()
        self._connection.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        connection = self.connection
        try:
            if kind is None:
                self.flush()
                commit(connection)
            else:
                connection.rollback()
        finally:
            connection.close()
            self._connection = None
        if kind is None:
            for call in self.after_commit:
                call()

    def hold(self) -> None:
        """Let what was written so far, and its locks, outlast `abandon`."""
        self._held = self.connection.begin_nested()

    def abandon(self) -> None:
        """Forget everything that was to be written and start anew: a refused form can be shown again by reading."""
        self._tracked.clear()
        self._first.clear()
        self._loose.clear()
        if self._held is not None:
            self._held.rollback()
            self._held = None
            return
        self.connection.rollback()
        self.connection.begin()

    def track(self, entity: Entity, repository: Repository[Any], loaded: dict[str, Any] | None) -> None:
        """Remember an entity so that `flush` stores what became of it; `loaded` is None for a new one."""
        key = (repository.table.name, entity.id)
        self._tracked[key] = (entity, repository, loaded)
        self._first.setdefault(key, entity.version)

    def first_seen(self, table: str, entity_id: str) -> int:
        """Return the version that an entity had when this transaction came to know it; 0 for one of its own."""
        return self._first[(table, entity_id)]

    def tracked(self, table: str, entity_id: str) -> Entity | None:
        """Return the entity of that id if this transaction has it already."""
        found = self._tracked.get((table, entity_id))
        return found[0] if found else None

    def record(
        self,
        event: Event,
        *,
        entity: str,
        case: str | None = None,
        programme: str | None = None,
        outcome: str = "success",
        parties: dict[str, list[str]] | None = None,
        changes: dict[str, list[Any]] | None = None,
        after_hash: str | None = None,
    ) -> UUID:
        """Record an event about `entity` ("kind:id") that no Entity object stands for; returns the event's id."""
        event_id = self.ids()
        self._loose.append(
            self._row(event_id, Recorded(event=event, changes=changes or {}, after_hash=after_hash or ""), entity)
            | {"case": case, "programme": programme, "outcome": outcome}
            | {"parties": parties or {}}
        )
        return event_id

    def go_on(self, context: Context) -> None:
        """Write what has come about so far, and act from now on, in the same transaction, because of something else."""
        self.flush()
        self._tracked.clear()
        self._first.clear()
        self.context = context

    def flush(self) -> None:
        """Write tracked entities and recorded events; called by leaving the unit of work."""
        rows: list[dict[str, Any]] = []
        changed: list[Change] = []
        for key, (entity, repository, loaded) in list(self._tracked.items()):
            state = entity.state()
            recorded = entity.up_to_date(entity.collect(), state)
            if recorded or loaded is None or state != loaded:
                changed.append(Change(repository, entity, state, loaded is None, recorded))
                self._tracked[key] = (entity, repository, state)
            about = {
                "case": entity.case(),
                "programme": entity.programme_id(),
                "outcome": "success",
                "parties": entity.parties(),
            }
            rows += [self._row(self.ids(), item, f"{entity.KIND}:{entity.id}") | about for item in recorded]
        for (_, new), group in groupby(changed, key=lambda item: (item.repository.table.name, item.new)):
            store(list(group), new=new)
        rows += self._loose
        self._loose = []
        if rows:
            self._publish(rows)

    def _row(self, event_id: UUID, recorded: Recorded, entity: str) -> dict[str, Any]:
        return {
            "id": event_id,
            "type": recorded.event.TYPE,
            "version": recorded.event.VERSION,
            "entity": entity,
            "recorded": recorded,
        }

    def _publish(self, rows: list[dict[str, Any]]) -> None:
        """Write events into the outbox, each under the next number of its entity, and tell the relay."""
        self.recorded += len(rows)
        for row in rows:
            recorded: Recorded = row.pop("recorded")
            row["body"] = {
                "data": recorded.event.model_dump(mode="json"),
                "actor": self.context.actor.model_dump(mode="json"),
                "changes": recorded.changes,
                "after_hash": recorded.after_hash or None,
                "parties": row.pop("parties"),
                "reason": self.context.reason,
            }
        act = {
            "time": self.now(),
            "correlation_id": self.context.correlation_id,
            "causation_id": self.context.causation_id,
            "traceparent": self.context.traceparent,
        }
        publish(self.connection, rows, act)

    def next_reference(self, prefix: str) -> str:
        """Return the next reference of this year's series, such as BSO-2026-0041; rolled back with the transaction."""
        series = f"{prefix}-{self.now():%Y}"
        last = self.connection.execute(
            text(
                "INSERT INTO reference_counter (prefix, last) VALUES (:p, 1)"
                " ON CONFLICT (prefix) DO UPDATE SET last = reference_counter.last + 1 RETURNING last"
            ),
            {"p": series},
        ).scalar_one()
        return f"{series}-{last:04d}"


__all__ = [
    "CHANNEL",
    "Context",
    "Repository",
    "Standing",
    "UnitOfWork",
    "asking",
    "engine_for",
    "entity_table",
    "reading",
    "service_metadata",
    "system",
]
