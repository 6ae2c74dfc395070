"""Spans on their way to a collector: OpenTelemetry's SDK and OTLP over HTTP, imported only where it is configured.

Whoever ends a span only puts it into a bounded queue. One thread of the process (a greenlet in the worker) sends
small batches, so that neither a slow collector nor a dead one holds anybody up: what finds no room is dropped and
counted.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import Tracer as OtelTracer

from shared.observability import counter
from shared.telemetry import IDLE, Facts, Kind, Span, parse

log = structlog.get_logger(__name__)

EXPORTED = counter("spans_exported", "Spans that the collector has taken")
DROPPED = counter("spans_dropped", "Spans that were given up", "why")

WAITING = 4096  # spans in the queue
BATCH = 128  # spans a request: encoding them takes a few milliseconds, in which a worker does nothing else
_EVERY = 1.0  # seconds between requests while little happens
_TIMEOUT = 3.0  # seconds that a request may take, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise
_LINKS = 512  # a batch consumer takes up to 500 messages at once


class Outbound(SpanProcessor):
    """The bounded queue and the thread that empties it."""

    def __init__(self, exporter: SpanExporter, *, waiting: int = WAITING, batch: int = BATCH) -> None:
        self.exporter, self.waiting, self.batch = exporter, waiting, batch
        self._queue: deque[ReadableSpan] = deque()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._end: float | None = None
        self._under_way = 0
        self._failing = False
        threading.Thread(target=self._run, name="spans", daemon=True).start()

    def on_end(self, span: ReadableSpan) -> None:
        if not span.context.trace_flags.sampled or (span.attributes and span.attributes.get(IDLE)):
            return
        if len(self._queue) >= self.waiting:
            DROPPED.labels("queue").inc()
            return
        self._queue.append(span)
        if len(self._queue) == self.batch:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Send what waits, for at most so many seconds; the rest is dropped and counted."""
        self._end = time.monotonic() + seconds
        self._wake.set()
        self._ended.wait(seconds)
        if left := len(self._queue) + self._under_way:
            DROPPED.labels("end").inc(left)
            log.warning("spans were given up at the end", count=left)
        self.exporter.shutdown()

    def _run(self) -> None:
        while self._end is None:
            self._wake.wait(_EVERY)
            self._wake.clear()
            self._send()
        self._send()
        self._ended.set()

    def _send(self) -> None:
        while self._queue and (self._end is None or time.monotonic() < self._end):
            batch = [self._queue.popleft() for _ in range(min(self.batch, len(self._queue)))]
            self._under_way = len(batch)
            taken = self._export(batch)
            self._under_way = 0
            self._say(failing=not taken)
            if not taken:
                DROPPED.labels("collector").inc(len(batch))
                return  # the next try comes in a second; until then the queue takes what it can
            EXPORTED.inc(len(batch))
            time.sleep(0)  # in the worker: let others go on between two batches

    def _export(self, batch: Sequence[ReadableSpan]) -> bool:
        try:
            return self.exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - whatever a network can do to us, it stays in this thread
            log.warning("spans could not be sent", error=type(error).__name__)
            return False

    def _say(self, *, failing: bool) -> None:
        if failing is not self._failing:
            self._failing = failing
            log.warning("the collector takes no spans" if failing else "the collector takes spans again")


class ExportedSpan(Span):
    """A span of the SDK; its end hands it to the queue."""

    __slots__ = ("_finished", "span")

    def __init__(self, span: OtelSpan, correlation_id: UUID | str | None) -> None:
        context = span.get_span_context()
        flags = "01" if context.trace_flags.sampled else "00"
        super().__init__(f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags}", correlation_id)
        self.span = span
        self._finished: int | None = None
        if correlation_id is not None:
            span.set_attribute("tamga.correlation_id", str(correlation_id))

    @property
    def recording(self) -> bool:  # type: ignore[override]  # a fact of the class for spans that are not exported
        return self.span.is_recording()

    def note(self, facts: Facts) -> None:
        self.span.set_attributes(facts)

    def rename(self, name: str) -> None:
        self.span.update_name(name)

    def fail(self, error: BaseException | str) -> None:
        self.span.set_attribute("error.type", error if isinstance(error, str) else type(error).__qualname__)
        self.span.set_status(Status(StatusCode.ERROR))

    def finish(self) -> None:
        self._finished = time.time_ns()

    def end(self) -> None:
        self.span.end(self._finished)


class Exporter:
    """Makes spans: a tracer for each service, so that a viewer shows services also where one process runs them all."""

    def __init__(self, process: str, endpoint: str, *, exporter: SpanExporter | None = None) -> None:
        # Its word about every failed request would fill the log; we say once that it fails, and count.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self.outbound = Outbound(exporter or _exporter(endpoint))
        self._instance = f"{process}-{os.getpid()}"
        self._tracers: dict[str, OtelTracer] = {}

    def begin(
        self,
        service: str,
        name: str,
        *,
        kind: Kind,
        parent: str | None,
        links: Sequence[str],
        state: str | None,
        correlation_id: UUID | str | None,
    ) -> Span:
        """Begin a span of the SDK; see `shared.telemetry.begin`."""
        above = _context(parent, state)
        span = self._tracer(service).start_span(
            name,
            set_span_in_context(NonRecordingSpan(above)) if above else None,
            SpanKind[kind.upper()],
            links=[Link(context) for link in links if (context := _context(link))],
        )
        return ExportedSpan(span, correlation_id)

    def _tracer(self, service: str) -> OtelTracer:
        if service not in self._tracers:
            facts = {"service.name": service, "service.namespace": "tamga", "service.instance.id": self._instance}
            provider = TracerProvider(
                resource=Resource.create(facts), shutdown_on_exit=False, span_limits=SpanLimits(max_links=_LINKS)
            )
            provider.add_span_processor(self.outbound)
            self._tracers[service] = provider.get_tracer("tamga")
        return self._tracers[service]

    def close(self, seconds: float) -> None:
        """Export what waits and end."""
        self.outbound.close(seconds)


def _exporter(endpoint: str) -> SpanExporter:
    address = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None  # None: by the standard variables
    chosen = {"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"} & os.environ.keys()
    return OTLPSpanExporter(endpoint=address, timeout=None if chosen else _TIMEOUT)


def _context(traceparent: str | None, state: str | None = None) -> SpanContext | None:
    parts = parse(traceparent)
    if parts is None:
        return None
    trace, span, flags = parts
    return SpanContext(
        trace_id=int(trace, 16),
        span_id=int(span, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([state]) if state else None,
    )
