"""Asking the signer, from the audit service."""

from __future__ import annotations

import http.client
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from services.audit.signer.wire import ADD, STATE, Asked, State, WireError, address_of
from shared.errors import ConflictError

PATIENCE = 3.0  # seconds
_FITS = 100  # bytes of the path of a Unix socket


class SignerSilentError(ConflictError):
    """The signer does not answer, or can't sign at all; what it would say of the log is not known."""


class StaleError(RuntimeError):
    """The signer's last state is another than the asker took it to be; `size` says which."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the signer has signed {size} entries")
        self.size = size


class NotGrownError(RuntimeError):
    """The signer refuses: this is not what it signed before, continued."""


class _Connection(http.client.HTTPConnection):
    """HTTP to a Unix socket, or to a port."""

    def __init__(self, address: str) -> None:
        super().__init__("signer", timeout=PATIENCE)
        self.place = address_of(address)

    def connect(self) -> None:
        if not isinstance(self.place, str):
            self.sock = socket.create_connection(self.place, PATIENCE)
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        path = Path(self.place)
        if len(self.place.encode()) < _FITS:
            self.sock.connect(self.place)
            return
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


@dataclass(frozen=True)
class Client:
    """A signer at an address: the path of a Unix socket, or HOST:PORT."""

    address: str

    def state(self) -> State:
        """Return what the signer says of itself; raises SignerSilentError."""
        _, body = self._ask("GET", STATE)
        try:
            return State.parse(body)
        except WireError as error:
            raise SignerSilentError(str(error)) from error

    def add(self, asked: Asked) -> str:
        """Return the signed note; raises StaleError, NotGrownError or SignerSilentError."""
        status, body = self._ask("POST", ADD, asked.encode())
        said = body.decode(errors="replace").strip()
        if status == 200:
            return body.decode()
        if status == 409 and said.isdecimal():
            raise StaleError(int(said))
        if status == 503:
            raise SignerSilentError(said)
        raise NotGrownError(said or f"the signer answers {status}")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = _Connection(self.address)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise SignerSilentError("the signer does not answer") from error
        finally:
            connection.close()
