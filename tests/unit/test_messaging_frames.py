"""A message's frames: made by us as the library reads them, and read by us as the library makes them."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from amqp import Message
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic

from shared.messaging.delivery import Delivered, Inbound
from shared.messaging.frames import HEADER, METHOD, properties_of, publish_frames
from shared.messaging.line import _Buffered
from shared.messaging.wire import Raw

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


def _header(raw: bytes) -> bytes:
    """Return the content of the header frame among these bytes."""
    while raw[0] != HEADER:
        raw = raw[8 + int.from_bytes(raw[3:7], "big") :]
    return raw[7 : 7 + int.from_bytes(raw[3:7], "big")]


def test_properties_are_read_as_the_library_reads_them() -> None:
    """What our own reading takes from a message is what py-amqp takes from it."""
    content = _header(publish_frames(3, "events", "a.b.c", **FACTS, body=b"{}", frame_max=4096))  # type: ignore[arg-type]
    theirs = decode_properties_basic(content, 12)[0]
    ours = properties_of(content)
    assert ours == {name: theirs[name] for name in ("application_headers", "message_id", "user_id")}


def test_properties_of_another_form_are_left_to_the_library() -> None:
    """A header that is no text, as the broker adds when it delivers again, is not guessed at."""
    message = Message(
        b"{}",
        content_type="application/json",
        delivery_mode=2,
        message_id="7f",
        type="a.b.c",
        user_id="grants",
        app_id="grants",
        application_headers={"x-delivery-count": 1},
    )
    content = b"\x00\x3c\x00\x00" + (2).to_bytes(8, "big") + message._serialize_properties()
    assert properties_of(content) is None


class _Channel:
    """As much of a channel as a delivery needs."""

    def __init__(self) -> None:
        self.taken: list[Delivered] = []
        self.rejected: list[int] = []
        self.callbacks = {"ctag": self.taken.append}

    def basic_reject(self, tag: int, *, requeue: bool) -> None:
        assert requeue
        self.rejected.append(tag)


def _frames_of_delivery(raw: bytes, consumer_tag: bytes = b"ctag") -> list[tuple[int, int, bytes]]:
    """Return published frames as the broker would deliver them."""
    method = b"\x00\x3c\x00\x3c" + bytes((len(consumer_tag),)) + consumer_tag + (9).to_bytes(8, "big") + b"\x00"
    frames = [(METHOD, 1, method + b"\x06events\x05a.b.c")]
    while raw:
        size = int.from_bytes(raw[3:7], "big")
        if raw[0] != METHOD:
            frames.append((raw[0], 1, raw[7 : 7 + size]))
        raw = raw[8 + size :]
    return frames


@pytest.mark.parametrize("size", [0, 1, 9000])
def test_a_delivery_is_put_together_out_of_its_frames(size: int) -> None:
    """A body of no, one or several frames arrives whole, with headers, key and user, and only when it is complete."""
    channel, body = _Channel(), b"x" * size
    inbound = Inbound(SimpleNamespace(bytes_recv=0, channels={1: channel}), lambda *_: None)
    published = publish_frames(1, "events", "a.b.c", **FACTS, body=body, frame_max=4096)  # type: ignore[arg-type]
    *before, last = _frames_of_delivery(published)
    assert not any(map(inbound, before))
    assert not channel.taken
    assert inbound(last)
    [message] = channel.taken
    assert (message.delivery_tag, message.raw) == (9, Raw(FACTS["headers"], body, "a.b.c", "grants", "7f"))  # type: ignore[arg-type]


def test_a_delivery_to_a_consumer_that_is_gone_goes_back() -> None:
    """What was under way when the consumer was cancelled is given back to the queue, once."""
    channel = _Channel()
    inbound = Inbound(SimpleNamespace(bytes_recv=0, channels={1: channel}), lambda *_: None)
    published = publish_frames(1, "events", "a.b.c", **FACTS, body=b"{}", frame_max=4096)  # type: ignore[arg-type]
    for frame in _frames_of_delivery(published, b"gone"):
        inbound(frame)
    assert (channel.taken, channel.rejected) == ([], [9])


@pytest.mark.parametrize("piece", [1, 6, 7, 8, 65_536])
def test_frames_are_cut_right_however_their_bytes_arrive(piece: int) -> None:
    """Frames are the same whether bytes come one by one or all at once, and a time-out between them loses none."""
    frames = [(1, 0, b"abc"), (2, 1, b""), (3, 1, bytes(300))]
    raw = b"".join(
        bytes((kind, 0, channel)) + len(content).to_bytes(4, "big") + content + b"\xce"
        for kind, channel, content in frames
    )
    pieces: list[bytes | None] = []
    for at in range(0, len(raw), piece):
        pieces += [None, raw[at : at + piece]]

    def receive(_most: int) -> bytes:
        if (next_piece := pieces.pop(0)) is None:
            raise TimeoutError
        return next_piece

    line = _Buffered()
    line._quick_recv = receive
    found = []
    while pieces or len(found) < len(frames):
        with contextlib.suppress(TimeoutError):
            found.append(line.read_frame())
    assert found == frames


def test_a_line_that_ends_is_an_error_of_the_link() -> None:
    """When the broker closes the connection the reader says so, and that it is no more connected."""
    line = _Buffered()
    line.connected, line._quick_recv = True, lambda _most: b""
    with pytest.raises(ConnectionError):
        line.read_frame()
    assert line.connected is False
