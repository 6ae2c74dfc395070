"""How long published events are kept: the months of an outbox, what they hold, and dropping those nobody needs.

A month goes only when all of it is published, every declared consumer has applied it (or somebody discarded it
there, with a reason) and all of it is in the audit log. What was in it stays in the books as numbers and sums, so
that reconciling is neither disturbed nor blinded. Dropping is the owner's right: the app role can't.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork, reading
from shared.errors import ConflictError
from shared.events import Actor
from shared.events.log import outbox_dropped
from shared.messaging.reconcile import pattern

# Which of these events the audit log has.
InLog = Callable[[Connection, Sequence[UUID]], set[UUID]]
_CHUNK = 10_000
_MONTHS = text("""
SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'outbox'::regclass ORDER BY c.relname
""")
_HOLDS = text("""
SELECT tableoid::regclass::text AS name, count(*) AS rows, count(*) FILTER (WHERE published_at IS NULL) AS unpublished,
       min(recorded_at) AS first_at, max(recorded_at) AS last_at
FROM outbox GROUP BY tableoid
""")
_EVENTS = text("SELECT id, type FROM outbox WHERE recorded_at >= :first AND recorded_at < :past")
_DONE = text("""
SELECT sent.id FROM unnest(CAST(:ids AS uuid[])) AS sent (id)
WHERE EXISTS (SELECT FROM inbox i WHERE i.consumer = :consumer AND i.event_id = sent.id)
""")
_DISCARDED = text("""
SELECT event_id FROM quarantine
WHERE consumer = :consumer AND event_id = ANY(CAST(:ids AS uuid[])) AND state = 'discarded'
""")
_BOOK = """
INSERT INTO outbox_dropped (partition, type, events, sum, first_at, last_at, dropped_at, dropped_by)
SELECT :name, type, count(*), sum(hashtextextended(id::text, 0)::numeric), min(recorded_at), max(recorded_at), :at, :by
FROM "{name}" GROUP BY type
"""


@dataclass
class Month:
    """One partition of one outbox. `refused` says why it may not be dropped although its time is over."""

    service: str
    name: str
    first: datetime | None  # None for the default partition, which is never dropped
    past: datetime | None
    bytes: int
    rows: int = 0
    unpublished: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    age_months: int = 0
    due: bool = False
    dropped: bool = False
    refused: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def months(service: str, engine: Engine, keep: int, now: datetime) -> list[Month]:
    """Return an outbox's partitions that have begun; `due` are those older than `keep` full months (0: none ever)."""
    with reading(engine) as connection:
        found = [_month(service, row.name, row.bytes, now) for row in connection.execute(_MONTHS)]
        holds = {row.name: row for row in connection.execute(_HOLDS)}
    for month in found:
        if row := holds.get(month.name):
            month.rows, month.unpublished = row.rows, row.unpublished
            month.first_at, month.last_at = row.first_at, row.last_at
        month.due = 0 < keep < month.age_months
    return [month for month in found if month.rows or (month.first and month.first <= now)]


def _month(service: str, name: str, size: int, now: datetime) -> Month:
    parts = re.fullmatch(r"outbox_(\d{4})_(\d{2})", name)
    if parts is None:
        return Month(service, name, None, None, size)
    year, number = int(parts[1]), int(parts[2])
    first = datetime(year, number, 1, tzinfo=UTC)
    past = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return Month(service, name, first, past, size, age_months=(now.year - year) * 12 + now.month - number)


def refusals(
    month: Month, engines: Mapping[str, Engine], consumers: Mapping[str, tuple[str, ...]], in_log: InLog
) -> list[str]:
    """Return why a month may not be dropped yet: one sentence for each thing that is open."""
    if month.unpublished:
        return [f"{month.unpublished} not published"]
    bound = {consumer: re.compile(pattern(keys)) for consumer, keys in consumers.items() if keys}
    open_at = dict.fromkeys([*bound, "the audit log"], 0)
    for chunk in _chunks(engines[month.service], month):
        for consumer, types in bound.items():
            ids = [event_id for event_id, kind in chunk if types.search(kind)]
            with reading(engines[consumer]) as connection:
                open_at[consumer] += len(set(ids) - _settled(connection, consumer, ids))
                if consumer == "audit":
                    discarded = _of(connection, _DISCARDED, consumer, ids)
                    open_at["the audit log"] += len(set(ids) - in_log(connection, ids) - discarded)
    return [f"{count} not yet in {name}" for name, count in open_at.items() if count]


def _settled(connection: Connection, consumer: str, ids: list[UUID]) -> set[UUID]:
    return _of(connection, _DONE, consumer, ids) | _of(connection, _DISCARDED, consumer, ids)


def _of(connection: Connection, query: Any, consumer: str, ids: list[UUID]) -> set[UUID]:
    return set(connection.execute(query, {"consumer": consumer, "ids": ids}).scalars())


def _chunks(engine: Engine, month: Month) -> Iterator[list[tuple[UUID, str]]]:
    with reading(engine) as connection:
        rows = connection.execution_options(yield_per=_CHUNK).execute(
            _EVENTS, {"first": month.first, "past": month.past}
        )
        for part in rows.partitions():
            yield [(row.id, row.type) for row in part]


def drop(month: Month, owner: Engine, by: Actor, keep: int, *, clock: Clock = utc_now) -> None:
    """Drop a month that `refusals` has nothing against, and record that; nothing is dropped when that fails.

    `owner` connects as the owner of the tables. Raises ConflictError when rows have come or gone meanwhile.
    """
    name = month.name
    with UnitOfWork(owner, month.service, Context(actor=by, reason=f"older than {keep} months"), clock=clock) as uow:
        connection = uow.connection
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        connection.execute(text(f'LOCK TABLE ONLY "{name}" IN ACCESS EXCLUSIVE MODE'))
        now = connection.execute(text(f'SELECT count(*), count(published_at) FROM "{name}"')).one()  # noqa: S608 - ours
        if tuple(now) != (month.rows, month.rows):
            raise ConflictError("%(name)s has changed meanwhile; look again", name=name)
        connection.execute(text(_BOOK.format(name=name)), {"name": name, "at": uow.now(), "by": by.id[:120]})
        connection.execute(text(f'DROP TABLE "{name}"'))
        event = outbox_dropped(month.service)(
            partition=name, first_at=month.first_at or month.first, last_at=month.last_at or month.past,
            events=month.rows, kept_months=keep,
        )  # fmt: skip
        uow.record(event, entity=f"outbox:{name}")


def retain(
    engines: Mapping[str, Engine],
    consumers: Mapping[str, tuple[str, ...]],
    owner: Callable[[str], Engine],
    in_log: InLog,
    by: Actor,
    *,
    keep: int,
    dry_run: bool = False,
    clock: Clock = utc_now,
) -> list[Month]:
    """Drop every month of every outbox that is older than `keep` months and that nobody needs; returns all months."""
    found = [month for service, engine in engines.items() for month in months(service, engine, keep, clock())]
    for month in found:
        if not month.due:
            continue
        month.refused = refusals(month, engines, consumers, in_log)
        if not month.refused and not dry_run:
            drop(month, owner(month.service), by, keep, clock=clock)
            month.dropped = True
    return found
