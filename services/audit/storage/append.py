"""Writing to the log: one batch, one transaction, one writer at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from sqlalchemy import BigInteger, Connection, DateTime, Integer, LargeBinary, Uuid, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError

from services.audit.domain.leaf import BodyError, Row, leaf_from
from services.audit.domain.merkle import SIZE, CompactRange, leaf_hash, perfect_root
from services.audit.storage.tables import events, metadata, rejected, tiles

WIDTH = 256  # hashes in a tile
CONSUMER = "audit"
# Any constant: whoever appends holds this lock until its transaction ends, so indexes never fork.
APPEND_LOCK = 0x7461_6D67_61

_NAMES = ("leaf_index", *Row._fields, "leaf_hash")
_COLUMNS, _ROW = (", ".join(f'"{name}"' for name in names) for names in (_NAMES, Row._fields))
# Rows go in binary form: as text, bytes and moments would be written out here and read again over there, which costs
# more than all else about sending a row. The server takes no other type for a column then, so each is named.
_DRIVERS = {BigInteger: "int8", Integer: "int4", DateTime: "timestamptz", LargeBinary: "bytea", Uuid: "uuid"}
_TYPES = [
    next((driver for kind, driver in _DRIVERS.items() if isinstance(events.c[name].type, kind)), "text")
    for name in _NAMES
]
_inbox = metadata.tables["inbox"]
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_HEAD = text("SELECT size, compact FROM tree_head ORDER BY size DESC LIMIT 1")
_KNOWN = text(
    f"SELECT leaf_index, {_ROW} FROM event"  # noqa: S608 - names of ours
    " WHERE event_id = ANY(CAST(:ids AS uuid[]))"
)
_LEAF_HASHES = text("SELECT leaf_hash FROM event WHERE leaf_index >= :start AND leaf_index < :end ORDER BY leaf_index")
_TILE_ROOTS = text(
    'SELECT root FROM tile WHERE level = :level - 1 AND "number" >= :start AND "number" < :end ORDER BY "number"'
)
_ADD_HEAD = text("INSERT INTO tree_head (size, root, compact) VALUES (:size, :root, :compact)")


class Known(NamedTuple):
    """What is stored already under an event id."""

    leaf_index: int
    leaf: bytes
    body: str


def lock(connection: Connection) -> CompactRange:
    """Become the only writer until this transaction ends; returns the tree as it stands."""
    connection.execute(_LOCK, {"key": APPEND_LOCK})
    head = connection.execute(_HEAD).first()
    return CompactRange.unpack(head.size, head.compact) if head else CompactRange()


def known(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Known]:
    """Return those of `ids` that are in the log."""
    wanted = list(ids)
    if not wanted:
        return {}
    found = connection.execute(_KNOWN, {"ids": wanted})
    return {row.event_id: Known(row.leaf_index, _leaf(row), row.body) for row in found}


def _leaf(row: Any) -> bytes:
    try:
        return leaf_from(row)
    except BodyError as error:
        raise BrokenLogError(f"leaf {row.leaf_index} was altered: {error}") from error


def append(connection: Connection, tree: CompactRange, rows: Iterable[Row]) -> int:
    """Add rows to the log: their columns, the tiles that they complete, and the new head; returns how many."""
    first = tree.size
    hashes = store(connection, first, rows)
    for item in hashes:
        tree.append(item)
    if hashes:
        complete_tiles(connection, first, hashes)
        connection.execute(_ADD_HEAD, {"size": tree.size, "root": tree.root(), "compact": tree.pack()})
    return len(hashes)


def store(connection: Connection, first: int, rows: Iterable[Row]) -> list[bytes]:
    """Store rows while they are being made; returns their leaves' hashes."""
    driver: Any = connection.connection.driver_connection
    statement = f"COPY event ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
    hashes = []
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(_TYPES)
            for index, row in enumerate(rows, first):
                hashes.append(leaf_hash(row.leaf))
                copy.write_row((index, *row[:-2], b"", row.marks, hashes[-1]))  # the leaf follows from the rest
    except psycopg.Error as error:
        # As SQLAlchemy would say it, so that the consumer tells a lost connection from a bad event.
        raise DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error
    return hashes


def complete_tiles(connection: Connection, first: int, hashes: Sequence[bytes]) -> None:
    """Write the tiles that became complete; a tile's root is an entry of the level above."""
    level, entries = 0, list(hashes)
    while entries:
        number, done = first // WIDTH, (first + len(entries)) // WIDTH
        if done == number:
            return
        before = _entries_before(connection, level, number * WIDTH, first)
        row = [*before, *entries]
        made: list[dict[str, Any]] = []
        for at in range(number, done):
            part = row[(at - number) * WIDTH : (at - number + 1) * WIDTH]
            made.append({"level": level, "number": at, "hashes": b"".join(part), "root": perfect_root(part)})
        connection.execute(insert(tiles), made)
        level, first, entries = level + 1, number, [tile["root"] for tile in made]


def _entries_before(connection: Connection, level: int, start: int, end: int) -> list[bytes]:
    """Return the entries [start, end) of a level, which stand in no complete tile yet."""
    if start == end:
        return []
    return entries(connection, level, start, end)


def entries(connection: Connection, level: int, start: int, end: int) -> list[bytes]:
    """Return the entries [start, end) of a level from where they come from: rows, or the roots one level below."""
    query = _TILE_ROOTS if level else _LEAF_HASHES
    place = {"level": level, "start": start, "end": end}
    found = [bytes(item) for item in connection.execute(query, place).scalars()]
    if len(found) != end - start or any(len(item) != SIZE for item in found):
        raise BrokenLogError(f"level {level} lacks hashes between {start} and {end}")
    return found


class BrokenLogError(RuntimeError):
    """The log itself lacks what it must have: somebody changed the database. Run `tamga audit verify`."""


def remember_handled(connection: Connection, rows: Sequence[Row]) -> None:
    """Write the inbox rows by which every service's handled events are counted."""
    if not rows:
        return
    names = ("event_id", "source", "type", "entity", "sequence", "position", "correlation_id")
    values = [{"consumer": CONSUMER} | {name: getattr(row, name) for name in names} for row in rows]
    connection.execute(upsert(_inbox).on_conflict_do_nothing(), values)


def keep_rejected(connection: Connection, kept: list[dict[str, Any]]) -> None:
    """Keep the bytes of refused messages beside the log."""
    if kept:
        connection.execute(insert(rejected), kept)


def unproven_quarantine(connection: Connection, limit: int = 100) -> list[Any]:
    """Return messages in quarantine of which no leaf speaks yet, as (id, headers, body, error)."""
    table = metadata.tables["quarantine"]
    query = select(table.c.id, table.c.headers, table.c.body, table.c.error).where(
        table.c.consumer == CONSUMER, ~select(events).where(events.c.event_id == table.c.id).exists()
    )
    return list(connection.execute(query.order_by(table.c.first_seen).limit(limit)))
