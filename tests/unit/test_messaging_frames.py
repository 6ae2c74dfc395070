"""A message's frames, made by us, as the library reads them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from amqp.method_framing import frame_handler

from shared.messaging.frames import publish_frames

FACTS = {
    "content_type": "application/json",
    "headers": {"cloudEvents_id": "7", "cloudEvents_subject": "заявка:1", "empty": ""},
    "message_id": "7f",
    "user_id": "grants",
    "app_id": "grants",
}


def _read(raw: bytes) -> list[tuple[Any, Any, Any]]:
    """Return the methods in these bytes, as py-amqp hands them to a channel: (method, arguments, message)."""
    found: list[tuple[Any, Any, Any]] = []
    read = frame_handler(
        SimpleNamespace(bytes_recv=0),
        lambda _channel, method, arguments, message: found.append((method, bytes(arguments)[4:], message)),
        content_methods=frozenset({(60, 40)}),
    )
    while raw:
        kind, channel, size = raw[0], int.from_bytes(raw[1:3], "big"), int.from_bytes(raw[3:7], "big")
        assert raw[7 + size] == 0xCE
        read((kind, channel, raw[7 : 7 + size]))
        raw = raw[8 + size :]
    return found


@pytest.mark.parametrize("size", [0, 1, 4087, 4088, 4089, 20_000])
def test_frames_read_back_as_the_message(size: int) -> None:
    """Method, properties, headers and a body of any size arrive as they were given, and ask for a return."""
    body = bytes(number % 251 for number in range(size))
    raw = publish_frames(3, "events", "grants.application.saved", **FACTS, body=body, frame_max=4096)  # type: ignore[arg-type]
    [(method, arguments, message)] = _read(raw)
    assert method == (60, 40)
    assert arguments == b"\x00\x00\x06events\x18grants.application.saved\x01"
    assert (message.body or b"") == body
    assert message.properties == {
        "content_type": "application/json",
        "application_headers": FACTS["headers"],
        "delivery_mode": 2,
        "message_id": "7f",
        "type": "grants.application.saved",
        "user_id": "grants",
        "app_id": "grants",
    }


def test_a_name_that_is_too_long_for_the_protocol_is_refused() -> None:
    """A short string has one byte for its length: more is an error here, not a broken connection later."""
    with pytest.raises(ValueError, match="256"):
        publish_frames(1, "events", "x" * 256, **FACTS, body=b"{}", frame_max=4096)  # type: ignore[arg-type]
