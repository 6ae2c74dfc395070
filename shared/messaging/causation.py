"""What one act set off: from the request to its events to their effects, with times, across all databases.

An act is all that has one correlation id. What became of an event at a consumer is read where it stands: applied in
the inbox, parked, in quarantine; an event that is published and stands nowhere is on its way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from shared.engine import reading
from shared.messaging.reconcile import pattern
from shared.telemetry import trace_id

Consumers = Mapping[str, tuple[str, ...]]
APPLIED, PARKED, IN_FLIGHT = "applied", "parked", "in flight"


@dataclass
class Effect:
    """What became of an event at one consumer; `milliseconds` count from the event's commit."""

    consumer: str
    state: str  # applied | parked | quarantined | discarded | in flight
    at: datetime | None = None
    milliseconds: float | None = None
    attempts: int | None = None
    until: datetime | None = None
    why: str | None = None


@dataclass
class Step:
    """One event, what became of it at its consumers, and the events that those recorded because of it."""

    id: UUID
    source: str
    type: str
    entity: str
    case: str | None
    outcome: str
    recorded_at: datetime
    published_at: datetime | None
    waits_until: datetime | None
    held_reason: str | None
    causation_id: UUID | None
    correlation_id: UUID
    trace_id: str | None
    actor: dict[str, str | None]
    action: str | None
    letter: dict[str, Any] | None
    effects: list[Effect] = field(default_factory=list)
    because: list[Step] = field(default_factory=list)

    @property
    def ended_at(self) -> datetime:
        """Return when the last of its own effects came about."""
        return max([self.recorded_at, *(effect.at for effect in self.effects if effect.at)])


@dataclass
class Act:
    """Everything of one correlation id, its first events first."""

    correlation_id: UUID
    steps: list[Step]

    def all(self) -> list[Step]:
        """Return every event, in the order of recording."""
        return sorted(_walk(self.steps), key=lambda step: step.recorded_at)

    @property
    def started_at(self) -> datetime:
        return min(step.recorded_at for step in self.all())

    @property
    def ended_at(self) -> datetime:
        return max(step.ended_at for step in self.all())

    def open(self) -> dict[str, int]:
        """Return how much of it is not done: events to be published, and effects to come, by state."""
        counts: dict[str, int] = {}
        for step in self.all():
            if step.published_at is None:
                counts["unpublished"] = counts.get("unpublished", 0) + 1
            for effect in step.effects:
                if effect.state not in {APPLIED, "discarded"}:
                    counts[effect.state] = counts.get(effect.state, 0) + 1
        return counts

    def letters(self) -> dict[str, int]:
        """Return how many letters it brought about, by their last known state."""
        last = {step.entity: str(step.letter["state"]) for step in self.all() if step.letter}
        return {state: list(last.values()).count(state) for state in dict.fromkeys(last.values())}

    def as_json(self) -> dict[str, Any]:
        first = self.steps[0]
        return {
            "correlation_id": self.correlation_id,
            "trace_ids": list(dict.fromkeys(step.trace_id for step in self.all() if step.trace_id)),
            "actor": first.actor,
            "action": first.action,
            "started_at": self.started_at,
            "milliseconds": milliseconds(self.started_at, self.ended_at),
            "open": self.open(),
            "letters": self.letters(),
            "steps": [asdict(step) for step in self.steps],
        }


def milliseconds(start: datetime, end: datetime) -> float:
    """Return how many milliseconds lie between."""
    return round((end - start).total_seconds() * 1000, 1)


