"""Spans of the backbone, named as OpenTelemetry's conventions for messaging name them.

An event carries the traceparent of the work that recorded it. Publishing it and handling it are children of that
work; what serves events of several traces at once is a span of its own with a link to each. The figures are taken
at the same places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from shared import telemetry
from shared.events import Envelope
from shared.messaging.timing import BATCH, Handling, Publishing
from shared.messaging.wire import EXCHANGE, Received
from shared.telemetry import Facts, Kind, Span


def publishing(source: str, rows: Sequence[Mapping[str, Any]]) -> Span:
    """Begin the publishing of rows of an outbox."""
    return Publishing(_publishing(source, rows), source, len(rows))


def _publishing(source: str, rows: Sequence[Mapping[str, Any]]) -> Span:
    parents = {row["traceparent"]: row["correlation_id"] for row in rows}
    facts: Facts = _facts("publish", "send", EXCHANGE) | {"messaging.batch.message_count": len(rows)}
    name = f"publish {rows[0]['type']}" if len(rows) == 1 else f"publish {EXCHANGE}"
    return _of_all(source, name, "producer", parents, facts)


def about(row: Mapping[str, Any]) -> Span:
    """Return what lets logs name the trace of one row of an outbox."""
    return Span(row["traceparent"] or "", row["correlation_id"])


def processing(consumer: str, envelope: Envelope, *, again: bool = False) -> Span:
    """Begin the handling of one event; `again` when it was put off before."""
    return Handling(_processing(consumer, envelope, again=again), consumer, envelope.type, envelope.time)


def _processing(consumer: str, envelope: Envelope, *, again: bool) -> Span:
    if not telemetry.is_on():
        return Span(telemetry.continued(envelope.traceparent), envelope.correlation_id)
    facts = _facts("process", "process", consumer) | _of_event(envelope)
    if again:
        facts["tamga.again"] = True
    return telemetry.begin(
        consumer,
        f"process {envelope.type}",
        kind="consumer",
        parent=envelope.traceparent,
        correlation_id=envelope.correlation_id,
        facts=facts,
    )


def taking_in(consumer: str, batch: Sequence[Received]) -> Span:
    """Begin the handling of many events in one transaction."""
    return Handling(_taking_in(consumer, batch), consumer, BATCH, batch[0].envelope.time)


def _taking_in(consumer: str, batch: Sequence[Received]) -> Span:
    if len(batch) == 1:
        return _processing(consumer, batch[0].envelope, again=False)
    parents = {item.envelope.traceparent: item.envelope.correlation_id for item in batch}
    facts = _facts("process", "process", consumer) | {"messaging.batch.message_count": len(batch)}
    return _of_all(consumer, f"process {consumer}", "consumer", parents, facts)


def _of_all(service: str, name: str, kind: Kind, parents: Mapping[str | None, Any], facts: Facts) -> Span:
    if len(parents) == 1:
        [(parent, correlation_id)] = parents.items()
        return telemetry.begin(service, name, kind=kind, parent=parent, correlation_id=correlation_id, facts=facts)
    links = [parent for parent in parents if parent] if telemetry.is_on() else ()
    return telemetry.begin(service, name, kind=kind, links=links, facts=facts)


class Together:
    """The spans of events that share a transaction: each is over when its handler is, and ends with the commit."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

    @contextmanager
    def processing(self, consumer: str, envelope: Envelope) -> Iterator[Span]:
        """Begin the handling of the next event; logs name its trace within the block."""
        span = processing(consumer, envelope)
        self._spans.append(span)
        span.__enter__()
        try:
            yield span
        finally:
            span.leave()
            span.finish()

    def end(self, error: BaseException | None) -> None:
        """End all of them: with the commit, or as failed."""
        for span in self._spans:
            if error is not None:
                span.fail(error)
            span.end()


@contextmanager
def together() -> Iterator[Together]:
    """Give spans that end when the block does, which is to contain the transaction."""
    spans = Together()
    try:
        yield spans
    except BaseException as error:
        spans.end(error)
        raise
    spans.end(None)


def _facts(name: str, kind: str, destination: str) -> dict[str, str | int | bool]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": destination,
    }


def _of_event(envelope: Envelope) -> dict[str, str | int | bool]:
    # Not the entity: that of a person is the person's id.
    facts: dict[str, str | int | bool] = {
        "messaging.message.id": str(envelope.id),
        "messaging.message.conversation_id": str(envelope.correlation_id),
        "messaging.rabbitmq.destination.routing_key": envelope.type,
    }
    return facts | ({"tamga.case": envelope.case} if envelope.case else {})
