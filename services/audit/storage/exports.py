"""Exports that people asked for, and everything that a search shows, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from services.audit.domain.export import Export
from services.audit.domain.leaf import Row
from services.audit.storage.conditions import Filters, acting, conditions
from services.audit.storage.tables import checkpoints, events, exports
from shared.database import Repository, UnitOfWork

CHUNK = 1000
_COLUMNS = [events.c[name] for name in ("leaf_index", *Row._fields)]


def repository(uow: UnitOfWork) -> Repository[Export]:
    """Return the exports."""
    return Repository(uow, exports, Export, lambda item: {"by": item.by, "asked_at": item.asked_at})


def recent(connection: Connection, most: int = 50) -> list[Export]:
    """Return the newest exports."""
    query = select(exports.c.state, exports.c.version).order_by(exports.c.asked_at.desc()).limit(most)
    return [Export.stored(row.state, row.version) for row in connection.execute(query)]


def matches(connection: Connection, filters: Filters, leaves: int) -> Iterator[Any]:
    """Give every match among the first `leaves` leaves, the oldest first, through a cursor: memory does not grow.

    The conditions are those of the page, so that an export has what a search shows, all of it.
    """
    query = select(*_COLUMNS).where(*conditions(filters, acting(connection, filters)), events.c.leaf_index < leaves)
    streaming = {"stream_results": True, "max_row_buffer": CHUNK}
    with connection.execute(query.order_by(events.c.leaf_index), execution_options=streaming) as found:
        for part in found.partitions(CHUNK):
            yield from part


def past(connection: Connection, size: int, most: int) -> list[tuple[int, str]]:
    """Return (size, note) of up to `most` checkpoints before that size, spread over all of them, the newest first."""
    number = func.row_number().over(order_by=checkpoints.c.size.desc()) - 1
    older = select(checkpoints.c.size, number.label("number")).where(checkpoints.c.size < size).subquery()
    step = func.greatest(1, select(func.count()).select_from(older).scalar_subquery() / most)
    chosen = select(older.c.size).where(older.c.number % step == 0)
    query = select(checkpoints.c.size, checkpoints.c.note).where(checkpoints.c.size.in_(chosen))
    return [(row.size, row.note) for row in connection.execute(query.order_by(checkpoints.c.size.desc()).limit(most))]
