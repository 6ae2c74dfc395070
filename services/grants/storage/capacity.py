"""Table and queries of capacity assessments."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Index, String, select

from services.grants.domain.capacity import Capacity
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

capacity = entity_table(
    "capacity",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    # The questions of one's own finished assessment; null of one that is unfinished or taken over.
    Column("finished_sheet", String(60)),
    Index("capacity_organisation", "organisation", "programme", "finished_sheet"),
)


def _columns(item: Capacity) -> dict[str, Any]:
    own = item.result is not None and item.source is None
    return {
        "programme": item.programme,
        "organisation": item.organisation,
        "finished_sheet": item.sheet if own else None,
    }


def capacities(uow: UnitOfWork) -> Repository[Capacity]:
    """Return the assessments of this transaction."""
    return Repository(uow, capacity, Capacity, _columns)


def find_capacity(connection: Connection, reference: str) -> Capacity | None:
    """Return the assessment of a case."""
    row = connection.execute(select(capacity).where(capacity.c.id == reference)).mappings().one_or_none()
    return Capacity.stored(row["state"], row["version"]) if row else None


def earlier_of(connection: Connection, reference: str, organisation: str, programme: str, sheet: str) -> list[Capacity]:
    """Return the newest assessments that were made of an organisation for its other applications."""
    c = capacity.c
    query = select(capacity).where(c.organisation == organisation, c.programme == programme)
    query = query.where(c.finished_sheet == sheet, c.id != reference)
    rows = connection.execute(query.order_by(c.state["result"]["at"].astext.desc()).limit(5)).mappings()
    return [Capacity.stored(row["state"], row["version"]) for row in rows]
