"""Since when the log is not signed, and why: one open row at a time."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    String,
    Table,
    Uuid,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from services.audit.storage.tables import metadata

troubles = Table(
    "signing_trouble",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),  # refused | silent
    Column("reason", String(400), nullable=False),
    Column("signed", BigInteger, nullable=False),  # up to which entry, when it began
    Column("size", BigInteger, nullable=False),  # of the log, when it began
    Column("since", DateTime(timezone=True), nullable=False),
    Column("told", Boolean, nullable=False),  # whether it is on record
    Column("ended_at", DateTime(timezone=True)),
    info={"app_may": "SELECT, INSERT, UPDATE"},
)
Index("signing_trouble_open", troubles.c.since, postgresql_where=sql("ended_at IS NULL"))


class Trouble(NamedTuple):
    """The log is not being signed."""

    id: UUID
    kind: str
    reason: str
    signed: int
    size: int
    since: datetime
    told: bool


def present(connection: Connection) -> Trouble | None:
    """Return what keeps the log from being signed now, if anything does."""
    columns = [troubles.c[name] for name in Trouble._fields]
    row = connection.execute(select(*columns).where(troubles.c.ended_at.is_(None)).limit(1)).first()
    return Trouble(*row) if row else None


def add(connection: Connection, trouble: Trouble) -> None:
    """Note that signing has stopped."""
    connection.execute(insert(troubles), trouble._asdict())


def tell(connection: Connection, trouble_id: UUID) -> None:
    """Note that it is on record now."""
    connection.execute(update(troubles).where(troubles.c.id == trouble_id).values(told=True))


def end(connection: Connection, trouble_id: UUID, at: datetime) -> None:
    """Note that the log is being signed again, or fails to be for another reason."""
    connection.execute(update(troubles).where(troubles.c.id == trouble_id).values(ended_at=at))
