"""Reading everything again, in order, for verification."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, func, select, text

from services.audit.domain.leaf import Row
from services.audit.storage.tables import checkpoints, events, heads, rejected, tiles

BATCH = 2000
_SNAPSHOT = re.compile(r"[0-9A-F-]+")
_NAMES = ", ".join(f'"{name}"' for name in ("leaf_index", "leaf_hash", *Row._fields))
_ROWS = f"SELECT {_NAMES} FROM event WHERE leaf_index >= %s AND leaf_index < %s ORDER BY leaf_index"  # noqa: S608 - ours


@contextmanager
def snapshot(engine: Engine, shared: str | None = None) -> Iterator[Connection]:
    """Give one unchanging view of the whole log, however long it is read: a new one, or one that another shares."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        if shared is not None:
            if not _SNAPSHOT.fullmatch(shared):
                raise ValueError("this is not the name of a snapshot")
            connection.execute(text(f"SET TRANSACTION SNAPSHOT '{shared}'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        yield connection
        connection.rollback()


def share(connection: Connection) -> str:
    """Return the name by which other connections get the same view, as long as this one's transaction lasts."""
    return str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())


def rows(connection: Connection, first: int, end: int) -> list[tuple[int, Row, bytes]]:
    """Return the rows [first, end) in leaf order, each with its index and stored hash."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:  # a third of the time that rows of SQLAlchemy's take
        cursor.execute(_ROWS, (first, end))
        return [(values[0], Row._make(values[2:]), values[1]) for values in cursor]


def end(connection: Connection) -> int:
    """Return the index after the last row."""
    return int(connection.execute(select(func.coalesce(func.max(events.c.leaf_index) + 1, 0))).scalar_one())


def event_ids(connection: Connection, indexes: Iterable[int]) -> dict[int, UUID]:
    """Return the ids of events by their leaf index."""
    query = select(events.c.leaf_index, events.c.event_id).where(events.c.leaf_index.in_(sorted(indexes)))
    return {row.leaf_index: row.event_id for row in connection.execute(query)}


def head_rows(connection: Connection, after: int) -> Iterator[Any]:
    """Return heads beyond `after` as (size, root, compact), smallest first."""
    query = select(heads.c.size, heads.c.root, heads.c.compact).where(heads.c.size > after).order_by(heads.c.size)
    return _stream(connection, query)


def checkpoint_rows(connection: Connection, after: int) -> Iterator[Any]:
    """Return checkpoints beyond `after` as (size, root, note), smallest first."""
    query = select(checkpoints.c.size, checkpoints.c.root, checkpoints.c.note)
    return _stream(connection, query.where(checkpoints.c.size > after).order_by(checkpoints.c.size))


def tile_rows(connection: Connection, level: int) -> Iterator[Any]:
    """Return the tiles of a level as (number, hashes, root), in order."""
    query = select(tiles.c.number, tiles.c.hashes, tiles.c.root).where(tiles.c.level == level)
    return _stream(connection, query.order_by(tiles.c.number))


def _stream(connection: Connection, query: Select[*tuple[Any, ...]]) -> Iterator[Any]:
    """Read through a server-side cursor, so that memory does not grow with the log."""
    return iter(connection.execute(query, execution_options={"yield_per": BATCH}))


def rejected_rows(connection: Connection) -> Iterator[Any]:
    """Return what was refused beside the leaf that proves it: (event_id, headers, body, body of the leaf or None)."""
    joined = events.outerjoin(rejected, rejected.c.event_id == events.c.event_id, full=True)
    query = (
        select(
            func.coalesce(rejected.c.event_id, events.c.event_id).label("event_id"),
            rejected.c.headers,
            rejected.c.body,
            events.c.body.label("proof"),
        )
        .select_from(joined)
        .where((events.c.type == "audit.event.rejected") | events.c.type.is_(None))
    )
    return _stream(connection, query)


class Gap(NamedTuple):
    """Events that must exist, as their neighbours show, and are not in the log."""

    source: str
    entity: str | None  # None: positions of the source; else sequences of the entity
    first: int
    last: int


_POSITIONS = text("""
SELECT source, NULL, before + 1, position - 1 FROM (
  SELECT source, position, lag(position, 1, 0::bigint) OVER (PARTITION BY source ORDER BY position) AS before
  FROM event WHERE position IS NOT NULL AND recorded_at <= :settled) AS p
WHERE position > before + 1 AND (SELECT count(*) FROM event e
  WHERE e.source = p.source AND e.position > p.before AND e.position < p.position) < position - before - 1
ORDER BY 1, 3 LIMIT 1000
""")
_SEQUENCES = text("""
SELECT source, entity, before + 1, sequence - 1 FROM (
  SELECT source, entity, sequence,
    lag(sequence, 1, 0::bigint) OVER (PARTITION BY source, entity ORDER BY sequence) AS before
  FROM event WHERE recorded_at <= :settled) AS s
WHERE sequence > before + 1 AND (SELECT count(*) FROM event e
  WHERE e.source = s.source AND e.entity = s.entity AND e.sequence > s.before AND e.sequence < s.sequence)
  < sequence - before - 1
ORDER BY 1, 2, 3 LIMIT 1000
""")
_TWICE = text("""
SELECT source, NULL, position, position FROM event WHERE position IS NOT NULL
GROUP BY source, position HAVING count(*) > 1
UNION ALL
SELECT source, entity, sequence, sequence FROM event GROUP BY source, entity, sequence HAVING count(*) > 1
ORDER BY 1, 2, 3 LIMIT 1000
""")


def gaps(connection: Connection, settled: Any) -> list[Gap]:
    """Return holes that events recorded up to `settled` show and that nothing has filled since."""
    found = [row for query in (_POSITIONS, _SEQUENCES) for row in connection.execute(query, {"settled": settled})]
    return [Gap(*row) for row in found]


def twice(connection: Connection) -> list[Gap]:
    """Return positions and sequences that two different events claim."""
    return [Gap(*row) for row in connection.execute(_TWICE)]


class Coverage(NamedTuple):
    """How far the log reaches in one source."""

    source: str
    events: int
    last_position: int | None


def coverage(connection: Connection) -> list[Coverage]:
    """Return per source how many of its events are in the log and the last position among them."""
    query = select(events.c.source, func.count(events.c.position), func.max(events.c.position))
    return [Coverage(*row) for row in connection.execute(query.group_by(events.c.source).order_by(events.c.source))]
