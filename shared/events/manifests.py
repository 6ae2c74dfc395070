"""What each source tells regularly about what it has written, so that the record can find what never reached it."""

from __future__ import annotations

from typing import Any

from shared.events.base import Event


def _manifest(source: str) -> type[Event]:
    class ManifestPublished(Event):
        """A source says which events stand under which positions, and how many it ever recorded.

        Entity manifest:<source>.
        """

        TYPE = f"{source}.manifest.published"
        AUDIENCE = "record"
        first: int  # position
        last: int  # position; one less than `first` when nothing was written since
        events: int  # that the outbox has under these positions
        digest: str  # SHA-256 over "position id\n" of each, in their order
        recorded: int  # ever, as the counters of the entities say
        numbered: int  # the last position that was given
        waiting: int  # for a position
        deleted: int  # recorded, and neither numbered nor waiting: their rows are gone
        skew_ms: int = 0  # how far at most an event's own time is off the clock of the database that wrote it down

    ManifestPublished.__qualname__ = ManifestPublished.__name__ = f"{source.title()}ManifestPublished"
    return ManifestPublished


_MANIFESTS = {source: _manifest(source) for source in ("portal", "grants", "loans", "notifications", "audit")}
MANIFESTS = tuple(manifest.TYPE for manifest in _MANIFESTS.values())


def manifest_event(source: str) -> Any:
    """Return the event by which a source tells how far it has come."""
    return _MANIFESTS[source]
