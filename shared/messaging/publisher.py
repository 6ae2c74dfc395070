"""Publishes rows of an outbox with pipelined confirms, and never waits for ever."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.messaging.frames import publish_frames
from shared.messaging.link import connect, user_of
from shared.messaging.wire import CONTENT_TYPE, EXCHANGE, LARGEST_BODY, headers_of

LARGEST = LARGEST_BODY
_WRITE = 64 * 1024  # bytes that are collected until they are written to the line
_LOOK = 0.5  # seconds between looks at whether to wait on while the broker has us blocked


class PublishError(RuntimeError):
    """No answer in time, or none wanted any more: the connection is given up, what is not confirmed goes out again."""


@dataclass
class Result:
    """What became of a batch: rows the broker has safely, and rows it would not take, with the reason."""

    confirmed: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


class Publisher:
    """One connection and one channel in confirm mode. After any error: `abandon`, and make a new one."""

    def __init__(self, amqp_url: str, *, exchange: str = EXCHANGE) -> None:
        self.exchange = exchange
        self.blocked: str | None = None
        self._user = user_of(amqp_url)
        self._connection = connect(amqp_url, on_blocked=self._on_blocked, on_unblocked=self._on_unblocked)
        try:
            self._channel = self._connection.default_channel
            self._channel.confirm_select()
        except BaseException:
            self.abandon()
            raise
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        self._tag = 0
        self._pending: dict[int, int] = {}  # delivery tag → row, in the order of publishing
        self._rows: dict[str, int] = {}  # message id → row
        self._result = Result()

    def publish(
        self,
        source: str,
        rows: Sequence[dict[str, Any]],
        *,
        timeout: float = 10.0,
        wait_on: Callable[[], bool] = lambda: False,
    ) -> Result:
        """Publish `rows` in order and wait until each is confirmed or refused; rows not sent are in no list.

        Raises PublishError when an answer is missing after `timeout` seconds. While the broker has us blocked
        time does not count: `wait_on` is asked now and then, and its no ends the wait.
        """
        self._result, self._pending = Result(), {}
        self._rows = {str(row["id"]): row["row"] for row in rows}
        if not self.blocked:  # else the broker reads nothing: to send would fill the line and hang
            self._send(source, rows)
        self._wait(timeout, wait_on)
        # A returned message is confirmed as well: the broker has dealt with it, by giving it back.
        refused = self._result.refused
        self._result.confirmed = [row for row in self._result.confirmed if row not in refused]
        return self._result

    def _send(self, source: str, rows: Sequence[dict[str, Any]]) -> None:
        frames: list[bytes] = []
        size = 0
        for row in rows:
            frames.append(self._frames(source, row))
            size += len(frames[-1])
            self._tag += 1
            self._pending[self._tag] = row["row"]
            if size > _WRITE:
                self._write(frames)
                size = 0
                self._look()
                if self.blocked:
                    return
        self._write(frames)

    def _write(self, frames: list[bytes]) -> None:
        link = self._channel.connection
        link.transport.write(b"".join(frames))
        link.bytes_sent += len(frames)  # py-amqp counts frames: a line on which some were sent needs no heartbeat
        frames.clear()

    def _frames(self, source: str, row: dict[str, Any]) -> bytes:
        return publish_frames(
            self._channel.channel_id,
            self.exchange,
            row["type"],
            content_type=CONTENT_TYPE,
            headers=headers_of(row | {"source": source}),
            message_id=str(row["id"]),
            user_id=self._user,
            app_id=source,
            body=row["body"].encode(),
            frame_max=self._channel.connection.frame_max,
        )

    def _wait(self, timeout: float, wait_on: Callable[[], bool]) -> None:
        deadline = time.monotonic() + timeout
        while self._pending:
            try:
                self._connection.drain_events(timeout=_LOOK)
            except TimeoutError:
                self._connection.heartbeat_check()
            if self.blocked and wait_on():
                deadline = time.monotonic() + timeout
            elif self.blocked or time.monotonic() > deadline:
                raise PublishError(f"{len(self._pending)} messages were not confirmed: {self.blocked or 'no answer'}")

    def tend(self, wait: float = 0.0) -> None:
        """Keep the connection alive: read what has arrived, within `wait` seconds, and send a heartbeat if due."""
        try:
            while True:
                self._connection.drain_events(timeout=wait or 0.0001)
                wait = 0.0
        except TimeoutError:
            self._connection.heartbeat_check()

    def _look(self) -> None:
        """Take in what has arrived, without waiting for more."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._connection.drain_events(timeout=0)

    def abandon(self) -> None:
        """Drop the connection at once: close() would wait for an answer that a broken link never gives."""
        self._connection.collect(socket_timeout=1)

    def close(self) -> None:
        """End in good order if the broker is listening."""
        if self.blocked:
            self.abandon()
        else:
            self._connection.release()

    def _settle(self, tag: int, multiple: bool) -> list[int]:
        if not multiple:
            return [self._pending.pop(tag)] if tag in self._pending else []
        settled = []
        for first in list(self._pending):
            if first > tag:
                break
            settled.append(self._pending.pop(first))
        return settled

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._result.confirmed += self._settle(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for row in self._settle(tag, multiple):
            self._result.refused.setdefault(row, "a queue refused it (full?)")

    def _on_return(self, error: Any, _exchange: str, routing_key: str, message: Any) -> None:
        row = self._rows.get(message.properties.get("message_id", ""))
        if row is not None:
            self._result.refused[row] = f"{getattr(error, 'reply_text', error)}: no queue is bound to {routing_key}"

    def _on_blocked(self, reason: Any) -> None:
        self.blocked = str(reason) or "blocked"

    def _on_unblocked(self) -> None:
        self.blocked = None
