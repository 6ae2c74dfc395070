"""Table and queries of partners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Column, Connection, RowMapping, String, select

from services.grants.domain.partnership import Partnership
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

partnership = entity_table("partnership", metadata, Column("programme", String(80), nullable=False))


def partnerships(uow: UnitOfWork) -> Repository[Partnership]:
    """Return the partnerships of this transaction."""
    return Repository(uow, partnership, Partnership, lambda item: {"programme": item.programme})


def find_partnership(connection: Connection, reference: str) -> Partnership | None:
    """Return who carries a project out with the applicant."""
    row = connection.execute(select(partnership).where(partnership.c.id == reference)).mappings().one_or_none()
    return Partnership.stored(row["state"], row["version"]) if row else None


def partnerships_of(connection: Connection, references: Sequence[str]) -> dict[str, Partnership]:
    """Return who carries out several projects with their applicants."""
    rows = connection.execute(select(partnership).where(partnership.c.id.in_(references))).mappings()
    return {row["id"]: Partnership.stored(row["state"], row["version"]) for row in rows}


def partnerships_in(connection: Connection, programme: str) -> Iterator[tuple[str, Partnership]]:
    """Give the partnerships of a programme by their case."""
    query = select(partnership).where(partnership.c.programme == programme)
    for row in connection.execute(query).mappings():
        yield row["id"], Partnership.stored(row["state"], row["version"])


def organisations_in(connection: Connection, country: str) -> list[RowMapping]:
    """Return the organisations of a country that have a registration number."""
    c = t.organisation.c
    query = select(c.id, c.name, c.registration_number)
    query = query.where(c.country == country, c.registration_number.is_not(None))
    return list(connection.execute(query.order_by(c.id).limit(5000)).mappings())
