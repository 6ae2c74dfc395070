"""Which trace a stretch of work belongs to (W3C Trace Context), and spans of it when a collector is configured.

Nothing of OpenTelemetry is imported, and a span costs some two microseconds, until `start` is given an endpoint.
Spans carry kinds and references, never what identifies a person; of an error they carry its type alone.
"""

from __future__ import annotations

import importlib
import os
import random
import re
from collections.abc import Mapping, MutableMapping, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Literal, Protocol, Self
from uuid import UUID

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Facts = Mapping[str, str | int | bool]
IDLE = "tamga.idle"  # a span with this fact had nothing to do and is not worth exporting

_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)


def parse(traceparent: str | None) -> tuple[str, str, str] | None:
    """Return (trace id, span id, flags) of a valid traceparent, else None."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or (found["more"] and found["version"] == "00"):  # versions to come may add fields
        return None
    return found["trace"], found["span"], found["flags"]


def trace_id(traceparent: str | None) -> str | None:
    """Return the id of the trace that a traceparent names."""
    parts = parse(traceparent)
    return parts[0] if parts else None


def continued(traceparent: str | None) -> str:
    """Return the traceparent of a new span: below the one given if that is valid, else at the root of a new trace."""
    parts = parse(traceparent)
    trace, flags = (parts[0], parts[2]) if parts else (f"{random.getrandbits(128) | 1:032x}", "01")
    return f"00-{trace}-{random.getrandbits(64) | 1:016x}-{flags}"


def root() -> str:
    """Return the traceparent of an act that nothing led to: all that it sets off is one trace."""
    return continued(None)


class Span:
    """A stretch of work; within `with`, logs name its trace. This kind is not exported anywhere.

    `traceparent` is what the work's own effects carry. `recording` says whether `note` is worth preparing facts for.
    """

    __slots__ = ("_token", "correlation_id", "traceparent")
    recording = False

    def __init__(self, traceparent: str, correlation_id: UUID | str | None = None) -> None:
        self.traceparent, self.correlation_id = traceparent, correlation_id
        self._token: Token[Span | None] | None = None

    def note(self, facts: Facts) -> None:
        """Add facts: kinds, codes, references."""

    def rename(self, name: str) -> None:
        """Give the span the name that is known only now."""

    def fail(self, error: BaseException | str) -> None:
        """Mark the work as failed: by a code, or by the error's type, for its message may tell of a person."""

    def finish(self) -> None:
        """Remember that the work is over; whether it holds is known at `end`."""

    def end(self) -> None:
        """Hand the span over for export."""

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.leave()
        if error is not None:
            self.fail(error)
        self.end()

    def leave(self) -> None:
        """Let logs name the trace no more."""
        if self._token is not None:
            _current.reset(self._token)
            self._token = None


class Exporting(Protocol):
    """What makes spans that are exported, and can be ended."""

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
    ) -> Span: ...

    def close(self, seconds: float) -> None: ...


_current: ContextVar[Span | None] = ContextVar("span", default=None)
_exporting: Exporting | None = None


def begin(
    service: str,
    name: str,
    *,
    kind: Kind = "internal",
    parent: str | None = None,
    links: Sequence[str] = (),
    state: str | None = None,
    correlation_id: UUID | str | None = None,
    facts: Facts | None = None,
) -> Span:
    """Begin a stretch of a service's work below `parent` (a traceparent; None or nonsense begins a trace).

    `links` are the traceparents of other work that this one serves as well; `state` is a tracestate header.
    """
    if _exporting is None:
        return Span(continued(parent), correlation_id)
    span = _exporting.begin(
        service, name, kind=kind, parent=parent, links=links, state=state, correlation_id=correlation_id
    )
    if facts:
        span.note(facts)
    return span


def is_on() -> bool:
    """Say whether spans are exported."""
    return _exporting is not None


def endpoint() -> str:
    """Return the collector's address from the environment; empty: nothing is exported."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    names = ("TAMGA_OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return next((address for name in names if (address := os.environ.get(name))), "")


def start(process: str) -> None:
    """Export this process's spans by OTLP over HTTP from now on, if an endpoint is configured."""
    global _exporting  # noqa: PLW0603 - one exporter a process, chosen once at its start
    if _exporting is None and endpoint():
        module = importlib.import_module("shared.telemetry_export")
        _exporting = module.Exporter(process, os.environ.get("TAMGA_OTEL_ENDPOINT", ""))


def stop(seconds: float = 3.0) -> None:
    """Export what still waits, for at most so many seconds; what is left then is dropped and counted."""
    global _exporting  # noqa: PLW0603 - the same
    if _exporting is not None:
        _exporting.close(seconds)
        _exporting = None


def name_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the trace and the correlation of the present work in a line of the log (a structlog processor)."""
    span = _current.get()
    if span is not None:
        event.setdefault("trace_id", trace_id(span.traceparent))
        if span.correlation_id is not None:
            event.setdefault("correlation_id", str(span.correlation_id))
    return event
