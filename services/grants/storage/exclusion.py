"""Tables and queries of exclusion lists and of what was found on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, RowMapping, String, Table, func, select, text

from services.grants.domain.application import Application
from services.grants.domain.exclusion import ExclusionList, Screening
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

MOST_LISTS = 100
exclusion_list = entity_table("exclusion_list", metadata, Column("name", String(200), nullable=False))
# One row for each name that an entry is known by; every version of every list is kept.
exclusion_entry = Table(
    "exclusion_entry",
    metadata,
    Column("list", String(80), primary_key=True),
    Column("list_version", Integer, primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("variant", Integer, primary_key=True),
    Column("name", String(300), nullable=False),
    Column("key", String(300), nullable=False),
    Column("number", String(80), nullable=False),
    Column("note", String(500), nullable=False),
    Column("fingerprint", String(64), nullable=False),
)
screening = entity_table(
    "screening",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("open_hits", Integer, nullable=False),
    Column("same_hits", Integer, nullable=False),
    Index("screening_open", "programme", "id", postgresql_where=text("open_hits > 0")),
)
e = exclusion_entry.c


def lists(uow: UnitOfWork) -> Repository[ExclusionList]:
    """Return the exclusion lists."""
    return Repository(uow, exclusion_list, ExclusionList, lambda item: {"name": item.name})


def screenings(uow: UnitOfWork) -> Repository[Screening]:
    """Return what was found on the lists, by case."""
    return Repository(
        uow,
        screening,
        Screening,
        lambda item: {
            "programme": item.programme,
            "open_hits": item.count("open"),
            "same_hits": item.count("same"),
        },
    )


def all_lists(connection: Connection) -> list[ExclusionList]:
    """Return the lists with their versions, by name."""
    query = select(exclusion_list).order_by(exclusion_list.c.name, exclusion_list.c.id).limit(MOST_LISTS)
    rows = connection.execute(query).mappings()
    return [ExclusionList.stored(row["state"], row["version"]) for row in rows]


def find_screening(connection: Connection, reference: str) -> Screening | None:
    """Return what was found of a case."""
    row = connection.execute(select(screening).where(screening.c.id == reference)).mappings().one_or_none()
    return Screening.stored(row["state"], row["version"]) if row else None


def put_entries(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep the entries of a version."""
    connection.execute(exclusion_entry.insert(), list(rows))


def entries(connection: Connection, list_id: str, version: int) -> list[RowMapping]:
    """Return all names of a version of a list."""
    query = select(exclusion_entry).where(e.list == list_id, e.list_version == version)
    return list(connection.execute(query.order_by(e.row, e.variant)).mappings())


def fingerprints(connection: Connection, list_id: str, version: int) -> set[str]:
    """Return what the entries of a version are known by."""
    query = select(e.fingerprint).where(e.list == list_id, e.list_version == version)
    return set(connection.execute(query).scalars())


def live(connection: Connection) -> Iterable[Application]:
    """Give the applications that are handed in and not at their end."""
    query = select(t.application.c.state, t.application.c.version).where(t.application.c.is_open)
    for row in connection.execute(query.order_by(t.application.c.id)):
        yield Application.stored(row.state, row.version)


def waiting(connection: Connection, programmes: Sequence[str], limit: int = 200) -> list[Screening]:
    """Return the cases of these programmes with hits to be decided."""
    c = screening.c
    query = select(screening).where(c.programme.in_(programmes), c.open_hits > 0).order_by(c.id).limit(limit)
    rows = connection.execute(query).mappings()
    return [Screening.stored(row["state"], row["version"]) for row in rows]


def applicants_of(connection: Connection, organisation: str) -> list[str]:
    """Return the names of the people who act for an organisation."""
    c = t.person.c
    query = select(c.name).where(c.organisation == organisation, c.roles.contains(["applicant"]))
    return list(connection.execute(query.order_by(c.name)).scalars())


def how_many(connection: Connection, list_id: str, version: int) -> int:
    """Return how many names a version has."""
    query = select(func.count()).where(e.list == list_id, e.list_version == version)
    return int(connection.execute(query).scalar_one())
