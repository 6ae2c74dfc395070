"""Saved views of the queue: a search under a name, one's own or for the programme's staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    RowMapping,
    String,
    Table,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from services.grants.storage.base import metadata

MOST = 100  # a person's own in one programme
saved_view = Table(
    "saved_view",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("programme", String(80), nullable=False),
    Column("owner", String(80), nullable=False),
    Column("owner_name", String(200), nullable=False),
    Column("name", String(60), nullable=False),
    Column("query", String(1000), nullable=False),
    Column("sort", String(20), nullable=False),
    Column("board", Boolean, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Index("saved_view_name", "programme", "owner", "name", unique=True),
)
c = saved_view.c


def views_for(connection: Connection, programme: str, user: str) -> list[RowMapping]:
    """Return a person's own views of a programme's queue and those that others share, by name."""
    query = select(saved_view).where(c.programme == programme, or_(c.owner == user, c.shared))
    return list(connection.execute(query.order_by(func.lower(c.name), c.id).limit(3 * MOST)).mappings())


def views_of(connection: Connection, programme: str, user: str) -> int:
    """Return how many views a person has in a programme."""
    query = select(func.count()).select_from(saved_view).where(c.programme == programme, c.owner == user)
    return int(connection.execute(query).scalar_one())


def find_view(connection: Connection, view_id: str) -> RowMapping | None:
    """Return a view."""
    return connection.execute(select(saved_view).where(c.id == view_id)).mappings().one_or_none()


def put_view(connection: Connection, values: Mapping[str, Any]) -> None:
    """Keep a view; one of the same name of the same person is replaced."""
    statement = insert(saved_view).values(**values)
    changed = {
        name: statement.excluded[name] for name in ("query", "sort", "board", "shared", "changed_at", "owner_name")
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["programme", "owner", "name"], set_=changed))


def drop_view(connection: Connection, view_id: str) -> None:
    """Forget a view."""
    connection.execute(delete(saved_view).where(c.id == view_id))
