"""What goes between the log and its signer: the request `add-checkpoint` of C2SP's tlog-witness.

A request is "old SIZE", the hashes of a consistency proof in base64, an empty line, and a checkpoint. The signer
that holds the log's own key takes the checkpoint's text and nothing after it; a witness takes the signed note.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from services.audit.domain.merkle import SIZE

ADD, STATE, HEALTH = "/add-checkpoint", "/state", "/health"
FOLDER, SOCKET = "signer", "keys/signer.socket"  # in the home folder
SIZE_TYPE = "text/x.tlog.size"
LONGEST_PROOF = 63
LARGEST = 64 * 1024  # bytes of a request


class WireError(ValueError):
    """A request or an answer that is none."""


@dataclass(frozen=True)
class Asked:
    """A request: sign `checkpoint`, which continues what was signed at size `old`, as `proof` shows."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: str

    def encode(self) -> bytes:
        """Return the body of the request."""
        proof = "".join(f"{base64.b64encode(item).decode()}\n" for item in self.proof)
        return f"old {self.old}\n{proof}\n{self.checkpoint}".encode()

    @classmethod
    def parse(cls, body: bytes) -> Asked:
        """Return the request of a body; raises WireError."""
        try:
            head, split, checkpoint = body.decode().partition("\n\n")
        except UnicodeDecodeError as error:
            raise WireError("the request is not text") from error
        first, *lines = head.split("\n")
        word, _, number = first.partition(" ")
        if not split or word != "old" or not (number.isascii() and number.isdecimal()):
            raise WireError('a request begins with "old" and a size, and has an empty line before its checkpoint')
        if len(lines) > LONGEST_PROOF:
            raise WireError(f"a proof has at most {LONGEST_PROOF} hashes")
        return cls(int(number), tuple(_hash(line) for line in lines), checkpoint)


def _hash(line: str) -> bytes:
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError("a hash of the proof is no base64") from error
    if len(raw) != SIZE:
        raise WireError(f"a hash of the proof is not {SIZE} bytes")
    return raw


@dataclass(frozen=True)
class Beginning:
    """When, and for which reason, an operator had the signer begin again, and what it had signed before."""

    at: str  # ISO 8601, UTC
    reason: str
    size: int
    note: str  # the last checkpoint before; empty when there was none


@dataclass(frozen=True)
class State:
    """What the signer says of itself. `locked` and `refused` are sentences, empty when all is well."""

    origin: str
    key: str  # its verifier key
    size: int  # up to which entry it signed; 0: nothing yet
    note: str
    locked: str = ""
    refused: str = ""
    refused_at: str = ""
    began: Beginning | None = None

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(self, default=vars, ensure_ascii=False).encode()

    @classmethod
    def parse(cls, body: bytes) -> State:
        """Return the state of an answer; raises WireError."""
        try:
            told: dict[str, Any] = json.loads(body)
            began = told.pop("began")
            return cls(**told, began=Beginning(**began) if began else None)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WireError("the signer's answer is not understood") from error


def origin_of(base_url: str) -> str:
    """Return the name of the log that is read at an address."""
    parts = urlsplit(base_url)
    return f"{parts.hostname or 'localhost'}{f':{parts.port}' if parts.port else ''}/audit"


def address_in(home: Path) -> str:
    """Return where the signer of an installation listens unless it is told otherwise."""
    return str(home / SOCKET)


def address_of(address: str) -> tuple[str, int] | str:
    """Return the host and port of "HOST:PORT", or the path of a Unix socket as it is."""
    host, split, port = address.rpartition(":")
    return (host, int(port)) if split and "/" not in address and port.isdecimal() else address
