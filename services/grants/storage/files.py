"""Every row of a list, through a cursor in the database: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from services.grants.domain.award import Award
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.review import Review
from services.grants.storage import tables as t
from services.grants.storage.cofinancing import cofinancing

CHUNK = 200


def awards(connection: Connection, programme: str) -> Iterator[Award]:
    """Give every award of a programme whose agreement is concluded, by reference."""
    c = t.award.c
    query = select(c.state).where(c.programme == programme, c.concluded_at.is_not(None)).order_by(c.id)
    for row in _streamed(connection, query):
        yield Award.model_validate(row.state)


def reviews(connection: Connection, programme: str) -> Iterator[Review]:
    """Give every review of a programme's applications."""
    c = t.review.c
    query = select(c.state).join(t.application, t.application.c.id == c.application)
    query = query.where(t.application.c.programme == programme).order_by(c.application, c.id)
    for row in _streamed(connection, query):
        yield Review.model_validate(row.state)


def reviews_of(connection: Connection, reviewer: str) -> Iterator[Review]:
    """Give every review that was asked of a person."""
    c = t.review.c
    for row in _streamed(connection, select(c.state).where(c.reviewer == reviewer).order_by(c.status, c.id)):
        yield Review.model_validate(row.state)


def cofinancings(
    connection: Connection, *, programme: str | None = None, organisation: str | None = None
) -> Iterator[CoFinancing]:
    """Give every co-financing of a programme, or of a firm, by reference."""
    c = cofinancing.c
    query = select(c.state).order_by(c.id)
    query = query.where(c.programme == programme) if programme else query.where(c.organisation == (organisation or ""))
    for row in _streamed(connection, query):
        yield CoFinancing.model_validate(row.state)


def _streamed(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    streaming = {"stream_results": True, "max_row_buffer": CHUNK}
    with connection.execute(query, execution_options=streaming) as result:
        yield from result
