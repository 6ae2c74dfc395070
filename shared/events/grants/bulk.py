"""Acts on many cases at once: what was started, and what came of it. Each case's own events say what happened to it."""

from __future__ import annotations

from shared.events.base import Event


class BulkFact(Event):
    """What every event of an act on many cases says about it."""

    bulk_id: str
    programme: str
    act: str
    query: str
    rows: int


class BulkStarted(BulkFact):
    """Somebody started an act on many cases, having seen which of them can follow. Entity bulk:<id>."""

    TYPE = "grants.bulk.started"
    AUDIENCE = "record"
    expected: int


class BulkFinished(BulkFact):
    """Every case of it was tried, each in its own transaction."""

    TYPE = "grants.bulk.finished"
    AUDIENCE = "record"
    done: int
    refused: int
