"""Acts on many cases in SQL: the act, its rows, and how the next row is taken so that each is done exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.grants.domain.bulk import Bulk
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from services.grants.storage.reads import LISTED
from shared.database import Repository, UnitOfWork, entity_table
from shared.engine import ask

bulk = entity_table(
    "bulk",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("owner", String(80), nullable=False),
    Column("status", String(20), nullable=False),
    Index("bulk_programme", "programme", "id"),
    Index("bulk_running", "id", postgresql_where=text("status = 'running'")),
)

# state: waiting, done, refused. `foreseen` is what the dry run said, `said` what came of it.
bulk_row = Table(
    "bulk_row",
    metadata,
    Column("bulk", String(80), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("reference", String(80), nullable=False),
    Column("title", String(200), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("command", JSONB, nullable=False),
    Column("foreseen", JSONB, nullable=False),
    Column("state", String(20), nullable=False),
    Column("said", JSONB, nullable=False),
    Column("at", DateTime(timezone=True)),
    Index("bulk_row_waiting", "bulk", "number", postgresql_where=text("state = 'waiting'")),
)
b, r = bulk.c, bulk_row.c
LATEST = 30

# The row is taken and marked by one statement, and its owner's present roles come with it. A transaction that does
# not commit leaves the row waiting, and two processes never take the same one.
_TAKE = """
UPDATE bulk_row AS taken SET state = 'done', said = '[]', at = %(now)s
FROM (SELECT bulk, number FROM bulk_row WHERE bulk = %(bulk)s AND state = 'waiting' ORDER BY number LIMIT 1
      FOR UPDATE SKIP LOCKED) AS next
LEFT JOIN person p ON p.id = %(owner)s
WHERE taken.bulk = next.bulk AND taken.number = next.number
RETURNING taken.number, taken.reference, taken.version, taken.command, p.active, p.roles, p.programmes, p.organisation
"""
_TAKEN = ("number", "reference", "version", "command", "active", "roles", "programmes", "organisation")


def _columns(item: Bulk) -> dict[str, Any]:
    return {"programme": item.programme, "owner": item.owner, "status": item.status}


def bulks(uow: UnitOfWork) -> Repository[Bulk]:
    """Return the acts on many cases of this transaction."""
    return Repository(uow, bulk, Bulk, _columns)


def find_bulk(connection: Connection, bulk_id: str) -> Bulk | None:
    """Return an act on many cases to look at."""
    row = connection.execute(select(bulk).where(b.id == bulk_id)).mappings().one_or_none()
    return None if row is None else Bulk.stored(row["state"], row["version"])


def latest_bulks(connection: Connection, programmes: Sequence[str]) -> list[Bulk]:
    """Return the latest acts on many cases of these programmes that were not thrown away, newest first."""
    query = select(bulk).where(b.programme.in_(programmes), b.status != "discarded").order_by(b.id.desc()).limit(LATEST)
    rows = connection.execute(query).mappings()
    return [Bulk.stored(row["state"], row["version"]) for row in rows]


def of_panel(connection: Connection, programme: str, panel: str) -> list[Bulk]:
    """Return the acts that carry out what a panel recommends and were not thrown away, newest first."""
    query = select(bulk).where(b.programme == programme, b.status != "discarded", b.state["panel"].astext == panel)
    rows = connection.execute(query.order_by(b.id.desc())).mappings()
    return [Bulk.stored(row["state"], row["version"]) for row in rows]


def running(connection: Connection) -> list[str]:
    """Return the ids of what is to be carried on, oldest first."""
    return list(connection.execute(select(b.id).where(b.status == "running").order_by(b.id)).scalars())


def put_rows(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows of a plan."""
    if rows:
        connection.execute(insert(bulk_row), list(rows))


def take(connection: Connection, bulk_id: str, owner: str, now: datetime) -> dict[str, Any] | None:
    """Take the next row and mark it as done in this transaction; None when none waits that nobody else has."""
    values = {"bulk": bulk_id, "owner": owner, "now": now}
    row = ask(connection, _TAKE, values).fetchone()
    return None if row is None else dict(zip(_TAKEN, row, strict=True))


def refuse(connection: Connection, bulk_id: str, number: int, said: list[dict[str, Any]]) -> None:
    """Mark a row that this transaction took as refused."""
    connection.execute(update(bulk_row).where(r.bulk == bulk_id, r.number == number).values(state="refused", said=said))


def counts(connection: Connection, bulk_id: str) -> dict[str, int]:
    """Return how many rows are in which state."""
    query = select(r.state, func.count()).where(r.bulk == bulk_id).group_by(r.state)
    return {row.state: row[1] for row in connection.execute(query)}


def rows_of(connection: Connection, bulk_id: str, *, after: int = 0, limit: int = 50) -> list[RowMapping]:
    """Return `limit + 1` rows: in their order, those that can not follow first (they were numbered so)."""
    place = bulk_row.c.number
    query = select(bulk_row).where(r.bulk == bulk_id, place > after).order_by(place).limit(limit + 1)
    return list(connection.execute(query).mappings())


def chosen(connection: Connection, programme: str, references: Sequence[str]) -> list[RowMapping]:
    """Return the rows of the queue of these applications of one programme, by reference."""
    c = t.application.c
    query = select(*LISTED).where(c.programme == programme, c.id.in_(references)).order_by(c.id)
    return list(connection.execute(query).mappings())


def reasons_counted(connection: Connection, bulk_id: str, column: str) -> list[tuple[Any, int]]:
    """Return (what was said, how often) of the rows of which something was said: `column` is foreseen or said."""
    said = bulk_row.c[column]
    query = select(said, func.count()).where(r.bulk == bulk_id, said != text("'[]'::jsonb")).group_by(said)
    return [(row[0], row[1]) for row in connection.execute(query.order_by(func.count().desc()).limit(20))]
