"""Tables and queries of agreements' documents and amendments."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, String, select

from services.grants.domain.amendment import AgreementText, Amendment
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

agreement = entity_table(
    "agreement",
    metadata,
    Column("application", String(80), nullable=False),
    Column("number", Integer, nullable=False),
    Index("agreement_case", "application", "number", unique=True),
)

amendment = entity_table(
    "amendment",
    metadata,
    Column("application", String(80), nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Index("amendment_case", "application", "number", unique=True),
)


def _agreement_columns(item: AgreementText) -> dict[str, Any]:
    return {"application": item.application, "number": item.number}


def _amendment_columns(item: Amendment) -> dict[str, Any]:
    return {"application": item.application, "number": item.number, "status": item.status}


def agreement_texts(uow: UnitOfWork) -> Repository[AgreementText]:
    """Return the versions of agreements of this transaction."""
    return Repository(uow, agreement, AgreementText, _agreement_columns)


def amendments(uow: UnitOfWork) -> Repository[Amendment]:
    """Return the amendments of this transaction."""
    return Repository(uow, amendment, Amendment, _amendment_columns)


def texts_of(connection: Connection, reference: str) -> list[AgreementText]:
    """Return the versions of an agreement, oldest first."""
    query = select(agreement).where(agreement.c.application == reference).order_by(agreement.c.number)
    return [AgreementText.stored(row["state"], row["version"]) for row in connection.execute(query).mappings()]


def amendments_of(connection: Connection, reference: str) -> list[Amendment]:
    """Return the amendments of an agreement, oldest first."""
    query = select(amendment).where(amendment.c.application == reference).order_by(amendment.c.number)
    return [Amendment.stored(row["state"], row["version"]) for row in connection.execute(query).mappings()]


def find_amendment(connection: Connection, amendment_id: str) -> Amendment | None:
    """Return an amendment to look at."""
    row = connection.execute(select(amendment).where(amendment.c.id == amendment_id)).mappings().one_or_none()
    return None if row is None else Amendment.stored(row["state"], row["version"])
