"""What the consumer's scenarios do by hand: send and send again, look into transactions, hold them at a barrier."""

from __future__ import annotations

import pickle
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from uuid import UUID

import amqp
from sqlalchemy import text
from sqlalchemy.engine import make_url

from shared.events.envelope import Envelope
from shared.messaging.backfill import Backfill
from shared.messaging.link import channel_of
from shared.messaging.relay import Relay
from shared.messaging.wire import encode
from shared.testing.backbone import CONSUMER, SOURCE, TYPE, Backbone, event_of, eventually
from shared.testing.proxy import Proxy

# Bodies and properties of messages that are no event.
RUBBISH: list[tuple[bytes, dict[str, Any]]] = [
    (b"{not json", {}),
    (b"", {}),
    (b"\xff\xfe\x00\x80", {"content_type": "application/json", "content_encoding": "utf-8"}),
    (pickle.dumps(["a pickle"]), {"content_type": "application/x-python-serialize", "content_encoding": "binary"}),
    (b"\xef\xbb\xbf{}", {"content_encoding": "utf-8-sig"}),
    (zlib.compress(b"0" * 100_000), {"application_headers": {"compression": "zlib"}}),
    (b'{"data": {}}', {"application_headers": {"cloudEvents_id": "no uuid", "nested": {"a": [1, None, b"\xff"]}}}),
    (b"no utf-8 in the properties", {"message_id": b"\xff\xfe", "content_type": b"\x80"}),
    (b'"\\u0000"', {"application_headers": {"cloudEvents_type": "a\x00b", "cloudEvents_source": "portal"}}),
]
_INSERTING = "relation = 'inbox'::regclass AND mode = 'RowExclusiveLock'"


def send(backbone: Backbone, *events: Envelope, times: int = 1) -> list[UUID]:
    """Send events to the exchange, each `times` times, and return their ids."""
    with channel_of(backbone.amqp_url) as channel:
        for event in events:
            raw = encode(event)
            for _ in range(times):
                message = amqp.Message(
                    raw.body,
                    application_headers=raw.headers,
                    message_id=raw.message_id,
                    content_type="application/json",
                    delivery_mode=2,
                )
                channel.basic_publish(message, exchange=backbone.exchange, routing_key=raw.routing_key)
        channel.queue_declare(backbone.queue, passive=True)  # answered when all of them have been taken in
    return [event.id for event in events]


def send_rubbish(backbone: Backbone, body: bytes, *, key: str = TYPE, **properties: Any) -> None:
    """Send bytes that are no event."""
    with channel_of(backbone.amqp_url) as channel:
        message = amqp.Message(body, delivery_mode=2, **properties)
        channel.basic_publish(message, exchange=backbone.exchange, routing_key=key)


def send_again(backbone: Backbone) -> int:
    """Send all that ever went out once more, as a relay does that died before it marked; returns how many."""
    with backbone.source.connect() as connection:
        rows = connection.execute(text("SELECT id, entity, sequence, body FROM outbox ORDER BY row")).all()
    send(
        backbone,
        *(
            event_of(row.entity.removeprefix("user:"), row.sequence, row.body["data"]["reason"], event_id=row.id)
            for row in rows
        ),
    )
    return len(rows)


def through(url: str, line: Proxy) -> str:
    """Return the URL that leads over a line of ours."""
    return make_url(url).set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)


class Muted:
    """One end of a line that can stop hearing answers: what it says still arrives."""

    def __init__(self, end: socket.socket, mute: threading.Event) -> None:
        self._end, self._mute = end, mute
        self.fileno, self.recv, self.close = end.fileno, end.recv, end.close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.close()

    def sendall(self, data: bytes) -> None:
        if not self._mute.is_set():
            self._end.sendall(data)


class OneWay(Proxy):
    """A line whose callers are heard and, while it is muted, hear nothing: no side is told that it is broken."""

    def __init__(self, host: str, port: int) -> None:
        self.muted = threading.Event()
        super().__init__(host, port)

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        super()._pass_on(Muted(near, self.muted), far)  # type: ignore[arg-type]


@contextmanager
def line_to(url: str, port: int) -> Iterator[OneWay]:
    """Give a line of ours to the server of a URL, whose usual port is `port`."""
    parsed = make_url(url)
    line = OneWay(parsed.host or "127.0.0.1", parsed.port or port)
    try:
        yield line
    finally:
        line.close()


def in_work(backbone: Backbone) -> int:
    """Return how many transactions have written into the inbox and are not at their end."""
    return backbone.count(f"SELECT count(DISTINCT pid) FROM pg_locks WHERE {_INSERTING} AND granted")  # noqa: S608 - ours


def blocked(backbone: Backbone) -> int:
    """Return how many sessions of the consumer's database wait for another one's transaction."""
    return backbone.count(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
    )


@contextmanager
def barrier(backbone: Backbone, parties: int) -> Iterator[None]:
    """Hold every insert into the inbox until `parties` transactions stand before it; then let them go at once."""
    with backbone.consumer.connect() as connection:
        connection.execute(text("LOCK TABLE inbox IN SHARE MODE"))
        yield
        waiting = f"SELECT count(DISTINCT pid) FROM pg_locks WHERE {_INSERTING} AND NOT granted"  # noqa: S608 - ours
        eventually(lambda: backbone.count(waiting) == parties, seconds=8)
        connection.rollback()


def nobody_left(backbone: Backbone) -> int:
    """Wait until the queue has no consumer, so that what was not acked is back, and return how much that is."""
    eventually(lambda: backbone.depth().consumers == 0)
    return backbone.depth().messages


def first_handled(backbone: Backbone, before: int) -> float:
    """Return the seconds until the first effect beyond `before`."""
    began = time.monotonic()
    eventually(lambda: len(backbone.effects()) > before)
    return time.monotonic() - began


@contextmanager
def asking(backbone: Backbone) -> Iterator[None]:
    """Let alarms travel: the consumer's own relay takes them out, and the source hears them."""
    alarms, stop = f"{backbone.queue}.backfill", threading.Event()
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_declare(alarms, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(alarms, backbone.exchange, "*.gap.#")
        channel.queue_bind(backbone.queue, backbone.exchange, "*.backfill.#")
    url = backbone.consumer.url.render_as_string(hide_password=False)
    parts: list[Relay | Backfill] = [
        Relay(CONSUMER, url, backbone.amqp_url, exchange=backbone.exchange),
        Backfill(SOURCE, backbone.source, backbone.amqp_url, queue=alarms),
    ]
    threads = [threading.Thread(target=part.run, args=(stop,), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=10)
        with channel_of(backbone.amqp_url) as channel:
            channel.queue_delete(alarms)
