"""Figures of what relays and consumers do, taken where their spans begin and end.

Labels are our own words: services and types of events that this release knows, never an id or a reference.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Self

from shared.events import event_types
from shared.observability import counter, histogram
from shared.telemetry import Facts, Span

BATCH = "batch"  # in place of a type: events of many that one transaction takes in
_OTHER = "unknown"  # a type that this release does not know: whoever may publish could invent any number
_SECONDS = (0.002, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
_LAG = (0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0, 3600.0)

HANDLING = histogram(
    "event_handling_seconds", "Time a handler took, as far as its transaction", "consumer", "type", buckets=_SECONDS
)
FAILED = counter("event_attempts_failed", "Attempts to handle an event that failed", "consumer", "type")
LAG = histogram("event_lag_seconds", "From the act to its effect at a consumer", "consumer", buckets=_LAG)
PUBLISHING = histogram("publish_seconds", "From handing a batch to the broker to its confirm", "source")
PUBLISHED = counter("events_published", "Events that a relay handed to the broker", "source")
UNCONFIRMED = counter("publish_failures", "Batches that the broker did not confirm", "source")

_handling: dict[tuple[str, str], Any] = {}  # looking a label up takes longer than to count


class _Timed(Span):
    """A span that also knows how long it took; everything else is the span's within."""

    __slots__ = ("_began", "_failed", "_seconds", "_within")

    def __init__(self, within: Span) -> None:
        super().__init__(within.traceparent, within.correlation_id)
        self._within, self._began, self._failed = within, time.perf_counter(), False
        self._seconds: float | None = None

    @property
    def recording(self) -> bool:  # type: ignore[override]  # what the span within says
        return self._within.recording

    def note(self, facts: Facts) -> None:
        self._within.note(facts)

    def rename(self, name: str) -> None:
        self._within.rename(name)

    def fail(self, error: BaseException | str) -> None:
        self._failed = True
        self._within.fail(error)

    def finish(self) -> None:
        self._seconds = time.perf_counter() - self._began
        self._within.finish()

    def end(self) -> None:
        if self._seconds is None:
            self._seconds = time.perf_counter() - self._began
        self.measured(self._seconds, failed=self._failed)
        self._within.end()

    def __enter__(self) -> Self:
        self._within.__enter__()
        return self

    def leave(self) -> None:
        self._within.leave()

    def measured(self, seconds: float, *, failed: bool) -> None:
        """Put the work that is over into the figures."""


class Handling(_Timed):
    """The handling of an event, or of many at once."""

    __slots__ = ("_consumer", "_type", "_when")

    def __init__(self, within: Span, consumer: str, kind: str, when: datetime) -> None:
        super().__init__(within)
        self._consumer, self._type, self._when = consumer, kind, when

    def measured(self, seconds: float, *, failed: bool) -> None:
        took, failures, lag = _of(self._consumer, self._type)
        if failed:
            failures.inc()
            return
        took.observe(seconds)
        lag.observe(max(0.0, time.time() - self._when.timestamp()))


def _of(consumer: str, kind: str) -> Any:
    found = _handling.get((consumer, kind))
    if found is None:
        known = kind == BATCH or any(kind == name for name, _ in event_types())
        name = kind if known else _OTHER
        found = HANDLING.labels(consumer, name), FAILED.labels(consumer, name), LAG.labels(consumer)
        if known:
            _handling[consumer, kind] = found
    return found


class Publishing(_Timed):
    """The way of a batch to the broker and of its confirm back."""

    __slots__ = ("_count", "_source")

    def __init__(self, within: Span, source: str, count: int) -> None:
        super().__init__(within)
        self._source, self._count = source, count

    def measured(self, seconds: float, *, failed: bool) -> None:
        if failed:
            UNCONFIRMED.labels(self._source).inc()
            return
        PUBLISHING.labels(self._source).observe(seconds)
        PUBLISHED.labels(self._source).inc(self._count)
