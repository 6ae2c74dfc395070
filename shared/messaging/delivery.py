"""A queue's messages exactly as the broker sends them: nothing decoded, decompressed or refused on the way in.

The libraries read a body by the encoding that its sender names, and stop the whole connection at a property that
is no UTF-8. What can be read of a message, and what becomes of it otherwise, is decided by `wire` and `inbox`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is one
from types import TracebackType
from typing import Any, Self

from amqp.exceptions import FrameSyntaxError
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic

from shared.messaging.frames import BODY, HEADER, METHOD, properties_of
from shared.messaging.wire import Raw

Frame = tuple[int, int, bytes]

_DELIVER = b"\x00\x3c\x00\x3c"  # class 60, method 60
_FIXED = 12  # bytes of a header frame before the properties: class, weight, size of the body
_UNREADABLE = (ValueError, OverflowError, LookupError, TypeError, StructError, FrameSyntaxError)
_tag, _size = Struct(">Q"), Struct(">Q")


@dataclass(slots=True, eq=False)
class Delivered:
    """A message as it came, and what to ack it by."""

    channel: Any
    delivery_tag: int
    raw: Raw


@dataclass(slots=True)
class _Coming:
    """A message of which frames are still to come."""

    consumer_tag: str
    delivery_tag: int
    routing_key: str
    properties: dict[str, Any]
    missing: int
    parts: list[bytes]


class Inbound:
    """Puts deliveries together out of frames, and leaves all other frames to py-amqp: give it as `frame_handler`.

    Properties that can't be read come as one header with their bytes.
    """

    def __init__(self, connection: Any, callback: Callable[..., Any]) -> None:
        self._connection = connection
        self._others = frame_handler(connection, callback)
        self._coming: dict[int, _Coming] = {}

    def __call__(self, frame: Frame) -> Any:
        """Take in one frame; returns whether it made something complete."""
        kind, channel, content = frame
        if kind == METHOD and content.startswith(_DELIVER):
            self._coming[channel] = _begun(content)
        elif kind in (HEADER, BODY) and (coming := self._coming.get(channel)):
            if kind == HEADER:
                (coming.missing,) = _size.unpack_from(content, 4)
                coming.properties = _properties(content)
            else:
                coming.parts.append(content)
                coming.missing -= len(content)
            if not coming.missing:
                del self._coming[channel]
                self._complete(channel, coming)
                self._connection.bytes_recv += 1
                return True
        else:
            return self._others(frame)
        self._connection.bytes_recv += 1  # py-amqp counts frames: a line on which some arrive is alive
        return False

    def _complete(self, number: int, coming: _Coming) -> None:
        channel = self._connection.channels[number]
        take = channel.callbacks.get(coming.consumer_tag)
        if take is None:  # cancelled a moment ago
            channel.basic_reject(coming.delivery_tag, requeue=True)
            return
        properties = coming.properties
        raw = Raw(
            headers=properties.get("application_headers") or {},
            body=coming.parts[0] if len(coming.parts) == 1 else b"".join(coming.parts),
            routing_key=coming.routing_key,
            user_id=properties.get("user_id"),
            message_id=properties.get("message_id"),
        )
        take(Delivered(channel, coming.delivery_tag, raw))


def _begun(content: bytes) -> _Coming:
    consumer_tag, at = _short(content, len(_DELIVER))
    (delivery_tag,) = _tag.unpack_from(content, at)
    _exchange, at = _short(content, at + _tag.size + 1)  # between them: whether it was delivered before
    routing_key, _ = _short(content, at)
    return _Coming(consumer_tag, delivery_tag, routing_key, {}, 0, [])


def _short(content: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + content[at]
    return content[at + 1 : end].decode("utf-8", "replace"), end


def _properties(content: bytes) -> dict[str, Any]:
    try:
        if (ours := properties_of(content)) is not None:
            return ours
        return dict(decode_properties_basic(content, _FIXED)[0])
    except _UNREADABLE as error:
        return {
            "application_headers": {"unreadable": content[_FIXED:].hex()[:20_000], "why": repr(error)[:500]},
        }


class Delivery:
    """The consumption of one queue on one channel. Use as a context manager; `take` gets each message."""

    def __init__(self, channel: Any, queue: str, take: Callable[[Delivered], None], *, prefetch: int) -> None:
        self._channel, self._queue, self._take, self._prefetch = channel, queue, take, prefetch
        self._tag: str | None = None

    def __enter__(self) -> Self:
        self._channel.basic_qos(0, self._prefetch, False)  # noqa: FBT003 - py-amqp's signature
        self._tag = self._channel.basic_consume(self._queue, callback=self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing: an end in good order has cancelled before, and any other ends the connection."""

    def cancel(self) -> None:
        """Have the broker send no more; what was sent can still be acked."""
        if self._tag is not None:
            self._channel.basic_cancel(self._tag)
            self._tag = None


def ack(message: Delivered, *, multiple: bool = False) -> None:
    """Ack a message (`multiple`: and all before it) unless its channel is gone, which has given it back."""
    if message.channel.connection:
        message.channel.basic_ack(message.delivery_tag, multiple=multiple)
