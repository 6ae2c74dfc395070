"""The two events that every consuming service publishes about its quarantine."""

from __future__ import annotations

from typing import Any

from shared.events.base import Event


def _define(source: str) -> tuple[type[Event], type[Event]]:
    class QuarantineReplayed(Event):
        """Somebody handed a quarantined event back to its consumer. Entity quarantine:<id>."""

        TYPE = f"{source}.quarantine.replayed"
        AUDIENCE = "record"
        quarantine_id: str
        event_id: str | None
        event_type: str | None
        fingerprint: str

    class QuarantineDiscarded(Event):
        """Somebody decided that a quarantined event is left out for good. Entity quarantine:<id>."""

        TYPE = f"{source}.quarantine.discarded"
        AUDIENCE = "record"
        quarantine_id: str
        event_id: str | None
        event_type: str | None
        fingerprint: str
        reason: str

    for kind in (QuarantineReplayed, QuarantineDiscarded):
        kind.__qualname__ = kind.__name__ = f"{source.title()}{kind.__name__}"
    return QuarantineReplayed, QuarantineDiscarded


_EVENTS = {source: _define(source) for source in ("grants", "loans", "notifications", "audit")}


def quarantine_events(source: str) -> tuple[Any, Any]:
    """Return (replayed, discarded) of a consuming service."""
    return _EVENTS[source]
