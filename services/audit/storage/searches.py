"""Searches of the log that people made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from services.audit.storage.tables import metadata

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
