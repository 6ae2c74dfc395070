"""The signer's one door: a little HTTP on a Unix socket, or on a port inside. One request at a time.

Written by hand, for the standard library's server takes as much memory as all the rest of the signer.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

from services.audit.signer.book import STALE, LockedError, RefusedError
from services.audit.signer.wire import ADD, HEALTH, LARGEST, SIZE_TYPE, STATE, Asked, State, WireError, address_of

PATIENCE = 5.0  # seconds that one request may take
LOOK = 2.0  # seconds between signs of life
_WORDS = {200: "OK", 400: "Bad Request", 404: "Not Found", 409: "Conflict", 413: "Content Too Large"}


class Holder(Protocol):
    """Whoever signs: a log's own signer, or a witness."""

    def add(self, asked: Asked) -> str: ...

    def state(self) -> State: ...


def say(words: str, to: TextIO | None = None) -> None:
    """Write a line, for the signer's log unless told."""
    (to or sys.stderr).write(f"{words}\n")
    (to or sys.stderr).flush()


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"

    def encode(self) -> bytes:
        """Return it as HTTP/1.0 has it."""
        head = f"HTTP/1.0 {self.status} {_WORDS.get(self.status, 'Refused')}\r\nContent-Type: {self.kind}\r\n"
        return f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


@dataclass
class Door:
    """Listens at an address until it is closed; `living` is called every few seconds."""

    address: str
    holder: Holder
    living: Callable[[], None] = lambda: None
    _listening: socket.socket = field(init=False)
    _said: str = field(init=False, default="")

    def __enter__(self) -> Self:
        place = address_of(self.address)
        if isinstance(place, str):
            Path(place).unlink(missing_ok=True)  # of a signer that was killed
            self._listening = socket.socket(socket.AF_UNIX)
            mask = os.umask(0o177)
            try:
                self._listening.bind(short(place))
            finally:
                os.umask(mask)
        else:
            self._listening = socket.create_server(place)
        self._listening.listen(16)
        self._listening.settimeout(LOOK)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listening.close()
        if isinstance(place := address_of(self.address), str):
            Path(place).unlink(missing_ok=True)

    def serve(self, stopped: Callable[[], bool]) -> None:
        """Answer until asked to stop."""
        lived = 0.0
        while not stopped():
            if time.monotonic() - lived >= LOOK:
                lived = time.monotonic()
                self.living()
            with suppress(TimeoutError):
                caller, _ = self._listening.accept()
                with caller:
                    self._attend(caller)

    def _attend(self, caller: socket.socket) -> None:
        caller.settimeout(PATIENCE)
        try:
            caller.sendall(self._answer(*_request(caller)).encode())
        except OSError as error:  # who asked has gone, or says nothing
            say(f"a request was not answered: {error}")

    def _answer(self, method: str, path: str, body: bytes) -> Answer:
        try:
            return self._told(method, path, body)
        except WireError as error:
            return Answer(400, f"{error}\n".encode())
        except LockedError as error:
            return Answer(503, f"{error}\n".encode())
        except RefusedError as error:
            self._refused(str(error))
            stale = error.status == STALE
            return Answer(STALE, f"{error.size}\n".encode(), SIZE_TYPE) if stale else _refusal(error)
        except OSError as error:  # a full disk: nothing was signed
            say(f"not signed: {error}")
            return Answer(503, f"the signer can't write down what it signs: {error.strerror}\n".encode())

    def _refused(self, reason: str) -> None:
        if reason != self._said:  # the same is asked every few seconds
            self._said = reason
            say(f"refused: {reason}")

    def _told(self, method: str, path: str, body: bytes) -> Answer:
        if (method, path) == ("POST", ADD):
            return Answer(200, self.holder.add(Asked.parse(body)).encode())
        if (method, path) == ("GET", STATE):
            return Answer(200, self.holder.state().encode(), "application/json")
        return Answer(200, b"ok\n") if (method, path) == ("GET", HEALTH) else Answer(404)


def _refusal(error: RefusedError) -> Answer:
    return Answer(error.status, f"{error}\n".encode())


def _request(caller: socket.socket) -> tuple[str, str, bytes]:
    """Return the method, the path and the body of a request; one that is none has no method."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = caller.recv(LARGEST)
        got += more
        if not more or len(got) > LARGEST:
            return "", "", b""
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    told = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = told.get("content-length", "0")
    if len(words) != 3 or not length.isdecimal() or int(length) > LARGEST:
        return "", "", b""
    while len(body) < int(length):
        more = caller.recv(LARGEST)
        if not more:
            return "", "", b""
        body += more
    return words[0], words[1], body[: int(length)]


def short(path: str) -> str:
    """Return a path to a socket that fits its hundred bytes, by a folder that stays open as long as we run."""
    if len(path.encode()) < 100:
        return path
    folder = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY)
    return f"/proc/self/fd/{folder}/{Path(path).name}"
