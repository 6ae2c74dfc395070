"""Who is writing a draft right now: a row for each person and case, renewed while their form is open."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, DateTime, RowMapping, String, Table, select
from sqlalchemy.dialects.postgresql import insert

from services.grants.storage.base import metadata

LASTS = timedelta(minutes=3)
editing = Table(
    "editing",
    metadata,
    Column("application", String(80), primary_key=True),
    Column("person", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
c = editing.c


def seen(connection: Connection, application: str, person: str, name: str, now: datetime) -> None:
    """Remember that a person has the form open."""
    statement = insert(editing).values(application=application, person=person, name=name, at=now)
    newer = {"name": statement.excluded.name, "at": statement.excluded.at}
    connection.execute(statement.on_conflict_do_update(index_elements=["application", "person"], set_=newer))


def others(connection: Connection, application: str, person: str, now: datetime) -> list[RowMapping]:
    """Return who else had the form open in the last minutes."""
    query = select(c.name, c.at).where(c.application == application, c.person != person, c.at > now - LASTS)
    return list(connection.execute(query.order_by(c.name)).mappings())
