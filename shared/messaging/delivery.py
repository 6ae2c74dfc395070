"""A queue's messages exactly as the broker sends them: nothing decoded, decompressed or refused on the way in.

The libraries read a body by the encoding that its sender names, and stop the whole connection at a property that
is no UTF-8. What can be read of a message, and what becomes of it otherwise, is decided by `wire` and `inbox`.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - it is one
from types import TracebackType
from typing import Any, Self

from amqp.basic_message import Message
from amqp.exceptions import FrameSyntaxError
from amqp.method_framing import frame_handler

from shared.messaging.wire import Raw

Frame = tuple[int, int, bytes]

_HEADER = 2  # the type of the frame that holds a message's properties
_FIXED = 12  # bytes of it before the properties: class, weight, size of the body
_UNREADABLE = (ValueError, OverflowError, LookupError, TypeError, StructError, FrameSyntaxError)


def forgiving_frames(connection: Any, callback: Callable[..., Any]) -> Callable[[Frame], Any]:
    """Return py-amqp's frame handler, except that unreadable properties come as one header with their bytes."""
    handle = frame_handler(connection, callback)

    def forgiving(frame: Frame) -> Any:
        kind, channel, content = frame
        try:
            return handle(frame)
        except _UNREADABLE as error:
            if kind != _HEADER:
                raise
            headers = {"unreadable": content[_FIXED:].hex()[:20_000], "why": repr(error)[:500]}
            properties = Message(application_headers=headers)._serialize_properties()  # noqa: SLF001 - the one way
            return handle((kind, channel, content[:_FIXED] + properties))

    return forgiving


class Delivery:
    """The consumption of one queue on one channel. Use as a context manager; `take` gets each message."""

    def __init__(self, channel: Any, queue: str, take: Callable[[Any], None], *, prefetch: int) -> None:
        self._channel, self._queue, self._take, self._prefetch = channel, queue, take, prefetch
        self._tag: str | None = None
        channel.auto_decode = False

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


def ack(message: Any, *, multiple: bool = False) -> None:
    """Ack a message (`multiple`: and all before it) unless its channel is gone, which has given it back."""
    if message.channel.connection:
        message.channel.basic_ack(message.delivery_tag, multiple=multiple)


def raw_of(message: Any) -> Raw:
    """Return a message as it came."""
    properties = message.properties
    return Raw(
        headers=dict(properties.get("application_headers") or {}),
        body=bytes(message.body or b""),
        routing_key=message.delivery_info.get("routing_key", ""),
        user_id=properties.get("user_id"),
        message_id=properties.get("message_id"),
    )
