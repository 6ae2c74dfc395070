"""Events as they were published, read back from the log: for whoever needs one that its source keeps no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection, select

from services.audit.storage.opening import Opener
from services.audit.storage.subjects import subjects_of
from services.audit.storage.tables import events
from shared.events import Envelope
from shared.events.envelope import Body
from shared.settings import settings

_SAME = (
    "source", "type", "version", "entity", "sequence", "position", "correlation_id", "causation_id", "traceparent",
    "programme", "case", "outcome",
)  # fmt: skip


def envelopes(connection: Connection, ids: Sequence[UUID]) -> Iterator[Envelope]:
    """Yield those of the events that are in the log."""
    opener = Opener(subjects_of(settings()))
    columns = (events.c.event_id, events.c.occurred_at, events.c.body, *(events.c[name] for name in _SAME))
    for row in connection.execute(select(*columns).where(events.c.event_id.in_(list(ids)))).mappings():
        same = {name: row[name] for name in _SAME}
        body = opener.body(row["body"], row["event_id"])
        yield Envelope(id=row["event_id"], time=row["occurred_at"], body=Body.model_validate(body), **same)
