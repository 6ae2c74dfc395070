"""A TCP proxy of our own: passes bytes on, cuts the line, refuses callers, or swallows everything in silence."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Proxy:
    """Listens on a free port of this machine and passes everything on to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.1)
        self.port: int = self._server.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.cuts = 0  # how often `cut_after` has broken the line
        self._left: int | None = None
        self._silent = threading.Event()
        self._refusing = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *, refuse: bool = False) -> None:
        """Break every connection; with `refuse`, new ones as well until `heal`."""
        if refuse:
            self._refusing.set()
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def cut_after(self, sent: int) -> None:
        """Break every connection when so many further bytes have gone to the target: in the middle of a message."""
        self._left = sent

    def swallow(self) -> None:
        """Keep connections open and take bytes, but pass nothing on."""
        self._silent.set()

    def heal(self) -> None:
        """Be a good line again; what was swallowed stays lost, so those connections are broken."""
        self._refusing.clear()
        if self._silent.is_set():
            self._silent.clear()
            self.cut()

    def close(self) -> None:
        self._ended.set()
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._refusing.is_set():
                near.close()
                continue
            near.settimeout(None)
            try:
                far = socket.create_connection(self._target)
            except OSError:  # nobody there: the caller is told as the target itself would
                near.close()
                continue
            self._pairs.append((near, far))
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while not self._ended.is_set():
                for key, _ in selector.select(timeout=0.5):
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    try:
                        data = source.recv(65536)
                        if data and not self._silent.is_set():
                            key.data.sendall(data[: self._left] if source is near else data)
                    except OSError:
                        return
                    if not data:
                        return
                    if source is near:
                        self._count(len(data))

    def _count(self, sent: int) -> None:
        if self._left is not None:
            self._left -= sent
            if self._left <= 0:
                self._left = None
                self.cut()
                self.cuts += 1


@contextmanager
def proxy_to(host: str, port: int) -> Iterator[Proxy]:
    """Give a proxy for the length of the block."""
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
