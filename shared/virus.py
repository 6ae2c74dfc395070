"""What must not be kept whatever its name: files with a virus signature, and archives that burst when unpacked.

Without a scanner our own check finds the one signature that every scanner must find (EICAR), also inside archives.
With `TAMGA_CLAMD` (host:port, or the path of a socket) each file goes to that clamd too, and none is kept unseen.
"""

from __future__ import annotations

import socket
import struct
import zipfile
import zlib
from io import BytesIO

from shared.errors import InvalidError, Rule, TamgaError

# In two parts, so that no scanner takes this module for the file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
MOST_PARTS, MOST_UNPACKED, MOST_RATIO = 2_000, 60 * 1024 * 1024, 200
DEEPEST = 2  # archives within archives
_SMALL = 1024 * 1024  # what unpacks to less than this can't harm, whatever its ratio
_CHUNK, _PATIENCE = 64 * 1024, 30.0


class ScannerAwayError(TamgaError):
    """The virus scanner that is to see every file does not answer."""

    type = "scanner-away"
    status = 503
    title = "Files can't be taken now"
    retry_after = 30


def check(content: bytes, clamd: str = "") -> None:
    """Refuse infected content and archives that burst; raises InvalidError, or ScannerAwayError."""
    found = signature(content)
    if found is None and clamd:
        found = _asked(content, clamd)
    if found:
        refused = {"file": Rule("has a virus: %(name)s", name=found)}
        raise InvalidError(refused, "The file is infected and was not kept")


def signature(content: bytes) -> str | None:
    """Return the name of the virus that our own check finds, also inside archives; raises InvalidError for bombs."""
    return _Look().into(content, 0)


class _Look:
    """One look into a file: how much may still be unpacked in it, archives within archives included."""

    def __init__(self) -> None:
        self.left = MOST_UNPACKED

    def into(self, content: bytes, depth: int) -> str | None:
        if EICAR in content:
            return "EICAR-Test-File"
        if not content.startswith(b"PK\x03\x04"):
            return None
        if depth > DEEPEST:
            raise _refused("has archives inside archives")
        try:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                return self._inside(archive, depth)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError):
            return None  # no archive that anybody can open: its kind is refused elsewhere

    def _inside(self, archive: zipfile.ZipFile, depth: int) -> str | None:
        parts = archive.infolist()
        self._must_be_small(parts)
        if any(part.flag_bits & 1 for part in parts):
            raise _refused("is protected by a password: nobody can look inside")
        for part in parts:
            if found := self.into(_unpacked(archive, part), depth + 1):
                return found
        return None

    def _must_be_small(self, parts: list[zipfile.ZipInfo]) -> None:
        """Refuse an archive by what it says of itself, before anything of it is unpacked."""
        unpacked, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
        if len(parts) > MOST_PARTS:
            rule = Rule("has %(count)s parts inside; at most %(most)s are taken", count=len(parts), most=MOST_PARTS)
            raise _refused(rule)
        self.left -= unpacked
        if self.left < 0 or (unpacked > _SMALL and unpacked > MOST_RATIO * max(packed, 1)):
            rule = Rule(
                "unpacks to %(size)s MB, %(ratio)s times its size: it looks like an archive made to do harm",
                size=round(unpacked / 1024 / 1024),
                ratio=round(unpacked / max(packed, 1)),
            )
            raise _refused(rule)


def _unpacked(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(part)  # never more than the part says of itself
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, zlib.error) as error:
        raise _refused("has a part that can't be read") from error


def _refused(rule: str) -> InvalidError:
    return InvalidError({"file": rule}, "The file can't be taken")


def _asked(content: bytes, clamd: str) -> str | None:
    """Return what clamd found in the content (its INSTREAM protocol), or None."""
    try:
        with _connection(clamd) as line:
            line.sendall(b"zINSTREAM\0")
            for start in range(0, len(content), _CHUNK):
                piece = content[start : start + _CHUNK]
                line.sendall(struct.pack("!I", len(piece)) + piece)
            line.sendall(struct.pack("!I", 0))
            answer = b""
            while not answer.endswith(b"\0") and (more := line.recv(4096)):
                answer += more
    except (OSError, ValueError) as error:
        raise ScannerAwayError("The virus scanner does not answer. Nothing was kept; try again later") from error
    said = answer.rstrip(b"\0\n").decode("utf-8", "replace").removeprefix("stream: ")
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND")
    if said != "OK":
        raise ScannerAwayError("The virus scanner does not answer. Nothing was kept; try again later")
    return None


def _connection(clamd: str) -> socket.socket:
    if "/" in clamd:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(_PATIENCE)
        line.connect(clamd)
        return line
    host, _, port = clamd.rpartition(":")
    return socket.create_connection((host or "127.0.0.1", int(port)), timeout=_PATIENCE)
