"""Tables and queries of appeals."""

from __future__ import annotations

from sqlalchemy import Column, Connection, String, select

from services.grants.domain.appeal import Appeal
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

appeal = entity_table("appeal", metadata, Column("programme", String(80), nullable=False))


def appeals(uow: UnitOfWork) -> Repository[Appeal]:
    """Return the appeals of this transaction."""
    return Repository(uow, appeal, Appeal, lambda item: {"programme": item.programme})


def find_appeal(connection: Connection, reference: str) -> Appeal | None:
    """Return the appeal of a case, None without one."""
    row = connection.execute(select(appeal).where(appeal.c.id == reference)).mappings().one_or_none()
    return Appeal.stored(row["state"], row["version"]) if row else None
