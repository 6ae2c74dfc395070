"""What operators do to the log of events itself, and to what is built from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.events.base import Event


def _outbox(source: str) -> type[Event]:
    class OutboxDropped(Event):
        """A month of published events, older than the time for which they are kept, left the outbox.

        Entity outbox:<partition>. The events stay in the audit log.
        """

        TYPE = f"{source}.outbox.dropped"
        AUDIENCE = "record"
        partition: str
        first_at: datetime
        last_at: datetime
        events: int
        kept_months: int

    return _named(source, OutboxDropped)


def _projection(source: str) -> type[Event]:
    class ProjectionRebuilt(Event):
        """A local copy was built anew from events and compared, and put in the place of the live one if `swapped`.

        Entity projection:<name>. Counts are rows: only in the live copy, only in the new one, different in both.
        """

        TYPE = f"{source}.projection.rebuilt"
        AUDIENCE = "record"
        projection: str
        events: int
        rows: int
        only_live: int
        only_rebuilt: int
        different: int
        swapped: bool

    return _named(source, ProjectionRebuilt)


def _named(source: str, kind: type[Event]) -> type[Event]:
    kind.__qualname__ = kind.__name__ = f"{source.title()}{kind.__name__}"
    return kind


_DROPPED = {source: _outbox(source) for source in ("portal", "grants", "loans", "notifications", "audit")}
_REBUILT = {source: _projection(source) for source in ("grants", "loans", "notifications")}


def outbox_dropped(source: str) -> Any:
    """Return the event of a publishing service."""
    return _DROPPED[source]


def projection_rebuilt(source: str) -> Any:
    """Return the event of a service that has projections."""
    return _REBUILT[source]
