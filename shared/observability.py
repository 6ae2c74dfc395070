"""Logs as JSON without personal data, metrics for Prometheus."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from structlog.typing import Processor

from shared.redaction import HIDDEN, redact
from shared.telemetry import name_trace

# Never in a log, whoever passes them: what identifies a person or lets somebody in.
PRIVATE = frozenset(
    {"name", "email", "phone", "address", "password", "secret", "token", "cookie", "csrf", "session", "body", "data"}
)

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def counter(name: str, what: str, *labels: str) -> Counter:
    """Return a counter of Tamga's registry."""
    return Counter(name, what, labels, namespace="tamga", registry=REGISTRY)


def gauge(name: str, what: str, *labels: str) -> Gauge:
    """Return a gauge of Tamga's registry."""
    return Gauge(name, what, labels, namespace="tamga", registry=REGISTRY)


def histogram(name: str, what: str, *labels: str, buckets: Sequence[float] = LATENCY_BUCKETS) -> Histogram:
    """Return a histogram of seconds of Tamga's registry."""
    return Histogram(name, what, labels, namespace="tamga", registry=REGISTRY, buckets=buckets)


@cache
def release() -> str:
    """Return the version of the running code."""
    try:
        return version("tamga")
    except PackageNotFoundError:
        return "source"


def without_personal_data(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide the values that must not be in a log, at any depth."""
    for key, value in event.items():
        event[key] = _hidden(key, value)
    return event


def _hidden(key: str, value: Any) -> Any:
    if key.lower() in PRIVATE:
        return HIDDEN
    if isinstance(value, dict):
        return {inner: _hidden(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden("", item) for item in value]
    return value


def without_quotes(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut out of texts and tracebacks what errors quote: values of a row, addresses, passwords in URLs."""
    for key, value in event.items():
        event[key] = redact(value) if isinstance(value, str) else value
    return event


def configure_logging(process: str, level: str = "INFO") -> None:
    """Send this process's logs, the standard library's too, to stderr as one JSON object a line."""

    def name_process(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    shared: list[Processor] = [
        name_process,
        structlog.contextvars.merge_contextvars,
        name_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_personal_data,
    ]
    rendering: list[Processor] = [
        structlog.processors.format_exc_info,
        without_quotes,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("uvicorn.access", "amqp", "kombu", "nameko.containers", "mail.log"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