def _walk(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _walk(step.because)


_HEX = re.compile(r"[0-9a-f]{32}")
# What is unreadable may claim anything.
_CLAIMED = """
SELECT CAST(claim AS uuid) FROM (
  SELECT headers ->> 'cloudEvents_correlationid' AS claim FROM {table} WHERE {column} = :id
) AS held WHERE claim ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
"""
# Asked in this order until somebody knows: the table, and its correlation ids.
_BY_ID = (
    ("outbox", "SELECT correlation_id FROM outbox WHERE correlation_id = :id"),
    ("outbox", "SELECT correlation_id FROM outbox WHERE id = :id"),
    ("inbox", "SELECT correlation_id FROM inbox WHERE correlation_id = :id"),
    ("inbox_parked", _CLAIMED.format(table="inbox_parked", column="event_id")),
    ("quarantine", _CLAIMED.format(table="quarantine", column="event_id")),
    ("quarantine", _CLAIMED.format(table="quarantine", column="id")),
    ("inbox", "SELECT correlation_id FROM inbox WHERE event_id = :id"),
)
_BY_TRACE = (("outbox", "SELECT correlation_id FROM outbox WHERE starts_with(traceparent, :id) ORDER BY row"),)
_BY_CASE = (
    (
        "outbox",
        'SELECT correlation_id, min(recorded_at) FROM outbox WHERE "case" = :id GROUP BY correlation_id',
    ),
)


def find(engines: Mapping[str, Engine], asked: str) -> list[UUID]:
    """Return the correlation ids that `asked` stands for, oldest first for a case.

    It may be a correlation id, an event's id, a quarantined event's id, a trace id or traceparent, or a case's
    reference.
    """
    given = asked.strip()
    trace = trace_id(given.lower()) or given.lower().replace("-", "")
    if _HEX.fullmatch(trace):
        known = trace_id(given.lower()) is not None
        return _ask(engines, _BY_TRACE, f"00-{trace}-") or ([] if known else _ask(engines, _BY_ID, UUID(hex=trace)))
    return _ask(engines, _BY_CASE, given) or _ask(engines, _BY_CASE, given.upper())


def _ask(engines: Mapping[str, Engine], queries: Sequence[tuple[str, str]], wanted: UUID | str) -> list[UUID]:
    for table, query in queries:
        found: list[Any] = []
        for engine in engines.values():
            with reading(engine) as connection:
                if _has(connection, table):
                    found += connection.execute(text(query), {"id": wanted})
        if found:
            ordered = sorted(found, key=lambda row: row[1]) if len(found[0]) > 1 else found
            return list(dict.fromkeys(row[0] for row in ordered if row[0]))
    return []


def _has(connection: Connection, table: str) -> bool:
    return connection.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar_one() is not None


_STEPS = text("""
SELECT id, type, entity, "case", outcome, recorded_at, published_at, held_reason, causation_id, correlation_id,
       traceparent, CASE WHEN published_at IS NULL THEN greatest(not_before, held_until) END AS waits_until,
       body #>> '{actor,kind}' AS kind, body #>> '{actor,role}' AS role, body #>> '{data,action}' AS action,
       CASE WHEN entity LIKE 'delivery:%' THEN body -> 'data' END AS letter
FROM outbox WHERE correlation_id = ANY(:ids)
""")
_LETTER = ("channel", "state", "template", "attempt", "code", "next_attempt_at", "because")
_APPLIED = text("SELECT consumer, event_id, handled_at AS at FROM inbox WHERE correlation_id = ANY(:ids)")
_PARKED = text("""
SELECT consumer, event_id, 'parked' AS state, parked_at AS at, attempts, not_before AS until,
       CASE why WHEN 'gap' THEN 'waits for its predecessor' ELSE last_error END AS why
FROM inbox_parked WHERE event_id = ANY(:events)
UNION ALL
SELECT consumer, event_id, CASE state WHEN 'held' THEN 'quarantined' ELSE state END, last_seen, attempts, NULL,
       fingerprint
FROM quarantine WHERE event_id = ANY(:events) AND state <> 'replayed'
""")


def acts(engines: Mapping[str, Engine], consumers: Consumers, ids: Sequence[UUID]) -> list[Act]:
    """Return the acts of correlation ids, in their order; those of which no event is kept are left out."""
    steps = _steps(engines, ids)
    _add_effects(engines, ids, steps)
    for step in steps.values():
        _add_expected(step, consumers)
    found: dict[UUID, Act] = {item: Act(item, []) for item in ids}
    for step in sorted(steps.values(), key=lambda step: step.recorded_at):
        cause = steps.get(step.causation_id) if step.causation_id else None
        (cause.because if cause else found[step.correlation_id].steps).append(step)
    return [act for act in found.values() if act.steps]


def _steps(engines: Mapping[str, Engine], ids: Sequence[UUID]) -> dict[UUID, Step]:
    steps: dict[UUID, Step] = {}
    for source, engine in engines.items():
        with reading(engine) as connection:
            if _has(connection, "outbox"):
                rows = connection.execute(_STEPS, {"ids": list(ids)}).mappings()
                steps |= {row["id"]: _step(source, dict(row)) for row in rows}
    return steps


def _step(source: str, row: dict[str, Any]) -> Step:
    letter, traceparent = row.pop("letter"), row.pop("traceparent")
    return Step(
        source=source,
        actor={"kind": row.pop("kind"), "role": row.pop("role")},
        trace_id=trace_id(traceparent),
        letter={name: letter[name] for name in _LETTER if letter.get(name) is not None} if letter else None,
        **row,
    )


def _add_effects(engines: Mapping[str, Engine], ids: Sequence[UUID], steps: Mapping[UUID, Step]) -> None:
    for engine in engines.values():
        with reading(engine) as connection:
            if not _has(connection, "inbox"):
                continue
            for row in connection.execute(_APPLIED, {"ids": list(ids)}).mappings():
                _add(steps, dict(row) | {"state": APPLIED})
            for row in connection.execute(_PARKED, {"events": list(steps)}).mappings():
                _add(steps, dict(row))


def _add(steps: Mapping[UUID, Step], row: dict[str, Any]) -> None:
    step = steps.get(row.pop("event_id"))
    if step is not None:
        step.effects.append(Effect(**row, milliseconds=milliseconds(step.recorded_at, row["at"])))
        step.effects.sort(key=lambda effect: (effect.milliseconds or 0, effect.consumer))


def _add_expected(step: Step, consumers: Consumers) -> None:
    """Add the consumers at which a published event stands nowhere yet."""
    there = {effect.consumer for effect in step.effects}
    for consumer, bindings in consumers.items():
        bound = bindings and re.match(pattern(bindings), step.type)
        if bound and consumer not in there and step.published_at is not None:
            step.effects.append(Effect(consumer, IN_FLIGHT))
