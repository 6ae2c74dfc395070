"""Tables and queries of closing checklists."""

from __future__ import annotations

from sqlalchemy import Column, Connection, String, select

from services.grants.domain.closeout import Closeout
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

closeout = entity_table("closeout", metadata, Column("programme", String(80), nullable=False))


def closeouts(uow: UnitOfWork) -> Repository[Closeout]:
    """Return the closing checklists of this transaction."""
    return Repository(uow, closeout, Closeout, lambda item: {"programme": item.programme})


def find_closeout(connection: Connection, reference: str) -> Closeout | None:
    """Return the answered checklist of a case, None while nothing is answered."""
    row = connection.execute(select(closeout).where(closeout.c.id == reference)).mappings().one_or_none()
    return Closeout.stored(row["state"], row["version"]) if row else None
