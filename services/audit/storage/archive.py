"""Events as they were published, read back from the log: for whoever needs one that its source keeps no more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection, select

from services.audit.storage.tables import events
from shared.events import Envelope

_SAME = (
    "source", "type", "version", "entity", "sequence", "position", "correlation_id", "causation_id", "traceparent",
    "programme", "case", "outcome",
)  # fmt: skip


def envelopes(connection: Connection, ids: Sequence[UUID]) -> Iterator[Envelope]:
    """Yield those of the events that are in the log."""
    columns = (events.c.event_id, events.c.occurred_at, events.c.body, *(events.c[name] for name in _SAME))
    for row in connection.execute(select(*columns).where(events.c.event_id.in_(list(ids)))).mappings():
        same = {name: row[name] for name in _SAME}
        yield Envelope(id=row["event_id"], time=row["occurred_at"], body=json.loads(row["body"]), **same)
