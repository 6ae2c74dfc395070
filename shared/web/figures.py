"""Figures of the requests that a service's app answers: how many, how well, how fast, how many at this moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram

from shared.observability import counter, gauge, histogram

# The template of a route, never an address: that may name a case or a person, and there is no end of them.
REQUESTS = counter("http_requests", "Requests answered", "service", "method", "route", "status")
SECONDS = histogram("http_request_seconds", "Time to the end of the answer", "service", "route")
UNDER_WAY = gauge("http_requests_in_progress", "Requests under way", "service")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "(none)"


class Answering:
    """One request's place in the figures."""

    def __init__(self, service: str) -> None:
        self.service, self.began = service, time.perf_counter()

    def answered(self, method: str, route: str, status: int) -> None:
        """Count the answer under its route; static files and what matches no route are one each."""
        counted, timed = _series(self.service, method if method in _METHODS else "other", route, status // 100)
        counted.inc()
        timed.observe(time.perf_counter() - self.began)


@cache
def _series(service: str, method: str, route: str, kind: int) -> tuple[Counter, Histogram]:
    name = route or NO_ROUTE
    return REQUESTS.labels(service, method, name, f"{kind}xx"), SECONDS.labels(service, name)


@cache
def _under_way(service: str) -> Any:
    return UNDER_WAY.labels(service)


@contextmanager
def answering(service: str) -> Iterator[Answering]:
    """Count a request as under way within the block."""
    _under_way(service).inc()
    try:
        yield Answering(service)
    finally:
        _under_way(service).dec()
