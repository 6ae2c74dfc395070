"""A message as the frames of AMQP 0-9-1, in one piece of bytes, so that a batch goes out with few writes.

The library builds each message out of a dozen objects and writes it by itself: half of what a relay does. Reading
the properties of such a message is as simple.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from typing import Any

METHOD, HEADER, BODY = 1, 2, 3
_END = b"\xce"
_PUBLISH = b"\x00\x3c\x00\x28\x00\x00"  # class 60, method 40, a reserved number
_MANDATORY = b"\x01"
# Which properties follow, in this order: content type, headers, delivery mode, message id, type, user id, app id.
_FLAGS = b"\xb0\xb8"
_PERSISTENT = b"\x02"
_LONG_TEXT = ord("S")
_OVERHEAD = 8  # bytes of a frame around its content
_frame_head, _content_head, _long = Struct(">BHI"), Struct(">HHQ"), Struct(">I")


def publish_frames(
    channel: int,
    exchange: str,
    routing_key: str,
    *,
    content_type: str,
    headers: Mapping[str, str],
    message_id: str,
    user_id: str,
    app_id: str,
    body: bytes,
    frame_max: int,
) -> bytes:
    """Return the frames that publish a persistent, mandatory message; its `type` is the routing key."""
    table = b"".join([_name(name) + _text(value.encode()) for name, value in headers.items()])
    words = (_text_short(message_id), _short(routing_key), _short(user_id), _short(app_id))
    properties = b"".join((_FLAGS, _short(content_type), _text(table), _PERSISTENT, *words))
    method = _PUBLISH + _short(exchange) + _short(routing_key) + _MANDATORY
    header = _content_head.pack(60, 0, len(body)) + properties
    room = frame_max - _OVERHEAD
    bodies = [body[at : at + room] for at in range(0, len(body), room)]
    return b"".join(
        [_frame(METHOD, channel, method), _frame(HEADER, channel, header)]
        + [_frame(BODY, channel, part) for part in bodies]
    )


def properties_of(content: bytes) -> dict[str, Any] | None:
    """Return the properties of a header frame that `publish_frames` made; None for any other, to be read with care.

    Raises UnicodeDecodeError or LookupError for one that only looks alike.
    """
    if content[12:14] != _FLAGS:
        return None
    headers: dict[str, str] = {}
    at = 15 + content[14]
    (length,) = _long.unpack_from(content, at)
    at += 4
    end = at + length
    while at < end:
        begin = at + 1 + content[at]
        if content[begin] != _LONG_TEXT:
            return None
        (length,) = _long.unpack_from(content, begin + 1)
        value = begin + 5
        headers[_word(content[at + 1 : begin])] = content[value : value + length].decode()
        at = value + length
    message_id, at = _read_short(content, at + 1)  # between them: the delivery mode
    _type, at = _read_short(content, at)
    user_id, at = _read_short(content, at)
    return {"application_headers": headers, "message_id": message_id, "user_id": user_id}


def _read_short(content: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + content[at]
    return content[at + 1 : end].decode(), end


@lru_cache(maxsize=256)
def _word(raw: bytes) -> str:
    return raw.decode()


def _frame(kind: int, channel: int, content: bytes) -> bytes:
    return _frame_head.pack(kind, channel, len(content)) + content + _END


def _text_short(text: str) -> bytes:
    raw = text.encode()
    return bytes((len(raw),)) + raw  # more than 255 bytes raise ValueError


@lru_cache(maxsize=1024)
def _short(text: str) -> bytes:
    return _text_short(text)


@lru_cache(maxsize=256)
def _name(name: str) -> bytes:
    return _text_short(name) + b"S"


def _text(raw: bytes) -> bytes:
    return _long.pack(len(raw)) + raw
