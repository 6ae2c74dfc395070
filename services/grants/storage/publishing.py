"""Tables and queries of publishing: concluded agreements with their organisations, and the files that went out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, Index, Integer, Row, String, func, select

from services.grants.domain.publishing import Publication, Statement
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from services.grants.storage.cofinancing import cofinancing
from shared.database import Repository, UnitOfWork, entity_table

CHUNK = 200
PAST = 100

publication = entity_table(
    "publication",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("format", String(20), nullable=False),
    Column("number", Integer, nullable=False),
    Index("publication_number", "programme", "format", "number", unique=True),
)
publisher = entity_table("publisher", metadata)


def _columns(item: Publication) -> dict[str, Any]:
    return {"programme": item.programme, "format": item.format, "number": item.number}


def publications(uow: UnitOfWork) -> Repository[Publication]:
    """Return the publications of this transaction."""
    return Repository(uow, publication, Publication, _columns)


def statements(uow: UnitOfWork) -> Repository[Statement]:
    """Return what programmes state of themselves, in this transaction."""
    return Repository(uow, publisher, Statement)


def find_statement(connection: Connection, programme: str) -> Statement | None:
    """Return what a programme's staff stated, to look at."""
    row = connection.execute(select(publisher).where(publisher.c.id == programme)).mappings().one_or_none()
    return None if row is None else Statement.model_validate(row["state"] | {"version": row["version"]})


def find_publication(connection: Connection, publication_id: str) -> Publication | None:
    """Return a publication to look at."""
    row = connection.execute(select(publication).where(publication.c.id == publication_id)).mappings().one_or_none()
    return None if row is None else Publication.model_validate(row["state"] | {"version": row["version"]})


def publications_of(connection: Connection, programme: str, format_: str, limit: int = PAST) -> list[Publication]:
    """Return a programme's publications in a format, the last first."""
    c = publication.c
    query = select(c.state, c.version).where(c.programme == programme, c.format == format_)
    rows = connection.execute(query.order_by(c.number.desc()).limit(limit))
    return [Publication.model_validate(row.state | {"version": row.version}) for row in rows]


def one_at_a_time(connection: Connection, programme: str, format_: str) -> None:
    """Wait until nobody else publishes this; the lock ends with the transaction."""
    connection.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"publication {programme} {format_}", 0)))
    )


def awards_concluded(connection: Connection, programme: str) -> Iterator[Row[Any]]:
    """Give (award, application, changed_at, id, name, country of the organisation) of each concluded agreement."""
    a, o = t.award.c, t.organisation.c
    query = (
        select(
            a.state.label("award"),
            a.updated_at.label("changed_at"),
            t.application.c.state.label("application"),
            t.application.c.updated_at.label("moved_at"),
            o.country,
        )
        .join(t.application, t.application.c.id == a.id)
        .join(t.organisation, o.id == t.application.c.organisation, isouter=True)
        .where(a.programme == programme, a.concluded_at.is_not(None))
        .order_by(a.id)
    )
    yield from _streamed(connection, query)


def cofinancings_agreed(connection: Connection, programme: str) -> Iterator[Row[Any]]:
    """Give (case, changed_at, country of the firm) of each co-financing that has terms; not all are agreed yet."""
    c, o = cofinancing.c, t.organisation.c
    query = (
        select(c.state.label("case"), c.updated_at.label("changed_at"), o.country)
        .join(t.organisation, o.id == c.organisation, isouter=True)
        .where(c.programme == programme, c.programme_share.is_not(None))
        .order_by(c.id)
    )
    yield from _streamed(connection, query)


def _streamed(connection: Connection, query: Any) -> Iterator[Row[Any]]:
    streaming = {"stream_results": True, "max_row_buffer": CHUNK}
    with connection.execute(query, execution_options=streaming) as result:
        yield from result
