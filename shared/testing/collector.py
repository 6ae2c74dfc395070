"""A collector of our own for tests: takes OTLP over HTTP as a real one does, and shows what it was told."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span as it arrived; ids are in hex as a traceparent has them."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[tuple[str, str], ...]
    facts: dict[str, Any]
    failed: bool
    state: str


class Collector:
    """Listens on a free port; `seen` grows with every request."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep a request's spans."""
        for resource in request.resource_spans:
            facts = {item.key: _value(item.value) for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.seen += [_seen(facts["service.name"], span) for span in scope.spans]

    def named(self, name: str) -> list[Seen]:
        """Return the spans of that name, as they arrived."""
        return [span for span in self.seen if span.name == name]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        facts={item.key: _value(item.value) for item in span.attributes},
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
        state=span.trace_state,
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Give a collector for the length of the block."""
    collector = Collector()
    try:
        yield collector
    finally:
        collector.close()
