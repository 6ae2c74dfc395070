"""The acts of a case, whole, for its dossier."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from services.audit.storage.tables import events

MOST = 20_000  # a case with more acts has its dossier by the export of its search
_COLUMNS = (
    "leaf_index", "event_id", "source", "type", "entity", "occurred_at", "actor_id", "actor_kind", "actor_name", "role",
    "organisation", "programme", "case", "outcome", "correlation_id", "causation_id", "body",
)  # fmt: skip
# What a programme was when a case began stands in no act of the case.
CALLS = ("portal.programme.loaded", "portal.call_draft.published")


def acts(connection: Connection, case: str, leaves: int | None = None) -> list[Any]:
    """Return up to MOST + 1 acts of a case, the oldest first; among the first `leaves` of the log, if that is given."""
    query = select(*(events.c[name] for name in _COLUMNS)).where(events.c["case"] == case)
    if leaves is not None:
        query = query.where(events.c.leaf_index < leaves)
    return list(connection.execute(query.order_by(events.c.leaf_index).limit(MOST + 1)).all())


def call_before(connection: Connection, programme: str, leaf: int) -> list[Any]:
    """Return by which act the programme's rules came that were in force at a leaf: the last one before it."""
    query = select(*(events.c[name] for name in _COLUMNS)).where(
        events.c.programme == programme, events.c.type.in_(CALLS), events.c.leaf_index < leaf
    )
    return list(connection.execute(query.order_by(events.c.leaf_index.desc()).limit(1)).all())
