"""What witnesses signed of the log's checkpoints."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, DateTime, String, Table, Text, select
from sqlalchemy.dialects.postgresql import insert as upsert

from services.audit.storage.tables import APPEND_ONLY, checkpoints, metadata

cosignatures = Table(
    "cosignature",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(120), primary_key=True),  # the name in the policy
    Column("line", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    info=APPEND_ONLY,
)


class Cosigned(NamedTuple):
    """A checkpoint, and the line by which a witness signed it."""

    size: int
    witness: str
    note: str
    line: str


def add(connection: Connection, size: int, witness: str, line: str, at: datetime) -> None:
    """Keep a witness's signature; the same again says the same."""
    values = {"size": size, "witness": witness, "line": line, "at": at}
    connection.execute(upsert(cosignatures).on_conflict_do_nothing(), values)


def witnessed(connection: Connection, size: int) -> set[str]:
    """Return who has signed the checkpoint of a size."""
    return set(connection.execute(select(cosignatures.c.witness).where(cosignatures.c.size == size)).scalars())


def newest(connection: Connection, limit: int = 100) -> list[Cosigned]:
    """Return the newest signatures of witnesses with the notes that they are of, the largest sizes first."""
    query = (
        select(cosignatures.c.size, cosignatures.c.witness, checkpoints.c.note, cosignatures.c.line)
        .join(checkpoints, checkpoints.c.size == cosignatures.c.size)
        .order_by(cosignatures.c.size.desc())
        .limit(limit)
    )
    return [Cosigned(*row) for row in connection.execute(query)]
