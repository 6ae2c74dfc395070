"""Searches of the log that people made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from services.audit.domain.saved import SavedSearch
from services.audit.storage.tables import metadata, saved_searches
from shared.database import Repository, UnitOfWork

_RECENT = 200  # events of this service among which a search is looked for again
_outbox = metadata.tables["outbox"]


def repeated(connection: Connection, actor: str, data: dict[str, Any], since: datetime) -> bool:
    """Say whether this person made this very search since then, as the newest events of this service tell."""
    newest = (
        select(_outbox.c.time, _outbox.c.type, _outbox.c.body)
        .order_by(_outbox.c["row"].desc())
        .limit(_RECENT)
        .subquery()
    )
    same = select(newest.c.time).where(
        newest.c.type == "audit.search.performed",
        newest.c.time > since,
        newest.c.body["actor"]["id"].astext == actor,
        newest.c.body["data"] == data,
    )
    return connection.execute(same.limit(1)).first() is not None


def repository(uow: UnitOfWork) -> Repository[SavedSearch]:
    """Return the saved searches."""
    return Repository(uow, saved_searches, SavedSearch, _columns)


def _columns(search: SavedSearch) -> dict[str, Any]:
    return {"owner": search.owner, "shared": search.shared, "dropped": search.dropped}


def count_of(connection: Connection, owner: str) -> int:
    """Return how many searches a person keeps."""
    own = select(func.count()).where(saved_searches.c.owner == owner, ~saved_searches.c.dropped)
    return int(connection.execute(own).scalar_one())


def seen(connection: Connection, person: str, most: int = 200) -> list[dict[str, Any]]:
    """Return the state of the searches that somebody sees, their own first, then by name."""
    table = saved_searches
    query = (
        select(table.c.state)
        .where(~table.c.dropped, or_(table.c.owner == person, table.c.shared))
        .order_by(table.c.owner != person, table.c.state["name"].astext, table.c.id)
    )
    return list(connection.execute(query.limit(most)).scalars())
