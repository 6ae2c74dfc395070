"""py-amqp's connection, reading all that has arrived in one go.

The library asks the operating system three times for every frame, nine times for a message; under eventlet that is
more work than the message itself.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import amqp
from amqp.exceptions import UnexpectedFrame
from amqp.transport import SSLTransport, TCPTransport
from kombu.transport import pyamqp

_AT_ONCE = 65_536  # bytes
_END = 0xCE
_head = Struct(">BHI")


class _Buffered:
    """Takes frames out of what was read ahead. A time-out loses nothing: what has come of a frame stays."""

    _quick_recv: Any
    connected: bool
    _ahead = b""
    _at = 0

    def at_hand(self) -> tuple[int, int, bytes] | None:
        """Return the next frame if all of it is here."""
        ahead, at = self._ahead, self._at
        if len(ahead) - at < _head.size:
            return None
        kind, channel, size = _head.unpack_from(ahead, at)
        begin, end = at + _head.size, at + _head.size + size
        if len(ahead) <= end:
            return None
        if ahead[end] != _END:
            raise UnexpectedFrame(f"a frame ends with {ahead[end]:#04x}")
        self._at = end + 1
        return kind, channel, ahead[begin:end]

    def read_frame(self, *_: object) -> tuple[int, int, bytes]:
        """Return the next frame, waiting for it as long as the socket's time-out allows."""
        while (frame := self.at_hand()) is None:
            self._ahead, self._at = self._ahead[self._at :], 0
            self._ahead += self._more()
        return frame

    def _more(self) -> bytes:
        try:
            arrived: bytes = self._quick_recv(_AT_ONCE)
        except (TimeoutError, BlockingIOError) as error:  # the latter by the operating system's own time-out
            raise TimeoutError("nothing arrived in time") from error
        except OSError as error:
            if "timed out" in str(error):  # as TLS says it
                raise TimeoutError("nothing arrived in time") from error
            self.connected = False
            raise
        if not arrived:
            self.connected = False
            raise ConnectionError("the broker closed the connection")
        return arrived


class _Tcp(_Buffered, TCPTransport):  # type: ignore[misc]  # py-amqp has no types
    pass


class _Tls(_Buffered, SSLTransport):  # type: ignore[misc]
    pass


class _Connection(amqp.Connection):  # type: ignore[misc]
    def Transport(  # noqa: N802 - py-amqp's name and signature
        self,
        host: str,
        connect_timeout: float,
        ssl: Any = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        **options: Any,
    ) -> Any:
        """Return the transport for plain TCP or for TLS."""
        options |= {"connect_timeout": connect_timeout, "read_timeout": read_timeout, "write_timeout": write_timeout}
        return _Tls(host, ssl=ssl, **options) if ssl else _Tcp(host, **options)

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for something to arrive and take all in that has arrived with it."""
        super().drain_events(timeout)
        while self.connected and (frame := self.transport.at_hand()):
            self.on_inbound_frame(frame)


class Line(pyamqp.Transport):
    """What kombu is to connect with: `Connection(url, transport=Line)`."""

    Connection = _Connection
