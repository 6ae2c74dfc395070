"""Who stands in for whom: copied from grants, so that both are told."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Connection, Date, DateTime, Index, String, Table, or_, select
from sqlalchemy.dialects.postgresql import insert

from services.notifications.storage.base import metadata

standin = Table(
    "standin",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("programme", String(80), nullable=False),
    Column("role", String(40), nullable=False),
    Column("delegator", String(80), nullable=False),
    Column("delegate", String(80), nullable=False),
    Column("first_day", Date, nullable=False),  # local days, both inclusive
    Column("last_day", Date, nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Index("standin_programme", "programme", "last_day"),
)
c = standin.c


def keep_standin(connection: Connection, known: dict[str, Any]) -> None:
    """Keep what was learned of a standing in, whole."""
    statement = insert(standin).values(**known)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=known))


def end_standin(connection: Connection, standin_id: str, at: datetime) -> None:
    """Remember that a standing in was ended before its last day."""
    connection.execute(standin.update().where(c.id == standin_id).values(ended_at=at))


def standins_on(connection: Connection, programme: str, day: date, now: datetime) -> list[tuple[str, str, str]]:
    """Return (who is away, role, who acts) of a programme on a local day."""
    there = (
        c.programme == programme,
        c.first_day <= day,
        c.last_day >= day,
        or_(c.ended_at.is_(None), c.ended_at > now),
    )
    rows = connection.execute(select(c.delegator, c.role, c.delegate).where(*there).order_by(c.id))
    return [(row.delegator, row.role, row.delegate) for row in rows]
